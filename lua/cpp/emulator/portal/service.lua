--- The calls of the service. A handler takes the request and the virtual time and
-- returns a reply: status, headers, document or body, and what it did for the
-- ledger (acted, idle).

local clock = require "cpp.emulator.portal.clock"
local document = require "cpp.emulator.portal.document"
local json = require "cpp.emulator.portal.json"

local service = {}

local VERSION = "2017-10-31"

--- A reply with an error document of the service.
local function refuse(status, code, message)
  return { status = status, document = { error = { code = code, message = message } } }
end
service.refuse = refuse

-- The five values of the setting `location` that stand for forms of the service:
-- F1 and F2 were documented in 2018; F3 (migrated offers) and F4 in 2020.
local forms = {
  F1 = function(offer, op, endpoint)
    return ("%s/api/publishers/%s/offers/%s/operations/%s"):format(
      endpoint, offer.publisher, offer.id, op.id)
  end,
  F2 = function(offer, op)
    return ("/api/operations/%s$%s$%d$%s?api-version=%s"):format(
      offer.publisher, offer.guid, op.number, op.slot, VERSION)
  end,
  F3 = function(offer, op)
    return ("/api/publishers/%s/offers/%s/operations/%s?api-version=%s"):format(
      offer.publisher, offer.id, op.id, VERSION)
  end,
  F4 = function(offer, op)
    return ("/api/operations/%s$%s$%d$%s?api-version=%s"):format(
      offer.publisher, offer.id, op.number, op.slot, VERSION)
  end,
  none = function() end,
}
local header_of = { F1 = "Operation-Location", F2 = "Operation-Location",
  F3 = "Location", F4 = "Location" }

-- What a Location holds beside Azure-AsyncOperation: where the result is.
local function result_location(offer)
  return ("/api/publishers/%s/offers/%s/status?api-version=%s"):format(
    offer.publisher, offer.id, VERSION)
end

-- Headers that carry the location of an operation, as the offer's settings say.
local function location_headers(request, op)
  local offer = request.offer
  local location = offer.settings.location
  local value = location
  if forms[location] then
    value = forms[location](offer, op, request.endpoint)
  end
  local name = offer.settings.location_header or header_of[location]
    or "Operation-Location"
  if name == "both" then
    return { ["Operation-Location"] = value, Location = value }
  elseif name == "async" then
    return { ["Azure-AsyncOperation"] = value, Location = result_location(offer) }
  end
  return { [name] = value }
end

local function accepted(request, op, body)
  local headers = location_headers(request, op)
  return { status = 202, headers = headers, body = body, acted = true }
end

-- Whether a cancel is refused for what it finds.
local function refuse_cancel(settings, found)
  if found == "idle" and settings.refuse_idle then
    return refuse(settings.refuse_idle, "InvalidOperation", "Nothing runs on this offer.")
  elseif found == "canceling" and settings.refuse_repeated then
    return refuse(settings.refuse_repeated, "OperationInProgress",
      "The operation is being canceled.")
  end
end

-- A cancel of an offer where nothing runs is answered like any other (reported by
-- users of the service).
function service.cancel(request, time)
  local offer = request.offer
  local found = offer:finds(time)
  local reply = refuse_cancel(offer.settings, found)
  if reply then
    return reply
  end
  reply = accepted(request, offer:cancel(time), offer.settings.accepted_body)
  if offer.settings.synchronous then
    reply = { status = 200, body = "" }
  end
  reply.acted, reply.repeated, reply.idle =
    found == "running", found == "canceling", found == "idle"
  return reply
end

-- The body of the answer is not JSON (seen in public clients).
function service.publish(request, time)
  local offer = request.offer
  if offer:current(time) then
    return refuse(409, "OperationInProgress", "Another operation runs on this offer.")
  end
  local op = offer:start("publish", time, request.emails)
  return accepted(request, op, "Publish accepted")
end

function service.golive(request, time)
  local op = request.offer:golive(time)
  if not op then
    return refuse(400, "InvalidOperation", "No preview waits for its publisher.")
  end
  return accepted(request, op)
end

-- A look that is answered may tell when to look again.
local function answered(request, status, headers)
  headers = headers or {}
  headers["Retry-After"] = request.offer.settings.retry_after or nil
  return { status = status, headers = headers }
