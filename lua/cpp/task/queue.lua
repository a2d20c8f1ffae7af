--- First in, first out.

local queue = {}
queue.__index = queue

function queue.new()
  return setmetatable({ first = 1, last = 0 }, queue)
end

function queue:__len()
  return self.last - self.first + 1
end

function queue:push(value)
  self.last = self.last + 1
  self[self.last] = value
end

--- The value that has waited longest, or nil. An emptied queue starts again at
-- 1, so that it stays an array.
function queue:pop()
  local first = self.first
  local value = self[first]
  self[first], self.first = nil, first + 1
  if first >= self.last then
    self.first, self.last = 1, 0
  end
  return value
end

return queue
