--- First stage of a cancel: what runs?

local job = require "cpp.workflow.job"
local lists = require "cpp.workflow.lists"
local outcome = require "cpp.workflow.outcome"
local ran = require "cpp.workflow.ran"

local before = {}

-- Intervals for which an operation may run before anything knows it.
local LAG = 6

--- One try: a cancel that a person waits for must not fail for want of a list.
function before.look(self)
  local list, err = self:ask "operations"
  local operation = list and lists.running(list)
  if operation then
    ran.adopt(self, operation)
  elseif list then
    self.before = lists.summary(list)
  elseif err.kind == "closed" then
    return self:fail(err)
  end
end

local function escape(id)
  return (id:gsub("[^%w%-._~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

-- The form in which the service documents it; the client completes it.
local function own_location(self)
  return ("/api/publishers/%s/offers/%s/operations/%s"):format(
    escape(self.publisher), escape(self.offer), escape(self.wanted))
end

-- For errors, until something is known of it.
local function unseen(self)
  return { id = self.wanted, state = "unknown", done = false,
    publisher = self.publisher, offer = self.offer, location = own_location(self) }
end

-- A colleague's, while the wanted one is nowhere.
local function refuse_other(self, other)
  self.operation, self.location = other, other.location
  return self:refuse("other_operation", ("operation %s runs, not %s; nothing was sent")
    :format(other.id, self.wanted))
end

-- Neither in the list nor at its location. Both may lag behind its start.
local function miss(self, list, err)
  local lost = job.is_lost(err)
  local other = lost and list and lists.running(list, self.wanted)
  if other then
    return refuse_other(self, other)
  elseif not lost or self:is_out_of_patience(LAG) then
    return nil, err
  end
end

-- From the list, which may lag and knows nothing of a cancel under way, and so
-- from its own location too.
local function find(self)
  local list, err = self:ask "operations"
  if err and not job.is_lost(err) then
    return nil, err
  end
  local item = list and lists.find(list, self.wanted)
  if item and item.done then
    return item
  end
  local operation, refusal = self:ask("poll", item or self.location)
  if operation then
    return operation
  elseif item and job.is_lost(refusal) then
    return item
  end
  return miss(self, list, refusal)
end

--- With the option `operation`. Has that one ended, there is nothing to send;
-- nor where a cancel is under way, for a crashed run may have sent it.
function before.look_for_wanted(self)
  self:take(unseen(self))
  local operation, err = self:repeat_until_deadline(find)
  if not operation then
    return nil, err
  end
  ran.adopt(self, operation)
  self.patient_since = nil
  if operation.done then
    return outcome.finish(self, operation)
  elseif ran.is_being_canceled(operation) then
    self.cancel = "accepted"
  end
end

return before
