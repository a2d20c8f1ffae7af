--- What the exchanges of a command tell: a line for each with `--trace`, and failures
-- that a workflow tries to get over. Those are told at once: nobody is to wait for the
-- deadline in the dark.

local text = require "cpp.text"

local trace = {}

-- What takes less is not there: a connection that is used again has no first
-- stages.
local LEAST = 0.00005

-- The times of an exchange count from its beginning.
local function stages(event)
  local parts = {}
  for _, stage in ipairs { "dns", "connect", "tls", "first_byte", "total" } do
    if stage == "total" or event[stage] >= LEAST then
      parts[#parts + 1] = ("%s %.1f ms"):format(stage:gsub("_", " "), event[stage] * 1000)
    end
  end
  return table.concat(parts, ", ")
end

-- What a workflow knows of it.
local function attempt(event)
  if not event.attempt then
    return ""
  end
  local pause = event.reason ~= "at_once"
    and (" after %.1f s (%s)"):format(event.delay, event.reason) or ""
  return (", attempt %d%s"):format(event.attempt, pause)
end

--- "+0.512 s GET /api/… 200: first byte 3.1 ms, …, attempt 2 after 4.1 s (backoff), …"
function trace.line(event, began)
  local path = event.url:gsub("^%a+://[^/]*", "") -- the origin is always the same
  local connection = not event.sent and "not sent"
    or (event.protocol or "no answer") .. (event.reused and ", reused" or ", new connection")
  return ("+%.3f s %s %s %s: %s; %s%s%s"):format(began, event.method, text.clean(path),
    text.clean(event.status or event.code), stages(event), connection, attempt(event),
    event.request_id and ", request " .. text.clean(event.request_id) or "")
end

--- Whether it was a cancel's.
function trace.is_cancel(event)
  return event.method == "POST" and event.url:find "/cancel%f[\0?]" ~= nil
end

--- Whether it was an answered look at what runs on an offer.
function trace.is_list(event)
  return event.method == "GET" and event.status == 200 and event.code == nil
    and event.url:find "/submissions/?%f[\0?]" ~= nil
end

--- What became of a cancel, as its one exchange tells; nil: it was not sent.
function trace.fate(event)
  local status = event.status
  if not event.sent then
    return nil
  elseif status == 202 or (status == 200 and not event.code) then
    return "accepted"
  elseif status and status >= 400 and status < 500 and status ~= 408 then
    return "refused"
  end
  return "unknown"
end

-- A proxy's word is not the service's.
local function is_answer(event)
  return event.status ~= nil and event.code ~= "proxy_refused"
end

--- The failure of an exchange that may be tried again, fit for an error in JSON.
function trace.trouble(event)
  local status, code = event.status, event.code
  if not event.retryable or not code then
    return nil
  end
  local failure = { code = code, status = status, request_id = event.request_id }
  local origin = text.clean(event.url:match "^%a+://[^/?#]*")
  if is_answer(event) and status >= 400 then
    local pause = (event.retry_after or 0) > 0
      and ", which asks to wait " .. text.duration(event.retry_after) or ""
    failure.kind, failure.message = "http", ("HTTP %d from %s%s"):format(status, origin, pause)
  else
    local silence = code == "proxy_refused" and status
      and ("the proxy refused the tunnel: HTTP %d"):format(status) or code:gsub("_", " ")
    failure.kind, failure.message = "transport", ("no answer from %s: %s"):format(origin, silence)
  end
  return failure
end

-- Seconds without it after which a failure is news again: a service that fails every
-- other time is not to fill a log.
local QUIET = 300

--- Listens to exchanges about one subject: the function gives the failure of each that is
--- news, else nil, and whether the service has ever answered.
function trace.listener(clock)
  local seen_at, heard = {}, false
  return function(event)
    heard = heard or is_answer(event)
    local failure = trace.trouble(event)
    if not failure then
      return nil, heard
    end
    local word, now = failure.status or failure.code, clock()
    local quiet = now - (seen_at[word] or -math.huge)
    seen_at[word] = now
    return quiet >= QUIET and failure or nil, heard
  end
end

return trace
