--- Which fault, if any, meets a request.

local random = require "cpp.emulator.portal.random"

local faults = {}

local active = {}

--- Replaces all faults.
function faults.set(list)
  active = list
  for _, fault in ipairs(list) do
    fault.random = random.new(fault.seed or 1)
  end
end

local function concerns(fault, call, offer)
  return (fault.on == "*" or fault.on == call)
    and (not fault.offer or fault.offer == offer)
    and fault.times ~= 0
end

-- Counts a request that the fault concerns; true when the fault strikes.
local function strikes(fault)
  if fault.skip > 0 then
    fault.skip = fault.skip - 1
    return false
  end
  if fault.random:number() >= fault.probability then
    return false
  end
  fault.times = fault.times - 1 -- -1 never comes to 0
  return true
end

--- The first fault in the list that strikes this request, or nil.
function faults.pick(call, offer)
  for _, fault in ipairs(active) do
    if concerns(fault, call, offer) and strikes(fault) then
      return fault
    end
  end
end

return faults
