--- Follows one operation to its end: `target`, an operation or a location, in a table
-- from exchange.begin.

local cpp = require "cpp"
local exchange = require "cpp.workflow.exchange"
local fault = require "cpp.workflow.fault"
local options = require "cpp.workflow.options"
local task = require "cpp.task"

local wait = {}

-- What `see` hands on: a poll of a bare location cannot know all that is known.
local INHERITED = { "id", "publisher", "offer", "location" }

-- The operation as last seen; of a bare location nothing else is known at first.
local function last_seen(self)
  local last = self.operation or self.target
  return type(last) == "table" and last or { location = last }
end

-- Without a person the review never ends.
local function is_enough(self, operation)
  return operation.done or (not self.options.through_review
    and operation.state == "waiting_for_publisher_review")
end

local function see(self, operation, answered)
  local before, on_change = last_seen(self), self.options.on_change
  local has_changed = operation.changed
  if has_changed == nil then
    has_changed = before.state ~= operation.state or before.progress ~= operation.progress
  end
  for _, name in ipairs(INHERITED) do
    if operation[name] == nil then
      operation[name] = before[name]
    end
  end
  self.operation = operation
  if has_changed then
    self.since = answered
    if on_change then
      on_change(operation, self.target)
    end
  end
end

local function fail(self, err)
  local last = last_seen(self)
  local is_known = last == self.operation or last == self.target
  return cpp.error(options.merge(err, { cancel = "not_sent", location = last.location,
    publisher = last.publisher, offer = last.offer, operation = is_known and last or nil }))
end

-- One fresh token after a 401; and what is followed may not be shown yet.
local function may_pass(self, err, asked)
  self.rejected = fault.is_rejection(err) and not self.rejected or nil
  local is_to_come = err.status == 404 and asked < self.called + self.options.list_lag
  return self.rejected or is_to_come or fault.is_passing(err)
end

local function look(self)
  local operation, err, asked, answered = exchange.ask(self, "poll",
    self.operation or self.target)
  self.trouble = err
  if operation then
    self.rejected = nil
    see(self, operation, answered)
  elseif not may_pass(self, err, asked) then
    self.fatal = self.fatal or err
  end
end

--- To the end: returns the operation, or nil and an error.
function wait.follow(self)
  if is_enough(self, last_seen(self)) then
    return self.target
  end
  while true do
    look(self)
    if self.fatal then
      return nil, fail(self, self.fatal)
    elseif not self.trouble and is_enough(self, self.operation) then
      return self.operation
    elseif self.spent then
      return nil, fail(self, fault.own("deadline",
        fault.expiry(self.options.deadline), self.trouble))
    elseif not self.rejected and exchange.pause(self) then
      task.park()
    end
  end
end

return wait
