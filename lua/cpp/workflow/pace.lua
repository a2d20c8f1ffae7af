--- When a workflow asks next: interval, Retry-After, silence and deadline.
--
-- It is kept in the workflow's own table, for ten thousand of them wait. Times are on the
-- client's clock: `called`, when it began; `until_time`, the deadline; `since`, when
-- something changed, or a cancel was answered; `unheard`, when the first exchange began,
-- until one is answered; `not_before`, until when the service asks not to be asked, and
-- `post_before`, the same for a POST. `spent`: the last look, the one at the deadline, was
-- had; `fatal`: an error that ends the workflow, whatever it knows; `batch`, if there, has
-- a `not_before` for all of it.

local fault = require "cpp.workflow.fault"

local pace = {}

-- Seconds without any answer of the service after which nobody waits on.
local SILENCE = 60
-- A pause may end a little early on the client's clock.
local MARGIN = 0.001

--- Begins the pace of a workflow: `options` are its interval, max_interval and deadline.
function pace.begin(self, options, now)
  self.options, self.called, self.until_time = options, now, now + options.deadline
  self.since, self.unheard = now, math.huge
end

--- An exchange begins.
function pace.ask(self, now)
  self.unheard = self.unheard and math.min(self.unheard, now)
  self.spent = now >= self.until_time or nil
end

--- Whether one has.
function pace.has_begun(self)
  return self.unheard ~= math.huge
end

--- Seconds that an answer or an error asks for, or nil; nonsense is none.
function pace.asked_seconds(answer)
  local seconds = answer.retry_after
  local is_sensible = type(seconds) == "number" and seconds > 0 and seconds < math.huge
  return is_sensible and seconds or nil
end

--- An exchange has brought an answer or an error.
function pace.note(self, answer, err, answered)
  if answer or fault.is_answer(err) then
    self.unheard = nil
  end
  local is_silent = self.unheard and answered - self.unheard >= SILENCE
  if err and (is_silent or err.kind == "closed") then
    self.fatal = err
  end
  local seconds = pace.asked_seconds(answer or err)
  if seconds then
    local time = answered + seconds * (1 + 0.1 * math.random())
    self.not_before = math.max(self.not_before or time, time)
    self.post_before = err and math.max(self.post_before or time, time) or self.post_before
  end
end

-- What a batch was asked for counts for each of it.
local function until_of(self, own)
  return math.max(own or -math.huge, self.batch and self.batch.not_before or -math.huge)
end

--- Whether the service asks not to be looked at.
function pace.holds_look(self, now)
  return now < until_of(self, self.not_before)
end

--- Whether it asks not to be sent anything, which only failed exchanges do.
function pace.holds_post(self, now)
  return now < until_of(self, self.post_before)
end

-- A tenth of the time since something changed, spread so that a thousand who
-- began together come back apart. One that has not begun is held by its batch alone.
local function backoff(self, now)
  if not pace.has_begun(self) then
    return 0
  end
  local options = self.options
  local most = math.max(options.interval, options.max_interval)
  local seconds = math.max((now - self.since) / 10, options.interval)
  return math.min(seconds, most) * (0.8 + 0.4 * math.random())
end

--- Seconds until the next look, and why so many: "backoff", "retry_after" or "deadline".
-- At `aim`, if not nil, a look can decide something at last.
function pace.pause(self, now, aim)
  local seconds, reason = backoff(self, now), "backoff"
  aim = math.min(aim or math.huge, (self.unheard or math.huge) + SILENCE) + MARGIN
  if aim > now then
    seconds = math.min(seconds, aim - now)
  end
  local held = until_of(self, self.not_before)
  if held > now + seconds then
    seconds, reason = held - now + MARGIN, "retry_after"
  end
  local left = math.max(0, self.until_time - now)
  if seconds >= left then
    return left, "deadline"
  end
  return seconds, reason
end

return pace
