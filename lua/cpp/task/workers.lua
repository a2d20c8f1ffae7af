--- The coroutines of a run that do the rounds of others: see task.rounds. A run has
-- `workers`, an array of the idle ones, and `lent`, worker -> object.

local parked = require "cpp.task.parked"

local workers = {}

-- More that are idle are left to the collector.
local MOST = 64

--- What is in rounds has come to their end: its task goes on.
function workers.dismiss(run, object)
  run.ready:push(object.waiter)
  object.waiter = nil
end

--- A worker is a task only while it is lent.
function workers.take_back(run, worker)
  run.lent[worker], run.tasks[worker] = nil, nil
end

-- Its task may have left meanwhile.
local function plan(run, object, seconds)
  if object.waiter and seconds then
    run.timers:add(run.client:now() + seconds, object)
  elseif object.waiter then
    workers.dismiss(run, object)
  end
end

local function work(run, object)
  local worker = coroutine.running()
  while true do
    plan(run, object, object:round())
    workers.take_back(run, worker)
    if #run.workers < MOST then
      table.insert(run.workers, worker)
    end
    run, object = coroutine.yield(parked)
  end
end

--- One to be resumed with run and object; somebody may have closed idle ones.
---@return thread
function workers.lend(run, object)
  local worker
  repeat
    worker = table.remove(run.workers) or coroutine.create(work)
  until coroutine.status(worker) == "suspended"
  run.lent[worker], run.tasks[worker] = object, true
  return worker
end

--- The one that is lent to an object now, or nil.
---@return thread|nil
function workers.of(run, object)
  for worker, served in pairs(run.lent) do
    if served == object then
      return worker
    end
  end
end

return workers
