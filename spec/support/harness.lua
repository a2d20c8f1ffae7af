--- What the specs of the module run against: an emulated portal with a ledger that can
-- begin anew, and clients of it that end with each case. Its clock stands still. Its offers
-- are in mid-publish: contoso/vm, after an operation that was canceled; contoso/other; and
-- contoso/running, which nobody cancels.

local assert = require "luassert"
local cpp = require "cpp"
local emulator = require "cpp.emulator"
local lfs = require "lfs"

local harness = {}
harness.__index = harness

--- The id of the operation that was canceled, and of the one that nobody cancels.
harness.OPERATION = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

local PATH = "/api/publishers/contoso/offers/%s/operations/" .. harness.OPERATION

--- The path of the operation that nobody cancels.
harness.PATH = PATH:format "running"

--- Starts a portal; `tls` as in emulator.start. `portal` is the emulator's; `endpoint`,
-- `token` and `ca_file` are too; `location` is that of the canceled operation, `running`
-- that of the one that nobody cancels.
---@param given {tls: boolean?}|nil
function harness.start(given)
  local past = { id = harness.OPERATION, state = "canceled" }
  local portal = assert(emulator.start {
    tls = given and given.tls, speed = 0, offers = {
      ["contoso/vm"] = { running = "publish", history = { past } },
      ["contoso/other"] = { running = "publish" },
      ["contoso/running"] = { running = "publish", id = harness.OPERATION },
    },
  })
  local self = setmetatable({ portal = portal, seen = 0, clients = {} }, harness)
  self.endpoint, self.token, self.ca_file = portal.endpoint, portal.token, portal.ca_file
  self.location = self.endpoint .. PATH:format "vm" .. "?api-version=2017-10-31"
  self.running = self.endpoint .. harness.PATH .. "?api-version=2017-10-31"
  return self
end

--- Shares a harness among the cases of a block: before each of them `give` gets it as new,
-- with a new client. Only spec files see busted's functions, so they pass them on.
function harness.share(setup, before_each, teardown, give)
  local here
  setup(function()
    here = harness.start()
  end)
  before_each(function()
    here:reset()
    give(here, here:client())
  end)
  teardown(function()
    here:close()
  end)
end

--- The same over TLS, for blocks where few cases need it.
---@return fun(): table  gives the harness, which its first call starts
function harness.share_secure(before_each, teardown)
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
      secure = harness.start { tls = true }
    end
    return secure
  end
end

local function close_clients(self)
  for _, client in ipairs(self.clients) do
    client:close()
  end
  self.clients = {}
end

--- Makes everything as new for the next case: no faults, no record, no clients.
function harness:reset()
  close_clients(self)
  self.portal:set("*", { faults = {} })
  self:delay(0)
  self:set {
    running = "publish", publish_seconds = 86400, signoff = false, synchronous = false,
    location = "F1", document = "object",
  }
  self.seen = self.portal:ledger().requests
end

function harness:close()
  close_clients(self)
  self.portal:close()
end

--- A client of this portal that lives until `reset`; options override what it needs.
function harness:client(options)
  local client = self:loose_client(options)
  table.insert(self.clients, client)
  return client
end

--- A client that `reset` does not know, so that it can be collected.
function harness:loose_client(options)
  local all = { endpoint = self.endpoint, token = self.token, ca_file = self.ca_file }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return cpp.client(all)
end

--- Changes the settings of contoso/vm.
function harness:set(settings)
  self.portal:set("contoso/vm", settings)
end

--- Every answer comes this much later.
function harness:delay(seconds)
  for _, name in ipairs { "vm", "other", "running" } do
    self.portal:set("contoso/" .. name, { delay = seconds })
  end
end

--- Replaces all faults.
function harness:faults(...)
  self.portal:set("*", { faults = { ... } })
end

--- Replaces all faults. One that names no call strikes every call, and one that names no
-- number of times strikes for ever.
function harness:fault(...)
  local faults = { ... }
  for _, fault in ipairs(faults) do
    fault.on = fault.on or "*"
    fault.times = fault.times or -1
  end
  self:faults(...)
end

--- From now on, answers every request with this status, body and headers.
function harness:answer(status, body, headers)
  self:fault { status = status, body = body, headers = headers }
end

--- From now on, sends these lines to every request, the last one without a line's end,
-- and closes the connection.
function harness:send(...)
  self:fault { raw = table.concat({ ... }, "\r\n") }
end

--- What has reached the server since `reset`, in order.
function harness:entries()
  local entries = self.portal:ledger().entries
  return table.move(entries, self.seen + 1, #entries, 1, {})
end

--- The newest request that has reached the server.
function harness:last()
  local entries = self:entries()
  return entries[#entries]
end

--- The error of a poll with these options, or of another call.
function harness:fail(client, options, call, ...)
  local result, err
  if call then
    result, err = client[call](client, ...)
  else
    result, err = client:poll(self.location, options)
  end
  assert.is_nil(result)
  return err
end

--- The message of the error that a function raises.
function harness.raises(fn, ...)
  local good, message = pcall(fn, ...)
  assert.is_false(good)
  assert.is_string(message)
  return message
end

--- The messages of a wrong options table on a client and on a call; nothing is sent.
function harness:misuse(options)
  local client <close> = self:client()
  local messages = { harness.raises(cpp.client, options),
    harness.raises(client.cancel, client, "contoso", "vm", options) }
  assert.equal(0, #self:entries())
  return messages
end

--- The connections that the requests since `reset` came on: how many, and the set.
function harness:connections()
  local set, count = {}, 0
  for _, entry in ipairs(self:entries()) do
    count = count + (set[entry.connection] and 0 or 1)
    set[entry.connection] = true
  end
  return count, set
end

--- Steps until `count` requests since `reset` have reached the portal.
function harness:step_until_arrived(client, count)
  harness.eventually(function()
    client:step(0.01)
    return #self:entries() >= count
  end)
end

--- Waits, 20 seconds at most, for a condition on another process.
function harness.eventually(condition)
  for _ = 1, 2000 do
    local result = condition()
    if result then
      return result
    end
    os.execute "sleep 0.01"
  end
  error("the condition has not come true", 2)
end

--- A text as it can stand in the name of a case.
function harness.shown(text)
  return (("%q"):format(text):gsub("\\\n", "\\n"):gsub("[\x80-\xff]", "?"))
end

--- The open descriptors of this process: how many, and number -> target.
function harness.descriptors()
  local targets, count = {}, 0
  for name in lfs.dir "/proc/self/fd" do
    local target = lfs.symlinkattributes("/proc/self/fd/" .. name, "target")
    if tonumber(name) and target and not target:find "^/proc/" then
      targets[tonumber(name)], count = target, count + 1
    end
  end
  return count, targets
end

function harness.collect()
  collectgarbage()
  collectgarbage()
end

return harness
