-- LuaSocket, and LuaSec for TLS, one request after the other. They keep no
-- connections.
local cjson = require "cjson"
local http = require "socket.http"
local https = require "ssl.https"
local ltn12 = require "ltn12"
local now = require "socket".gettime

local url, polls = os.getenv "BENCH_URL", tonumber(os.getenv "BENCH_POLLS")
local ca_file = os.getenv "BENCH_CA"

local function poll(i)
  local chunks = {}
  local options = {
    url = url,
    sink = ltn12.sink.table(chunks),
    headers = {
      ["Authorization"] = "Bearer " .. os.getenv "BENCH_TOKEN",
      ["x-ms-client-request-id"] = ("9781644a-4f8d-4000-8000-%012d"):format(i),
      ["Accept"] = "application/json",
    },
  }
  if ca_file then
    options.verify, options.cafile, options.protocol = "peer", ca_file, "any"
  end
  local _, status = (ca_file and https or http).request(options)
  assert(status == 200, status)
  assert(cjson.decode(table.concat(chunks)).status == "running")
end

for i = 1, 3 do
  poll(i)
end
local wall, cpu = now(), os.clock()
for i = 1, polls do
  poll(i)
end
print(("%d %.6f %.6f"):format(polls, now() - wall, os.clock() - cpu))
