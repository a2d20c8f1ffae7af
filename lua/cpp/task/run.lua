--- One run of tasks on one client: who is ready, who waits for what, and how time
-- passes meanwhile.

local is_closed = require "cpp.closed"
local queue = require "cpp.task.queue"
local timers = require "cpp.task.timers"

local running, isyieldable = coroutine.running, coroutine.isyieldable
local yield, status = coroutine.yield, coroutine.status

-- Seconds to block when only an answer can end the waiting; and where nothing
-- tells a foreign loop that the client was closed, for want of a descriptor.
local LONG, BLIND = 3600, 1

local Run = {}
Run.__index = Run

-- Coroutine -> the run that it is a task of; client -> the run at work on it.
Run.of = setmetatable({}, { __mode = "k" })
Run.on = setmetatable({}, { __mode = "k" })
local run_of = Run.of

--- For xpcall: an error with its traceback, where it is a string; else unchanged.
function Run.traceback(message)
  return type(message) == "string" and debug.traceback(message, 2) or message
end

-- A task has ended. One that was woken once too often may be said to have, again.
local function drop(self, thread, ...)
  if self.tasks[thread] and thread == self.main then
    self.results = table.pack(...)
  end
  self.count = self.count - (self.tasks[thread] and 1 or 0)
  self.tasks[thread] = nil
end

-- Forgets the tasks that somebody closed, before they are as many as all others.
local function forget_closed(self)
  for thread, died_of in pairs(self.tasks) do
    if died_of == true and status(thread) == "dead" then
      drop(self, thread)
    end
  end
  self.most = 2 * self.count + 64
end

--- Starts a task: its first turn is to come. None starts while the run closes its tasks.
function Run:launch(fn, ...)
  if self.over then
    error("the run has ended: it starts no task", 3)
  elseif self.count >= self.most then
    forget_closed(self)
  end
  local args = table.pack(...)
  local thread = coroutine.create(function()
    return fn(table.unpack(args, 1, args.n))
  end)
  run_of[thread], self.tasks[thread] = self, true
  self.count = self.count + 1
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

-- Takes what coroutine.resume returned. The first error of a task ends the run, and is
-- what it raises: a string with the traceback of its task. A task that yields without
-- parking only gives the others a turn.
local function settle(self, thread, good, ...)
  local is_parked = self.parking
  self.parking = false
  if not good then
    local text = type(...) == "string" and debug.traceback(thread, (...))
    self.failure = self.failure or { text or (...) }
    self.tasks[thread] = { (...) }
  elseif status(thread) == "dead" then
    drop(self, thread, ...)
  elseif not is_parked then
    self.ready:push(thread)
  end
end

-- Those that become ready in this turn have theirs in the next, after a look at the
-- network. A task that drives the run goes on by itself, and may have taken some of
-- them; one that somebody closed is not resumed any more.
local function turn(self)
  for _ = 1, #self.ready do
    local thread = self.ready:pop()
    if self.failure or not thread then
      return
    elseif self.driving[thread] then
      self.driving[thread] = nil
    elseif status(thread) == "suspended" then
      settle(self, thread, coroutine.resume(thread))
    else
      drop(self, thread)
    end
  end
end

-- Seconds until something is due: 0 when a task is ready, nil when no timer runs.
-- The timer of a task that somebody closed is none.
local function time_left(self)
  if #self.ready > 0 then
    return 0
  end
  local time, thread = self.timers:next()
  while thread and status(thread) == "dead" do
    self.timers:take()
    time, thread = self.timers:next()
  end
  return time and math.max(0, time - self.client:now())
end

-- Nothing is ready, no timer runs and no answer is to come: what is left are tasks
-- that somebody closed, or the run is stuck.
local function check_stuck(self)
  forget_closed(self)
  if self.count > 0 then
    error("every task is parked and none is left to wake them", 0)
  end
end

local function let_time_pass(self, seconds)
  if self.previous then
    self.outside = true
    self.previous(self.client, self.blind and math.min(seconds or LONG, BLIND) or seconds)
    self.outside = false
    self.client:step(0)
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
  local time = self.timers:next()
  while time and time <= now do
    self.ready:push(self.timers:take())
    time = self.timers:next()
  end
end

-- With an answer to come the client always wants a step at some time. When it closes,
-- exchanges in flight end by themselves, and sleeps do once they are resumed.
local function idle(self)
  local client, seconds = self.client, time_left(self)
  if not seconds and not (self.engine and client:timeout()) then
    return check_stuck(self)
  end
  let_time_pass(self, is_closed(client) and 0 or seconds)
  if self.engine then
    wake_finished(self)
  end
  wake_due(self, client:now())
  if #self.ready == 0 and is_closed(client) then
    wake_due(self, math.huge)
  end
end

local function go_on_while(self, is_needed)
  while is_needed() do
    turn(self)
    if self.failure then
      error(self.failure[1], 0)
    elseif is_needed() then
      idle(self)
    end
  end
end

-- Where a task cannot yield, the others get their turns from within it, until it
-- is woken. An error in one of them is raised here and ends the run, whatever
-- catches it on the way.
local function drive(self, thread)
  self.driving[thread] = true
  go_on_while(self, function()
    return self.driving[thread]
  end)
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

-- The client's wait function while the run lasts, called only where a task can yield.
-- A coroutine that is no task of this run waits as if there were none.
local function wait_function(self)
  return function(client, seconds, request)
    local thread = running()
    local is_ours = run_of[thread] == self
    if not is_ours and self.previous then
      return self.previous(client, seconds, request)
    elseif not is_ours then
      return client:step(seconds or LONG)
    elseif request then
      self.requests[request] = thread
    else
      self:rouse(seconds or 0)
    end
    self.parking = true
    yield()
  end
end

--- A run that is to be closed. It has taken nothing over yet: Ctrl-C may strike here.
function Run.new(client)
  local engine = client.wait ~= nil
  local previous = engine and client:wait() or nil
  return setmetatable({ client = client, engine = engine, previous = previous,
    blind = previous and not client:pollfd(), tasks = {}, count = 0, most = 64,
    ready = queue.new(), timers = timers.new(), driving = {}, results = { n = 0 },
    requests = setmetatable({}, { __mode = "k" }) }, Run)
end

--- Takes the client over until the run is closed, starts the main task and gives every
-- one its turns until all have ended or one has failed. What the main task returns.
function Run:follow(fn, ...)
  Run.on[self.client] = self
  if self.engine then
    self.client:wait(wait_function(self))
  end
  self.main = self:launch(fn, ...)
  go_on_while(self, function()
    return self.count > 0
  end)
  return table.unpack(self.results, 1, self.results.n)
end

-- Gives the client back before the tasks close: what their to-be-closed variables
-- still ask of the client cannot yield any more.
function Run:__close()
  if self.engine then
    self.client:wait(self.previous)
  end
  Run.on[self.client] = nil
  self.over = true
  for thread, died_of in pairs(self.tasks) do
    local good, message = coroutine.close(thread)
    if not good and (died_of == true or died_of[1] ~= message) then -- a __close failed
      warn("cpp.task: ", tostring(message))
    end
  end
end

return Run
