--- Coroutines over one client: while one waits for an answer or sleeps, the
-- others go on. Straight-line code serves one operation and ten thousand.
--
--   task.run(client, function()
--     local found, failed = task.map(locations, function(location)
--       return client:poll(location)
--     end)
--   end)
--
-- Only the coroutines that `run`, `spawn`, `map` and `rounds` make are tasks. One
-- that a task makes for itself (a generator, say) and that calls the client
-- waits as it would outside of `run`: by default it blocks the whole process.
-- A plain table with `sleep` and `now` may stand for the client: then there is
-- nothing but timers, and its `sleep` is how time passes when no task can run.

local cpp = require "cpp"
local is_closed = require "cpp.task.closed"
local PARKED = require "cpp.task.parked"
local queue = require "cpp.task.queue"
local timers = require "cpp.task.timers"
local workers = require "cpp.task.workers"

local task = {}

-- Seconds to block when only an answer can end the waiting.
local LONG = 3600

local CONCURRENCY = 16

-- Coroutine -> the run that it is a task of; client -> the run on it.
local run_of = setmetatable({}, { __mode = "k" })
local run_on = setmetatable({}, { __mode = "k" })

local function current(what)
  local run = run_of[coroutine.running()]
  if not run then
    error(what .. " must be called in a task of task.run", 3)
  end
  return run
end

-- With arguments, fn needs a function around it that holds them.
local function bind(fn, ...)
  if select("#", ...) == 0 then
    return fn
  end
  local args = table.pack(...)
  return function()
    return fn(table.unpack(args, 1, args.n))
  end
end

local function launch(run, fn, ...)
  local thread = coroutine.create(bind(fn, ...))
  run_of[thread] = run
  run.tasks[thread] = true
  run.ready:push(thread)
  return thread
end

-- ---- waiting ----

-- A coroutine that is no task of this run waits as if there were no run.
local function wait_outside(run, client, seconds, request)
  if run.previous then
    return run.previous(client, seconds, request)
  end
  client:step(seconds or LONG)
end

-- The client's wait function while the run lasts.
local function wait_function(run)
  return function(client, seconds, request)
    local thread = coroutine.running()
    if run_of[thread] ~= run then
      return wait_outside(run, client, seconds, request)
    elseif request then
      run.requests[request] = thread
    else
      run.timers:add(client:now() + (seconds or 0), thread)
    end
    coroutine.yield(PARKED)
  end
end

-- ---- the run ----

-- A coroutine.close that failed means that a __close metamethod did.
local function close_task(thread)
  local good, message = coroutine.close(thread)
  if not good then
    warn("cpp.task: ", tostring(message))
  end
end

-- Gives the client back before the tasks close: what their to-be-closed
-- variables still ask of the client cannot yield any more.
local function finish(run)
  if run.engine then
    run.client:wait(run.previous)
  end
  run_on[run.client] = nil
  for thread in pairs(run.tasks) do
    close_task(thread)
  end
end

local Run = { __close = finish, __name = "cpp.task.run" }

local function begin(client)
  local run = setmetatable({
    client = client, tasks = {}, ready = queue.new(), timers = timers.new(),
    requests = setmetatable({}, { __mode = "k" }), workers = {}, lent = {},
    engine = client.wait ~= nil, results = { n = 0 },
  }, Run)
  if run.engine then
    run.blind = client:wait() and not client:pollfd()
    run.previous = client:wait(wait_function(run))
  end
  run_on[client] = run
  return run
end

-- The last error of a round, and where on its worker's stack it was raised.
local failure = {}

-- Errors that are no strings pass unchanged, for whoever looks into them.
local function with_origin(message)
  if type(message) == "string" and message == failure.message then
    return failure.traceback
  end
  return message
end

local function raise(thread, message)
  if type(message) == "string" then
    message = debug.traceback(thread, with_origin(message))
  end
  error(message, 0)
end

-- The error belongs to the task that waits for the rounds.
local function fail_round(run, worker, object, message)
  workers.take_back(run, worker)
  if type(message) == "string" then
    failure = { message = message, traceback = debug.traceback(worker, message) }
  end
  object.raised = { message }
  workers.dismiss(run, object)
end

local function forget_closed(run)
  for thread in pairs(run.tasks) do
    if coroutine.status(thread) == "dead" then
      run.tasks[thread] = nil
    end
  end
end

-- Takes what coroutine.resume returned. A task that yields anything else than
-- PARKED only gives the others a turn.
local function settle(run, thread, good, ...)
  local object = run.lent[thread]
  if not good and object and object.waiter then
    fail_round(run, thread, object, ...)
  elseif not good then
    raise(thread, ...)
  elseif coroutine.status(thread) == "dead" then
    run.tasks[thread] = nil
    if thread == run.main then
      run.results = table.pack(...)
      forget_closed(run)
    end
  elseif ... ~= PARKED then
    run.ready:push(thread)
  end
end

-- A task that somebody closed is not resumed any more.
local function resume(run, thread)
  if coroutine.status(thread) == "suspended" then
    settle(run, thread, coroutine.resume(thread))
  else
    run.tasks[thread] = nil
  end
end

-- Nothing, where its task has left meanwhile.
local function begin_round(run, object)
  if object.waiter then
    local worker = workers.lend(run, object)
    run_of[worker] = run
    settle(run, worker, coroutine.resume(worker, run, object))
  end
end

-- Seconds until something is due: 0 when a task is ready, nil when only an
-- answer can make one ready.
local function time_left(run)
  if #run.ready > 0 then
    return 0
  end
  local next_time = run.timers:next()
  return next_time and math.max(0, next_time - run.client:now())
end

-- Without a descriptor nothing tells a foreign loop that the client was closed.
local BLIND = 1