end

--- @param request table  `operation`: the GUID, or `number` and `slot`
function service.poll(request, time)
  local offer = request.offer
  local op, seen = offer:look(request.operation, request.number, request.slot, time)
  if not op then
    return refuse(404, "OperationNotFound", "The operation was not found.")
  end
  local settings = offer.settings
  local status = op:ended(seen) and settings.done_status or settings.running_status
  local reply = answered(request, status, status == 202 and location_headers(request, op))
  if status ~= 204 then
    reply.document = document.operation(offer, op, seen)
  end
  return reply
end

local function fold(text)
  return (text:lower():gsub("[ _-]", ""))
end

local function wanted(offer, op, time, filter)
  return not filter or fold(document.state_word(offer, op, time)) == fold(filter)
end

-- One public client filters with `submissionState`, the documentation with `status`.
function service.operations(request, time)
  local offer = request.offer
  local list, seen = offer:list(time)
  local filter = request.query.status or request.query.submissionState
  local items = {}
  for _, op in ipairs(list) do
    if wanted(offer, op, seen, filter) and #items < offer.settings.list_limit then
      items[#items + 1] = document.item(offer, op, seen)
    end
  end
  local reply = answered(request, 200)
  reply.document = json.array(items)
  return reply
end

function service.status(request, time)
  local offer = request.offer
  offer:current(time)
  local reply = answered(request, 200, { ETag = document.etag(offer, time) })
  reply.document = document.status(offer, time)
  return reply
end

local function check_version(request)
  local query, counts = request.query, request.query_counts
  if not query or query["api-version"] ~= VERSION or counts["api-version"] ~= 1 then
    return refuse(400, "InvalidAPIVersion",
      "The api-version must be given once in the query; supported: " .. VERSION .. ".")
  end
end

local JSON = { ["application/json"] = true, ["application/*"] = true, ["*/*"] = true }

local function takes_json(accept)
  for range in accept:lower():gmatch "[^,]+" do
    if JSON[range:match "^%s*([^;%s]*)"] and not range:find ";%s*q=0[.0]*%s*$" then
      return true
    end
  end
  return false
end

local function check_accept(request)
  if request.accept and not takes_json(request.accept) then
    return refuse(406, "NotAcceptable", "This API answers in application/json.")
  end
end

-- Cancel and publish: {"metadata":{"notification-emails":"a@x.com,b@y.com"}}.
local function check_body(request)
  if not ((request.content_type or ""):lower() .. ";"):find "^application/json%s*;" then
    return refuse(400, "InvalidContentType", "The content type must be application/json.")
  end
  local value = json.decode(request.body or "")
  local metadata = type(value) == "table" and value.metadata
  local emails = type(metadata) == "table" and metadata["notification-emails"]
  if value == nil then
    return refuse(400, "InvalidJson", "The request body is not valid JSON.")
  elseif type(emails) ~= "string" then
    return refuse(400, "InvalidRequest", "metadata.notification-emails must be a string.")
  end
  request.emails = emails
end

-- IIS and HTTP.sys, in front of the service, refuse a POST of unknown length.
local function check_length(request)
  if request.protocol ~= "HTTP/2.0" and not request.content_length
    and not request.transfer_encoding then
    return { status = 411, body = "<h2>Length Required</h2>", content_type = "text/html" }
  end
end

local function check_post(request)
  local refused = check_length(request)
  if refused or request.call == "golive" or request.early then
    return refused
  end
  return check_body(request)
end

local function check_offer(request, publishers)
  local offer = request.offer
  if offer and offer.settings.foreign or not publishers[request.publisher] then
    return refuse(403, "Forbidden", "You are not a member of this publisher.")
  elseif not offer then
    return refuse(404, "OfferNotFound", "The offer was not found.")
  end
end

local function check_match(request, time)
  local tag = request.if_match
  if tag ~= "*" and tag ~= document.etag(request.offer, time) then
    return refuse(412, "PreconditionFailed", "The offer has changed since it was read.")
  end
end

--- Why a request with a good token is refused, or nil.
function service.refusal(request, publishers)
  return check_version(request) or check_accept(request)
    or check_offer(request, publishers)
    or request.method == "POST" and check_post(request)
    or request.if_match and check_match(request, clock.now()) or nil
end

return service
