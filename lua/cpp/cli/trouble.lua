--- Failures of exchanges that a workflow tries to get over until its deadline. They
-- are told at once: nobody is to wait for the deadline in the dark.

local fault = require "cpp.workflow.fault"
local text = require "cpp.text"

local trouble = {}

---@class cpp.cli.trouble  fit for an error in JSON
---@field kind "transport"|"http"
---@field code string
---@field message string
---@field status integer|nil
---@field request_id string|nil

-- Seconds without it after which a failure is news again: a service that fails every
-- other time is not to fill a log.
local QUIET = 300

-- Codes of what may pass; a certificate that is not trusted, say, does not.
local PASSING = {}
for _, code in ipairs { "could_not_resolve", "could_not_resolve_proxy",
  "could_not_connect", "timeout", "tls_handshake", "connection_lost",
  "incomplete_answer", "http2_error", "proxy", "transfer_failed" } do
  PASSING[code] = true
end

local function origin(url)
  return text.clean(url:match "^%a+://[^/?#]*")
end

---@param event cpp.trace_event
---@return cpp.cli.trouble|nil  of an exchange that may be tried again
function trouble.of(event)
  local status, code = event.status, event.code
  if code and PASSING[code] then
    return { kind = "transport", code = code, status = status,
      message = ("no answer from %s: %s"):format(origin(event.url), code:gsub("_", " ")) }
  elseif status and fault.is_passing { status = status } then
    return { kind = "http", code = code or ("http_" .. status), status = status,
      request_id = event.request_id,
      message = ("HTTP %d from %s"):format(status, origin(event.url)) }
  end
end

--- Listens to exchanges about one subject, and tells of each failure that is news.
---@param clock fun(): number  seconds
---@param tell fun(failure: cpp.cli.trouble)
---@return fun(event: cpp.trace_event)
function trouble.listener(clock, tell)
  local seen_at = {}
  return function(event)
    local failure = trouble.of(event)
    if failure then
      local word, now = failure.status or failure.code, clock()
      local before = seen_at[word] or -math.huge
      seen_at[word] = now
      if now - before >= QUIET then
        tell(failure)
      end
    end
  end
end

return trouble
