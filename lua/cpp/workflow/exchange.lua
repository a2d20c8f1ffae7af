--- What a workflow asks of its client: exchanges, with their options and trace, and
-- pauses between them.

local cpp = require "cpp"
local fault = require "cpp.workflow.fault"
local is_closed = require "cpp.task.closed"
local options = require "cpp.workflow.options"
local pace = require "cpp.workflow.pace"
local task = require "cpp.task"
local traced = require "cpp.workflow.traced"

local exchange = {}

-- Seconds, where a plain table stands for the client.
local TIMEOUT = 60
-- A client may refuse a timeout too short for its clock.
local LEAST_TIMEOUT = 0.001
local POLLS_KEPT = 16

---@class cpp.workflow.job: cpp.workflow.pace  what asks
---@field client table  five functions: cancel, poll, operations, sleep, now
---@field calls table  options of every call
---@field timeout number  seconds for an exchange, if nothing shortens it
---@field trace function|nil  whom to tell of exchanges
---@field counts table|nil  method -> exchanges of it, where somebody is told
---@field polls table|nil  the last 16 polls: { status, delay, reason }
---@field delay number|nil  seconds of the last pause, until an exchange follows
---@field reason string|nil  why so long
---@field fatal cpp.error|nil  what ends the workflow, whatever it knows
---@field batch cpp.workflow.batch|nil  what bounds the exchanges in flight

-- What is no number the call refuses.
local function timeout_of(client, calls)
  if calls.timeout ~= nil then
    return type(calls.timeout) == "number" and calls.timeout or 0
  end
  return type(client) == "userdata" and client:option "timeout" or TIMEOUT
end

--- Equips a workflow's own table.
---@param self table
---@param client table
---@param calls table  from options.split
function exchange.equip(self, client, calls)
  self.client, self.calls = client, calls
  self.trace, self.timeout = traced.by(client, calls), timeout_of(client, calls)
end

local function closed_error()
  return cpp.error { kind = "closed", code = "closed", sent = false,
    message = "the client was closed" }
end

-- No exchange that begins before the deadline outlives it.
local function call_options(self, method, start_by)
  local left, own = self.until_time - self.client:now(), nil
  if left > 0 and left < self.timeout then
    own = { timeout = math.max(left, LEAST_TIMEOUT) }
  end
  if start_by then
    own = own or {}
    own.start_by = start_by
  end
  local calls = own and options.merge(self.calls, own) or self.calls
  return self.trace and traced.options(self, method, calls) or calls
end

local function call(self, method, what, start_by)
  local client = self.client
  if is_closed(client) then
    return nil, closed_error()
  end
  local calls = call_options(self, method, start_by)
  if method == "poll" then
    return client:poll(what, calls)
  end
  return client[method](client, self.publisher, self.offer, calls)
end

-- Its status is told when it has ended.
local function begin_poll(self)
  local polls, poll = self.polls, nil
  if polls then
    poll = { delay = self.delay or 0, reason = self.reason or "at_once" }
    table.insert(polls, poll)
    if #polls > POLLS_KEPT then
      table.remove(polls, 1)
    end
  end
  return poll or {}
end

local function note(self, poll, answer, err, answered)
  poll.status = err and (err.status or err.code) or answer.http_status or 200
  self.delay, self.reason = nil, nil
  pace.note(self, answer, err, answered)
  if err and (err.kind == "closed" or pace.is_silent(self, answered)) then
    self.fatal = err
  end
end

--- Asks.
---@param self cpp.workflow.job
---@param method "cancel"|"poll"|"operations"
---@param what? table|string  for poll: an operation or a location
---@param start_by? number  when the request must have begun to leave
---@return table|nil answer
---@return table|nil err
---@return number asked
---@return number answered
function exchange.ask(self, method, what, start_by)
  local client, batch = self.client, self.batch
  local asked, answer, err = client:now(), nil, batch and batch:refusal(self)
  local poll = begin_poll(self)
  self.begun, self.first = asked, self.first or asked
  if not err then
    answer, err = call(self, method, what, start_by)
  end
  err = not answer and fault.complete(err) or nil
  local answered = client:now()
  note(self, poll, answer, err, answered)
  if batch and err then
    batch:heed(self, err, answered)
  end
  return answer, err, asked, answered
end

-- A task leaves the others their time, also where the client is a plain table.
local function sleep(client, seconds)
  if is_closed(client) then
    return nil, closed_error()
  elseif task.running(client) then
    return task.sleep(seconds)
  end
  return client:sleep(seconds)
end

--- Waits for the time of the next look.
---@param self cpp.workflow.job
---@param aim? number  when a look can decide something at last
function exchange.pause(self, aim)
  local seconds, reason = pace.pause(self, self.client:now(), aim)
  if self.polls or self.trace then
    self.delay, self.reason = seconds, reason
  end
  local _, err = sleep(self.client, seconds)
  self.fatal = self.fatal or (err and fault.complete(err))
end

return exchange
