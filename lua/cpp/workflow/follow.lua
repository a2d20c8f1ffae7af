--- Third stage of a cancel: following what ran to its end.

local job = require "cpp.workflow.job"
local lists = require "cpp.workflow.lists"
local outcome = require "cpp.workflow.outcome"
local ran = require "cpp.workflow.ran"
local send = require "cpp.workflow.send"

-- Intervals for which a list may lag behind.
local LAG = 24
-- The same where the answer's location has come to its end: two witnesses.
local SHORT_LAG = 6

-- ---- the location of the answer ----

-- It may name the operation that ran, or one of the cancel's own. Refused or
-- gone it is given up: the list replaces it.
local function ask_answer(self)
  local answer = self.answer
  local operation, err = self:ask("poll", answer)
  if operation then
    operation.location = operation.location or answer.location
    self.answer = operation
    self.answer_went_on = self.answer_went_on or not operation.done
  elseif err.kind == "closed" then
    return err
  elseif not job.is_passing(err) then
    self.answer = nil
  end
end

-- Unless it can tell nothing, or nothing that is not known already.
local function look_at_answer(self)
  local answer = self.answer
  if not answer or answer.done then
    return nil
  elseif not answer.location then
    self.answer = nil
  elseif not self.operation or answer.location ~= self.operation.location then
    return ask_answer(self)
  end
end

local function has_answer_ended(self)
  return self.answer ~= nil and self.answer.done
end

-- Only `canceled` tells what became of the run: success or failure may be the
-- cancel's own. And not where the location may name the run before, canceled
-- too; a 200, which has none, not where the list shows no trace of it.
local function tells_canceled(self)
  local answer = self.answer
  if not has_answer_ended(self) or answer.state ~= "canceled" then
    return false
  end
  local last = self.before and self.before.last_state
  return self.answer_went_on or not last
    or (answer.location ~= nil and last ~= "canceled")
end

-- ---- where it is known what ran ----

-- The service gave the cancel up.
local function refuse_not_canceled(self)
  return self:refuse("not_canceled",
    "the service took the cancel, but the operation goes on")
end

local function refuse_unverified(self)
  return self:refuse("unverified",
    "neither the operations list nor the location can tell what became of it")
end

-- Neither its location nor the list knows it.
local function follow_without_trace(self)
  if has_answer_ended(self) and self.answer.state == "canceled" then
    return outcome.finish(self, self.answer)
  elseif self:is_out_of_patience(LAG) then
    return refuse_unverified(self)
  end
end

-- It still runs.
local function follow_running(self, operation)
  if self.cancel == "unknown" then
    return send.again(self, operation)
  elseif not has_answer_ended(self) then
    self.patient_since = nil
  elseif self:is_out_of_patience(SHORT_LAG) then
    return refuse_not_canceled(self)
  end
end

-- It decides, whatever the answer's location points to.
local function follow_known(self)
  local operation, err = ran.look(self)
  if err then
    return nil, err
  elseif operation and operation.done then
    return outcome.finish(self, operation)
  end
  local closed = look_at_answer(self)
  if closed then
    return nil, closed
  elseif operation then
    return follow_running(self, operation)
  end
  return follow_without_trace(self)
end

-- ---- where nobody has seen what ran ----

-- What ended since the look before: canceled, it is what was canceled; else
-- only once the answer's location has nothing to add.
local function ended_in_between(self, list)
  local ended = self.before and lists.ended_since(list, self.before)
  local answer_goes_on = self.answer and not self.answer.done
  if ended and (ended.state == "canceled" or not answer_goes_on) then
    return ended
  end
end

-- A list that is refused or empty tells nothing; then only the success of the
-- cancel's own operation says that nothing goes on.
local function can_settle(self, newest)
  return newest ~= nil or (has_answer_ended(self) and self.answer.state == "succeeded")
end

-- Nothing ended in between, so there was nothing to cancel. Without a look
-- before, a newest one that is canceled is taken for what was.
local function settle(self, list)
  local newest = list and lists.newest(list)
  if not can_settle(self, newest) then
    return refuse_unverified(self)
  elseif not self.before and newest and newest.state == "canceled" then
    return outcome.result(self, "canceled", newest)
  end
  return outcome.result(self, "nothing_to_cancel", newest)
end

-- The list shows nothing new, for as long as it may lag behind. A deadline that
-- comes before makes nothing certain.
local function follow_list(self, list)
  local answer_goes_on = self.answer and not self.answer.done
  local lag = has_answer_ended(self) and SHORT_LAG or LAG
  if not answer_goes_on and self:has_waited(lag) then
    return settle(self, list)
  end
end

-- The list and the answer's location decide together.
local function decide(self, list)
  local ended = list and ended_in_between(self, list)
  local running = list and lists.running(list)
  if ended then
    return outcome.finish(self, ended)
  elseif tells_canceled(self) then
    return outcome.finish(self, self.answer)
  elseif running then
    self.patient_since = nil
    ran.adopt(self, running)
    return nil
  end
  return follow_list(self, list)
end

local function follow_unknown(self)
  local closed = look_at_answer(self)
  if closed then
    return nil, closed
  end
  local list, err = self:ask "operations"
  if list or job.is_lost(err) or tells_canceled(self) then
    return decide(self, list)
  end
  return nil, err
end

local function follow(self)
  if self.operation then
    return follow_known(self)
  end
  return follow_unknown(self)
end

--- @param self cpp.job
return function(self)
  return self:repeat_until_deadline(follow)
end
