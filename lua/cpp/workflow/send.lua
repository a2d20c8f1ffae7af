--- Second stage of a cancel: sending it, never blindly twice.

local job = require "cpp.workflow.job"
local lists = require "cpp.workflow.lists"
local outcome = require "cpp.workflow.outcome"
local ran = require "cpp.workflow.ran"

local send = {}

-- Each on fresh evidence; with every second answer lost, one cancel in a
-- million needs more.
local MOST = 20

-- The request provably did not leave.
local function never_left(err)
  return err.sent == false or err.kind == "credential" or err.kind == "origin"
end

-- Lost, or an answer that does not say what became of the request: a gateway
-- may have given up on a service that went on.
local function is_unclear(err)
  local status = err.status
  return not status or status < 300 or job.is_passing(err)
end

-- An accepted cancel is told at once: its location is what one goes on with.
local function accept(self, answer)
  self.cancel, self.answer, self.trouble = "accepted", answer, nil
  answer.publisher = answer.publisher or self.publisher
  answer.offer = answer.offer or self.offer
  self.location = self.location or answer.location
  self:announce(answer)
  return false
end

-- Accepted, though the rest of the answer was lost.
local function accept_cut(self, err)
  return accept(self, { state = "accepted", done = false, changed = true,
    http_status = err.status, location = err.location })
end

-- What a refusal, or the lack of an answer, says about the cancel.
local function weigh(self, err)
  self.trouble = err
  if never_left(err) then
    return nil, err
  elseif err.status == 202 then
    return accept_cut(self, err)
  elseif not is_unclear(err) then
    return nil, err
  end
  self.cancel = "unknown"
  if err.kind == "closed" then
    return nil, err
  end
  return false
end

--- Sends one cancel.
---@return false|nil  false: it is to be followed
---@return table|nil err  of a cancel that was not sent, or refused
function send.post(self)
  self.sends = self.sends + 1
  local answer, err = self:ask "cancel"
  if self.batch then
    self.batch:stand_aside(self)
  end
  if answer then
    return accept(self, answer)
  end
  return weigh(self, err)
end

--- After an unclear answer, what is known of the operation that ran decides: a
-- cancel that reached it shows; else it must still run and still allow it.
function send.again(self, operation)
  if ran.is_being_canceled(operation) then
    self.cancel, self.trouble = "accepted", nil
  elseif ran.can_cancel(operation) and self.sends < MOST and not self:is_over() then
    local _, err = send.post(self)
    return nil, err
  end
end

local function look_for_running(self)
  local list, err = self:ask "operations"
  local operation = list and lists.running(list)
  return operation and ran.adopt(self, operation), err
end

-- Nothing has left this machine yet, and time has passed: what ran may have
-- ended, and with `operation` nothing else may be canceled. Nothing: send.
local function look_again(self)
  local look = self.operation and ran.look or look_for_running
  local operation, err = look(self)
  if operation and operation.done then
    return outcome.finish(self, operation)
  elseif err and (self.wanted or err.kind == "closed") then
    return nil, err
  elseif self.wanted and not operation then
    return self:refuse("unverified", ("neither list nor location can tell whether "
      .. "%s still runs; nothing was sent"):format(self.wanted))
  end
end

-- Nothing is sent past the deadline.
local function try(self)
  if self.sends > 0 then
    local verdict, err = look_again(self)
    if verdict or err then
      return verdict, err
    end
  end
  if not self:is_over() then
    return send.post(self)
  end
end

--- Until it was sent or refused. What is asked next must leave the service time.
function send.stage(self)
  if self.cancel ~= "not_sent" then
    return nil
  end
  local verdict, err = self:repeat_until_deadline(try)
  local closed = self.cancel == "unknown" and not err and self:pause()
  if closed then
    return self:fail(closed)
  end
  return verdict, err
end

return send
