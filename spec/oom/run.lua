-- Runs a program and its script against emulators, over each wire, side by side:
-- lua5.4 spec/oom/run.lua PROGRAM SCRIPT [MOST]
-- PROGRAM is made of host.c or threads.c; SCRIPT is the file of that name in Lua. MOST
-- bounds the points of one sweep over TLS, where a connection takes long; 0: no bound.
--
-- The emulators run here, out of reach of allocators that fail.

package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path

local cjson = require "cjson"
local emulator = require "cpp.emulator"
local portal = require "spec.oom.portal"
local shell = require "cpp.emulator.shell"

local program, script, most = arg[1], arg[2], tonumber(arg[3] or 0)

local SANITIZERS = "ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=print_suppressions=0 "
  .. "UBSAN_OPTIONS=print_stacktrace=1"

local WIRES = {
  { name = "http", http_version = "1.1" },
  { name = "https", http_version = "1.1", tls = true, most = most },
  { name = "https, HTTP/2", http_version = "2", tls = true, most = most },
}

local function start(wire)
  local running = assert(emulator.start(portal(wire)))
  local world = {
    wire = wire.name, http_version = wire.http_version, most = wire.most,
    endpoint = running.endpoint, token = running.token, ca_file = running.ca_file,
    ledger = running.folder .. "/ledger.jsonl",
    identity = {
      tenant = running.tenant, client_id = running.client_id,
      client_secret = running.client_secret, authority = running.authority,
    },
  }
  local command = ("%s %s %s %s 2>&1"):format(SANITIZERS, program, script,
    shell.quote(cjson.encode(world)))
  return { name = wire.name, emulator = running, pipe = assert(io.popen(command)) }
end

local passed, failed = 0, 0

-- The line that a host ends with is added up, the others are shown.
local function finish(running)
  local counted = false
  for line in running.pipe:lines() do
    local good, bad = line:match "^(%d+) passed, (%d+) failed$"
    if good then
      counted, passed, failed = true, passed + good, failed + bad
    else
      print(running.name .. ": " .. line)
    end
  end
  local good, how, status = running.pipe:close()
  if not counted or not good then
    print(("%s: ended with %s %d"):format(running.name, how, status))
    failed = math.max(failed, 1)
  end
  running.emulator:close()
end

local all = {}
for i, wire in ipairs(WIRES) do
  all[i] = start(wire)
end
for _, running in ipairs(all) do
  finish(running)
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0, true)
