--- Whoever is logged in with `az login`. The process waits for as long as `az` runs.

local check = require "cpp.credential.check"
local cjson = require "cjson"
local fault = require "cpp.credential.fault"
local fold = require "cpp.fold"

-- Its stdout goes straight through, its stderr is held back. A line with a mark and its
-- status ends the one, a line with a mark the other: nobody waits for the pipes' ends,
-- which what az has started may hold open for ever. `az` is a script on some systems:
-- `timeout` ends what it has started, too, unless that has a session of its own; and a
-- Ctrl-C, which does not reach a process group of its own, is passed on.
local SCRIPT = [[
command -v az >/dev/null || { printf '\n\036127\n'; exit; }
limit=
command -v timeout >/dev/null && limit="timeout -k 1 @SECONDS"
exec 3>&1
{
  stopped=
  trap 'stopped=yes; kill $! 2>/dev/null' HUP INT TERM
  $limit az account get-access-token --resource https://cloudpartner.azure.com \
    --output json </dev/null 2>&1 >&3 3>&- &
  test -z "$stopped" || kill $!
  wait $!
  printf '\n\036%d\n' $?
} | {
  trap '' HUP INT TERM
  mark=$(printf '\036') errors=
  while IFS= read -r line; do
    case $line in "$mark"*) break ;; esac
    errors="$errors$line
"
  done
  printf '\n%s\n%s%s\n' "$line" "$errors" "$mark"
}]]

local STATUS, ERRORS_END = "^\30(%d+)\n$", "^\30\n$"

-- What may pass, in the words of az's libraries, lower case.
local PASSING = { "network connection", "max retries exceeded", "connection aborted",
  "connection reset", "connection refused", "connection error", "connectionerror",
  "timed out", "timeout", "name resolution", "name or service not known",
  "network is unreachable", "temporarily unavailable", "service unavailable",
  "transient error" }

local SECONDS = 60 -- where the client has no timeout

-- The call's own, which is in whole seconds for `timeout`.
local function limit(client)
  local seconds = client.option and client:option "timeout" or SECONDS
  return math.max(1, math.min(math.tointeger(seconds // 1), 86400))
end

-- ---- what it says ----

-- Nothing that could be a token, of which az's words may be full.
local function mask(text)
  text = text:gsub('("%a*[tT]oken"%s*:%s*)"[^"]*"', '%1"***"')
  return (text:gsub("[%w%-_.~+=]+", function(word)
    return #word >= 40 and "***" or nil
  end))
end

-- From its ERROR on: that ends in what a person can do, and warnings precede it.
local function essence(errors)
  local text = mask(errors):gsub("[%c%s]+", " "):gsub(" $", "")
  text = text:match "ERROR: *(.*)$" or text
  return (text:sub(1, 500):gsub("[\xC0-\xFF][\x80-\xBF]*$", ""))
end

local function is_passing(errors)
  local text = fold(errors)
  for _, words in ipairs(PASSING) do
    if text:find(words, 1, true) then
      return true
    end
  end
  return false
end

-- 137 is also az that somebody else killed, as Linux does where memory is short.
local function is_late(status, seconds, began)
  return status == 124 or (status == 137 and os.time() - began >= seconds)
end

local function refuse(status, errors, seconds, began)
  if status == 127 then
    return fault.refuse("az_not_found", "the Azure CLI is not installed: install az, or "
      .. "set CPP_TOKEN or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET")
  elseif is_late(status, seconds, began) then
    return fault.refuse("az_timeout", ("az gave no token within %d s"):format(seconds), true)
  end
  local words, message = essence(errors), "az ended with status " .. status
  if words:find "%S" then
    message = message .. ": " .. words
  end
  return fault.refuse("az_failed", message, is_passing(errors))
end

-- ---- what it gives ----

-- "2026-11-22 17:08:21.000000", local time: what az gave before it knew expires_on.
local function parse_local_time(text)
  local year, month, day, hour, min, sec =
    tostring(text):match "^(%d%d%d%d)%-(%d%d)%-(%d%d)[ T](%d%d):(%d%d):(%d%d)"
  if not year then
    return nil
  end
  -- os.time refuses what a clock of 32 bits cannot hold.
  local good, seconds = pcall(os.time, { year = year, month = month, day = day,
    hour = hour, min = min, sec = sec })
  return good and seconds or nil
end

local function parse(output)
  local good, answer = pcall(cjson.decode, (output:gsub("^\xEF\xBB\xBF", "")))
  if not good or type(answer) ~= "table" or type(answer.accessToken) ~= "string" then
    return fault.refuse("az_failed", "az gave no token")
  end
  local token, wrong = check.bearer(answer.accessToken, "az's accessToken")
  if not token then
    return fault.refuse("az_failed", wrong)
  end
  return {
    access_token = token,
    expires_on = tonumber(answer.expires_on) or parse_local_time(answer.expiresOn),
  }
end

-- What stands before a line, and what of that line is captured; nil: there is none.
local function read_until(pipe, pattern)
  local lines = {}
  for line in pipe:lines "L" do
    local found = line:match(pattern)
    if found then
      return table.concat(lines), found
    end
    lines[#lines + 1] = line
  end
  return nil
end

local function fetch(client)
  local seconds, began = limit(client), os.time()
  local pipe <close>, message = io.popen(SCRIPT:gsub("@SECONDS", seconds), "r")
  if not pipe then
    return fault.refuse("az_failed", "az cannot be run: " .. message, true)
  end
  local output, status = read_until(pipe, STATUS)
  if not output then
    return fault.refuse("az_failed", "az was interrupted")
  elseif status ~= "0" then
    return refuse(tonumber(status), read_until(pipe, ERRORS_END) or "", seconds, began)
  end
  return parse(output)
end

return {
  name = "azure_cli", title = "Azure CLI", group = "azureclicredential",
  fields = {}, fetch = fetch,
}
