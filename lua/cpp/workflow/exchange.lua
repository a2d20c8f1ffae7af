--- What a workflow asks of its client: exchanges, with their options and trace, and
-- pauses between them.
--
-- In the workflow's own table, which is its pace too, `polls`, if there, gets the last 16
-- polls; `batch`, if there, bounds the exchanges in flight; `delay` and `reason` are those
-- of the last pause, until an exchange follows.

local cpp = require "cpp"
local fault = require "cpp.workflow.fault"
local is_closed = require "cpp.closed"
local options = require "cpp.workflow.options"
local pace = require "cpp.workflow.pace"
local Run = require "cpp.task.run"
local task = require "cpp.task"

local exchange = {}

-- Seconds, where a plain table stands for the client.
local TIMEOUT = 60
-- A client may refuse a timeout too short for its clock.
local LEAST_TIMEOUT = 0.001
local POLLS_KEPT = 16

--- A workflow begins, in its own table, which is returned: `own` and `calls` are from
-- options.split.
function exchange.begin(self, client, own, calls)
  self.client, self.calls, self.trace = client, calls, calls.trace
  if calls.trace == nil and type(client) == "userdata" then
    self.trace = client:option "trace"
  end
  pace.begin(self, own, client:now())
  return self
end

-- An event tells which exchange of its kind it was, and how long and why the workflow
-- waited before it.
local function traced(self, method)
  local trace, counts = self.trace, self.counts or {}
  local delay, reason = self.delay or 0, self.reason or "at_once"
  local attempt = (counts[method] or 0) + 1
  self.counts, counts[method] = counts, attempt
  return function(event)
    event.attempt, event.delay, event.reason = attempt, delay, reason
    return trace(event)
  end
end

-- Seconds for an exchange. What is no number the call refuses.
local function timeout_of(client, calls)
  if calls.timeout ~= nil then
    return type(calls.timeout) == "number" and calls.timeout or 0
  end
  return type(client) == "userdata" and client:option "timeout" or TIMEOUT
end

-- No exchange that begins before the deadline outlives it.
local function call_options(self, method, start_by)
  local calls, left = self.calls, self.until_time - self.client:now()
  local is_short = left > 0 and left < timeout_of(self.client, calls)
  if not is_short and not start_by and not self.trace then
    return calls
  end
  return options.merge(calls, { start_by = start_by,
    timeout = is_short and math.max(left, LEAST_TIMEOUT) or nil,
    trace = self.trace and traced(self, method) })
end

local function call(self, method, what, start_by)
  local client = self.client
  if is_closed(client) then
    return nil, cpp.error { kind = "closed", code = "closed", sent = false,
      message = "the client was closed" }
  end
  local calls = call_options(self, method, start_by)
  if method == "poll" then
    return client:poll(what, calls)
  end
  return client[method](client, self.publisher, self.offer, calls)
end

local function remember(self, status)
  local polls = self.polls
  if polls then
    polls[#polls + 1] = { status = status, delay = self.delay or 0,
      reason = self.reason or "at_once" }
    if #polls > POLLS_KEPT then
      table.remove(polls, 1)
    end
  end
  self.delay, self.reason = nil, nil
end

--- Asks by `method`: "cancel" or "operations", or "poll" for an operation or a location.
-- The request must have begun to leave at `start_by`. Returns the answer or nil, the
-- error or nil, when was asked and when answered.
function exchange.ask(self, method, what, start_by)
  local asked, answer, err = self.client:now(), nil, self.batch and self.batch:refusal(self)
  pace.ask(self, asked)
  if not err then
    answer, err = call(self, method, what, start_by)
  end
  err = not answer and fault.complete(err) or nil
  local answered = self.client:now()
  remember(self, err and (err.status or err.code) or answer.http_status or 200)
  pace.note(self, answer, err, answered)
  if err and self.batch then
    self.batch:heed(self, err, answered)
  end
  return answer, err, asked, answered
end

--- Waits for the time of the next look; at `aim` one can decide something at last. True:
-- the caller, a task, is to park for it, with little else on its stack, for thousands do.
-- That the client was closed is for the next exchange to tell.
function exchange.pause(self, aim)
  local client = self.client
  local seconds, reason = pace.pause(self, client:now(), aim)
  if self.polls or self.trace then
    self.delay, self.reason = seconds, reason
  end
  if is_closed(client) then
    return
  elseif task.running(client) and coroutine.isyieldable() then
    Run.of[coroutine.running()]:rouse(seconds)
    return true
  end
  local _, err = client:sleep(seconds)
  self.fatal = self.fatal or (err and fault.complete(err))
end

return exchange
