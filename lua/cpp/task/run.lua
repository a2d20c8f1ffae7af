--- One run of tasks on one client: who is ready, who waits for what, and how time
-- passes meanwhile.

local bag = require "cpp.task.bag"
local is_closed = require "cpp.task.closed"
local queue = require "cpp.task.queue"
local timers = require "cpp.task.timers"

local running, isyieldable = coroutine.running, coroutine.isyieldable
local yield, status = coroutine.yield, coroutine.status

-- What a task yields once something is registered that will wake it.
local PARKED = {}

-- Seconds to block when only an answer can end the waiting; and where nothing
-- tells a foreign loop that the client was closed, for want of a descriptor.
local LONG, BLIND = 3600, 1

-- Coroutine -> the run that it is a task of; client -> the run on it.
local run_of = setmetatable({}, { __mode = "k" })
local run_on = setmetatable({}, { __mode = "k" })

local Run = { __name = "cpp.task.run" }
Run.__index = Run

--- The run that a coroutine is a task of, or nil.
function Run.of(thread)
  return run_of[thread]
end

--- Whether a run is at work on a client.
function Run.is_on(client)
  return run_on[client] ~= nil
end

-- ---- tasks ----

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

--- Starts a task: its first turn is to come.
function Run:launch(fn, ...)
  local thread = coroutine.create(bind(fn, ...))
  run_of[thread] = self
  self.tasks:add(thread, thread)
  self.ready:push(thread)
  return thread
end

--- Makes a parked task ready. A run that idles in a foreign loop is woken.
function Run:wake(thread)
  self.ready:push(thread)
  if self.outside then
    self.client:wake()
  end
end

-- The first error of a task ends the run, and is what it raises: a string with
-- the traceback of its task.
local function fail(self, thread, message)
  if type(message) == "string" then
    message = debug.traceback(thread, message)
  end
  self.failure = self.failure or { message }
end

-- Takes what coroutine.resume returned. A task that yields anything else than
-- PARKED only gives the others a turn.
local function settle(self, thread, good, ...)
  if not good then
    fail(self, thread, ...)
  elseif coroutine.status(thread) == "dead" then
    self.tasks:take(thread)
    if thread == self.main then
      self.results = table.pack(...)
    end
  elseif ... ~= PARKED then
    self.ready:push(thread)
  end
end

-- A task that somebody closed is not resumed any more; one that drives the run
-- goes on by itself.
local function resume(self, thread)
  if self.driving[thread] then
    self.driving[thread] = nil
  elseif coroutine.status(thread) == "suspended" then
    settle(self, thread, coroutine.resume(thread))
  else
    self.tasks:take(thread)
  end
end

-- Those that become ready in this turn have theirs in the next, after a look
-- at the network. A task that drives the run may have taken some of them.
local function turn(self)
  for _ = 1, #self.ready do
    local thread = self.ready:pop()
    if thread and not self.failure then
      resume(self, thread)
    end
  end
end

-- ---- time ----

--- Whether the client was closed.
function Run:is_closed()
  return is_closed(self.client)
end

local function is_dead(thread)
  return status(thread) == "dead"
end

-- When the next task that nobody has closed is due, or nil.
local function next_time(self)
  local time, thread = self.timers:next()
  while thread and is_dead(thread) do
    self.timers:due(time)
    time, thread = self.timers:next()
  end
  return time
end

-- Seconds until something is due: 0 when a task is ready, nil when only an
-- answer can make one ready.
local function time_left(self)
  if #self.ready > 0 then
    return 0
  end
  local time = next_time(self)
  return time and math.max(0, time - self.client:now())
end

