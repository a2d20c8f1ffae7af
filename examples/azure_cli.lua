-- Cancels what runs on an offer, as whoever is logged in with `az login`.
--   lua5.4 azure_cli.lua PUBLISHER OFFER
-- The token is renewed while the cancel is waited for, however long that takes.
local cpp = require "cpp"
local credential = require "cpp.credential"
local workflow = require "cpp.workflow"

local publisher, offer = ...
if not offer then
  io.stderr:write("usage: azure_cli.lua PUBLISHER OFFER\n")
  os.exit(2)
end

local client <close> = cpp.client { token = credential.azure_cli() }
local result, err = workflow.cancel(client, publisher, offer)
if not result then
  io.stderr:write(tostring(err), "\n")
  os.exit(1, true)
end
print(("%s/%s: %s"):format(publisher, offer, result.outcome))
os.exit(result.outcome == "canceled" or result.outcome == "nothing_to_cancel", true)
