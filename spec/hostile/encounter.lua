--- A client and the scripted peer that it talks to, and what every case of misbehaviour
-- has in common: one connection, one request, none to a foreign origin, an exact result,
-- and a client that is as good as before.

local assert = require "luassert"
local cpp = require "cpp"

local encounter = {}
encounter.__index = encounter

--- Stands for a field that must be absent.
encounter.NONE = {}

encounter.TOKEN = "ey.very-secret.token"
encounter.VERSION = "api-version=2017-10-31"

-- A case that is to end by its timeout has little; all else has more than enough.
local SHORT, LONG = 0.2, 10

-- What a peer plays that behaves.
local DOCUMENT = '{"status":"canceled"}'
local GOOD = {
  { read = "http" },
  "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" .. DOCUMENT,
}

-- ---- the peer ----

local function literal(value)
  if type(value) ~= "table" then
    return ("%q"):format(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    table.insert(parts, ("[%s]=%s"):format(literal(key), literal(item)))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function command(self, value)
  local text = literal(value)
  self.input:write(#text, "\n", text)
  self.input:flush()
  return self.output:read()
end

-- Runs the peer between two pipes.
local function start_peer(self)
  local name = os.tmpname()
  os.remove(name)
  assert(os.execute("mkfifo -m 600 " .. name))
  self.input = assert(io.popen("exec lua5.4 spec/hostile/peer.lua >" .. name, "w"))
  self.output = assert(io.open(name))
  os.remove(name)
  self.port, self.other_port = self.output:read("n", "n", "L")
  assert(self.port, "the peer did not start")
end

function encounter.start()
  local self = setmetatable({ clients = {} }, encounter)
  start_peer(self)
  self.endpoint = "http://127.0.0.1:" .. self.port
  self.location = self.endpoint .. "/api/operations/1?" .. encounter.VERSION
  return self
end

--- Shares a peer, which `give` gets if there is one, among the cases of a block, through
-- busted's functions. Returns what `encounter.cases` gets it by.
function encounter.share(setup, teardown, give)
  local peer
  setup(function()
    peer = encounter.start()
    if give then
      give(peer)
    end
  end)
  teardown(function()
    peer:close()
  end)
  return function()
    return peer
  end
end

function encounter:close()
  self:forget()
  self.input:close()
  self.output:close()
end

--- Closes all clients.
function encounter:forget()
  for _, client in ipairs(self.clients) do
    client:close()
  end
  self.clients = {}
end

--- From now on the peer plays these scripts, one for each connection.
function encounter:play(...)
  assert(command(self, { ... }) == "ready")
end

--- Plays steps after a request over HTTP/1.1.
function encounter:answer(...)
  self:play { { read = "http" }, ... }
end

--- The connections to the endpoint since `play`, those to foreign origins, and requests.
function encounter:counts()
  local main, foreign, requests = command(self, "counts"):match "(%d+) (%d+) (%d+)"
  return tonumber(main), tonumber(foreign), tonumber(requests)
end

-- ---- the client ----

--- A client of the peer; options override what it needs.
function encounter:client(options)
  local client = cpp.client(encounter.with({ endpoint = self.endpoint, token = encounter.TOKEN,
    timeout = LONG }, options))
  table.insert(self.clients, client)
  return client
end

--- Calls "poll", of the peer or of another location, or a method that takes an offer.
function encounter:call(client, call, options, location)
  if call == "poll" then
    return client:poll(location or self.location, options)
  end
  return client[call](client, "contoso", "vm", options)
end

--- Whether a client is as good as new.
function encounter:check_good(client)
  self:play(GOOD)
  local operation = assert(client:poll(self.location, { timeout = LONG, max_body = 1000,
    http_version = "1.1" }))
  assert.same({ "canceled", DOCUMENT }, { operation.state, operation.body })
end

-- ---- expectations ----

--- An exchange that brought no whole answer; it is worth another try.
function encounter.transport(code, more)
  return encounter.with({ kind = "transport", code = code, sent = true, retryable = true }, more)
end

--- An answer that is none.
function encounter.protocol(code, more)
  return encounter.with({ kind = "protocol", code = code, sent = true, retryable = false }, more)
end

--- An answer that is an error.
function encounter.http(status, more)
  local fields = { kind = "http", code = "http_" .. status, status = status, sent = true,
    retryable = status >= 500 or status == 408 or status == 429 }
  return encounter.with(fields, more)
end

--- A result in this state.
function encounter.state(state, more)
  local done = state == "succeeded" or state == "failed" or state == "canceled"
  return encounter.with({ state = state, done = done }, more)
end

function encounter.with(fields, more)
  for name, value in pairs(more or {}) do
    fields[name] = value
  end
  return fields
end

--- Compares the fields that are expected of a call's two values; all of its texts are
-- searched for the token.
function encounter.compare(expected, operation, err)
  local wanted, found, value = {}, {}, operation or err
  assert.equal(expected.state ~= nil, operation ~= nil, tostring(value))
  for name, field in pairs(expected) do
    if field ~= encounter.NONE then
      wanted[name] = field
    end
    found[name] = value[name]
  end
  assert.same(wanted, found, tostring(value))
  if err then
    for _, field in pairs(err) do
      assert.is_nil(tostring(field):find(encounter.TOKEN, 1, true))
    end
    assert.is_nil(tostring(err):find "No error")
  end
  assert.is_nil(tostring(value):find "%c")
end

local function options_for(case, expected)
  return encounter.with({ timeout = expected.code == "timeout" and SHORT or LONG }, case.options)
end

--- Makes the client suffer a case through one call and checks all that can be.
function encounter:suffer(case, call, expected)
  local client = self:client()
  self:play(table.unpack(case.scripts or { case.script }))
  encounter.compare(expected, self:call(client, call, options_for(case, expected)))
  local connections, foreign, requests = self:counts()
  local expected_connections = case.connections or 1
  if type(expected_connections) == "table" then
    expected_connections = expected_connections[call]
  end
  assert.same({ expected_connections, 0 }, { connections, foreign })
  local wanted = case.requests and case.requests[call] or requests
  assert.is_true(requests <= connections and requests == wanted)
  self:check_good(client)
  self:forget()
end

--- Defines the cases with busted's `it`: each a name, the steps that answer a request, and
-- what is expected of `cancel` and of `poll`, or of `both`. `script`, or `scripts` for one
-- `connections` after the other, stand for the steps where no request is read first;
-- `options` are the call's; `requests` says how many whole ones each call sends.
function encounter.cases(it, get, cases)
  for _, case in ipairs(cases) do
    case.script = case.script or table.move(case, 2, #case, 2, { { read = "http" } })
    for _, call in ipairs { "cancel", "poll" } do
      local expected = case[call] or case.both
      if expected then
        it(("%s: %s"):format(call, case[1]), function()
          get():suffer(case, call, expected)
        end)
      end
    end
  end
end

return encounter
