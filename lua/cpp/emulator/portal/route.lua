--- Which call a request is, from its raw target.

local form = require "cpp.emulator.portal.form"

local route = {}

-- Call -> the method it takes.
local METHODS = {
  cancel = "POST", publish = "POST", golive = "POST", token = "POST",
  poll = "GET", operations = "GET", status = "GET",
  github = "GET", pipelines = "POST", identity = "GET",
}
local OFFER_CALLS = { cancel = "cancel", publish = "publish", golive = "golive",
  status = "status" }

-- The path's segments, decoded; nil when an escape is malformed.
local function split(path)
  local segments = {}
  for segment in path:gmatch "/([^/]*)" do
    local text = form.unescape(segment)
    if not text then
      return nil
    end
    segments[#segments + 1] = text
  end
  return segments
end

-- /api/operations/{publisher}${offer or its GUID}${number}${slot}
local function by_number(segments)
  local publisher, offer, number, slot =
    (segments[3] or ""):match "^([^$]+)%$([^$]+)%$(%d+)%$(%a+)$"
  if publisher and #segments == 3 then
    return { call = "poll", publisher = publisher, offer_name = offer,
      number = tonumber(number), slot = slot }
  end
end

-- /api/publishers/{publisher}/offers/{offer}/…
local function by_offer(segments)
  local found = { publisher = segments[3], offer_name = segments[5] }
  local word, last = segments[6], segments[7]
  if #segments == 6 then
    found.call = OFFER_CALLS[word]
  elseif #segments == 7 and word == "operations" and last ~= "" then
    found.call, found.operation = "poll", last
  elseif #segments == 7 and word == "submissions" and last == "" then
    found.call = "operations"
  end
  return found.call and found
end

-- /{tenant}/oauth2/token and /{tenant}/oauth2/v2.0/token
local function by_tenant(segments)
  local version = #segments == 3 and "v1" or segments[3] == "v2.0" and "v2"
  if version and segments[#segments] == "token" then
    return { call = "token", tenant = segments[1], version = version }
  end
end

-- Where GitHub, Azure Pipelines and a host with a managed identity are asked.
local function by_issuer(segments)
  local first, second, last = segments[1], segments[2], segments[#segments]
  if #segments == 2 and first == "actions" and second == "idtoken" then
    return { call = "github" }
  elseif #segments == 2 and first == "msi" and second == "token" then
    return { call = "identity" }
  elseif segments[3] == "_apis" and last == "oidctoken" then
    return { call = "pipelines" }
  end
end

local function find(segments)
  local first, second, fourth = segments[1], segments[2], segments[4]
  if first == "api" and second == "operations" then
    return by_number(segments)
  elseif first == "api" and second == "publishers" and fourth == "offers" then
    return by_offer(segments)
  elseif second == "oauth2" and #segments <= 4 then
    return by_tenant(segments)
  end
  return by_issuer(segments)
end

--- @param uri string  the target as received, query and all
-- @return table  call ("unknown" when it is none), publisher, offer_name, operation,
--   number, slot, tenant, version, method_allowed; query and query_counts unless malformed
function route.parse(uri, method)
  local path, query = uri:match "^([^?]*)%??(.*)$"
  local segments = split(path)
  local found = segments and find(segments) or { call = "unknown" }
  found.query, found.query_counts = form.decode(query)
  found.method_allowed = METHODS[found.call] == method
  return found
end

return route
