--- The portal's side of the ledger: a line of JSON for every request, written
-- before the request is answered, so that who has an answer finds the line.

local json = require "cpp.emulator.portal.json"

local ledger = {}

---@type file*
local file
local seq = 0

function ledger.open(name)
  file = assert(io.open(name, "w"))
end

function ledger.record(entry)
  seq = seq + 1
  entry.seq = seq
  file:write(json.encode(entry), "\n")
  file:flush()
end

return ledger
