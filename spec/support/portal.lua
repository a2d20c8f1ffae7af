--- The emulated portal that the cases of one spec file share, and what they do with it.
-- Its clock stands still. Its one offer, contoso/vm, is in mid-publish; an earlier
-- operation of that offer was canceled.

local cpp = require "cpp"
local emulator = require "cpp.emulator"
local shell = require "cpp.emulator.shell"

local support = {}
support.__index = support

--- The id of the operation that was canceled.
support.OPERATION = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

local PATH = "/api/publishers/contoso/offers/vm/operations/"

--- Starts a portal; `tls` as in emulator.start. `endpoint`, `token` and `ca_file` are the
-- emulator's; `location` is that of the canceled operation.
function support.start(tls)
  local past = { id = support.OPERATION, state = "canceled" }
  local portal = assert(emulator.start {
    tls = tls, speed = 0, offers = { ["contoso/vm"] = { history = { past } } },
  })
  local self = setmetatable({ emulator = portal, seen = 0, clients = {} }, support)
  self.endpoint, self.token, self.ca_file = portal.endpoint, portal.token, portal.ca_file
  self.location = self.endpoint .. PATH .. support.OPERATION .. "?api-version=2017-10-31"
  return self
end

local function close_clients(self)
  for _, client in ipairs(self.clients) do
    client:close()
  end
  self.clients = {}
end

--- Shares a portal among the cases of a block: before each of them `give` gets it as new,
-- with a new client. Only spec files see busted's functions, so they pass them on.
function support.share(setup, before_each, teardown, give)
  local portal
  setup(function()
    portal = support.start()
  end)
  before_each(function()
    portal:reset()
    give(portal, portal:client())
  end)
  teardown(function()
    portal:close()
  end)
end

--- The same over TLS, for blocks where few cases need it.
---@return fun(): table  gives the portal, which its first call starts
function support.share_secure(before_each, teardown)
  local secure
  before_each(function()
    if secure then
      secure:reset()
    end
  end)
  teardown(function()
    if secure then
      secure:close()
    end
  end)
  return function()
    if not secure then
      secure = support.start(true)
      secure:reset()
    end
    return secure
  end
end

--- Makes the portal as new for the next case: no faults, no record, no clients.
function support:reset()
  close_clients(self)
  self.emulator:set("*", { faults = {} })
  self:set {
    running = "publish", publish_seconds = 86400, signoff = false, synchronous = false,
    location = "F1", document = "object",
  }
  self.seen = self.emulator:ledger().requests
end

function support:close()
  close_clients(self)
  self.emulator:close()
end

--- A client of this portal that lives until `reset`; options override what it needs.
function support:client(options)
  local all = { endpoint = self.endpoint, token = self.token, ca_file = self.ca_file }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  local client = cpp.client(all)
  table.insert(self.clients, client)
  return client
end

--- Changes the settings of contoso/vm.
function support:set(settings)
  self.emulator:set("contoso/vm", settings)
end

--- Replaces all faults. One that names no call strikes every call, and one that names no
-- number of times strikes for ever.
function support:fault(...)
  local faults = { ... }
  for _, fault in ipairs(faults) do
    fault.on = fault.on or "*"
    fault.times = fault.times or -1
  end
  self.emulator:set("*", { faults = faults })
end

--- From now on, answers every request with this status, body and headers.
function support:answer(status, body, headers)
  self:fault { status = status, body = body, headers = headers }
end

--- From now on, sends these lines to every request, the last one without a line's end,
-- and closes the connection.
function support:send(...)
  self:fault { raw = table.concat({ ... }, "\r\n") }
end

--- What has reached the server since `reset`, in order.
function support:entries()
  local entries = self.emulator:ledger().entries
  return table.move(entries, self.seen + 1, #entries, 1, {})
end

--- The newest request that has reached the server.
function support:last()
  local entries = self:entries()
  return entries[#entries]
end

--- A text as it can stand in the name of a case.
function support.shown(text)
  return (("%q"):format(text):gsub("\\\n", "\\n"):gsub("[\x80-\xff]", "?"))
end

local IGNORED = "unset CPP_ENDPOINT CPP_TOKEN SSL_CERT_FILE SSL_CERT_DIR http_proxy "
  .. "https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY; "

--- Runs a script in a Lua process of its own. The variables that the module reads are
-- those of `environment` and no others.
---@return string  what it printed, errors included, without the last newline
function support.child(script, environment)
  local words = { IGNORED .. "exec env" }
  local all = { LUA_PATH_5_4 = package.path, LUA_CPATH_5_4 = package.cpath }
  for name, value in pairs(environment or {}) do
    all[name] = value
  end
  for name, value in pairs(all) do
    table.insert(words, shell.quote(name .. "=" .. value))
  end
  table.insert(words, "lua5.4 -W -e " .. shell.quote(script) .. " 2>&1")
  local pipe <close> = assert(io.popen(table.concat(words, " ")))
  return (pipe:read("a"):gsub("\n$", ""))
end

return support