local function let_time_pass(run, seconds)
  local client = run.client
  if run.previous then
    run.previous(client, run.blind and math.min(seconds or LONG, BLIND) or seconds)
    client:step(0)
  elseif run.engine then
    client:step(seconds or LONG)
  elseif seconds > 0 then
    client:sleep(seconds)
  end
end

local function wake_finished(run)
  local request = run.client:finished()
  while request do
    local thread = run.requests[request]
    if thread then
      run.requests[request] = nil
      run.ready:push(thread)
    end
    request = run.client:finished()
  end
end

local function wake_due(run, now)
  local thread = run.timers:due(now)
  while thread do
    run.ready:push(thread)
    thread = run.timers:due(now)
  end
end

-- Exchanges in flight end by themselves when the client closes; sleeps do once
-- they are resumed.
local function wake_sleepers_of_closed(run)
  if #run.ready == 0 and is_closed(run.client) then
    wake_due(run, math.huge)
  end
end

-- Nothing is ready, no timer runs and no answer is to come.
local function check_stuck(run)
  forget_closed(run)
  if next(run.tasks) then
    error("every task is parked and none is left to wake them", 0)
  end
end

local function idle(run)
  local seconds = time_left(run)
  if not seconds and not next(run.requests) then
    return check_stuck(run)
  end
  let_time_pass(run, is_closed(run.client) and 0 or seconds)
  if run.engine then
    wake_finished(run)
  end
  wake_due(run, run.client:now())
  wake_sleepers_of_closed(run)
end

-- Those that become ready in this turn have theirs in the next, after a look
-- at the network.
local function turn(run)
  for _ = 1, #run.ready do
    local one = run.ready:pop()
    if type(one) == "thread" then
      resume(run, one)
    else
      begin_round(run, one)
    end
  end
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
  if run_on[client] then
    error("a task.run is at work on this client already", 2)
  end
  local run <close> = begin(client)
  run.main = launch(run, fn, ...)
  while next(run.tasks) do
    turn(run)
    if next(run.tasks) then
      idle(run)
    end
  end
  return table.unpack(run.results, 1, run.results.n)
end

--- Starts a task of its own beside the one that calls. It runs when the caller
--- next waits; its results are dropped.
---@param fn fun(...)
---@param ... any  fn's arguments
function task.spawn(fn, ...)
  launch(current "task.spawn", fn, ...)
end

local function check_seconds(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error("task.sleep: seconds must be a number from 0", 3)
  end
end

--- Lets the other tasks go on for a time. When the client closes it ends early.
---@param seconds number
---@return true|nil
---@return cpp.error|nil err  of kind `closed`
function task.sleep(seconds)
  local run = current "task.sleep"
  check_seconds(seconds)
  if not is_closed(run.client) then
    run.timers:add(run.client:now() + seconds, coroutine.running())
    coroutine.yield(PARKED)
  end
  if is_closed(run.client) then
    return nil, cpp.error { kind = "closed", code = "closed",
      message = "the client is closed" }
  end
  return true
end

--- Calls object:round() until it returns nil, then returns `object.value` and
--- `object.err`; a number is the seconds until the next call, fewer when the
--- client closes. For very many that wait very long: a coroutine keeps, asleep,
--- the stack that it once needed, and so the rounds of all run on a few
--- coroutines of the run, which are tasks, while the callers only park. An error
--- in a round is raised here. To end the rounds with the task, the object's
--- `__close` must be `task.leave`. The fields `waiter` and `raised` are taken.
---@param object table
---@return any value
---@return any err
function task.rounds(object)
  local run = current "task.rounds"
  local _ <close> = object
  object.waiter = coroutine.running()
  run.ready:push(object)
  while object.waiter do
    coroutine.yield(PARKED)
  end
  if object.raised then
    error(object.raised[1], 0)
  end
  return object.value, object.err
end

--- The `__close` of objects in rounds: ends the round under way, and its exchange
--- with it. A round that closes its own task goes on to its end.
---@param object table
function task.leave(object)
  local waiter = object.waiter
  local run = waiter and run_of[waiter]
  local worker = run and workers.of(run, object)
  object.waiter = nil
  if worker and coroutine.status(worker) == "suspended" then
    workers.take_back(run, worker)
    close_task(worker)
  end
end

--- Whether the running coroutine is a task, of a run on this client if one is
--- given.
---@param client? cpp.client|table
---@return boolean
function task.running(client)
  local run = run_of[coroutine.running()]
  return run ~= nil and (client == nil or run.client == client)
end

--- Suspends the running task until somebody calls `task.wake` with it: for
--- queues of one's own. A run where every task is parked raises.
function task.park()
  current "task.park"
  coroutine.yield(PARKED)
end

--- Makes a parked task ready. Each `park` takes exactly one `wake`.
---@param thread thread  what coroutine.running() gave in that task
function task.wake(thread)
  run_of[thread].ready:push(thread)
end

local function traceback(message)
  if type(message) == "string" then
    return debug.traceback(with_origin(message), 2)
  end
  return message
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
  local run, caller = current "task.map", coroutine.running()
  local results, errors, last = {}, {}, 0
  local callers = math.min(concurrency, #list)
  -- What one call of fn gave: into the results, or why not, into the errors.
  local function collect(i, good, value, reason)
    if not good then
      errors[i] = value == nil and "nil" or value
    elseif value == nil then
      errors[i] = reason
    else
      results[i] = value
    end
  end
  local function call()
    while last < #list do
      last = last + 1
      collect(last, xpcall(fn, traceback, list[last], last))
    end
    callers = callers - 1
    if callers == 0 then
      task.wake(caller)
    end
  end
  for _ = 1, callers do
    launch(run, call)
  end
  if callers > 0 then
    task.park()
  end
  return results, next(errors) and errors or nil
end

return task
