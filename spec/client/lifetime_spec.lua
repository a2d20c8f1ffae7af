-- How a client and its requests end: collected in any order, abandoned in mid-call, or
-- with the whole Lua state. Nothing is left open, and nothing crashes.

local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"
local child = require "spec.support.child"

describe("a client", function()
  local here

  setup(function() here = harness.start() end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  local function poll(client)
    return client:poll(harness.PATH)
  end

  -- Descriptors that `run` has left, once its garbage is gone.
  local function left_by(run)
    harness.collect()
    local before = harness.descriptors()
    run()
    harness.collect()
    return harness.descriptors() - before
  end

  describe("that is garbage", function()
    it("gives its descriptors back", function()
      assert.equal(0, left_by(function()
        for _ = 1, 10 do
          assert(poll(here:loose_client()))
        end
      end))
    end)

    it("gives them back with requests in flight in abandoned coroutines", function()
      here:delay(30)
      assert.equal(0, left_by(function()
        for _ = 1, 10 do
          local client = here:loose_client()
          for _ = 1, 5 do
            coroutines.begin(client, "poll", harness.PATH)
            coroutines.begin(client, "sleep", 1000)
          end
          client:step(0)
        end
      end))
    end)

    it("gives them back when an event loop has seen them", function()
      assert.equal(0, left_by(function()
        for i = 1, 10 do
          local client = here:loose_client()
          client:pollfd()
          coroutines.begin(client, "poll", harness.PATH)
          coroutines.until_ended(client)
          if i % 2 == 0 then
            client:close()
          end
        end
      end))
    end)

    it("gives them back when it was closed with calls in flight", function()
      here:delay(30)
      assert.equal(0, left_by(function()
        for _ = 1, 10 do
          local client = here:loose_client()
          coroutines.begin(client, "poll", harness.PATH)
          coroutines.begin(client, "sleep", 1000)
          client:step(0)
          client:close()
        end
      end))
    end)

    it("gives them back while the collector works through its calls", function()
      here:delay(0.02)
      collectgarbage "generational"
      local left = left_by(function()
        for _ = 1, 20 do
          local client = here:loose_client()
          for _ = 1, 5 do
            coroutines.begin(client, "poll", harness.PATH)
            collectgarbage "step"
          end
          assert(poll(client))
        end
      end)
      collectgarbage "incremental"
      assert.equal(0, left)
    end)
  end)

  describe("whose coroutines are garbage", function()
    it("aborts their requests", function()
      here:faults { on = "poll", delay = 30 }
      local client = here:client { max_connections = 1 }
      coroutines.begin(client, "poll", harness.PATH)
      here:step_until_arrived(client, 1)
      harness.collect()
      assert.is_nil(client:finished())
      assert.equal("running", poll(client).state)
    end)

    it("forgets what had ended", function()
      local client = here:client()
      coroutines.begin(client, "poll", harness.PATH)
      coroutines.until_ended(client)
      harness.collect()
      assert.is_nil(client:timeout())
      assert.is_nil(client:finished())
    end)

    it("tells of none of them when it is asked while they are collected", function()
      local client, told = here:client(), "not asked"
      do
        for _ = 1, 300 do
          coroutines.begin(client, "poll", harness.PATH)
        end
        client:close()
        -- Finalizers run from the newest object to the oldest.
        setmetatable({}, { __gc = function() told = client:finished() end })
      end
      harness.collect()
      assert.is_nil(told)
      assert.is_nil(client:pollfd())
    end)

    it("aborts the request of one that has died of an error", function()
      here:faults { on = "poll", delay = 30 }
      local client = here:client { max_connections = 1, wait = function(...)
        coroutine.yield(...)
        error "dies"
      end }
      do
        local thread = coroutine.create(poll)
        assert(coroutine.resume(thread, client))
        here:step_until_arrived(client, 1)
        assert.is_false((coroutine.resume(thread)))
      end
      harness.collect()
      client:wait(nil)
      assert.equal("running", poll(client).state)
    end)
  end)

  -- One of these limits leaves a client its own descriptors and none for its socket.
  for limit = 64, 66 do
    it(("gets those of closed clients, of %d descriptors at most"):format(limit), function()
      local output, how, status = child.run(here, [[
        local cpp = require "cpp"
        collectgarbage "stop"
        for i = 1, 200 do
          local client = cpp.client()
          client:pollfd()
          assert(client:status("contoso", "vm"))
          client:close()
        end
        print "all"
      ]], "ulimit -n " .. limit)
      assert.same({ "all\n", "exit", 0 }, { output, how, status })
    end)

    it(("says so when it gets none, of %d descriptors at most"):format(limit), function()
      local output, how, status = child.run(here, [[
        local cpp = require "cpp"
        local clients, err = {}, nil
        repeat
          local client = cpp.client()
          table.insert(clients, client)
          err = select(2, client:status("contoso", "vm"))
        until err or #clients == 100
        print(err.kind, err.code, err.sent, err.retryable)
        for i = 1, 10 do
          clients[i]:close()
        end
        print(clients[#clients]:status("contoso", "vm").state)
      ]], "ulimit -n " .. limit)
      assert.same({ "transport\tno_descriptors\tfalse\ttrue\nrunning\n", "exit", 0 },
        { output, how, status })
    end)
  end

  it("in a finalizer at the end of the Lua state leaves no descriptor", function()
    local output, how, status = child.run(here, [[
      local cpp = require "cpp"
      local lfs = require "lfs"
      local function at_end(act)
        setmetatable({}, { __gc = act })
      end
      local function count()
        local count = 0
        for _ in lfs.dir "/proc/self/fd" do
          count = count + 1
        end
        return count
      end
      local before = count()
      at_end(function() print(count() - before) end) -- the first is the last
      at_end(function()
        for _ = 1, 3 do
          print(cpp.poll "/api/publishers/contoso/offers/vm/operations/1")
        end
      end)
    ]])
    assert.same({ "exit", 0 }, { how, status })
    assert.matches("^nil\tThe operation[^\n]*\nnil\t[^\n]*\nnil\t[^\n]*\n0\n$", output)
  end)

  it("lives as long as a call that waits on it", function()
    local thread
    do
      thread = coroutines.begin(here:loose_client(), "poll", harness.PATH)
    end
    harness.collect()
    assert.equal("running", coroutines.complete(thread).state)
  end)

  it("lives through a collection in each of its functions", function()
    local client
    client = here:client {
      token = function()
        harness.collect()
        return here.portal.token
      end,
      trace = harness.collect,
      wait = function()
        harness.collect()
        client:step(1)
      end,
    }
    assert.equal("running", poll(client).state)
  end)

  it("leaves its result, and its error, behind", function()
    local operation, err
    do
      local client <close> = here:loose_client()
      operation = assert(poll(client))
      err = select(2, client:status("contoso", "nothing"))
    end
    harness.collect()
    assert.equal(harness.OPERATION, operation.id)
    assert.is_table(operation.document)
    assert.is_table(operation.steps)
    assert.matches("404", tostring(err))
  end)
end)

-- Each script leaves everything as it is and ends; lua_close finds it. The portal
-- answers after 30 seconds.
local FLIGHT = [[
  warn "@on"
  local cpp = require "cpp"
  local calls = setmetatable({}, { __mode = "k" })
  local function fly(options)
    local client = cpp.client(options)
    local previous = client:wait(coroutine.yield)
    for _, method in ipairs { "status", "operations", "sleep", "status", "sleep" } do
      local call = coroutine.wrap(client[method])
      call(client, method == "sleep" and 1000 or "contoso", "vm")
      calls[client] = { call, calls[client] }
    end
    client:wait(previous)
    client:step(0.05)
    return client
  end
]]

local ENDS = {
  ["with calls in flight and asleep"] = "client = fly()",
  ["with calls in flight of a client that is garbage"] = "fly()",
  ["with calls in flight of a closed client"] = "client = fly(); client:close()",
  ["with a descriptor that a loop has seen"] = "client = fly(); client:pollfd()",
  ["with its functions in mid-yield"] = [[
    client = fly { token = coroutine.yield }
    other = cpp.client { trace = coroutine.yield, timeout = 0.1 }
    event = coroutine.wrap(other.status)(other, "contoso", "vm")
    assert(event.code == "timeout")
  ]],
  ["with a variable that is still to be closed"] = [[
    local client <close> = fly()
    coroutine.wrap(function()
      local inner <close> = fly()
      coroutine.yield()
    end)()
  ]],
  ["when the last request has ended and nobody has collected it"] = [[
    client = fly { timeout = 0.1 }
    client:pollfd()
    repeat client:step(1) until client:timeout() == 0
  ]],
  ["and finalizers that are older than the client ask it"] = [[
    older = setmetatable({}, { __gc = function()
      local good, message = pcall(client.poll, client, "/")
      assert(not good and message:find "closed")
      client:close()
      print(client:finished(), client:timeout(), client:step(1), client)
    end })
    client = fly()
  ]],
  ["by os.exit in a wait function, which closes the state"] = [[
    client = fly()
    client:wait(function() os.exit(0, true) end)
    coroutine.wrap(client.status)(client, "contoso", "vm")
  ]],
  ["by os.exit in a token function, which closes the state"] = [[
    client = fly { token = function() os.exit(0, true) end }
  ]],
}

for _, tls in ipairs { false, true } do
  describe(tls and "a Lua state, over TLS," or "a Lua state", function()
    local here

    setup(function()
      here = harness.start { tls = tls }
      here:delay(30)
    end)
    teardown(function() here:close() end)

    for name, script in pairs(ENDS) do
      it("ends well " .. name, function()
        local output, how, status = child.run(here, FLIGHT .. script)
        assert.same({ "exit", 0 }, { how, status }, output)
        assert.not_matches("warning", output)
      end)
    end
  end)
end
