--- What a cancel ends with, in a caller's words: a result, or an error with all
-- that is known.

local cpp = require "cpp"
local fault = require "cpp.workflow.fault"
local options = require "cpp.workflow.options"
local verdict = require "cpp.workflow.verdict"

local outcome = {}

local MESSAGES = {
  not_canceled = "the service took the cancel, but the operation goes on",
  unverified = "what can be seen does not tell what became of the cancel",
}

local function message_of(self, v)
  if v.code == "deadline" then
    local idle = self.cancel == "not_sent" and "; no cancel was sent" or ""
    return fault.expiry(self.options.deadline) .. idle
  elseif v.code == "other_operation" then
    local fate = self.cancel == "refused" and "the cancel was refused" or "no cancel was sent"
    return ("operation %s runs, not %s; %s"):format(v.seen.id, self.wanted.id, fate)
  end
  return MESSAGES[v.code]
end

-- The wanted one, until something is known of it.
local function unseen(self)
  local wanted = self.wanted
  return wanted and { id = wanted.id, state = "unknown", done = false,
    publisher = self.publisher, offer = self.offer, location = wanted.location }
end

local function fields_of(self, v)
  local seen = v.seen or (not self.sent and self.wanted) or verdict.focus(self)
  local view = seen and seen.view or unseen(self)
  local where = seen or view or self.place
  return { publisher = self.publisher, offer = self.offer, cancel = self.cancel,
    operation = view, location = where and where.location, polls = self.polls }
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
  local result = fields_of(self, v)
  result.outcome, result.may_publish = v.outcome, v.may_publish
  result.running = v.running and v.running.view
  if v.outcome == "nothing_to_cancel" then
    result.operation, result.location = nil, nil
  elseif v.outcome ~= "accepted" and v.may_publish == nil then
    result.trouble = trouble_of(self, v)
  end
  return result
end

--- Puts a verdict into words.
---@param self table  the evidence
---@param v table
---@return cpp.workflow.result|nil result
---@return cpp.error|nil err
function outcome.of(self, v)
  if v.outcome then
    return result_of(self, v)
  end
  local err = v.err or fault.own(v.code, message_of(self, v), self.trouble or self.unclear)
  -- A copy: many jobs may get the same error from one credential.
  return nil, cpp.error(options.merge(err, fields_of(self, v)))
end

return outcome
