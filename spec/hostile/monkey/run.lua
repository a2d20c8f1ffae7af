--- lua5.4 spec/hostile/monkey/run.lua [GAMES [FIRST SEED]]; one seed alone: 1 SEED.
-- CPP_TREE as for spec/run.lua. Prints the seed of each game before it begins, what goes
-- wrong in it, and at the end `N passed, N failed`.

package.path = "./?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path
local tree = os.getenv "CPP_TREE" or "lua_modules"
package.cpath = tree .. "/lib/lua/5.4/?.so;" .. package.cpath

local monkey = require "spec.hostile.monkey.monkey"
local pair = require "spec.support.pair"
local tls = require "spec.hostile.tls"

local games, first = tonumber(arg[1]) or 500, tonumber(arg[2]) or 1

local function start_peer()
  local ready = os.tmpname()
  os.remove(ready)
  assert(os.execute("mkfifo -m 600 " .. ready))
  local input = assert(io.popen("unset LD_PRELOAD; exec lua5.4 spec/hostile/monkey/peer.lua >"
    .. ready, "w"))
  local output <close> = assert(io.open(ready))
  os.remove(ready)
  return input, assert(output:read "n", "the peer did not start")
end

-- More often than the others: what answers, and what is dark.
local function places(port, pairs_of, servers)
  local live = { name = "live", endpoint = "http://127.0.0.1:" .. port, echoes = true }
  local list = { live, live, live, live, { name = "closed", endpoint = "http://127.0.0.1:1" } }
  for _, one in ipairs(pairs_of) do
    local dark = { name = "dark", endpoint = one.dark }
    table.move({ dark, dark, { name = "beside", endpoint = one.live },
      { name = "both", endpoint = one.both } }, 1, 4, #list + 1, list)
  end
  for _, name in ipairs { "good", "hasty", "hasty2" } do
    table.insert(list, { name = name, endpoint = servers.endpoints[name], secure = true })
  end
  return list
end

local peer, port = start_peer()
local servers = tls.start(port)
local pairs_of = { pair.start("127.0.0.1", "127.0.0.2"), pair.start("127.0.0.1", "::1"),
  pair.start("::1", "127.0.0.1") }
local site = { places = places(port, pairs_of, servers), ca_file = servers.folder .. "/root.pem" }

local passed, failed = 0, 0
for seed = first, first + games - 1 do
  io.write("seed ", seed, "\n")
  io.flush()
  local good, problem = xpcall(monkey.play, debug.traceback, seed, site)
  if good then
    passed = passed + 1
  else
    failed = failed + 1
    print(problem)
  end
end

for _, one in ipairs(pairs_of) do
  one:close()
end
servers:close()
peer:close()
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
