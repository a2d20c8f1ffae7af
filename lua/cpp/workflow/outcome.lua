--- Results of a cancel: each means that what ran has ended.

local job = require "cpp.workflow.job"
local lists = require "cpp.workflow.lists"

local outcome = {}

local WORDS = { canceled = "canceled", succeeded = "too_late", failed = "failed" }

-- Looks for an operation that somebody else has started since.
local LAST_LOOKS = 3

--- @param word string  canceled, nothing_to_cancel, too_late or failed
--- @param operation table|nil
--- @param running table|nil  one that somebody else has started since
function outcome.result(self, word, operation, running)
  local fields = self:fields()
  fields.outcome, fields.running = word, running
  fields.operation = operation
  fields.location = operation and operation.location
  return fields
end

-- A list that lags shows as running what has ended: its own location knows.
local function really_running(self, item)
  local operation, err = self:ask("poll", item)
  if operation then
    return not operation.done and operation or nil
  end
  return job.is_lost(err) and item or nil
end

-- It would keep a publish from starting.
local function look_for_another(self, ended)
  for _ = 1, LAST_LOOKS do
    local list, err = self:ask "operations"
    if list then
      local item = lists.running(list, ended.id)
      return item and really_running(self, item)
    elseif not job.is_passing(err) or self.final or self:pause() then
      return nil
    end
  end
end

--- The end of the operation that ran is the outcome.
function outcome.finish(self, operation)
  return outcome.result(self, WORDS[operation.state] or operation.state, operation,
    look_for_another(self, operation))
end

return outcome
