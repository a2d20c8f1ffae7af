--- One run of tasks on one client: who is ready, who waits for what, and how time
-- passes meanwhile.

local is_closed = require "cpp.task.closed"
local queue = require "cpp.task.queue"
local timers = require "cpp.task.timers"

local running, isyieldable = coroutine.running, coroutine.isyieldable
local yield, status = coroutine.yield, coroutine.status

-- Seconds to block when only an answer can end the waiting; and where nothing
-- tells a foreign loop that the client was closed, for want of a descriptor.
local LONG, BLIND = 3600, 1

-- Coroutine -> the run that it is a task of; client -> the run on it.
local run_of = setmetatable({}, { __mode = "k" })
local run_on = setmetatable({}, { __mode = "k" })

local Run = {}
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

--- Starts a task: its first turn is to come.
function Run:launch(fn, ...)
  local args = table.pack(...)
  local thread = coroutine.create(function()
    return fn(table.unpack(args, 1, args.n))
  end)
  run_of[thread], self.tasks[thread] = self, true
  self.count = self.count + 1
  self.ready:push(thread)
  return thread
end

-- A task has ended.
local function drop(self, thread)
  if self.tasks[thread] then
    self.tasks[thread], self.count = nil, self.count - 1
  end
end

--- Makes a parked task ready. A run that idles in a foreign loop is woken.
function Run:wake(thread)
  self.ready:push(thread)
  if self.outside then
    self.client:wake()
  end
end

-- Takes what coroutine.resume returned. The first error of a task ends the run, and
-- is what it raises: a string with the traceback of its task. A task that yields
-- without parking only gives the others a turn.
local function settle(self, thread, good, ...)
  if not good then
    local message = ...
    if type(message) == "string" then
      message = debug.traceback(thread, message)
    end
    self.failure = self.failure or { message }
  elseif status(thread) == "dead" then
    drop(self, thread)
    if thread == self.main then
      self.results = table.pack(...)
    end
  elseif self.parking then
    self.parking = false
  else
    self.ready:push(thread)
  end
end

-- A task that somebody closed is not resumed any more; one that drives the run
-- goes on by itself.
local function resume(self, thread)
  if self.driving[thread] then
    self.driving[thread] = nil
  elseif status(thread) == "suspended" then
    settle(self, thread, coroutine.resume(thread))
  else
    drop(self, thread)
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

-- Seconds until something is due: 0 when a task is ready, nil when no timer runs.
-- The timer of a task that somebody closed is none.
local function time_left(self)
  if #self.ready > 0 then
    return 0
  end
  local time, thread = self.timers:next()
  while thread and status(thread) == "dead" do
    self.timers:due(time)
    time, thread = self.timers:next()
  end
  return time and math.max(0, time - self.client:now())
end

-- With a request under way the client always wants a step at some time.
local function is_answer_to_come(self)
  return self.engine and self.client:timeout() ~= nil
end

-- Nothing is ready, no timer runs and no answer is to come: what is left are tasks
-- that somebody closed, or the run is stuck.
local function forget_closed(self)
  for thread in pairs(self.tasks) do
    if status(thread) ~= "dead" then
      error("every task is parked and none is left to wake them", 0)
    end
  end
  self.tasks, self.count = {}, 0
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
  for request in self.client.finished, self.client do
    local thread = self.requests[request]
    if thread then
      self.requests[request] = nil
      self.ready:push(thread)
    end
  end
end

local function wake_due(self, now)
  local thread = self.timers:due(now)
  while thread do
    self.ready:push(thread)
    thread = self.timers:due(now)
  end
end

local function idle(self)
  local seconds = time_left(self)
  if not seconds and not is_answer_to_come(self) then
    return forget_closed(self)
  end
  let_time_pass(self, self:is_closed() and 0 or seconds)
  if self.engine then
    wake_finished(self)
  end
  wake_due(self, self.client:now())
  -- Exchanges in flight end by themselves when the client closes; sleeps do once
  -- they are resumed.
  if #self.ready == 0 and self:is_closed() then
    wake_due(self, math.huge)
  end
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

--- Suspends the running task until it is woken. Without a variable of its own: a wait
-- that sleeps here has no more than 26 slots in use, so that the collector shrinks a
-- stack of 80, which it does above three times as many.
function Run.park()
  if not isyieldable() then
    return drive(run_of[running()], (running()))
  end
  run_of[running()].parking = true
  yield()
end

--- Has the running task woken after a time, or when the client closes: it is to park.
function Run:rouse(seconds)
  self.timers:add(self.client:now() + seconds, (running()))
end

--- Suspends the running task for a time, or until the client closes.
function Run:sleep(seconds)
  if not isyieldable() then
    self.client:sleep(seconds)
  elseif not self:is_closed() then
    self:rouse(seconds)
    Run.park()
  end
end

-- A coroutine that is no task of this run waits as if there were no run.
local function wait_outside(self, client, seconds, request)
  if self.previous then
    return self.previous(client, seconds, request)
  end
  client:step(seconds or LONG)
end

-- The client's wait function while the run lasts. It is called only where a task
-- can yield.
local function wait_function(self)
  return function(client, seconds, request)
    local thread = running()
    if run_of[thread] ~= self then
      return wait_outside(self, client, seconds, request)
    elseif request then
      self.requests[request] = thread
    else
      self.timers:add(client:now() + (seconds or 0), thread)
    end
    self.parking = true
    yield()
  end
end

-- ---- the run ----

--- Takes the client over until the run is closed.
function Run.new(client)
  local self = setmetatable({
    client = client, tasks = {}, count = 0, ready = queue.new(), timers = timers.new(),
    requests = setmetatable({}, { __mode = "k" }), driving = {},
    engine = client.wait ~= nil, results = { n = 0 },
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
  while self.count > 0 and not self.failure do
    turn(self)
    if self.count > 0 and not self.failure then
      idle(self)
    end
  end
  if self.failure then
    error(self.failure[1], 0)
  end
  return table.unpack(self.results, 1, self.results.n)
end

-- Gives the client back before the tasks close: what their to-be-closed variables
-- still ask of the client cannot yield any more.
function Run:__close()
  if self.engine then
    self.client:wait(self.previous)
  end
  run_on[self.client] = nil
  self.over = true
  for thread in pairs(self.tasks) do
    local good, message = coroutine.close(thread)
    if not good then -- a __close metamethod failed
      warn("cpp.task: ", tostring(message))
    end
  end
end

return Run
