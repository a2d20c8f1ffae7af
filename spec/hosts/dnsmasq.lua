--- dnsmasq, whose script runs in a process of its own. `make hosts`, in a network that has
-- loopback alone: nobody else is offered an address. The script is that of
-- docs/embedding.md.

local harness = require "spec.support.harness"
local host = require "spec.support.host"

-- NET_BIND_SERVICE, NET_ADMIN, NET_RAW.
local NEEDED = 1 << 10 | 1 << 12 | 1 << 13

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- Why it cannot be started; nil: it can.
local function reason()
  if not host.has "dnsmasq" then
    return "is not on this machine"
  end
  local capabilities = tonumber(read "/proc/self/status":match "CapEff:%s*(%x+)", 16)
  if capabilities & NEEDED ~= NEEDED then
    return "may not administer a network here"
  end
  for name in read "/proc/net/dev":gmatch "\n%s*([^%s|]+):" do
    if name ~= "lo" then
      return "may be started in a network of its own alone"
    end
  end
end

local SCRIPT = { heading = "dnsmasq" }

local COMMAND = "dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 "
  .. "--log-facility=- --interface=lo --bind-interfaces --dhcp-range=127.0.0.2,127.0.0.9 "
  .. "--dhcp-leasefile=$FOLDER/leases --pid-file=$FOLDER/pid --dhcp-luascript=$FOLDER/"

-- Counts descriptors before and after.
local AROUND = [[
local count = dofile(os.getenv "DESCRIPTORS")
dofile(os.getenv "FOLDER" .. "/cancel.lua")
local cancel = init
function init()
  local before = count()
  cancel()
  local more = count() - before
  local file <close> = io.open(os.getenv "FOLDER" .. "/more", "w")
  file:write(more, "\n")
end
]]

describe("dnsmasq", function()
  local missing = reason()
  if missing then
    pending(missing)
    return
  end

  local here

  setup(function()
    here = host.new()
    here:write("cancel.lua", (host.block(SCRIPT.heading):gsub("/var/log", here.folder)))
    here:write("around.lua", AROUND)
  end)

  teardown(function()
    here:close()
  end)

  it("runs the script of docs/embedding.md, and its descriptors stay level", function()
    here:publish(0)
    local process <close> = here:start(COMMAND .. "around.lua")
    harness.eventually(function()
      return process:ended() or here:read "more"
    end)
    assert.equal("0\n", here:read "more", here:read "log")
    assert.equal("canceled\n", here:read "cancel.log")
    assert.equal(1, here:acted())
    process:signal "TERM"
    harness.eventually(function()
      return process:ended()
    end)
  end)

  it("ends at TERM and not at INT, and the script when its call has returned", function()
    local function goes_on()
      local seen = here.portal:ledger().requests
      harness.eventually(function()
        return here.portal:ledger().requests > seen
      end)
    end
    here:publish(86400)
    local process <close> = here:start(COMMAND .. "cancel.lua")
    harness.eventually(function()
      return process:ended() or here:acted() == 1
    end)
    local worker = assert(process:child(), here:read "log")
    process:signal "INT"
    goes_on()
    assert.is_false(process:ended())
    process:signal "TERM"
    harness.eventually(function()
      return process:ended()
    end)
    goes_on()
    assert.is_false(process:ended(worker))
    here.portal:set("*", { advance = 90000 })
    harness.eventually(function()
      return process:ended(worker)
    end)
  end)
end)
