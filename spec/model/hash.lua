--- Numbers that look random and depend on nothing but a seed and an index: a
-- fault at one exchange is the same whatever happened before it.

local MASK = 0x1fffffffffffff
local SCALE = 1.0 / (MASK + 1)

local hash = {}

--- @param seed integer
--- @param index integer
--- @return integer  from 0 to 2^53 - 1
function hash.integer(seed, index)
  local x = seed + index * 0x9e3779b97f4a7c15
  x = (x ~ (x >> 30)) * 0xbf58476d1ce4e5b9
  x = (x ~ (x >> 27)) * 0x94d049bb133111eb
  return (x ~ (x >> 31)) & MASK
end

local integer = hash.integer

--- @return number  from 0 to less than 1
function hash.fraction(seed, index)
  return integer(seed, index) * SCALE
end

return hash
