--- Coroutines over one client: while one waits for an answer or sleeps, the
-- others go on. Straight-line code serves one operation and ten thousand.
--
--   task.run(client, function()
--     local found, failed = task.map(locations, function(location)
--       return client:poll(location)
--     end)
--   end)
--
-- Only the coroutines that `run`, `spawn` and `map` make are tasks. One that a
-- task makes for itself (a generator, say) and that calls the client waits as it
-- would outside of `run`: by default it blocks the whole process. So does a call
-- where a task cannot yield (inside string.gsub, table.sort, a metamethod); `map`
-- and `park` let the other tasks go on there too.
-- A plain table with `sleep` and `now` may stand for the client: then there is
-- nothing but timers, and its `sleep` is how time passes when no task can run.

local Run = require "cpp.task.run"
local cpp = require "cpp"
local is_closed = require "cpp.closed"

local task = {}

local CONCURRENCY = 16

local function current(what)
  local run = Run.of[coroutine.running()]
  if not run then
    error(what .. " must be called in a task of task.run", 3)
  end
  return run
end

--- Runs a function as a task, and every task that it starts, to the end of all.
--- An error in a task that `map` does not collect ends the run: the other tasks
--- are closed (their to-be-closed variables too, and their exchanges in flight),
--- the client's wait function is restored, and the error is raised again, a
--- string with the traceback of its task, anything else unchanged.
--- Inside a foreign loop (a client with a `wait` of its own) the run waits
--- through that, so several runs on several clients go side by side.
---@param client cpp.client|table  one run at a time; a second one raises
---@param fn fun(...): ...
---@param ... any  fn's arguments
---@return any ...  fn's results
function task.run(client, fn, ...)
  if Run.on[client] then
    error("a task.run is at work on this client already", 2)
  end
  local run <close> = Run.new(client)
  return run:follow(fn, ...)
end

--- Starts a task of its own beside the one that calls. It runs when the caller
--- next waits; its results are dropped.
---@param fn fun(...)
---@param ... any  fn's arguments
function task.spawn(fn, ...)
  current "task.spawn":launch(fn, ...)
end

--- Lets the other tasks go on for a time. When the client closes it ends early.
---@param seconds number
---@return true|nil
---@return cpp.error|nil err  of kind `closed`
function task.sleep(seconds)
  local run = current "task.sleep"
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error("task.sleep: seconds must be a number from 0", 2)
  end
  if not coroutine.isyieldable() then
    run.client:sleep(seconds)
  elseif not is_closed(run.client) then
    run:rouse(seconds)
    Run.park()
  end
  if is_closed(run.client) then
    return nil, cpp.error { kind = "closed", code = "closed",
      message = "the client is closed" }
  end
  return true
end

--- Whether the running coroutine is a task, of a run on this client if one is
--- given.
---@param client? cpp.client|table
---@return boolean
function task.running(client)
  local run = Run.of[coroutine.running()]
  return run ~= nil and not run.over and (client == nil or run.client == client)
end

--- Suspends the running task until somebody calls `task.wake` with it: for
--- queues of one's own. A run where every task is parked raises.
function task.park()
  current "task.park"
  return Run.park()
end

--- Makes a parked task ready, one of another run too. Each `park` takes exactly
--- one `wake`.
---@param thread thread  what coroutine.running() gave in that task
function task.wake(thread)
  local run = Run.of[thread] or error("task.wake: a task expected", 2)
  run:wake(thread)
end

local Worker = {}

-- Takes items until none is left.
local function work(map)
  local worker <close> = setmetatable({ map = map }, Worker)
  while map.last < #map.list do
    local i = map.last + 1
    map.last, worker.at = i, i
    local good, value, reason = xpcall(map.fn, Run.traceback, map.list[i], i)
    if not good then
      map.errors[i] = value == nil and "nil" or value
    elseif value == nil then
      map.errors[i] = reason
    else
      map.results[i] = value
    end
    worker.at = nil
  end
end

-- One that somebody closed in the middle leaves its place to another.
function Worker:__close()
  local map, run = self.map, self.map.run
  if self.at then
    map.errors[self.at] = "the task was closed"
  else
    map.workers = map.workers - 1
  end
  if self.at and not run.over then
    run:launch(work, map)
  elseif map.workers == 0 and not run.over then
    run:wake(map.caller)
  end
end

--- Calls fn for each item, several at a time, and returns when all are through.
--- No error ends it: what fn raised (strings with their traceback) or returned
--- after nil stands in `errors` under the item's index.
---@param list table  an array
---@param fn fun(item: any, index: integer): any, any
---@param concurrency? integer  calls at a time (default 16)
---@return table results  fn's first results, by index; a hole where it failed
---@return table|nil errors  index -> error; nil when there is none
function task.map(list, fn, concurrency)
  concurrency = concurrency or CONCURRENCY
  if math.type(concurrency) ~= "integer" or concurrency < 1 then
    error("task.map: concurrency must be an integer from 1", 2)
  end
  local run = current "task.map"
  local map = { run = run, list = list, fn = fn, last = 0, results = {}, errors = {},
    workers = math.min(concurrency, #list), caller = coroutine.running() }
  for _ = 1, map.workers do
    run:launch(work, map)
  end
  if map.workers > 0 then
    Run.park()
  end
  return map.results, next(map.errors) and map.errors or nil
end

return task
