--- Values by key, of which many come and go: `next` passes over every slot that
-- was ever filled, so a table that has become sparse is made anew.

local bag = {}
bag.__index = bag

-- Fewer are never worth it.
local LEAST = 64

--- @param mode string|nil  "k": keys that nobody else holds leave by themselves
function bag.new(mode)
  local meta = { __mode = mode }
  return setmetatable({ items = setmetatable({}, meta), meta = meta, count = 0,
    most = 0 }, bag)
end

local function renew(self)
  local items, count = setmetatable({}, self.meta), 0
  for key, value in pairs(self.items) do
    items[key], count = value, count + 1
  end
  self.items, self.count, self.most = items, count, count
end

function bag:add(key, value)
  local count = self.count + 1
  self.items[key], self.count = value, count
  if count > self.most then
    self.most = count
  end
end

--- Takes a value out; nil where there is none.
function bag:take(key)
  local value = self.items[key]
  if value == nil then
    return nil
  end
  local count = self.count - 1
  self.items[key], self.count = nil, count
  if self.most > LEAST and count < self.most // 4 then
    renew(self)
  end
  return value
end

--- Whether anything is in it.
function bag:any()
  return next(self.items) ~= nil
end

return bag
