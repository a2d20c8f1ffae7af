-- One process's part of the runs, for run.lua:
--   lua5.4 spec/model/part.lua MODULE SEED RUNS PART PARTS
-- Prints stories of what fails, then its tally.

package.path = "./?.lua;" .. package.path

local play = require "spec.model.play"
local subject = require "spec.model.subject"
local switches = require "spec.model.switches"
local tally = require "spec.model.tally"

local SPREAD = 1000003 -- between the numbers of two seeds
local CONSISTENT = 20 -- every so many random runs, one of a consistent service,
local NOT_FOLLOWED = 20 -- one that is not followed,
local CRASHED = 10 -- and a call that crashes at each of so many exchanges
local EXCHANGES = 8
local BATCHED = 50 -- and a batch

subject.prepare()
local workflow = subject.load(arg[1])
local cancel = workflow.cancel
local seed, runs = math.tointeger(tonumber(arg[2])), math.tointeger(tonumber(arg[3]))
local part, parts = math.tointeger(tonumber(arg[4])), math.tointeger(tonumber(arg[5]))
local counted = tally.new()

local function once(drawn)
  return play.once(cancel, drawn)
end

local function crash(drawn)
  local number = drawn.seed // CRASHED % EXCHANGES + 1
  return play.crash(cancel, drawn, number)
end

local function random_runs(from, to)
  for i = from, to, parts do
    local number = seed * SPREAD + i
    if i // parts % 2 == 0 then
      counted:play("mild", switches.draw(number), once)
    else
      counted:play("harsh", switches.draw_harsh(number), once)
    end
    if i // parts % CONSISTENT == 0 then
      local drawn = switches.draw_consistent(number)
      if switches.is_told(drawn) then
        counted:play("consistent", drawn, once)
      end
    end
    if i // parts % NOT_FOLLOWED == 0 then
      local drawn = switches.draw(number)
      drawn.no_wait = true
      counted:play("no_wait", drawn, once)
    end
    if i // parts % CRASHED == 0 then
      counted:play("crash", switches.draw(number), crash)
    end
  end
end

random_runs(part, runs)
for number = part - 1, switches.grid_size() - 1, parts do
  counted:play("grid", switches.draw_grid(number), once)
end
-- A workflow without batches is held to the rest.
for i = part, workflow.cancel_all and runs // BATCHED or 0, parts do
  counted:batch(seed * SPREAD + i, workflow.cancel_all, require "cpp.task".sleep)
end
counted:print()
