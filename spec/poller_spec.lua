-- What an event loop sees of a client: finished, pollfd, events, timeout, step; and
-- two loops, of cqueues and of luv, that it works in.

local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"
local child = require "spec.support.child"

local found_cqueues, cqueues = pcall(require, "cqueues")
-- Loaded in a child only: luv does not bear busted's loading it again.
local found_luv = package.searchpath("luv", package.cpath) ~= nil

describe("a client", function()
  local here

  setup(function() here = harness.start() end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  local function poll(client, options)
    return client:poll(harness.PATH, options)
  end

  -- Skips a test, and says why, where a loop or the descriptor is missing.
  local function needs(client, found, name)
    if not found then
      pending(name .. " is not installed")
    elseif not client:pollfd() then
      pending "this build has no descriptor: it waits with poll(2)"
    end
  end

  -- Whether a descriptor can be read now.
  local function readable(fd)
    local ready
    local loop = cqueues.new()
    loop:wrap(function()
      ready = cqueues.poll({ pollfd = fd, events = "r" }, 0)
    end)
    assert(loop:loop())
    return type(ready) == "table"
  end

  describe("that tells what has finished", function()
    it("gives each request once, the value that wait was given", function()
      local client, requests = here:client(), {}
      for i = 1, 5 do
        local thread, request = coroutines.begin(client, "poll", harness.PATH)
        requests[request] = i
        assert.equal("suspended", coroutine.status(thread))
        requests[i] = thread
      end
      for _ = 1, 5 do
        local request
        repeat
          client:step(1)
          request = client:finished()
        until request
        local thread = requests[requests[request]]
        requests[request] = nil
        assert.equal("running", coroutines.complete(thread).state)
      end
      assert.is_nil(client:finished())
    end)

    it("says nothing while nothing has ended", function()
      here:delay(30)
      local client = here:client()
      coroutines.begin(client, "poll", harness.PATH)
      here:step_until_arrived(client, 1)
      assert.is_nil(client:finished())
    end)

    it("says nothing of a call that has collected its own", function()
      local client = here:client()
      local thread = coroutines.begin(client, "poll", harness.PATH)
      coroutines.until_ended(client)
      assert.equal("running", coroutines.complete(thread).state)
      assert.is_nil(client:finished())
      assert.is_nil(client:timeout())
    end)

    it("says nothing of a call that blocked", function()
      local client = here:client()
      local thread = coroutines.begin(client, "poll", harness.PATH)
      assert(poll(client))
      assert(poll(client))
      coroutines.until_ended(client)
      assert.is_userdata(client:finished())
      assert.is_nil(client:finished())
      assert.equal("running", coroutines.complete(thread).state)
    end)

    it("says nothing of an ended request whose coroutine was closed", function()
      local client = here:client()
      local thread = coroutines.begin(client, "poll", harness.PATH)
      coroutines.until_ended(client)
      assert.is_true(coroutine.close(thread))
      assert.is_nil(client:finished())
      assert.is_nil(client:timeout())
    end)

    it("tells the requests that its close has ended", function()
      here:delay(30)
      local client = here:client()
      local thread, request = coroutines.begin(client, "poll", harness.PATH)
      client:close()
      assert.equal(request, client:finished())
      assert.equal("closed", select(2, coroutines.complete(thread)).kind)
    end)

    it("tells the requests that their deadline has ended", function()
      here:delay(30)
      local client = here:client { timeout = 0.2 }
      local thread, request = coroutines.begin(client, "poll", harness.PATH)
      coroutines.until_ended(client)
      assert.equal(request, client:finished())
      assert.equal("timeout", select(2, coroutines.complete(thread)).code)
    end)
  end)

  describe("in an event loop", function()
    it("has one descriptor, to be watched for reading", function()
      local client = here:client()
      needs(client, true)
      local fd = client:pollfd()
      assert.equal("integer", math.type(fd))
      assert.equal("r", client:events())
      assert(poll(client))
      assert.equal(fd, client:pollfd())
      assert.equal("anon_inode:[eventpoll]", select(2, harness.descriptors())[fd])
    end)

    it("wants no step while it has nothing to do", function()
      local client = here:client()
      assert.is_nil(client:timeout())
      assert(poll(client))
      harness.eventually(function()
        client:step()
        return client:timeout() == nil
      end)
    end)

    it("wants a step before a request's deadline", function()
      here:delay(30)
      local client = here:client { timeout = 20 }
      local thread = coroutines.begin(client, "poll", harness.PATH)
      assert.is_true(client:timeout() >= 0 and client:timeout() <= 20)
      coroutine.close(thread)
    end)

    it("wants a step at once while an ended request is uncollected", function()
      local client = here:client()
      local thread, request = coroutines.begin(client, "poll", harness.PATH)
      coroutines.until_ended(client)
      local before = client:now()
      for _ = 1, 5 do
        client:step(math.huge)
        assert.equal(0, client:timeout())
      end
      assert.is_true(client:now() - before < 0.9)
      assert.equal(request, client:finished())
      assert.is_nil(client:timeout())
      coroutines.complete(thread)
    end)

    it("steps without blocking unless it is told to", function()
      here:delay(30)
      local client = here:client()
      coroutines.begin(client, "poll", harness.PATH)
      local before = client:now()
      for _ = 1, 20 do
        client:step()
        client:step(0)
      end
      client:step(0.05)
      assert.is_true(client:now() - before < 10)
      assert.is_nil(client:finished())
    end)

    it("steps for ever only until something is to be done", function()
      here:delay(0.1)
      local client = here:client()
      local thread = coroutines.begin(client, "poll", harness.PATH)
      repeat
        client:step(math.huge)
      until client:finished()
      assert.equal("running", coroutines.complete(thread).state)
    end)

    it("is readable exactly while an ended request is uncollected", function()
      local client = here:client()
      needs(client, found_cqueues, "cqueues")
      local fd = client:pollfd()
      assert.is_false(readable(fd))
      local thread, request = coroutines.begin(client, "poll", harness.PATH)
      coroutines.until_ended(client)
      assert.is_true(readable(fd))
      client:step()
      assert.is_true(readable(fd))
      assert.equal(request, client:finished())
      assert.is_false(readable(fd))
      coroutines.complete(thread)
      assert.is_false(readable(fd))
    end)

    it("is readable when it closes, as long as a call is in flight", function()
      here:delay(30)
      local client = here:client()
      needs(client, found_cqueues, "cqueues")
      local fd = client:pollfd()
      local call = coroutines.begin(client, "poll", harness.PATH)
      local sleep = coroutines.begin(client, "sleep", 30)
      client:close()
      assert.equal("closed", select(2, coroutines.complete(call)).kind)
      assert.equal(fd, client:pollfd())
      assert.equal(0, client:timeout())
      assert.is_true(readable(fd))
      assert.equal("closed", select(2, coroutines.complete(sleep)).kind)
      assert.is_nil(client:pollfd())
      assert.is_nil(client:timeout())
    end)

    it("is not readable for ever for a call whose coroutine was dropped", function()
      local client = here:client()
      local thread = coroutines.begin(client, "poll", harness.PATH)
      coroutines.until_ended(client)
      assert.equal("suspended", coroutine.status(thread))
      thread = nil -- luacheck: ignore
      collectgarbage "stop"
      local turns, limit = 0, client:now() + 20
      while client:timeout() == 0 and client:now() < limit do
        client:step()
        turns = turns + 1
      end
      local timeout = client:timeout()
      collectgarbage "restart"
      assert.is_nil(timeout)
      assert.is_true(turns > 100)
      needs(client, found_cqueues, "cqueues")
      assert.is_false(readable(client:pollfd()))
    end)

    it("closes a descriptor that a loop has seen only when it is collected", function()
      harness.collect()
      local before = harness.descriptors()
      do
        local client = here:loose_client()
        needs(client, true)
        local fd = client:pollfd()
        client:close()
        assert.equal("anon_inode:[eventpoll]", select(2, harness.descriptors())[fd])
      end
      harness.collect()
      assert.equal(before, (harness.descriptors()))
    end)
  end)

  describe("in a loop of cqueues", function()
    -- Runs functions in a loop; the loop must end, without an error.
    local function run(...)
      local loop = cqueues.new()
      for _, fn in ipairs { ... } do
        loop:wrap(fn)
      end
      assert(loop:loop(20))
      assert.is_true(loop:empty())
    end

    local function client_of_loop(options)
      options = options or {}
      options.wait = found_cqueues and cqueues.poll or nil
      local client = here:client(options)
      needs(client, found_cqueues, "cqueues")
      return client
    end

    it("has twenty calls in flight before the first answer comes", function()
      here:delay(1)
      local client, answered, arrived = client_of_loop { max_connections = 20 }, 0, nil
      local calls = {}
      for i = 1, 20 do
        calls[i] = function()
          assert.equal("running", poll(client).state)
          arrived = arrived or #here:entries()
          answered = answered + 1
        end
      end
      run(table.unpack(calls))
      assert.equal(20, arrived)
      assert.equal(20, answered)
    end)

    it("wakes a call whose answer another's step has read", function()
      here:delay(1)
      local client, state = client_of_loop { timeout = 1000, connect_timeout = 1000 }, nil
      local loop = cqueues.new()
      loop:wrap(function() state = poll(client).state end)
      -- The call waits for its answer, and no timer of libcurl's is near.
      harness.eventually(function()
        assert(loop:step(0.01))
        return #here:entries() > 0 and client:timeout() > 100
      end)
      coroutines.until_ended(client)
      assert.is_nil(state)
      assert(loop:loop(10))
      assert.equal("running", state)
    end)

    it("lets its calls wait while it sleeps, and sleeps while they wait", function()
      here:delay(0.2)
      local client, order = client_of_loop(), {}
      run(function()
        client:sleep(0.8)
        table.insert(order, "slept")
      end, function()
        poll(client)
        table.insert(order, "answered")
      end, function()
        client:sleep(0.01)
        table.insert(order, "napped")
      end)
      assert.same({ "napped", "answered", "slept" }, order)
    end)

    it("does not spin when a sleep outlasts the deadline of a call before it", function()
      local client, waits = client_of_loop { timeout = 0.1 }, 0
      run(function()
        assert(poll(client))
        client:wait(function(...)
          waits = waits + 1
          return cqueues.poll(...)
        end)
        assert.is_true(client:sleep(0.5))
      end)
      assert.is_true(waits <= 10)
    end)

    it("wakes calls and endless sleeps when it closes", function()
      here:delay(30)
      local client, kinds = client_of_loop(), {}
      local function note(_, err)
        table.insert(kinds, err.kind)
      end
      run(function() note(poll(client)) end,
        function() note(client:sleep(math.huge)) end,
        function() note(client:sleep(1000)) end,
        function()
          client:sleep(0.05)
          client:close()
        end)
      assert.same({ "closed", "closed", "closed" }, kinds)
    end)

    it("may be closed by the coroutine that it has just answered", function()
      local client = client_of_loop()
      run(function()
        assert.equal("running", poll(client).state)
        client:close()
      end, function() cqueues.sleep(0.05) end)
    end)
  end)

  it("works in a loop of luv, through its descriptor and its timeout", function()
    needs(here:client(), found_luv, "luv")
    local output, how, status = child.run(here, [[
      local client, uv = require "cpp".client(), require "luv"
      local watch, timer = uv.new_poll(client:pollfd()), uv.new_timer()
      client:wait(function()
        local thread = coroutine.running()
        local function go_on()
          watch:stop()
          timer:stop()
          assert(coroutine.resume(thread))
        end
        watch:start("r", go_on)
        timer:start(math.ceil((client:timeout() or 10) * 1000), 0, go_on)
        coroutine.yield()
      end)
      coroutine.wrap(function()
        for i = 1, 3 do
          print(i, assert(client:status("contoso", "vm")).state)
        end
        watch:close()
        timer:close()
      end)()
      uv.run()
    ]])
    assert.equal("1\trunning\n2\trunning\n3\trunning\n", output)
    assert.same({ "exit", 0 }, { how, status })
  end)
end)
