--- One workflow under way: its client, options and deadline, what it knows of
-- the operation, and how it asks, pauses and fails.

local cpp = require "cpp"
local is_closed = require "cpp.task.closed"
local options = require "cpp.workflow.options"
local task = require "cpp.task"
local traced = require "cpp.workflow.traced"

-- Seconds of an exchange, where a plain table stands for the client.
local TIMEOUT = 60
-- A client may refuse a timeout too short for its clock.
local LEAST_TIMEOUT = 0.001
local POLLS_KEPT = 16

---@class cpp.job
---@field client table  five functions: cancel, poll, operations, sleep, now
---@field calls table  options of every call
---@field publisher string|nil
---@field offer string|nil
---@field target any  what on_change is told of
---@field wanted string|nil  the id of the only operation that may be canceled
---@field unsent boolean|nil  in a batch: the cancel has not been sent yet
---@field sends integer|nil  how often it has been
---@field deadline number  seconds
---@field interval number
---@field max_interval number
---@field on_change cpp.workflow.on_change|nil
---@field on_result cpp.workflow.on_result|nil  in a batch only
---@field step nil|fun(self: cpp.job): any, any  what a round repeats
---@field value any  what it gave
---@field err any
---@field until_time number  the deadline, on the client's clock
---@field operation table|nil  what is followed, as last seen
---@field location string|nil  its location, as last known
---@field cancel string  what became of the cancel: see `errors` in the design
---@field attempt integer  pauses since something changed
---@field final boolean  the last pause ended at the deadline
---@field trouble table|nil  why it is not known that the cancel was accepted
---@field timeout number  seconds for an exchange, if nothing shortens it
---@field polls table|nil  the last 16 polls: { status, delay, reason }
---@field delay number|nil  seconds of the last pause, until an exchange follows
---@field reason string|nil  why so long
---@field trace function|nil  whom to tell of exchanges
---@field counts table|nil  method -> exchanges of it, where somebody is told
---@field batch table|nil  what bounds the exchanges in flight
-- The values here are those of a new job: ten thousand of them wait at a time.
local job = { cancel = "not_sent", attempt = 0, final = false }
job.__index = job

-- What is no number the call refuses.
local function timeout_of(client, calls)
  if calls.timeout ~= nil then
    return type(calls.timeout) == "number" and calls.timeout or 0
  end
  return type(client) == "userdata" and client:option "timeout" or TIMEOUT
end

local function equip(client, own, calls)
  own.client, own.calls, own.trace = client, calls, traced.by(client, calls)
  own.timeout = timeout_of(client, calls)
  return setmetatable(own, job)
end

--- A job starts now.
---@param own table  from options.split; becomes the job
---@return cpp.job
function job.new(client, own, calls)
  own.until_time = client:now() + own.deadline
  return equip(client, own, calls)
end

--- What many jobs with the same client and options have in common.
---@param own table  from options.split; becomes the kind
---@return table kind
function job.kind(client, own, calls)
  equip(client, own, calls)
  own.__index, own.__close = own, task.leave
  return own
end

--- A job of a kind starts now.
---@return cpp.job
function job.start(kind)
  return setmetatable({ until_time = kind.client:now() + kind.deadline }, kind)
end

-- ---- asking ----

--- Whether the same question may be answered later. What the service refused
-- for a reason (400, 403, 404, …) will not be (documented by Microsoft).
function job.is_passing(err)
  local status = err.status
  if status == 408 or status == 429 or (status and status >= 500) then
    return true
  elseif err.kind == "transport" then
    return err.retryable ~= false
  end
  return err.kind == "credential" and err.retryable == true
end

--- Whether a location leads nowhere, or where the token must not go.
function job.is_lost(err)
  return err.kind == "origin" or err.code == "no_location" or err.status == 404
end

-- No exchange outlives the deadline but the one that starts there.
local function call_options(self)
  local left = self.until_time - self.client:now()
  if left <= 0 or left >= self.timeout then
    return self.calls
  end
  return options.merge(self.calls, { timeout = math.max(left, LEAST_TIMEOUT) })
end

local function closed_error()
  return cpp.error { kind = "closed", code = "closed", sent = false,
    message = "the client was closed" }
end

-- The client may have been closed since the last exchange, or while this one waited
-- for its slot.
local function call(self, method, what)
  if is_closed(self.client) then
    return nil, closed_error()
  end
  local client, calls = self.client, call_options(self)
  if self.trace then
    calls = traced.options(self, method, calls)
  end
  if method == "poll" then
    return client:poll(what, calls)
  end
  return client[method](client, self.publisher, self.offer, calls)
end

local function exchange(self, method, what)
  if self.batch then
    return self.batch:pass(self, method, call, what)
  end
  return call(self, method, what)
end

local function note(polls, status, delay, reason)
  table.insert(polls, { status = status, delay = delay or 0, reason = reason or "at_once" })
  if #polls > POLLS_KEPT then
    table.remove(polls, 1)
  end
end

--- One exchange; after a 401 a second one, since tokens live about an hour and
--- operations for days: the client asks its token function for a fresh one.
---@param method "cancel"|"poll"|"operations"
---@param what? table|string  for poll: an operation or a location
---@return table|nil answer
---@return table|nil err
function job:ask(method, what)
  local delayed, reason = self.delay, self.reason
  local answer, err = exchange(self, method, what)
  if err and err.status == 401 and err.kind ~= "credential" then
    answer, err = exchange(self, method, what)
  end
  self.retry_after = (answer or err).retry_after
  if self.polls then
    note(self.polls, err and (err.status or err.code) or answer.http_status or 200,
      delayed, reason)
  end
  self.delay, self.reason = nil, nil
  return answer, err
