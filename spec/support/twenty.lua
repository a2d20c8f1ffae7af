-- Run inside a host that has coroutines of its own: 20 cancels at once on one client,
-- and a ticker of the host beside them. Writes what it saw to the file `report` in the
-- folder $FOLDER.
local descriptors = dofile(os.getenv "DESCRIPTORS")
local workflow = require "cpp.workflow"

local function write(report)
  local path = os.getenv "FOLDER" .. "/report"
  local file = assert(io.open(path .. ".part", "w"))
  file:write "return {\n"
  for name, value in pairs(report) do
    file:write(("  %s = %s,\n"):format(name, value))
  end
  file:write "}\n"
  file:close()
  assert(os.rename(path .. ".part", path))
end

local function run(report, open, spawn, sleep)
  local client, close = open()
  local left = 20
  for i = 1, 20 do
    spawn(function()
      local result = workflow.cancel(client, "contoso", "vm" .. i)
      if result and result.outcome == "canceled" then
        report.canceled = report.canceled + 1
      end
      left = left - 1
    end)
  end
  local last = client:now()
  while left > 0 do
    sleep(0.01)
    local now = client:now()
    report.ticks, report.longest = report.ticks + 1, math.max(report.longest, now - last)
    last = now
  end
  close()
end

--- `open()` returns a client and a function that closes it; `spawn(fn)` starts a
-- coroutine of the host; `sleep(seconds)` is the host's.
return function(...)
  local report = { canceled = 0, ticks = 0, longest = 0, before = descriptors() }
  run(report, ...)
  -- A descriptor that a loop has watched stays until its client is collected.
  collectgarbage()
  collectgarbage()
  report.after = descriptors()
  write(report)
end
