--- A seeded generator, so that two runs with one seed are the same run.
-- Park and Miller's: exact in doubles on every build of Lua.

local random = {}
random.__index = random

--- @param seed integer
function random.new(seed)
  return setmetatable({ value = seed % 2147483646 + 1 }, random)
end

--- A number in [0, 1).
function random:number()
  self.value = self.value * 16807 % 2147483647
  return (self.value - 1) / 2147483646
end

--- An integer in 1..n.
function random:integer(n)
  return math.floor(self:number() * n) + 1
end

--- A GUID of version 4.
function random:guid()
  local template = "xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx"
  return (template:gsub("x", function()
    return ("%x"):format(self:integer(16) - 1)
  end))
end

--- Shuffles an array in place.
function random:shuffle(list)
  for i = #list, 2, -1 do
    local j = self:integer(i)
    list[i], list[j] = list[j], list[i]
  end
  return list
end

return random
