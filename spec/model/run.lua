-- Holds the workflow against a model of the service:
--   lua5.4 spec/model/run.lua [RUNS [SEED [MODULE or FILE.lua]]]
-- RUNS random runs from a printed seed, mild and harsh in turn; besides them some
-- with a service that is consistent, calls that crash and are made again, batches, a
-- grid of small combinations, and faults put into the workflow that must be found.
-- What fails is shrunk and printed as a story. What is drawn is in switches.lua,
-- what is held in oracle/.

package.path = "./?.lua;" .. package.path

local tally = require "spec.model.tally"

local WORKFLOW = "cpp.workflow"
local PROCESSES = 2
local MUTANT_RUNS = 6000
local LEAST_RESULTS = { mild = 0.80, consistent = 0.999 }

local runs = math.tointeger(tonumber(arg[1] or 200000))
local seed = math.tointeger(tonumber(arg[2] or os.time()))
local module = arg[3] or WORKFLOW

local function start(command)
  return assert(io.popen(("exec '%s' %s 2>&1"):format(arg[-1], command)))
end

local function start_part(part)
  return start(("spec/model/part.lua '%s' %d %d %d %d"):format(module, seed, runs, part, PROCESSES))
end

-- Its closing line counts, like a part's tally.
local function read_closing(counted, line)
  local passed, failed = line:match "^(%d+) passed, (%d+) failed$"
  if passed then
    counted:add("passed", math.tointeger(tonumber(passed)))
    counted:add("failed", math.tointeger(tonumber(failed)))
  end
  return passed ~= nil
end

local function collect(counted, process)
  for line in process:lines() do
    if not counted:read(line) and not read_closing(counted, line) then
      print(line)
    end
  end
  if not process:close() then
    counted:add "failed"
    counted:add "wrong\ta process did not end well"
  end
end

-- Whether the oracle finds what is wrong: those faults that show soon.
local function start_mutants(part)
  return start(("spec/model/mutate.lua %d %d %d %d"):format(MUTANT_RUNS, seed, part, PROCESSES))
end

local function in_parallel(counted, start_one)
  local processes = {}
  for part = 1, PROCESSES do
    processes[part] = start_one(part)
  end
  for _, process in ipairs(processes) do
    collect(counted, process)
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
local counted = tally.new()
in_parallel(counted, start_part)
if module == WORKFLOW then
  in_parallel(counted, start_mutants)
end
check_use(counted)
counted:tell()
local passed, failed = counted.counts.passed or 0, counted.counts.failed or 0
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0)
