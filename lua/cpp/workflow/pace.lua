--- When a workflow asks next: interval, Retry-After, silence and deadline.

local fault = require "cpp.workflow.fault"

local pace = {}

-- Seconds without any answer of the service after which nobody waits on.
local SILENCE = 60
-- A pause may end a little early on the client's clock.
local MARGIN = 0.001

-- In a workflow's own table, for ten thousand of them wait; absent until it is so:
---@class cpp.workflow.pace
---@field options table  interval, max_interval, deadline, from options.split
---@field until_time number  the deadline, on the client's clock
---@field since number  when something changed; for a cancel, when it was answered
---@field unheard number|nil  when the first exchange began, until one is answered
---@field spent true|nil  the last look, the one at the deadline, was had
---@field not_before number|nil  until then the service asks not to be asked
---@field post_before number|nil  the same for a POST: only failed exchanges hold it
---@field shared { not_before: number }|nil  what the whole batch was asked for

--- Begins the pace of a workflow.
---@param self table
---@param options table
---@param now number
function pace.begin(self, options, now)
  self.options, self.until_time, self.since = options, now + options.deadline, now
  self.unheard = math.huge
end

--- An exchange begins.
function pace.ask(self, now)
  self.unheard = self.unheard and math.min(self.unheard, now)
  self.spent = now >= self.until_time or nil
end

--- Seconds that an answer or an error asks for; nonsense is none.
---@return number|nil
function pace.asked_seconds(answer)
  local seconds = answer.retry_after
  local is_sensible = type(seconds) == "number" and seconds > 0 and seconds < math.huge
  return is_sensible and seconds or nil
end

--- Takes note of what an exchange brought.
---@param self cpp.workflow.pace
---@param answer table|nil
---@param err table|nil
---@param answered number
function pace.note(self, answer, err, answered)
  if answer or fault.is_answer(err) then
    self.unheard = nil
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
  return math.max(own or -math.huge, self.shared and self.shared.not_before or -math.huge)
end

--- Whether the service asks not to be looked at.
---@param self cpp.workflow.pace
---@param now number
---@return boolean
function pace.holds_look(self, now)
  return now < until_of(self, self.not_before)
end

--- Whether it asks not to be sent anything. A good answer never does.
---@param self cpp.workflow.pace
---@param now number
---@return boolean
function pace.holds_post(self, now)
  return now < until_of(self, self.post_before)
end

--- Whether it is no use to try on.
---@param self cpp.workflow.pace
---@param now number
---@return boolean
function pace.is_silent(self, now)
  return self.unheard ~= nil and now - self.unheard >= SILENCE
end

--- Whether the last look, the one at the deadline, was had.
---@param self cpp.workflow.pace
---@return boolean
function pace.is_spent(self)
  return self.spent == true
end

-- A tenth of the time since something changed, spread so that a thousand who
-- began together come back apart.
local function backoff(self, now)
  local options = self.options
  local most = math.max(options.interval, options.max_interval)
  local seconds = math.max((now - self.since) / 10, options.interval)
  return math.min(seconds, most) * (0.8 + 0.4 * math.random())
end

--- Seconds until the next look, and why so many.
---@param self cpp.workflow.pace
---@param now number
---@param aim? number  when a look can decide something at last
---@return number seconds
---@return "backoff"|"retry_after"|"deadline" reason
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
