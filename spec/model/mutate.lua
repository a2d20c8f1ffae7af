-- Whether the oracle finds what is wrong with a workflow:
--   lua5.4 spec/model/mutate.lua [RUNS [SEED [PART PARTS]]]
-- Each of mutations.lua must be found within RUNS runs (100000). With fewer, those
-- that are marked as rare are passed over.

package.path = "./?.lua;" .. package.path

local batch = require "spec.model.batch"
local hash = require "spec.model.hash"
local mutant = require "spec.model.mutant"
local mutations = require "spec.model.mutations"
local play = require "spec.model.play"
local subject = require "spec.model.subject"
local switches = require "spec.model.switches"

local ALL = 100000

local runs = math.tointeger(tonumber(arg[1] or ALL))
local seed = math.tointeger(tonumber(arg[2] or 1))
local part, parts = tonumber(arg[3] or 1), tonumber(arg[4] or 1)

subject.prepare()
local sound, task = require "cpp.workflow", require "cpp.task"

-- Of the mild mix, of the harsh one, or of the grid.
local function draw(number)
  if number % 4 == 0 then
    return switches.draw_grid(hash.integer(number, 1) % switches.grid_size())
  end
  return (number % 2 == 0 and switches.draw or switches.draw_harsh)(number)
end

local function once(workflow, number)
  return (play.once(workflow.cancel, draw(number)))
end

local function once_in_batch(workflow, number)
  return (batch.once(workflow.cancel_all, task.sleep, number))
end

-- What is shared by the offers of a batch shows in a batch alone.
local PLAYS = { batch = once_in_batch }

-- The first run in which it is wrong and the workflow as it is is not.
local function find(workflow, file)
  local try = PLAYS[file] or once
  for i = 1, runs do
    local number = seed * 1000003 + i
    local wrong = try(workflow, number)
    if wrong and not try(sound, number) then
      return i, wrong
    end
  end
end

local passed, failed = 0, 0

local function try(mutation)
  local workflow, reason = mutant.load(mutation)
  local number, wrong
  if workflow then
    number, wrong = find(workflow, mutation[2])
  end
  if number then
    passed = passed + 1
    print(("found in run %6d: %s: %s"):format(number, mutation[1], wrong))
  else
    failed = failed + 1
    print(("NOT FOUND: %s: %s"):format(mutation[1], reason or "nothing wrong"))
  end
  io.flush()
end

for i, mutation in ipairs(mutations) do
  if i % parts == part % parts and not (mutation.rare and runs < ALL) then
    try(mutation)
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0)
