--- Plays one run: a workflow against the service of some switches, and the oracle
-- on what it said and sent.

local client = require "spec.model.client"
local said = require "spec.model.oracle.said"
local sent = require "spec.model.oracle.sent"

local play = {}

--- The id in the option `operation`: of what runs, or ran.
function play.operation(run)
  local names, world = run.drawn.call.names, run.world
  if names == "run" then
    return (world.mine or world.old or {}).id
  elseif names == "other" then
    return run.drawn.other
  elseif names == "old" then
    return (world.old or world.mine or {}).id
  end
end

--- The options of the call, and what the oracle goes by.
function play.options(run, operation)
  local drawn = run.drawn
  local opts = { deadline = drawn.deadline, interval = drawn.interval,
    max_interval = drawn.max_interval, list_lag = drawn.lag_option, operation = operation,
    no_wait = drawn.no_wait }
  run.callback_takes = drawn.call.callback
  if run.callback_takes then
    opts.on_change = function(told) run:tell(told) end
  end
  run.operation, run.list_lag, run.no_wait = operation, drawn.lag_option, drawn.no_wait
  run.deadline_at = run.called + drawn.deadline
  run.interval, run.max_interval = drawn.interval, drawn.max_interval
  return opts
end

--- Calls the workflow on a client that is new or goes on after a crash.
---@return boolean good  it did not raise
---@return table|any result
---@return table|nil err
function play.call(cancel, run, operation)
  local opts = play.options(run, operation)
  math.randomseed(run.drawn.seed)
  return pcall(cancel, run, "contoso", "vm", opts)
end

local function with(kind, wrong)
  return wrong and kind .. wrong
end

--- What is wrong with a call; nil: nothing.
function play.judge(run, good, result, err)
  run:finish()
  if not good then
    return "raises: " .. tostring(result)
  end
  return with("says: ", said.check(run, result, err)) or with("sends: ", sent.check(run))
end

--- One run from its switches.
---@param cancel function  the workflow under test
---@param drawn table      from switches.draw
---@return string|nil wrong
---@return table run       the client, with its log
---@return table|nil result
---@return table|nil err
function play.once(cancel, drawn)
  local run = client.new(drawn)
  local good, result, err = play.call(cancel, run, play.operation(run))
  return play.judge(run, good, result, err), run, good and result or nil, err
end

-- Seconds from a crash to the same call again.
local GAPS = { 0, 15, 200 }

--- A call that is killed at an exchange, and made again with what it had told.
---@param number integer  which exchange, from 1
---@return string|nil wrong
---@return table|nil run   nil where it ended before that exchange
---@return table|nil result
---@return table|nil err
function play.crash(cancel, drawn, number)
  local run = client.new(drawn)
  run.kill_at, run.kill_after = number, drawn.seed % 2 == 0
  local operation = play.operation(run)
  local good, reason = play.call(cancel, run, operation)
  if good or reason ~= client.KILLED then
    return nil
  end
  operation = run.told[#run.told] or operation
  run.clock.time = run.clock.time + GAPS[drawn.seed % #GAPS + 1]
  run:again()
  local result, err
  good, result, err = play.call(cancel, run, operation)
  return play.judge(run, good, result, err), run, good and result or nil, err
end

return play
