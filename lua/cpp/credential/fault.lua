--- Why there is no token: errors of kind `credential`.

local cpp = require "cpp"

local fault = {}

--- An error of this exchange's own, before anything was sent.
---@param code string
---@param message string
---@param retryable? boolean  it may pass (default false)
---@return nil
---@return cpp.error
function fault.refuse(code, message, retryable)
  return nil, cpp.error {
    kind = "credential", code = code, message = message, sent = false,
    retryable = retryable == true,
  }
end

--- Another error, told with more words. That a client closed stays what it is.
---@param err cpp.error
---@param message string
---@return nil
---@return cpp.error
function fault.retell(err, message)
  local fields = {}
  for name, value in pairs(err) do
    fields[name] = value
  end
  fields.kind = err.kind == "closed" and "closed" or "credential"
  fields.message = message
  return nil, cpp.error(fields)
end

return fault
