-- The wait function: what it is given, what it may do, and what becomes of the request
-- that it waits for.

local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"
local task = require "cpp.task"

describe("a client with a wait function", function()
  local here

  setup(function() here = harness.start() end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  local function poll(client)
    return client:poll(harness.PATH)
  end

  -- A wait function that notes its arguments and steps.
  local function noting(calls, seconds)
    return function(client, ...)
      table.insert(calls, table.pack(client, ...))
      client:step(seconds or 1)
    end
  end

  it("calls it as (client, nil, request) while an exchange lasts", function()
    local calls = {}
    local client = here:client { wait = noting(calls) }
    assert.equal("running", poll(client).state)
    assert.is_true(#calls >= 1)
    for _, call in ipairs(calls) do
      assert.equal(3, call.n)
      assert.equal(client, call[1])
      assert.is_nil(call[2])
      assert.equal("userdata", type(call[3]))
    end
  end)

  it("calls it as (client, seconds) while it sleeps", function()
    local calls = {}
    local client = here:client { wait = noting(calls, 0.01) }
    assert.is_true(client:sleep(0.05))
    local left = 0.05
    for _, call in ipairs(calls) do
      assert.equal(2, call.n)
      assert.equal(client, call[1])
      assert.is_true(call[2] <= left and call[2] > 0)
      left = call[2]
    end
    assert.is_true(#calls > 1)
  end)

  it("tells it of an endless sleep", function()
    local client, told = here:client(), nil
    client:wait(function(_, seconds)
      told = seconds
      client:close()
    end)
    assert.equal("closed", select(2, client:sleep(math.huge)).kind)
    assert.equal(math.huge, told)
  end)

  it("gives each call one request, a full userdata without fields", function()
    local seen = {}
    local client = here:client { wait = function(client, _, request)
      assert.is_nil(request.pollfd)
      assert.is_nil(request.events)
      assert.is_nil(request.timeout)
      if seen[#seen] ~= request then
        table.insert(seen, request)
      end
      client:step(1)
    end }
    assert(poll(client))
    assert(poll(client))
    assert.equal(2, #seen)
    assert.not_equal(seen[1], seen[2])
  end)

  it("shows it nothing that could end the request, also while its answer is read", function()
    local shown
    local client = here:client { wait = function(client, _, request)
      shown = request
      client:step(1)
    end }
    local function close()
      local _ <close> = shown
    end
    assert.equal("running", poll(client).state)
    assert.error_matches(close, "non%-closable")
    assert.is_nil(debug.getmetatable(shown).__gc)
    client:wait(function(at, _, request)
      shown = request
      assert.error_matches(close, "non%-closable")
      at:step(1)
    end)
    assert.equal("running", poll(client).state)
  end)

  it("goes on at once when it is woken", function()
    local cqueues = require "cqueues"
    local client = here:client()
    local began = client:now()
    local fd = client:pollfd()
    client:wake()
    assert.equal(0, client:timeout())
    local readable = { pollfd = fd, events = "r" }
    assert.is_truthy(not fd or cqueues.poll(readable, 30) == readable)
    client:step(30)
    assert.is_nil(client:timeout())
    assert.is_true(client:now() - began < 20)
    assert.is_truthy(not fd or cqueues.poll(readable, 0.01) ~= readable)
    if fd then
      cqueues.cancel(fd)
    end
  end)

  it("goes on when it returns early, or never waits at all", function()
    here:delay(0.05)
    local calls = 0
    local client = here:client { wait = function() calls = calls + 1 end }
    assert.equal("running", poll(client).state)
    assert.is_true(client:sleep(0.01))
    assert.is_true(calls > 2)
  end)

  for _, how in ipairs { "returns", "yields" } do
    it("steps for others while it sleeps, when it only " .. how, function()
      here:delay(30)
      local client = here:client { timeout = 0.1 }
      local thread, request = coroutines.begin(client, "poll", harness.PATH)
      client:wait(how == "yields" and coroutine.yield or function() end)
      local sleeper = coroutine.wrap(function() return client:sleep(0.3) end)
      repeat
        local slept = sleeper()
      until slept == true
      assert.equal(request, client:finished())
      assert.equal("timeout", select(2, coroutines.complete(thread)).code)
    end)
  end

  it("may yield in it", function()
    local client = here:client { wait = coroutine.yield }
    local thread = coroutine.create(function() return poll(client) end)
    local _, given, seconds, request = assert(coroutine.resume(thread))
    assert.equal(client, given)
    assert.is_nil(seconds)
    coroutines.until_ended(client)
    assert.equal(request, client:finished())
    assert.equal("running", coroutines.complete(thread).state)
  end)

  -- Runs a function where no coroutine can yield.
  local walls = {
    gsub = function(fn) return (("x"):gsub("x", function() fn() end)) end,
    ["table.sort"] = function(fn)
      table.sort({ 1, 2 }, function() fn() end)
    end,
    ["a load reader"] = function(fn) load(function() fn() end) end,
    require = function(fn)
      package.preload["spec.wall"] = function() fn() return true end
      require "spec.wall"
      package.loaded["spec.wall"], package.preload["spec.wall"] = nil, nil
    end,
    ["a __tostring"] = function(fn)
      tostring(setmetatable({}, { __tostring = function() fn() return "" end }))
    end,
    ["a finalizer"] = function(fn)
      setmetatable({}, { __gc = fn })
      collectgarbage()
    end,
  }

  for name, wall in pairs(walls) do
    it("blocks where no coroutine can yield: inside " .. name, function()
      local client, states = here:client { wait = coroutine.yield }, {}
      local function ask()
        if #states == 0 then
          table.insert(states, assert(poll(client)).state)
          table.insert(states, client:sleep(0.001))
        end
      end
      local thread = coroutine.create(function()
        wall(ask)
        return "went on"
      end)
      assert.same({ true, "went on" }, { coroutine.resume(thread) })
      assert.same({ "running", true }, states)
    end)

    it("blocks in a task, while the others' answers come, inside " .. name, function()
      local client, seen = here:client(), {}
      task.run(client, function()
        task.spawn(function() table.insert(seen, assert(poll(client)).state) end)
        task.sleep(0)
        wall(function()
          if not seen.here then
            seen.here = assert(poll(client)).state
          end
        end)
      end)
      assert.same({ "running", here = "running" }, seen)
    end)
  end

  it("may call the client in it", function()
    local client, nested = here:client(), nil
    client:wait(function()
      if nested == nil then
        nested = false
        nested = poll(client).state
      end
      client:step(1)
    end)
    assert.equal("running", poll(client).state)
    assert.equal("running", nested)
  end)

  it("may be closed in it", function()
    here:delay(30)
    local client = here:client { wait = function(client) client:close() end }
    local _, err = poll(client)
    assert.equal("closed", err.kind)
    assert.equal(here.running, err.location)
    assert.is_nil(client:finished())
  end)

  -- A client of one connection, which an exchange of 30 seconds would hold.
  local function one_slow_exchange(wait)
    here:faults { on = "poll", delay = 30 }
    return here:client { max_connections = 1, timeout = 20, wait = wait }
  end

  it("aborts the request when it raises, and passes the error on", function()
    local problem = { "a value" }
    local client = one_slow_exchange(function(client)
      here:step_until_arrived(client, 1)
      error(problem)
    end)
    local good, raised = pcall(poll, client)
    assert.is_false(good)
    assert.equal(problem, raised)
    assert.is_nil(client:finished())
    client:wait(nil)
    assert.equal("running", poll(client).state)
  end)

  it("aborts the request when it raises after it has yielded", function()
    local client = one_slow_exchange(function(...)
      coroutine.yield(...)
      error "late"
    end)
    local thread = coroutine.create(poll)
    assert(coroutine.resume(thread, client))
    here:step_until_arrived(client, 1)
    local good, message = coroutine.resume(thread)
    assert.is_false(good)
    assert.matches("late", message)
    -- Lua unwinds the stack of a dead coroutine when it is closed or collected.
    coroutine.close(thread)
    client:wait(nil)
    assert.equal("running", poll(client).state)
  end)

  it("aborts the request of a coroutine that is closed", function()
    local client = one_slow_exchange()
    local thread = coroutines.begin(client, "poll", harness.PATH)
    here:step_until_arrived(client, 1)
    assert.is_true(coroutine.close(thread))
    assert.is_nil(client:finished())
    assert.equal("running", poll(client).state)
  end)

  it("aborts a request that is waiting for a connection", function()
    local client = one_slow_exchange()
    local first = coroutines.begin(client, "poll", harness.PATH)
    local second = coroutines.begin(client, "poll", harness.PATH)
    here:step_until_arrived(client, 1)
    assert.is_true(coroutine.close(second))
    assert.is_true(coroutine.close(first))
    assert.equal("running", poll(client).state)
    assert.equal(2, #here:entries())
  end)

  it("ends a sleep when it raises or its coroutine is closed", function()
    local client = here:client { wait = function() error "no sleep" end }
    assert.error_matches(function() client:sleep(30) end, "no sleep")
    local thread = coroutines.begin(client, "sleep", 30)
    assert.is_true(coroutine.close(thread))
    client:wait(nil)
    assert.is_true(client:sleep(0.01))
  end)

  it("may swap it, and is told the one before", function()
    local client = here:client { wait = print }
    assert.equal(print, client:wait(pairs))
    assert.equal(pairs, client:wait())
    assert.equal(pairs, client:wait(nil))
    assert.is_nil(client:wait())
    assert.equal("running", poll(client).state)
  end)

  it("may swap it while a call waits", function()
    local order = {}
    local client = here:client { wait = function(client)
      table.insert(order, "first")
      client:wait(function()
        table.insert(order, "second")
        client:wait(nil)
      end)
    end }
    here:delay(0.1)
    assert.equal("running", poll(client).state)
    assert.same({ "first", "second" }, order)
  end)

  it("takes anything that can be called, and nothing else", function()
    local calls = 0
    local callable = setmetatable({}, { __call = function(_, client)
      calls = calls + 1
      client:step(1)
    end })
    local client = here:client { wait = callable }
    assert(poll(client))
    assert.is_true(calls > 0)
    assert.equal(callable, client:wait(nil))
    assert.error_matches(function() client:wait(7) end, "wait: function expected")
    assert.error_matches(function() here:client { wait = {} } end, "'wait'")
  end)
end)
