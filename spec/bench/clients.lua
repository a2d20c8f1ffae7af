--- The programs of the bench and how each is run.
-- Each reads BENCH_URL, BENCH_TOKEN, BENCH_CA, BENCH_HTTP (1.1 or 2), BENCH_POLLS,
-- BENCH_FLIGHT, BENCH_OPERATIONS and BENCH_ROUNDS as far as it needs them, and prints
-- on its last line: polls, wall seconds, CPU seconds.

local shell = require "cpp.emulator.shell"

local clients = {}

-- Debian's packages of lua-http and of what it needs are for older Luas, but run.
local LUA_HTTP = ";;"
for _, version in ipairs { "5.3", "5.2" } do
  LUA_HTTP = LUA_HTTP .. ((";/usr/share/lua/V/?.lua;/usr/share/lua/V/?/init.lua")
    :gsub("V", version))
end

--- @param folder string  where the C programs and undici are
-- @param tree string     the LuaRocks tree of the module
function clients.all(folder, tree)
  local paths = {
    LUA_PATH_5_4 = tree .. "/share/lua/5.4/?.lua;;",
    LUA_CPATH_5_4 = ("%s/lib/lua/5.4/?.so;%s/?.so;;"):format(tree, folder),
  }
  local program = shell.quote(folder) .. "/"
  local function ours(mode)
    return { command = "lua5.4 spec/bench/ours.lua " .. mode, environment = paths }
  end
  local node = { BENCH_NODE = folder, NODE_NO_WARNINGS = 1 }
  local node_command, python = "node spec/bench/peers/node.mjs ",
    "/usr/bin/python3 spec/bench/peers/python.py "
  return {
    floor = { command = program .. "floor" },
    floor_decode = { command = program .. "floor", environment = { BENCH_DECODE = 1 } },
    multi = { command = program .. "multi" },
    poll = ours "poll", map = ours "map", wait = ours "wait", asleep = ours "asleep",
    asleep_plain = ours "asleep_plain", first = ours "first", connect = ours "connect",
    load = { command = "lua5.4 -e 'require \"load\"'", environment = paths },
    require = { command = "lua5.4 -e 'require \"cpp\"'", environment = paths },
    lua_http = { command = "lua5.4 spec/bench/peers/lua_http.lua",
      environment = { LUA_PATH_5_4 = LUA_HTTP } },
    luasocket = { command = "lua5.4 spec/bench/peers/luasocket.lua" },
    fetch = { command = node_command .. "fetch", environment = node },
    undici = { command = node_command .. "undici", environment = node },
    http_client = { command = python .. "http_client" },
    requests = { command = python .. "requests" },
    curl = { command = "spec/bench/peers/curl.sh" },
  }
end

--- Those that are run one poll after the other beside the floor: title, how many
-- polls make half a second (over TLS, where that differs), and the protocols.
clients.SINGLE = {
  { "floor_decode", "C, libcurl, lua-cjson", 2000, h2 = true },
  { "poll", "**cloud-partner-portal**", 2000, h2 = true },
  { "undici", "undici (Node)", 1000, h2 = true },
  { "fetch", "fetch (Node)", 500 },
  { "http_client", "http.client (Python)", 1000 },
  { "requests", "requests (Python)", 400 },
  { "luasocket", "LuaSocket, LuaSec", 600, tls_polls = 150 },
  { "lua_http", "lua-http", 400, tls_polls = 25, h2 = true },
  { "curl", "curl command", 40, h2 = true },
}

--- Those with 64 requests in flight, beside the bare curl_multi program.
clients.MANY = {
  { "map", "**cloud-partner-portal**, task.map", 1, h2 = true },
  { "undici", "undici (Node)", 6000, h2 = true },
  { "http_client", "http.client, 64 threads (Python)", 3000 },
  { "requests", "requests, 64 threads (Python)", 1000 },
}

clients.MISSING = "lua-curl is left out: Debian's does not load in Lua 5.4."

return clients
