--- The harness, and coroutines, under one name.

local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"

return setmetatable({ ID = harness.OPERATION }, { __index = function(_, name)
  return coroutines[name] or harness[name]
end })
