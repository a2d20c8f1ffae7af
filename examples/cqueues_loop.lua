-- Cancels on many offers inside a cqueues loop, whose other work goes on meanwhile:
-- here a ticker, every 10 ms.
--   CPP_TOKEN=... lua5.4 cqueues_loop.lua PUBLISHER OFFER...
local cpp = require "cpp"
local cqueues = require "cqueues"
local workflow = require "cpp.workflow"

local publisher, offers = arg[1], { table.unpack(arg, 2) }
if #offers == 0 then
  io.stderr:write("usage: cqueues_loop.lua PUBLISHER OFFER...\n")
  os.exit(2)
end

local loop = cqueues.new()
local client <close> = cpp.client { wait = cqueues.poll }
local left, all_well = #offers, true

for _, offer in ipairs(offers) do
  loop:wrap(function()
    local result, err = workflow.cancel(client, publisher, offer)
    print(("%s/%s: %s"):format(publisher, offer, result and result.outcome or err))
    local outcome = result and result.outcome
    all_well = all_well and (outcome == "canceled" or outcome == "nothing_to_cancel")
    left = left - 1
  end)
end

loop:wrap(function()
  local ticks, longest, last = 0, 0, cqueues.monotime()
  while left > 0 do
    cqueues.sleep(0.01)
    local now = cqueues.monotime()
    ticks, longest, last = ticks + 1, math.max(longest, now - last), now
  end
  print(("%d ticks, longest gap %.0f ms"):format(ticks, longest * 1000))
end)

assert(loop:loop())
os.exit(all_well and loop:empty(), true)
