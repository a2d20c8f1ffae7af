--- The operation that ran before the cancel: its end is the outcome. A job has
-- it in `operation`, which is nil while nobody has seen one running.

local job = require "cpp.workflow.job"
local lists = require "cpp.workflow.lists"

local ran = {}

--- Takes it up. Everybody is told, in the usual case before the POST, so that a
-- script can write its id down.
function ran.adopt(self, operation)
  self:announce(self:take(operation))
  return operation
end

-- `cancellationRequestState`, folded; the document may be an array of one.
local function cancellation_word(operation)
  local document = operation.document
  if type(document) ~= "table" then
    return nil
  end
  local word = (document[1] or document).cancellationRequestState
  return type(word) == "string" and word:lower() or nil
end

function ran.can_cancel(operation)
  return cancellation_word(operation) == "cancancel"
end

--- A document without the word, as in a list, says nothing.
function ran.is_being_canceled(operation)
  local word = cancellation_word(operation)
  return word ~= nil and word ~= "cancancel"
end

-- Its item in the list, where its own location is of no use.
local function look_in_list(self)
  local list, err = self:ask "operations"
  if not list then
    return nil, not job.is_lost(err) and err or nil
  end
  local item = lists.find(list, self.operation.id)
  return item and self:see(item)
end

--- The operation as it is now; nothing when neither its location, which is built
--- from its id, nor the list knows it.
---@return table|nil operation
---@return table|nil err
function ran.look(self)
  if not self.location_lost then
    local operation, err = self:ask("poll", self.operation)
    if operation then
      return self:see(operation)
    elseif not job.is_lost(err) then
      return nil, err
    end
    self.location_lost = true
  end
  return look_in_list(self)
end

return ran
