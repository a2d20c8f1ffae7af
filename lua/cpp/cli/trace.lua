--- `--trace`: a line for each exchange, as a timeline.

local text = require "cpp.text"

local trace = {}

local STAGES = { { "dns", "dns" }, { "connect", "connect" }, { "tls", "tls" },
  { "first_byte", "first byte" } }

local function milliseconds(seconds)
  return ("%.1f ms"):format(seconds * 1000)
end

-- What takes less is not there: a connection that is used again has no first
-- stages.
local LEAST = 0.00005

-- The times of an exchange count from its beginning.
local function stages(event)
  local parts = {}
  for _, stage in ipairs(STAGES) do
    local field, name = stage[1], stage[2]
    if event[field] >= LEAST then
      parts[#parts + 1] = name .. " " .. milliseconds(event[field])
    end
  end
  parts[#parts + 1] = "total " .. milliseconds(event.total)
  return table.concat(parts, ", ")
end

local function connection(event)
  if not event.sent then
    return "not sent"
  end
  local used = event.reused and "reused" or "new connection"
  return (event.protocol or "no answer") .. ", " .. used
end

-- What a workflow knows of it.
local function attempt(event)
  if not event.attempt then
    return ""
  elseif event.reason == "at_once" then
    return (", attempt %d"):format(event.attempt)
  end
  return (", attempt %d after %.1f s (%s)"):format(event.attempt, event.delay, event.reason)
end

-- The origin is always the same.
local function path(url)
  return text.clean((url:gsub("^%a+://[^/]*", "")))
end

--- "+0.512 s GET /api/… 200: first byte 3.1 ms, …, attempt 2 after 4.1 s (backoff), …"
---@param event table  what the client's option `trace` gives
---@param began number  seconds since the command began when the exchange did
---@return string
function trace.line(event, began)
  return ("+%.3f s %s %s %s: %s; %s%s%s"):format(began, event.method, path(event.url),
    text.clean(event.status or event.code), stages(event), connection(event),
    attempt(event),
    event.request_id and ", request " .. text.clean(event.request_id) or "")
end

--- "waited 5.0 s (backoff) 200, 17.0 s (retry_after) 503": a workflow's last polls.
---@param polls cpp.workflow.poll[]
---@return string
function trace.polls(polls)
  local parts = {}
  for i, poll in ipairs(polls) do
    parts[i] = ("%.1f s (%s) %s"):format(poll.delay, poll.reason, text.clean(poll.status))
  end
  return "waited " .. table.concat(parts, ", ")
end

return trace
