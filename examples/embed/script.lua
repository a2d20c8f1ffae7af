-- What the host runs for each offer, in a coroutine of its own. It sees `cpp.cancel`
-- and functions that do no harm, and nothing else.
-- luacheck: globals cpp
---@diagnostic disable: undefined-global
local publisher, offer = ...
local result, err = cpp.cancel(publisher, offer)
local outcome = result and result.outcome
print(("%s/%s: %s"):format(publisher, offer, outcome or err))
return outcome == "canceled" or outcome == "nothing_to_cancel"