end

-- ---- pausing ----

-- Seconds and why. Full jitter keeps ten thousand waits apart; a tenth of
-- `interval` keeps a service that asks for nothing, or for 0, from a storm.
local function delay(self)
  local seconds, reason = self.retry_after, "retry_after"
  local is_sensible = type(seconds) == "number" and seconds >= 0
  if not is_sensible then
    local most = math.max(self.interval, self.max_interval)
    most = math.min(most, self.interval * 2.0 ^ self.attempt)
    seconds, reason = math.random() * most, "backoff"
    self.attempt = self.attempt + 1
  end
  return math.max(seconds, self.interval / 10), reason
end

-- The same, but never past the deadline: then one last look remains.
local function next_pause(self)
  local seconds, reason = delay(self)
  local left = math.max(0, self.until_time - self.client:now())
  if seconds >= left then
    seconds, reason, self.final = left, "deadline", true
  end
  if self.polls or self.trace then
    self.delay, self.reason = seconds, reason
  end
  return seconds
end

-- A task leaves the others their time, also where the client is a plain table.
local function rest(self, seconds)
  local client = self.client
  if self.batch then
    self.batch:stand_aside(self)
  end
  if is_closed(client) then
    return nil, closed_error()
  elseif task.running(client) then
    return task.sleep(seconds)
  end
  return client:sleep(seconds)
end

--- Waits as long as the service asked, else for the backoff, and not past the
--- deadline.
---@return table|nil err  when the client closed meanwhile
function job:pause()
  local _, err = rest(self, next_pause(self))
  return err
end

--- Whether there is no time left to begin anything.
function job:is_over()
  return self.final or self.client:now() >= self.until_time
end

--- Whether so many intervals have passed since this was first asked.
--- `patient_since` = nil begins anew.
function job:has_waited(intervals)
  local now = self.client:now()
  self.patient_since = self.patient_since or now
  return now - self.patient_since >= intervals * self.interval
end

--- The same, with the last look at the deadline as the latest: for what is an error
--- one way or the other.
function job:is_out_of_patience(intervals)
  return self:has_waited(intervals) or self.final
end

-- Calls step. Seconds to pause; or nil, and what is to be returned: a result
-- (false is one), or an error that does not pass, or that time is up.
local function try(self, step)
  local last = self.final
  local result, err = step(self)
  if result ~= nil then
    return nil, result
  elseif err and not job.is_passing(err) then
    return nil, self:fail(err)
  elseif last then
    return nil, self:expire(err or self.trouble)
  end
  return next_pause(self)
end

--- Calls step again and again, with pauses, until it gives a result (false is
--- one) or an error that does not pass; for the last time at the deadline.
---@param step fun(self: cpp.job): any, table|nil
---@return any result
---@return table|nil err
function job:repeat_until_deadline(step)
  while true do
    local seconds, result, err = try(self, step)
    if not seconds then
      return result, err
    end
    local _, closed = rest(self, seconds)
    if closed then
      return self:fail(closed)
    end
  end
end

--- The same with `self.step`, for task.rounds, whose caller gets value and err.
-- A client that closed meanwhile fails the next step.
function job:round()
  local seconds
  seconds, self.value, self.err = try(self, self.step)
  return seconds
end

-- ---- telling ----

local function has_changed(before, now)
  if now.changed ~= nil then
    return now.changed
  end
  return not before or before.state ~= now.state or before.progress ~= now.progress
end

function job:announce(operation)
  if self.on_change then
    self.on_change(operation, self.target)
  end
end

-- A poll of a bare location cannot know everything that the one before knew.
local function inherit(operation, before, name)
  if operation[name] == nil and before then
    operation[name] = before[name]
  end
end

--- Takes an operation for what is followed.
---@return table operation  the same
function job:take(operation)
  for _, name in ipairs { "id", "publisher", "offer", "location" } do
    inherit(operation, self.operation, name)
  end
  self.operation = operation
  self.location = operation.location or self.location
  return operation
end

--- Takes a new look at what is followed; a change is told, and quickens the pace.
---@return table operation  the same
function job:see(operation)
  local is_new = has_changed(self.operation, operation)
  self:take(operation)
  if is_new then
    self.attempt = 0
    self:announce(operation)
  end
  return operation
end

--- What it knows, for a result or an error.
function job:fields()
  local operation = self.operation or {}
  return {
    publisher = self.publisher or operation.publisher,
    offer = self.offer or operation.offer,
    operation = self.operation, location = self.location, polls = self.polls,
  }
end

-- A stand-in for a client may give less than the real one.
local LEAST = { kind = "protocol", code = "unknown", message = "no message" }

--- The same error with what the workflow knows. A copy: many jobs may get the
--- same error from one credential.
---@return nil
---@return cpp.error err
function job:fail(err)
  local fields = options.merge(options.merge(LEAST, err), self:fields())
  fields.cancel = self.cancel
  return nil, cpp.error(fields)
end

--- An error of the workflow's own.
function job:refuse(code, message, cause)
  return self:fail { kind = "workflow", code = code, message = message, cause = cause }
end

--- Time is up.
---@param cause table|nil  what the last look met
function job:expire(cause)
  local message = ("not ended after %g s"):format(self.deadline):gsub(",", ".")
  if cause then
    message = message .. "; at last: " .. tostring(cause)
  end
  return self:refuse("deadline", message, cause)
end

return job
