--- Makes what fails small: as many switches as possible at their first value,
-- where the service is plain, and the same still wrong.

local switches = require "spec.model.switches"

local ROUNDS = 4

local function copy_with(drawn, name, value)
  local changed = {}
  for key, old in pairs(drawn) do
    changed[key] = old
  end
  changed[name] = value
  return changed
end

-- The first value of a switch, or one that comes before its own, that still fails.
local function shrink_one(drawn, name, values, fails)
  for _, value in ipairs(values) do
    if value == drawn[name] then
      return drawn
    end
    local smaller = copy_with(drawn, name, value)
    if fails(smaller) then
      return smaller
    end
  end
  return drawn
end

--- @param drawn table    switches of a run that fails
--- @param fails fun(drawn: table): boolean
--- @return table drawn   smaller ones that fail too
return function(drawn, fails)
  for _ = 1, ROUNDS do
    local before = drawn
    for _, switch in ipairs(switches.list) do
      drawn = shrink_one(drawn, switch[1], switch[2], fails)
    end
    if drawn == before then
      return drawn
    end
  end
  return drawn
end
