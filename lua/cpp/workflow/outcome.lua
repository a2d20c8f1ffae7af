--- What a cancel ends with, in a caller's words: a result, or an error with all
-- that is known.

local cpp = require "cpp"
local fault = require "cpp.workflow.fault"
local options = require "cpp.workflow.options"
local verdict = require "cpp.workflow.verdict"

local outcome = {}

local UNVERIFIED = "what can be seen does not tell what became of the cancel"

local MESSAGES = {
  not_canceled = "the service took the cancel, but the operation goes on",
  unverified = UNVERIFIED,
}

local function deadline_message(self)
  local text = ("not ended after %g s"):format(self.options.deadline):gsub(",", ".")
  if self.cancel == "not_sent" then
    text = text .. "; no cancel was sent"
  end
  return text
end

local function message_of(self, v)
  if v.code == "deadline" then
    return deadline_message(self)
  elseif v.code == "other_operation" then
    return ("operation %s runs, not %s; nothing was sent"):format(v.seen.id, self.wanted.id)
  end
  return MESSAGES[v.code]
end

-- What the newest exchange met, if it failed, else why it is not known what became
-- of the cancel.
local function cause_of(self)
  return self.trouble or self.unclear
end

local function own_error(self, v)
  local cause, message = cause_of(self), message_of(self, v)
  if cause then
    message = ("%s; at last: %s"):format(message, fault.text(cause))
  end
  return { kind = "workflow", code = v.code, message = message, cause = cause }
end

-- For errors, until something is known of it.
local function unseen(self)
  local wanted = self.wanted
  return { id = wanted.id, state = "unknown", done = false, publisher = self.publisher,
    offer = self.offer, location = wanted.location }
end

local function fields_of(self, seen)
  local view = seen and seen.view or (self.wanted and unseen(self)) or nil
  return {
    publisher = self.publisher, offer = self.offer, cancel = self.cancel,
    operation = view, location = seen and seen.location or view and view.location
      or self.place and self.place.location, polls = self.polls,
  }
end

-- Why it is not known whether a publish may start.
local function trouble_of(self, v)
  if self.listing.err then
    return "the operations list cannot be read: " .. fault.text(self.listing.err)
  elseif v.is_vague then
    return "the operations list shows something that is not done, and not what it is"
  end
  return "no operations list was seen that was made after the end"
end

local function result_of(self, v)
  local seen = v.seen
  if v.outcome == "accepted" then
    seen = verdict.focus(self)
  end
  local result = fields_of(self, seen)
  result.outcome, result.may_publish = v.outcome, v.may_publish
  result.running = v.running and v.running.view
  if v.outcome == "nothing_to_cancel" then
    result.operation, result.location = nil, nil
  elseif v.outcome ~= "accepted" and v.may_publish == nil then
    result.trouble = trouble_of(self, v)
  end
  return result
end

-- A copy: many jobs may get the same error from one credential.
local function error_of(self, v)
  local err = v.err or own_error(self, v)
  return cpp.error(options.merge(err, fields_of(self, v.seen or verdict.focus(self))))
end

--- Puts a verdict into words.
---@param self table
---@param v table
---@return cpp.workflow.result|nil result
---@return cpp.error|nil err
function outcome.of(self, v)
  if v.outcome then
    return result_of(self, v)
  end
  return nil, error_of(self, v)
end

return outcome
