--- Servers that a call holds up. `make hosts`; the scripts are those of docs/embedding.md.

local harness = require "spec.support.harness"
local host = require "spec.support.host"
local shell = require "cpp.emulator.shell"
local uv = require "luv"

-- A port of loopback that nobody has.
local function free_port()
  local socket = uv.new_tcp()
  socket:bind("127.0.0.1", 0)
  local port = socket:getsockname().port
  socket:close()
  uv.run()
  return port
end

local LIGHTTPD = [[
server.document-root = "%s"
server.bind = "%s/socket"
server.modules = ("mod_magnet")
magnet.attract-raw-url-to = ("%s/cancel.lua")
]]

local APACHE = [[
ServerRoot "%s"
ServerName localhost
PidFile apache.pid
Listen 127.0.0.1:%d
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule lua_module /usr/lib/apache2/modules/mod_lua.so
StartServers 1
MaxRequestWorkers 1
ErrorLog /dev/stderr
LuaMapHandler /cancel %s/cancel.lua
]]

-- `start` returns the process and the command that has the script run once. `ready`: what
-- the log says as it has started. `worker`: a child runs the script. `held`: the signals
-- that are heeded when the call has returned; `ends`: those that end the server at once.
local HOSTS = {
  {
    program = "lighttpd", heading = "lighttpd", ready = "server started",
    held = { "INT", "TERM" },
    start = function(here)
      here:write("lighttpd.conf", LIGHTTPD:format(here.folder, here.folder, here.folder))
      return here:start "lighttpd -D -f lighttpd.conf",
        "curl -sS --max-time 60 --unix-socket socket http://localhost/"
    end,
  },
  {
    program = "apache2", heading = "Apache", ready = "resuming normal operations",
    worker = true, ends = { "INT", "TERM" },
    start = function(here)
      local port = free_port()
      here:write("apache.conf", APACHE:format(here.folder, port, here.folder))
      return here:start("apache2 -DFOREGROUND -f " .. here.folder .. "/apache.conf"),
        ("curl -sS --max-time 60 http://127.0.0.1:%d/cancel"):format(port)
    end,
  },
}

for _, one in ipairs(HOSTS) do
  describe(one.heading, function()
    if not host.has(one.program) then
      pending("is not on this machine")
      return
    end

    local here, process, call, worker

    before_each(function()
      here = host.new()
      here:write("cancel.lua", host.block(one.heading))
    end)

    after_each(function()
      here:close()
    end)

    local function start()
      process, call = one.start(here)
      harness.eventually(function()
        return process:ended() or here:read "log":find(one.ready, 1, true)
          and (not one.worker or process:child())
      end)
      assert.is_false(process:ended(), here:read "log")
      worker = one.worker and process:child() or process.pid
    end

    local function canceled()
      return select(2, here:read "log":gsub("canceled", ""))
    end

    it("runs the script of docs/embedding.md, and its descriptors stay level", function()
      start()
      local before = process:descriptors(worker)
      for i = 1, 2 do
        here:publish(0)
        shell.run(here:environment() .. call .. " >>log 2>&1")
        assert.equal(i, canceled(), here:read "log")
        assert.equal(1, here:acted())
      end
      harness.eventually(function()
        return process:descriptors(worker) == before
      end)
    end)

    -- Signals a server whose call cannot end.
    local function signal(name)
      here:publish(86400)
      start()
      here:start(call)
      harness.eventually(function()
        return here:acted() == 1
      end)
      process:signal(name)
    end

    -- Whatever the worker waits for is over.
    local function release()
      local seen = here.portal:ledger().requests
      harness.eventually(function()
        return here.portal:ledger().requests > seen
      end)
      assert.is_false(process:ended(worker))
      here.portal:set("*", { advance = 90000 })
      harness.eventually(function()
        return process:ended(worker)
      end)
    end

    for _, name in ipairs(one.ends or {}) do
      it("ends at " .. name .. ", however long the cancel takes", function()
        signal(name)
        harness.eventually(function()
          return process:ended()
        end)
      end)
    end

    for _, name in ipairs(one.held or {}) do
      it("ends after " .. name .. " when the call has returned", function()
        signal(name)
        release()
        assert.is_true(process:ended())
      end)
    end
  end)
end
