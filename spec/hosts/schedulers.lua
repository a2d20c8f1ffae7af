--- Hosts with coroutines of their own: the host's work goes on while a call waits.
-- `make hosts`; on the adapters of docs/embedding.md.

local harness = require "spec.support.harness"
local host = require "spec.support.host"

local NMAP = [[
categories = { "safe" }
function prerule()
  return true
end
function action()
  dofile(os.getenv "TWENTY")(function()
    local client = cpp.client { wait = wait }
    return client, function() client:close() end
  end, stdnse.new_thread, stdnse.sleep)
end
]]

local function start_nmap(here, script)
  here:write("cancel.nse", script)
  return here:start "nmap --script ./cancel.nse"
end

-- `tail` follows the adapter, the first function of the script; `start` starts the host
-- with a script. `head`: what the adapter needs before it, where it is all that there is.
local HOSTS = {
  {
    program = "nmap", heading = "A host that can only sleep", start = start_nmap,
    head = 'local cpp, stdnse = require "cpp", require "stdnse"\nlocal sleep = stdnse.sleep\n',
    tail = NMAP,
  },
  {
    program = "haproxy", heading = "HAProxy",
    tail = [[
core.register_task(function()
  dofile(os.getenv "TWENTY")(function()
    local client = cpp.client { wait = wait }
    return client, function() client:close() end
  end, core.register_task, function(seconds)
    core.msleep(math.ceil(1000 * seconds))
  end)
end)
]],
    start = function(here, script)
      here:write("cancel.lua", script)
      here:write("haproxy.cfg", [[
global
  log stdout format raw local0
  lua-load cancel.lua
defaults
  mode http
  timeout client 1s
  timeout server 1s
  timeout connect 1s
frontend none
  bind unix@none.sock
]])
      return here:start "haproxy -W -f haproxy.cfg"
    end,
  },
  {
    program = "nmap", heading = "nmap", start = start_nmap, tail = NMAP,
  },
  {
    program = "prosody", heading = "prosody",
    tail = [[
module:hook_global("server-started", function()
  async.runner(function()
    dofile(os.getenv "TWENTY")(function()
      local client = cpp.client()
      local watch = attach(client)
      return client, function()
        watch:close()
        client:close()
      end
    end, function(fn) async.runner(fn):run(true) end, async.sleep)
  end):run(true)
end)
]],
    start = function(here, script)
      here:write("mod_cancel.lua", script)
      here:write("prosody.cfg.lua", ([[
data_path = %q
pidfile = %q
plugin_paths = { %q }
modules_enabled = { "cancel" }
modules_disabled = { "s2s", "c2s", "offline" }
c2s_ports, s2s_ports, c2s_direct_tls_ports, s2s_direct_tls_ports = {}, {}, {}, {}
http_ports, https_ports = {}, {}
log = { info = "*console" }
VirtualHost "localhost"
]]):format(here.folder, here.folder .. "/prosody.pid", here.folder))
      return here:start "prosody -F --config prosody.cfg.lua"
    end,
  },
}

for _, one in ipairs(HOSTS) do
  describe(one.heading, function()
    if not host.has(one.program) then
      pending("is not on this machine")
      return
    end

    local here

    setup(function()
      here = host.new()
    end)

    teardown(function()
      here:close()
    end)

    it("cancels 20 at once and goes on with its own work", function()
      here:publish(10)
      local adapter = host.block(one.heading):match "^.-\nend\n"
      local process <close> = one.start(here, (one.head or "") .. adapter .. one.tail)
      harness.eventually(function()
        return process:ended() or here:read "report"
      end)
      local report = load(assert(here:read "report", here:read "log"))()
      print(("%s: %d ticks beside 20 cancels, longest gap %.0f ms"):format(
        one.heading, report.ticks, report.longest * 1000))
      assert.equal(20, report.canceled)
      assert.equal(20, here:acted())
      assert.equal(report.before, report.after)
      assert.is_true(report.ticks > 20)
    end)

    if one.head then
      return
    end

    it("runs the script of docs/embedding.md", function()
      here:publish(0)
      local process <close> = one.start(here, host.block(one.heading))
      harness.eventually(function()
        return process:ended() or here:read "log":find "canceled"
      end)
      assert.is_truthy(here:read "log":find "canceled", here:read "log")
      assert.equal(1, here:acted())
    end)

    for _, signal in ipairs { "INT", "TERM" } do
      it("ends at " .. signal .. ", however long the cancel takes", function()
        here:publish(86400)
        local process <close> = one.start(here, host.block(one.heading))
        harness.eventually(function()
          return process:ended() or here:acted() == 1
        end)
        assert.is_false(process:ended(), here:read "log")
        process:signal(signal)
        harness.eventually(function()
          return process:ended()
        end)
      end)
    end
  end)
end