-- Takes out what belongs to tasks that somebody closed, up to the first other one.
-- Whether there is one.
local function any_open(threads)
  local _, one = next(threads.items)
  if one == nil or not is_dead(one) then
    return one ~= nil
  end
  local closed = {}
  for key, thread in pairs(threads.items) do
    if not is_dead(thread) then
      break
    end
    closed[#closed + 1] = key
  end
  for _, key in ipairs(closed) do
    threads:take(key)
  end
  return threads:any()
end

local function wait_in_foreign_loop(self, seconds)
  self.outside = true
  self.previous(self.client, self.blind and math.min(seconds or LONG, BLIND) or seconds)
  self.outside = false
  self.client:step(0)
end

local function let_time_pass(self, seconds)
  if self.previous then
    wait_in_foreign_loop(self, seconds)
  elseif self.engine then
    self.client:step(seconds or LONG)
  elseif seconds > 0 then
    self.client:sleep(seconds)
  end
end

local function wake_finished(self)
  local request = self.client:finished()
  while request do
    local thread = self.requests:take(request)
    if thread then
      self.ready:push(thread)
    end
    request = self.client:finished()
  end
end

local function wake_due(self, now)
  local thread = self.timers:due(now)
  while thread do
    self.ready:push(thread)
    thread = self.timers:due(now)
  end
end

-- Exchanges in flight end by themselves when the client closes; sleeps do once
-- they are resumed.
local function wake_sleepers_of_closed(self)
  if #self.ready == 0 and self:is_closed() then
    wake_due(self, math.huge)
  end
end

-- Nothing is ready, no timer runs and no answer is to come.
local function check_stuck(self)
  if any_open(self.tasks) then
    error("every task is parked and none is left to wake them", 0)
  end
end

local function idle(self)
  local seconds = time_left(self)
  if not seconds and not any_open(self.requests) then
    return check_stuck(self)
  end
  let_time_pass(self, self:is_closed() and 0 or seconds)
  if self.engine then
    wake_finished(self)
  end
  wake_due(self, self.client:now())
  wake_sleepers_of_closed(self)
end

-- ---- waiting ----

-- Where a task cannot yield, the others get their turns from within it, until it
-- is woken. An error in one of them is raised here and ends the run, whatever
-- catches it on the way.
local function drive(self, thread)
  self.driving[thread] = true
  while self.driving[thread] do
    turn(self)
    if self.failure then
      self.driving[thread] = nil
      error(self.failure[1], 0)
    elseif self.driving[thread] then
      idle(self)
    end
  end
end

--- Suspends the running task until it is woken.
function Run:park()
  if coroutine.isyieldable() then
    coroutine.yield(PARKED)
  else
    drive(self, (coroutine.running()))
  end
end

--- Suspends the running task for a time, or until the client closes.
function Run:sleep(seconds)
  if not coroutine.isyieldable() then
    self.client:sleep(seconds)
  elseif not self:is_closed() then
    self.timers:add(self.client:now() + seconds, (coroutine.running()))
    coroutine.yield(PARKED)
  end
end

-- A coroutine that is no task of this run waits as if there were no run.
local function wait_outside(self, client, seconds, request)
  if self.previous then
    return self.previous(client, seconds, request)
  end
  client:step(seconds or LONG)
end

-- The client's wait function while the run lasts.
local function wait_function(self)
  return function(client, seconds, request)
    local thread = running()
    if run_of[thread] ~= self then
      return wait_outside(self, client, seconds, request)
    elseif not isyieldable() then
      return client:step(seconds or LONG)
    elseif request then
      self.requests:add(request, thread)
    else
      self.timers:add(client:now() + (seconds or 0), thread)
    end
    yield(PARKED)
  end
end

-- ---- the run ----

--- Takes the client over until the run is closed.
function Run.new(client)
  local self = setmetatable({
    client = client, tasks = bag.new(), ready = queue.new(), timers = timers.new(),
    requests = bag.new "k", driving = {}, engine = client.wait ~= nil,
    results = { n = 0 },
  }, Run)
  if self.engine then
    self.blind = client:wait() and not client:pollfd()
    self.previous = client:wait(wait_function(self))
  end
  run_on[client] = self
  return self
end

--- Gives every task its turns until all have ended or one has failed.
---@return any ...  the results of the task `main`
function Run:loop()
  while self.tasks:any() and not self.failure do
    turn(self)
    if self.tasks:any() and not self.failure then
      idle(self)
    end
  end
  if self.failure then
    error(self.failure[1], 0)
  end
  return table.unpack(self.results, 1, self.results.n)
end

-- A coroutine.close that failed means that a __close metamethod did.
local function close_task(thread)
  local good, message = coroutine.close(thread)
  if not good then
    warn("cpp.task: ", tostring(message))
  end
end

-- Gives the client back before the tasks close: what their to-be-closed
-- variables still ask of the client cannot yield any more.
function Run:__close()
  if self.engine then
    self.client:wait(self.previous)
  end
  run_on[self.client] = nil
  self.over = true
  for thread in pairs(self.tasks.items) do
    close_task(thread)
  end
end

return Run
