--- Follows one operation to its end.

local cpp = require "cpp"
local exchange = require "cpp.workflow.exchange"
local fault = require "cpp.workflow.fault"
local options = require "cpp.workflow.options"
local pace = require "cpp.workflow.pace"

local wait = {}

--- A wait begins now.
---@param client table
---@param subject table|string  an operation or a location
---@param own table  from options.split
---@param calls table
---@return table
function wait.new(client, subject, own, calls)
  local self = { target = subject, called = client:now() }
  if type(subject) == "table" then
    self.operation, self.location = subject, subject.location
  else
    self.location = subject
  end
  pace.begin(self, own, self.called)
  exchange.equip(self, client, calls)
  return self
end

-- Without a person the review never ends.
local function is_enough(self, operation)
  return operation.done or (not self.options.through_review
    and operation.state == "waiting_for_publisher_review")
end

-- ---- what is known ----

-- A poll of a bare location cannot know everything that the one before knew.
local function inherit(operation, before)
  for _, name in ipairs { "id", "publisher", "offer", "location" } do
    if operation[name] == nil and before then
      operation[name] = before[name]
    end
  end
end

local function has_changed(before, now)
  if now.changed ~= nil then
    return now.changed
  end
  return not before or before.state ~= now.state or before.progress ~= now.progress
end

local function see(self, operation, answered)
  local before, on_change = self.operation, self.options.on_change
  inherit(operation, before)
  self.operation, self.location = operation, operation.location or self.location
  operation.location = self.location
  if has_changed(before, operation) then
    self.since = answered
    if on_change then
      on_change(operation, self.target)
    end
  end
end

-- ---- errors ----

local function fail(self, err)
  local operation = self.operation or {}
  return cpp.error(options.merge(err, { operation = self.operation, cancel = "not_sent",
    publisher = operation.publisher, offer = operation.offer, location = self.location }))
end

local function expire(self)
  local message = ("not ended after %g s"):format(self.options.deadline):gsub(",", ".")
  if self.trouble then
    message = ("%s; at last: %s"):format(message, fault.text(self.trouble))
  end
  return fail(self, { kind = "workflow", code = "deadline", message = message,
    cause = self.trouble })
end

-- One fresh token after a 401; and what is followed may not be shown yet.
local function may_pass(self, err, asked)
  local was_rejected = self.rejected
  self.rejected = fault.is_rejection(err) and not was_rejected or nil
  if self.rejected then
    return true
  end
  local is_to_come = err.status == 404 and asked < self.called + self.options.list_lag
  return is_to_come or fault.is_passing(err)
end

-- ---- the loop ----

-- Whether the same is to be asked at once.
local function look(self)
  local operation, err, asked, answered = exchange.ask(self, "poll",
    self.operation or self.location)
  self.trouble = err
  if not err then
    self.rejected = nil
    return see(self, operation, answered)
  elseif not may_pass(self, err, asked) then
    self.fatal = self.fatal or err
  end
end

--- To the end.
---@param self table
---@return table|nil operation
---@return cpp.error|nil err
function wait.follow(self)
  if self.operation and is_enough(self, self.operation) then
    return self.operation
  end
  while true do
    look(self)
    if self.fatal then
      return nil, fail(self, self.fatal)
    elseif not self.trouble and is_enough(self, self.operation) then
      return self.operation
    elseif pace.is_spent(self) then
      return nil, expire(self)
    elseif not self.rejected then
      exchange.pause(self)
    end
  end
end

return wait
