-- What the host runs for each offer, in a coroutine of its own. It sees `cpp.cancel`
-- and functions that do no harm, and nothing else.
-- luacheck: globals cpp
---@diagnostic disable: undefined-global
local publisher, offer = ...
local result, err = cpp.cancel(publisher, offer)
print(("%s/%s: %s"):format(publisher, offer, result and result.outcome or err))
return result ~= nil and result.outcome == "canceled"
