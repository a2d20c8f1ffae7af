--- A name with two addresses, of which one does not answer. `make network`, as root: the
-- names stand in an /etc/hosts of this file's own, in a mount namespace that ends with its
-- case.

local encounter = require "spec.hostile.encounter"
local pair = require "spec.support.pair"
local shell = require "cpp.emulator.shell"
local tls = require "spec.hostile.tls"

local NAME, DARK_NAME = "portal.test", "dark.test"

-- A new client for each call, which looks the name up; calls to the dark address between.
local SCRIPT = [[
local cpp = require "cpp"
local both, dark = os.getenv "BOTH", os.getenv "DARK"
local function client_of(endpoint, connect_timeout)
  return cpp.client { endpoint = endpoint, token = "t", ca_file = os.getenv "CA_FILE",
    connect_timeout = connect_timeout, http_version = os.getenv "VERSION" }
end
local one <close> = client_of(both, 5)
for _ = 1, 6 do
  local another <close> = client_of(both, 5)
  for _, client in ipairs { one, another } do
    for _ = 1, 2 do
      local _, err = client:poll("/x", { endpoint = dark, connect_timeout = 0.05 })
      io.write(err.code, " ")
    end
    local operation, err = client:cancel("contoso", "vm")
    io.write(operation and operation.state or err.code, " ")
    operation, err = client:poll "/x"
    io.write(operation and operation.state or err.code, " ")
  end
end
]]

local EXPECTED = ("timeout timeout canceled canceled "):rep(12)

-- Why the cases are skipped; nil where they can run.
local function reason()
  local _, uid = shell.run "id -u"
  if uid ~= "0" then
    return "mount namespaces need root"
  end
  local good, output = shell.run "unshare --mount mount -t tmpfs tmpfs /mnt"
  return not good and "the kernel allows no mounts here: " .. output or nil
end

describe("a name", function()
  local missing = reason()

  if missing then
    print("skipped: " .. missing)
    pending("is reached by the address that answers: " .. missing)
    it("is skipped for a reason", function() end)
    return
  end

  local function free_port()
    local peer = encounter.start()
    peer:close()
    return peer.port
  end

  -- Calls by a name that has both addresses, of which `live` answers; nil is the server's own
  -- of IPv4.
  local function call(dark, live, version)
    local port = free_port()
    local names = ("DNS:%s, DNS:%s"):format(NAME, DARK_NAME)
    local servers = tls.start(port, { { "named", san = names, listen = "http2",
      more = live and ("listen [%s]:%d ssl http2;"):format(live, port) } })
    live = live or servers.endpoints.named:match "//([%d.]+)"
    local hosts = ("%s %s\n%s %s\n%s %s\n"):format(dark, NAME, live, NAME, dark, DARK_NAME)
    local darkness = assert(pair.start(dark, port))
    local words = { "set -e", "hosts=$(mktemp)", "printf %s " .. shell.quote(hosts) .. " >$hosts",
      "mount --bind $hosts /etc/hosts" }
    for name, value in pairs { BOTH = ("https://%s:%d"):format(NAME, port), VERSION = version,
      DARK = ("https://%s:%d"):format(DARK_NAME, port), CA_FILE = servers.folder .. "/root.pem",
      LUA_PATH_5_4 = package.path, LUA_CPATH_5_4 = package.cpath } do
      table.insert(words, "export " .. name .. "=" .. shell.quote(value))
    end
    table.insert(words, "exec timeout 90 lua5.4 -e " .. shell.quote(SCRIPT))
    local _, output = shell.run("unshare --mount sh -c "
      .. shell.quote(table.concat(words, "\n")))
    darkness:close()
    servers:close()
    assert.equal(EXPECTED, output)
  end

  for _, version in ipairs { "1.1", "2" } do
    it("with a dark IPv6 address is reached by IPv4, over HTTP/" .. version, function()
      call("::1", nil, version)
    end)

    it("with a dark IPv4 address is reached by IPv6, over HTTP/" .. version, function()
      call("127.0.3.1", "::1", version)
    end)
  end
end)
