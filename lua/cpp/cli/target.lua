--- What is known of one offer on which a cancel is under way.

local facts = require "cpp.cli.facts"
local fault = require "cpp.workflow.fault"
local lines = require "cpp.cli.lines"
local words = require "cpp.workflow.words"

---@class cpp.cli.target
---@field publisher string
---@field offer string
---@field row cpp.cli.row
---@field ran cpp.operation|nil  what runs: the cancel acts upon it
---@field answer cpp.operation|nil  the service's to the cancel, once accepted
---@field leads boolean|nil  whether the answer's location leads to what goes on
---@field refused integer|nil  HTTP status with which the cancel was refused
---@field status integer|nil  the exit status of its result, once that is told
local target = {}
target.__index = target

---@param session cpp.cli.session
---@param offer string
---@return cpp.cli.target
function target.new(session, offer)
  local self = { publisher = session.given.publisher, offer = offer }
  self.row = session.progress:add(facts.name(self), lines.cancel)
  return setmetatable(self, target)
end

--- Learns from an exchange.
---@param event cpp.trace_event
function target:trace(event)
  if event.method == "POST" then
    self.refused = event.status and event.status >= 300 and event.status or nil
  end
end

-- The service's answer to the cancel: a 200, which has no location, is done.
local function is_answer(operation)
  return operation.state == "accepted" or not operation.location
end

-- Seconds: a cancel was accepted, and somebody may wait for the line to go on with.
local PATIENCE = 5

-- Where nothing was seen running, the location may name what had ended long before.
-- Whether it does cannot be told without a look.
local function does_lead(session, answer)
  if not answer.location then
    return false
  end
  local operation, err = session.client:poll(answer.location,
    { timeout = PATIENCE, trace = session:tracer() })
  if operation then
    return not operation.done
  end
  return not fault.is_lost(err)
end

local function is_being_canceled(operation)
  local word = words.of(operation, "cancellationRequestState")
  return word ~= nil and word ~= "cancancel"
end

--- Learns from what the workflow tells. A run that crashed may have sent the cancel:
--- then what runs shows it.
---@param session cpp.cli.session
---@param operation cpp.operation
function target:hear(session, operation)
  local row = self.row
  if is_answer(operation) then
    self.answer, row.accepted = operation, true
    self.leads = not self.ran and does_lead(session, operation)
    session.progress:change(row)
  else
    self.ran, row.accepted = operation, row.accepted or is_being_canceled(operation)
    session.progress:change(row, operation)
  end
end

--- Where one can go on. The location of what ran tells how that ended; an answer's
--- may name an operation of the cancel's own.
---@return string|nil
function target:location()
  local best = self.ran or (self.leads and self.answer)
  return best and best.location or nil
end

--- The id of what the cancel acts upon.
---@return string|nil
function target:operation()
  return self.ran and self.ran.id
end

return target
