--- What an exchange's error means: whether it may pass, and what it says of the
-- request. `err` is a cpp.error, or the plain table of a stand-in for a client.

local options = require "cpp.workflow.options"

local fault = {}

--- Whether the same question may be answered later. What the service refused
--- for a reason (400, 403, 404, …) will not be (documented by Microsoft).
function fault.is_passing(err)
  local status = err.status
  if status == 408 or status == 429 or (status and status >= 500) then
    return true
  elseif err.kind == "transport" then
    return err.retryable ~= false
  end
  return err.kind == "credential" and err.retryable == true
end

--- Whether the service answered. A token endpoint's or a proxy's word is not its.
function fault.is_answer(err)
  return err.status ~= nil and err.kind ~= "credential" and err.code ~= "proxy_refused"
end

--- Whether the service rejected the token. A fresh one may do.
function fault.is_rejection(err)
  return err.status == 401 and fault.is_answer(err)
end

--- An error with the least that one says; a stand-in for a client may give less.
function fault.complete(err)
  if err and err.kind and err.code and err.message then
    return err
  end
  local least = { kind = "protocol", code = "unknown", message = "no message" }
  return options.merge(least, err or {})
end

--- One line for a message; a stand-in for a client may give a plain table.
function fault.text(err)
  return getmetatable(err) and tostring(err) or tostring(err.message or err.code)
end

--- An error of a workflow's own; `cause` is what its newest exchange met, if it failed.
function fault.own(code, message, cause)
  if cause then
    message = message .. "; at last: " .. fault.text(cause)
  end
  return { kind = "workflow", code = code, message = message, cause = cause }
end

--- The message of a deadline. In some locales a comma parts the digits.
function fault.expiry(seconds)
  return (("not ended after %g s"):format(seconds):gsub(",", "."))
end

--- What became of a cancel that was answered with an error. A 202 cut in its body
--- is accepted; 408 and 5xx may come from a gateway that gave up on a service that
--- went on, and a 3xx after the service did.
---@return "not_sent"|"refused"|"accepted"|"unknown"
function fault.fate(err)
  local status = err.status or 0
  if err.sent == false or err.kind == "credential" or err.kind == "origin" then
    return "not_sent"
  elseif status == 202 then
    return "accepted"
  end
  local is_refused = status >= 400 and status < 500 and status ~= 408
  return is_refused and "refused" or "unknown"
end

return fault
