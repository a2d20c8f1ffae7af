--- One operation of an offer. Its state is a function of time alone: nothing
-- ticks, and yesterday's state can be asked for (a list that lags does so).

local operation = {}
operation.__index = operation

--- The steps of a publish, in order (documented by Microsoft).
operation.STEPS = {
  { id = "displaydummycertify", name = "Validate prerequisites" },
  { id = "displaycertify", name = "Certification" },
  { id = "displayprovision", name = "Provisioning" },
  { id = "displaypackage", name = "Packaging and lead generation registration" },
  { id = "publisher-signoff", name = "Publisher signoff" },
  { id = "live", name = "Live" },
}
local COUNT = #operation.STEPS
local SIGNOFF, CERTIFICATION_HALF = 4 / COUNT, 1.5 / COUNT

--- @param fields table  id, number, slot, kind, started, and for a run: duration,
--   ending, signoff
function operation.new(fields)
  local self = setmetatable(fields, operation)
  self.queued = self.queued or 0
  self.cancels = {}
  self:plan()
  return self
end

--- Sets when and how it ends if nobody interferes. A run that waits for the
-- publisher never ends by itself.
function operation:plan()
  self.stop = nil
  if not self.signoff then
    self.stop = { at = self.started + self.duration, state = self.ending }
  end
end

--- Ends it in `state` at time `at`; its progress freezes at `frozen`.
function operation:end_at(at, state, frozen)
  self.stop = { at = at, state = state }
  self.frozen = frozen
end

--- Notes that a cancel is under way from one time to another.
function operation:ask_to_cancel(from, to)
  table.insert(self.cancels, { from = from, to = to })
end

--- Whether a cancel is under way.
function operation:is_being_canceled(time)
  for _, cancel in ipairs(self.cancels) do
    if cancel.from <= time and time < cancel.to then
      return true
    end
  end
  return false
end

--- The canonical state: not_started, running, succeeded, failed or canceled.
function operation:state(time)
  if self.stop and time >= self.stop.at then
    return self.stop.state
  elseif time < self.started + self.queued then
    return "not_started"
  end
  return "running"
end

--- Whether it has ended.
function operation:ended(time)
  return self.stop ~= nil and time >= self.stop.at
end

-- The part of its duration that has passed, in [0, 1].
local function elapsed(self, time)
  local at = math.min(time, self.frozen or time)
  if self.duration == 0 then
    return 1
  end
  return math.max(0, math.min(1, (at - self.started) / self.duration))
end

-- How far it has come through all steps, in [0, 1].
local function fraction(self, time)
  local part = elapsed(self, time)
  if self:state(time) == "succeeded" then
    return 1
  elseif self.kind == "golive" then
    return (COUNT - 1 + part) / COUNT
  elseif self.signoff then
    return math.min(part, SIGNOFF)
  elseif self.ending == "failed" then
    return part * CERTIFICATION_HALF
  end
  return part
end

--- Whether a person must review it now.
function operation:waits(time)
  return self.signoff and self:state(time) == "running"
    and fraction(self, time) >= SIGNOFF or false
end

local function step_state(self, time, percent, is_current)
  if percent == 100 then
    return "succeeded"
  elseif not is_current or self:state(time) == "not_started" then
    return "not_started"
  elseif self:waits(time) then
    return "waiting_for_publisher_review"
  end
  return self:state(time)
end

--- The six steps at a time: array of { id, name, state, percent, current }.
function operation:steps(time)
  local done = fraction(self, time) * COUNT + 1e-9
  local steps = {}
  for i, step in ipairs(operation.STEPS) do
    local percent = math.floor(math.max(0, math.min(1, done - i + 1)) * 100)
    local is_current = math.floor(done) + 1 == i
    steps[i] = { id = step.id, name = step.name, percent = percent,
      current = is_current, state = step_state(self, time, percent, is_current) }
  end
  return steps
end

--- When it last changed, not later than `time`.
function operation:changed(time)
  if self:ended(time) then
    return self.stop.at
  end
  local changed = self.started
  for _, cancel in ipairs(self.cancels) do
    if cancel.from <= time then
      changed = math.max(changed, cancel.from)
    end
  end
  return math.min(time, changed)
end

return operation
