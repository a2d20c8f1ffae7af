--- How the emulator's own specs ask it: by curl, so that nothing that is tested elsewhere
-- stands between, for an offer in mid-publish on a clock that stands still.

local cjson = require "cjson"
local emulator = require "cpp.emulator"
local shell = require "cpp.emulator.shell"

local asking = {}

asking.VERSION = "api-version=2017-10-31"
asking.BODY = '{"metadata":{"notification-emails":"a@x.com,b@y.com"}}'
asking.GUID = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"
asking.GUID_PATTERN = "^%x+%-%x+%-4%x+%-%x+%-%x+$"

-- Runs curl; returns its output (heads included) and its exit status.
function asking.curl(portal, url, ...)
  local words = { "curl -sS -i --max-time 20 --noproxy '*'" }
  if portal.ca_file then
    table.insert(words, "--cacert " .. shell.quote(portal.ca_file))
  end
  for _, word in ipairs { ... } do
    table.insert(words, shell.quote(word))
  end
  table.insert(words, shell.quote(url))
  local pipe = io.popen(table.concat(words, " ") .. " 2>/dev/null", "r")
  local output = pipe:read "a"
  local _, _, exit = pipe:close()
  return output, exit
end

-- Reads an answer: status, headers (names in lower case), body.
local function parse(output)
  local head, body = output:match "^(.-)\r\n\r\n(.*)$"
  if not head then
    return {}
  end
  local answer = { headers = {}, head = head, body = body }
  answer.status = tonumber(head:match "^HTTP/%S+ (%d+)")
  for name, value in head:gmatch "\r\n([^:\r\n]+): ?([^\r\n]*)" do
    answer.headers[name:lower()] = value
  end
  local good, document = pcall(cjson.decode, body)
  answer.document = good and document or nil
  return answer
end

-- Asks without a token unless the arguments bring one.
function asking.ask(portal, path, ...)
  local output, exit = asking.curl(portal, portal.endpoint .. path, ...)
  local answer = parse(output)
  answer.exit, answer.output = exit, output
  return answer
end

function asking.bearer(portal)
  return "Authorization: Bearer " .. portal.token
end

function asking.get(portal, path, ...)
  path = path:find("?", 1, true) and path or path .. "?" .. asking.VERSION
  return asking.ask(portal, path, "-H", asking.bearer(portal), ...)
end

function asking.post(portal, path, body, ...)
  return asking.ask(portal, path .. "?" .. asking.VERSION, "-H", asking.bearer(portal),
    "-H", "Content-Type: application/json", "--data-binary", body, ...)
end

function asking.path_of(name)
  local publisher, offer = name:match "^(.-)/(.*)$"
  return ("/api/publishers/%s/offers/%s/"):format(publisher, offer)
end

function asking.cancel(portal, ...)
  return asking.post(portal, asking.path_of "contoso/vm" .. "cancel", asking.BODY, ...)
end

function asking.list(portal, query)
  query = query and "&" .. query or ""
  local path = asking.path_of "contoso/vm" .. "submissions/?" .. asking.VERSION .. query
  return asking.get(portal, path).document
end

function asking.poll(portal, id)
  return asking.get(portal, asking.path_of "contoso/vm" .. "operations/" .. (id or asking.GUID))
end

function asking.location_of(answer)
  return answer.headers["operation-location"] or answer.headers.location
end

function asking.follow(portal, answer)
  local path = asking.location_of(answer):gsub("^https?://[^/]+", "")
  return asking.get(portal, path)
end

function asking.exists(path)
  local file <close> = io.open(path, "r")
  return file ~= nil
end

function asking.states(items)
  local found = {}
  for i, item in ipairs(items) do
    found[i] = item.submissionState
  end
  return found
end

-- Waits for a condition on another process, in bounded time.
function asking.eventually(condition)
  for _ = 1, 500 do
    if condition() then
      return true
    end
    os.execute "sleep 0.01"
  end
  return false
end

local function merged(...)
  local all = {}
  for _, fields in ipairs { ... } do
    for name, value in pairs(fields) do
      all[name] = value
    end
  end
  return all
end

--- What the cases of a file begin with. Only spec files see busted's functions, so they
-- pass after_each on.
---@param give fun(portal: cpp.emulator.handle|nil)  gets each case's portal, then nil
---@return fun(settings: table?, more: table?): cpp.emulator.handle  starts one: settings
--- of contoso/vm, options of emulator.start
---@return fun(seconds: number)  moves its clock
function asking.share(after_each, give)
  local portal

  local function still(settings, more)
    local offer = merged({ running = "publish", id = asking.GUID }, settings or {})
    local offers = { ["contoso/vm"] = offer, ["contoso/other"] = {} }
    portal = assert(emulator.start(merged({ speed = 0, offers = offers }, more or {})))
    give(portal)
    return portal
  end

  after_each(function()
    if portal then
      portal:close()
      portal = nil
      give(nil)
    end
  end)
  return still, function(seconds)
    portal:set("*", { advance = seconds })
  end
end

return asking
