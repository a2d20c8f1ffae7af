-- Cancels what runs on an offer, and makes sure that it has ended.
--   CPP_TOKEN=... lua5.4 cancel.lua PUBLISHER OFFER
local cpp = require "cpp"
local workflow = require "cpp.workflow"

local publisher, offer = ...
if not offer then
  io.stderr:write("usage: cancel.lua PUBLISHER OFFER\n")
  os.exit(2)
end

local function show(operation)
  print(operation)
  for _, step in ipairs(operation.steps or {}) do
    print(("    %-44s %s"):format(step.stepName, step.status))
  end
end

local client <close> = cpp.client()
local result, err = workflow.cancel(client, publisher, offer, { on_change = show })
if not result then
  io.stderr:write(tostring(err), "\n")
  os.exit(1, true)
end
print(("%s/%s: %s"):format(publisher, offer, result.outcome))
os.exit(result.outcome == "canceled" or result.outcome == "nothing_to_cancel", true)
