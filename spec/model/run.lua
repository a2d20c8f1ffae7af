-- Holds the workflow against a model of the service:
--   lua5.4 spec/model/run.lua [RUNS [SEED [MODULE or FILE.lua]]]
-- RUNS random runs from a printed seed, mild and harsh in turn; some of them again
-- with a service that is consistent, and with a call that crashes and is made
-- again; and a grid of small combinations. What fails is shrunk and printed as a
-- story. What is drawn is in switches.lua, what is held in oracle/.

package.path = "./?.lua;" .. package.path

local tally = require "spec.model.tally"

local PROCESSES = 2
local LEAST_RESULTS = { mild = 0.80, consistent = 0.999 }

local runs = math.tointeger(tonumber(arg[1] or 200000))
local seed = math.tointeger(tonumber(arg[2] or os.time()))
local module = arg[3] or "cpp.workflow"

local function start(part)
  return assert(io.popen(("exec lua5.4 spec/model/part.lua '%s' %d %d %d %d 2>&1"):format(module,
    seed, runs, part, PROCESSES)))
end

local function collect(counted, process)
  for line in process:lines() do
    if not counted:read(line) then
      print(line)
    end
  end
  if not process:close() then
    counted:add "failed"
    counted:add "wrong\ta process did not end well"
  end
end

-- What a workflow that says little would fail.
local function check_use(counted)
  for group, least in pairs(LEAST_RESULTS) do
    local is_enough = counted:share(group, "results") >= least
    counted:add(is_enough and "passed" or "failed")
    if not is_enough then
      counted:add("wrong\ttoo few results: " .. group)
    end
  end
end

print(("model: %d runs, seed %d"):format(runs, seed))
local processes, counted = {}, tally.new()
for part = 1, PROCESSES do
  processes[part] = start(part)
end
for _, process in ipairs(processes) do
  collect(counted, process)
end
check_use(counted)
counted:tell()
local passed, failed = counted.counts.passed or 0, counted.counts.failed or 0
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0)
