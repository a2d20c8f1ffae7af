-- Cancels what runs on many offers at once, and makes sure that all has ended.
--   CPP_TOKEN=... lua5.4 cancel_many.lua PUBLISHER/OFFER...
--   CPP_TOKEN=... lua5.4 cancel_many.lua < offers.txt     one PUBLISHER/OFFER a line
-- Progress goes to stderr; to stdout a line for each offer, as soon as it has ended.
-- The exit status is 0 when nothing runs any more that could be canceled.
local cpp = require "cpp"
local workflow = require "cpp.workflow"

local function targets_of(words)
  local targets = {}
  for word in words do
    local publisher, offer = word:match "^%s*([^/%s]+)/([^/%s]+)%s*$"
    if not offer then
      io.stderr:write("not PUBLISHER/OFFER: '", word, "'\n")
      os.exit(2)
    end
    targets[#targets + 1] = { publisher, offer }
  end
  return targets
end

local function show(operation)
  io.stderr:write(tostring(operation), "\n")
end

local all_well = true

local function tell(result)
  local name = result.publisher .. "/" .. result.offer
  local is_well = result.outcome == "canceled" or result.outcome == "nothing_to_cancel"
  print(name .. ": " .. (result.outcome or tostring(result.err)))
  all_well = all_well and is_well
end

local words = #arg > 0 and table.concat(arg, "\n"):gmatch "[^\n]+" or io.lines()
local targets = targets_of(words)
local client <close> = cpp.client()
workflow.cancel_all(client, targets, { on_change = show, on_result = tell })
os.exit(all_well, true)
