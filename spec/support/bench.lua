--- What the specs of the engine share: a portal whose ledger can begin anew,
-- coroutines side by side over one client, and looks at this process.

local cpp = require "cpp"
local emulator = require "cpp.emulator"
local lfs = require "lfs"

local bench = {}
bench.__index = bench

bench.ID = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"
bench.PATH = "/api/publishers/contoso/offers/vm/operations/" .. bench.ID

--- A portal with two offers in mid-publish, on a clock that says real seconds:
-- contoso/vm, which nobody cancels, and contoso/other.
function bench.start(given)
  local offers = { ["contoso/vm"] = { running = "publish", id = bench.ID },
    ["contoso/other"] = { running = "publish" } }
  local portal = assert(emulator.start { tls = given and given.tls, offers = offers })
  return setmetatable({ portal = portal, seen = 0, clients = {} }, bench)
end

--- Ends what a test has left: its clients, its faults, its ledger.
function bench:reset()
  for _, client in ipairs(self.clients) do
    client:close()
  end
  self.clients = {}
  self:faults()
  self:delay(0)
  self.seen = #self.portal:ledger().entries
end

function bench:close()
  self:reset()
  self.portal:close()
end

--- A client of this portal; `reset` closes it.
function bench:client(options)
  local given = { endpoint = self.portal.endpoint, token = self.portal.token,
    ca_file = self.portal.ca_file }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  local client = cpp.client(given)
  table.insert(self.clients, client)
  return client
end

--- A client that `reset` does not know, so that it can be collected.
function bench:loose_client(options)
  local client = self:client(options)
  table.remove(self.clients)
  return client
end

--- Every answer comes this much later.
function bench:delay(seconds)
  self.portal:set("contoso/vm", { delay = seconds })
  self.portal:set("contoso/other", { delay = seconds })
end

function bench:faults(...)
  self.portal:set("*", { faults = { ... } })
end

--- The absolute location of the operation that runs.
function bench:location()
  return self.portal.endpoint .. bench.PATH .. "?api-version=2017-10-31"
end

--- What the ledger has of this test.
function bench:entries()
  local entries = self.portal:ledger().entries
  return table.move(entries, self.seen + 1, #entries, 1, {})
end

--- The connections that the requests of this test came on: how many, and the set.
function bench:connections()
  local set, count = {}, 0
  for _, entry in ipairs(self:entries()) do
    count = count + (set[entry.connection] and 0 or 1)
    set[entry.connection] = true
  end
  return count, set
end

--- Waits, 20 seconds at most, for a condition on another process.
function bench.eventually(condition)
  for _ = 1, 2000 do
    local result = condition()
    if result then
      return result
    end
    os.execute "sleep 0.01"
  end
  error("the condition has not come true", 2)
end

--- Runs `count` coroutines over one client on this thread, each woken when its own
-- request has ended or its own seconds have passed, and by the client's end. Returns
-- when all have returned.
function bench.together(client, count, run)
  local sleeping, waiting, alive = {}, {}, 0
  local previous = client:wait(coroutine.yield)

  local function resume(thread, ...)
    local good, first, seconds, request = coroutine.resume(thread, ...)
    if not good then
      error(first, 0)
    elseif coroutine.status(thread) == "dead" then
      alive = alive - 1
    elseif request then
      waiting[request] = thread
    else
      sleeping[thread] = client:now() + seconds
    end
  end

  local function wake_sleepers()
    local left, closed = 10, client:timeout() == 0
    for thread, time in pairs(sleeping) do
      if closed or time <= client:now() then
        sleeping[thread] = nil
        resume(thread)
        left = 0
      else
        left = math.min(left, time - client:now())
      end
    end
    return left
  end

  for i = 1, count do
    alive = alive + 1
    resume(coroutine.create(run), i)
  end
  local limit = client:now() + 60
  while alive > 0 do
    assert(client:now() < limit, "calls hang")
    client:step(wake_sleepers())
    for request in client.finished, client do
      local thread = waiting[request]
      waiting[request] = nil
      resume(thread)
    end
  end
  client:wait(previous)
end

--- Starts a coroutine that yields wherever the client waits; returns it at its
-- first wait, and the request that it waits for.
function bench.begin(client, method, ...)
  local previous = client:wait(coroutine.yield)
  local thread = coroutine.create(client[method])
  local _, _, _, request = assert(coroutine.resume(thread, client, ...))
  client:wait(previous)
  return thread, request
end

--- Goes on with a coroutine of `begin` to its end; returns what its call does.
function bench.complete(thread)
  local results = table.pack(assert(coroutine.resume(thread)))
  assert(coroutine.status(thread) == "dead", "the call waits again")
  return table.unpack(results, 2, results.n)
end

--- Steps until `count` requests of this test have reached the portal.
function bench:step_until_arrived(client, count)
  bench.eventually(function()
    client:step(0.01)
    return #self:entries() >= count
  end)
end

--- Steps until something has ended. Until it is collected, the client wants to be
-- stepped at once; a timer that is due wants that only until it has been.
function bench.until_ended(client)
  local limit, due = client:now() + 20, 0
  while due < 3 do
    assert(client:now() < limit, "no request has ended")
    client:step(1)
    due = client:timeout() == 0 and due + 1 or 0
  end
end

--- The open descriptors of this process: how many, and number -> target.
function bench.descriptors()
  local targets, count = {}, 0
  for name in lfs.dir "/proc/self/fd" do
    local target = lfs.symlinkattributes("/proc/self/fd/" .. name, "target")
    if tonumber(name) and target and not target:find "^/proc/" then
      targets[tonumber(name)], count = target, count + 1
    end
  end
  return count, targets
end

function bench.collect()
  collectgarbage()
  collectgarbage()
end

return bench
