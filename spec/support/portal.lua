--- The harness, as those start it that say whether over TLS.

local child = require "spec.support.child"
local harness = require "spec.support.harness"

return setmetatable({
  child = child.output,
  start = function(tls) return harness.start { tls = tls } end,
}, { __index = harness })
