-- lua-http, one request after the other. It keeps no connections.
local cjson = require "cjson"
local context = require "openssl.ssl.context"
local monotime = require "cqueues".monotime
local request = require "http.request"
local store = require "openssl.x509.store"

local url, polls = os.getenv "BENCH_URL", tonumber(os.getenv "BENCH_POLLS")
local ca_file = os.getenv "BENCH_CA"

local function tls()
  local ctx = require "http.tls".new_client_context()
  ctx:setStore(store.new():add(ca_file))
  ctx:setVerify(context.VERIFY_PEER)
  return ctx
end

local shared = ca_file and tls()

local function poll(i)
  local r = request.new_from_uri(url)
  r.ctx, r.version = shared or nil, tonumber(os.getenv "BENCH_HTTP")
  r.headers:append("authorization", "Bearer " .. os.getenv "BENCH_TOKEN")
  r.headers:append("x-ms-client-request-id", ("9781644a-4f8d-4000-8000-%012d"):format(i))
  r.headers:append("accept", "application/json")
  local headers, stream = assert(r:go(10))
  assert(headers:get ":status" == "200")
  local document = cjson.decode(assert(stream:get_body_as_string(10)))
  assert(document.status == "running")
end

for i = 1, 3 do
  poll(i)
end
local wall, cpu = monotime(), os.clock()
for i = 1, polls do
  poll(i)
end
print(("%d %.6f %.6f"):format(polls, monotime() - wall, os.clock() - cpu))
