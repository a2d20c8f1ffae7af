--- What reached the emulator, read from its file as it grows.

local entries = require "cpp.emulator.ledger".entries

local ledger = {}
ledger.__index = ledger

function ledger.open(name)
  return setmetatable({ file = assert(io.open(name)), cancels = {} }, ledger)
end

--- The cancels that came with this client request id, in order.
function ledger:sent(id)
  for entry in entries(self.file) do
    local key = entry.client_request_id
    if entry.call == "cancel" and key then
      self.cancels[key] = self.cancels[key] or {}
      table.insert(self.cancels[key], entry)
    end
  end
  return self.cancels[id] or {}
end

return ledger
