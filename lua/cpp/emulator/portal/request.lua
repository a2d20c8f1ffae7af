--- One request from its head to its answer: route, read, fault, check, act,
-- record, answer.

local clock = require "cpp.emulator.portal.clock"
local directory = require "cpp.emulator.portal.directory"
local faults = require "cpp.emulator.portal.faults"
local issuers = require "cpp.emulator.portal.issuers"
local json = require "cpp.emulator.portal.json"
local ledger = require "cpp.emulator.portal.ledger"
local route = require "cpp.emulator.portal.route"
local service = require "cpp.emulator.portal.service"
local state = require "cpp.emulator.portal.state"
local tokens = require "cpp.emulator.portal.tokens"

local request = {}

local CLOSE = 444 -- nginx: end the connection, or the HTTP/2 stream, unanswered

local HEADERS = { "content-length", "content-type", "transfer-encoding", "if-match",
  "user-agent", "accept", "accept-encoding", "authorization", "x-ms-client-request-id",
  "x-tfs-fedauthredirect", "x-identity-header" }

-- A header that came twice is shown joined.
local function header(headers, name)
  local value = headers[name]
  return type(value) == "table" and table.concat(value, ", ") or value
end

local function find_offer(self)
  local name = self.publisher and self.publisher .. "/" .. self.offer_name
  return state.offers[name or ""] or self.number and state.by_guid[name] or nil
end

local function parse()
  local headers = ngx.req.get_headers(0)
  local self = route.parse(ngx.var.request_uri, ngx.req.get_method())
  self.method, self.uri = ngx.req.get_method(), ngx.var.request_uri
  self.protocol, self.endpoint = ngx.var.server_protocol, state.endpoint
  for _, name in ipairs(HEADERS) do
    self[name:gsub("-", "_")] = header(headers, name)
  end
  self.client_request_id = self.x_ms_client_request_id
  self.request_id = state.random:guid()
  self.offer = find_offer(self)
  return self
end

-- nginx's Lua module reads no body of an HTTP/2 request without a length.
local function read_body(self)
  if self.protocol ~= "HTTP/2.0" or self.content_length then
    ngx.req.read_body()
    self.body = ngx.req.get_body_data()
  end
end

-- The calls by which a client gets a token, and so needs none.
local OPEN = {
  token = directory.answer, github = issuers.github, pipelines = issuers.pipelines,
  identity = issuers.identity,
}

-- What the service says when nothing is wrong with its front end.
local function handle(self)
  if self.call == "unknown" then
    return { status = 404, document = { Message = "No HTTP resource was found." } }
  elseif not self.method_allowed then
    return { status = 405, document = { Message = "The method is not supported." } }
  elseif OPEN[self.call] then
    return OPEN[self.call](self)
  end
  local reason = tokens.refuse(self.authorization)
  if reason then
    return { status = 401, document = { Message = reason },
      headers = { ["WWW-Authenticate"] = "Bearer" } }
  end
  return service.refusal(self, state.publishers) or service[self.call](self, clock.now())
end

-- Whether the request is carried out before the fault strikes.
local function acts(fault)
  if fault.drop then
    return fault.drop == "after"
  end
  return fault.when == "after" or not (fault.status or fault.raw)
end

local function overlay(reply, fault)
  local headers = reply.headers or {}
  for name, value in pairs(fault.headers or {}) do
    headers[name] = value
  end
  headers["Retry-After"] = fault.retry_after or headers["Retry-After"]
  reply.headers = headers
  reply.body = fault.body or reply.body
  return reply
end

-- The reply that a fault leaves of the service's own. A status of the fault's
-- replaces the whole answer, else the fault adds to it.
local function spoil(reply, fault)
  if fault.status then
    reply = { status = fault.status, body = "", acted = reply.acted,
      repeated = reply.repeated, idle = reply.idle }
  end
  return overlay(reply, fault)
end

local function offer_name(self)
  return self.publisher and self.publisher .. "/" .. (self.offer and self.offer.id
    or self.offer_name)
end

local function record(self, reply, fault)
  ledger.record {
    time = clock.now(), method = self.method, uri = self.uri, offer = offer_name(self),
    call = self.call, acted = reply.acted or false,
    repeated = reply.repeated or false, idle = reply.idle or false,
    status = not (fault and (fault.drop or fault.raw)) and reply.status or nil,
    faulted = fault ~= nil,
    request_id = self.request_id, client_request_id = self.client_request_id,
    connection = tonumber(ngx.var.connection), protocol = self.protocol,
    content_type = self.content_type, content_length = tonumber(self.content_length),
    if_match = self.if_match, user_agent = self.user_agent, accept = self.accept,
    accept_encoding = self.accept_encoding,
    body = not OPEN[self.call] and self.body or nil,
  }
end

local BYTE_ORDER_MARK = "\239\187\191"

local function body_of(reply)
  if reply.body or not reply.document then
    return reply.body or ""
  end
  return (state.byte_order_mark and BYTE_ORDER_MARK or "") .. json.encode(reply.document)
end

-- nginx keeps a connection alive only when it has the whole body, hence the length.
local function send(self, reply)
  local body = body_of(reply)
  ngx.status = reply.status
  ngx.header["Content-Type"] = reply.content_type or "application/json; charset=utf-8"
  ngx.header["x-ms-request-id"] = self.request_id
  ngx.header["x-ms-client-request-id"] = self.client_request_id
  if reply.status ~= 204 and reply.status ~= 304 then
    ngx.header["Content-Length"] = #body
  end
  for name, value in pairs(reply.headers or {}) do
    ngx.header[name] = value
  end
  ngx.print(body)
end

-- Over HTTP/2 there is no raw socket: the stream just ends.
local function send_raw(pieces)
  ---@type any
  local socket = ngx.var.server_protocol ~= "HTTP/2.0" and ngx.req.socket(true)
  for _, piece in ipairs(socket and pieces or {}) do
    if type(piece) == "number" then
      ngx.sleep(piece)
    elseif not socket:send(piece) then
      break
    end
  end
  return ngx.exit(CLOSE)
end

local function delay(self, fault)
  local seconds = (fault and fault.delay or 0)
    + (self.offer and self.offer.settings.delay or 0)
  if seconds > 0 then
    clock.sleep(seconds)
  end
end

local function finish(self, reply, fault)
  record(self, reply, fault)
  delay(self, fault)
  if fault and fault.drop then
    return fault.reset and ngx.exec "@reset" or ngx.exit(CLOSE)
  elseif fault and fault.raw then
    return send_raw(fault.raw)
  end
  return send(self, reply)
end

--- Answers the request that nginx has at hand.
function request.answer()
  local self = parse()
  local fault = faults.pick(self.call, offer_name(self))
  self.early = fault and fault.early
  if not self.early then
    read_body(self)
  end
  local reply = (not fault or acts(fault)) and handle(self) or {}
  finish(self, fault and spoil(reply, fault) or reply, fault)
end

return request
