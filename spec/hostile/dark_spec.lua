-- Addresses that do not answer, beside ones that do: a fallback costs its delay and nothing
-- else, and what cannot connect disturbs nothing.

local child = require "spec.support.child"
local cpp = require "cpp"
local pairing = require "spec.support.pair"
local coroutines = require "spec.support.coroutines"

local V4, V6 = "127.0.0.1", "::1"

local function client_of(endpoint, options)
  local given = { endpoint = endpoint, token = "t", timeout = 20 }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  return cpp.client(given)
end

local PATH, SLOW = "/api/operations/1", "/api/operations/slow"

describe("a dark address", function()
  local pair

  setup(function()
    pair = assert(pairing.start(V4, "127.0.0.2"))
  end)
  teardown(function()
    pair:close()
  end)

  it("ends a call by connect_timeout, unsent", function()
    local client <close> = client_of(pair.dark, { connect_timeout = 0.3 })
    for _, call in ipairs { "poll", "cancel" } do
      local before = client:now()
      local _, err
      if call == "poll" then
        _, err = client:poll(PATH)
      else
        _, err = client:cancel("contoso", "vm")
      end
      assert.same({ "transport", "timeout", false, true },
        { err.kind, err.code, err.sent, err.retryable })
      assert.is_true(client:now() - before >= 0.3)
    end
  end)

  it("ends forty calls at once by connect_timeout", function()
    local client <close> = client_of(pair.dark, { connect_timeout = 0.3, max_connections = 40 })
    local codes = {}
    coroutines.together(client, 40, function()
      local _, err = client:poll(PATH)
      table.insert(codes, err.code .. (err.sent and " sent" or ""))
    end)
    assert.equal(40, #codes)
    assert.equal(("timeout"):rep(40, " "), table.concat(codes, " "))
  end)

  it("ends calls that wait for their turn behind it by their own timeout", function()
    local client <close> = client_of(pair.dark, { max_connections = 2, timeout = 0.3 })
    local codes = {}
    coroutines.together(client, 20, function()
      table.insert(codes, (select(2, client:poll(PATH))).code)
    end)
    assert.equal(("timeout"):rep(20, " "), table.concat(codes, " "))
  end)

  -- Another exchange of the client is under way meanwhile.
  local function beside(act)
    local client <close> = client_of(pair.live)
    local healthy = coroutines.begin(client, "poll", SLOW)
    client:step(0.05)
    act(client)
    coroutines.until_ended(client)
    assert.is_userdata(client:finished())
    local operation, err = coroutines.complete(healthy)
    assert.is_truthy(operation, tostring(err))
    assert.equal("running", operation.state)
    assert.equal("running", assert(client:poll(PATH)).state)
  end

  it("disturbs no other exchange when a call to it times out", function()
    beside(function(client)
      local _, err = client:poll(PATH, { endpoint = pair.dark, timeout = 0.1 })
      assert.equal("timeout", err.code)
    end)
  end)

  it("disturbs no other exchange when its connect_timeout passes", function()
    beside(function(client)
      local _, err = client:poll(PATH, { endpoint = pair.dark, connect_timeout = 0.1 })
      assert.equal("timeout", err.code)
    end)
  end)

  it("disturbs no other exchange when the coroutine of a call to it is closed", function()
    beside(function(client)
      for _ = 1, 3 do
        local thread = coroutines.begin(client, "poll", PATH, { endpoint = pair.dark })
        client:step(0.02)
        assert.is_true(coroutine.close(thread))
      end
    end)
  end)

  it("disturbs no other exchange when calls to it are made again and again", function()
    local client <close> = client_of(pair.live)
    for _ = 1, 10 do
      local _, err = client:poll(PATH, { endpoint = pair.dark, connect_timeout = 0.03 })
      assert.equal("timeout", err.code)
      assert.equal("running", assert(client:poll(PATH)).state)
      assert.equal("canceled", assert(client:cancel("contoso", "vm")).state)
    end
  end)

  -- In a process of its own: this one must not crash with it.
  it("crashes nobody who waits behind it, with a slow exchange elsewhere", function()
    local output, how, status = child.run(nil, ([[
      local cpp = require "cpp"
      local client = cpp.client { endpoint = %q, token = "t", max_connections = 1,
        wait = coroutine.yield }
      local function begin(...)
        local thread = coroutine.create(client.poll)
        assert(coroutine.resume(thread, client, ...))
        return thread
      end
      local dark = { endpoint = %q, timeout = 0.3 }
      local calls = { begin(%q), begin(%q, dark), begin(%q, { endpoint = %q, timeout = 0.6 }) }
      for _ = 1, 2000 do
        client:step(0.01)
        local left = 0
        for i, thread in ipairs(calls) do
          if coroutine.status(thread) ~= "dead" then
            local _, a, b = assert(coroutine.resume(thread))
            if coroutine.status(thread) == "dead" then
              print(i, a and a.state or b.code)
            else
              left = left + 1
            end
          end
        end
        if left == 0 then break end
      end
    ]]):format(pair.live, pair.dark, SLOW, PATH, PATH, pair.dark))
    local lines = {}
    for line in output:gmatch "[^\n]+" do
      table.insert(lines, line)
    end
    table.sort(lines)
    assert.same({ "1\trunning", "2\ttimeout", "3\ttimeout" }, lines, output)
    assert.same({ "exit", 0 }, { how, status })
  end)
end)

for _, families in ipairs { { V4, V6 }, { V6, V4 } } do
  describe(("with %s dark and %s alive, localhost"):format(table.unpack(families)), function()
    local pair, missing

    setup(function()
      pair, missing = pairing.start(table.unpack(families))
    end)
    teardown(function()
      if pair then
        pair:close()
      end
    end)

    local function both(options)
      if not pair then
        pending("no such addresses here: " .. missing)
      end
      return client_of(pair.both, options)
    end

    it("answers", function()
      local client <close> = both()
      assert.equal("running", assert(client:poll(PATH)).state)
      assert.equal("running", assert(client:poll(PATH)).state)
    end)

    it("answers a new client each time", function()
      for _ = 1, 5 do
        local client <close> = both()
        assert.equal("running", assert(client:poll(PATH)).state)
      end
    end)

    it("answers forty calls at once", function()
      local client <close> = both { max_connections = 40 }
      local states = {}
      coroutines.together(client, 40, function()
        local operation, err = client:poll(PATH)
        table.insert(states, operation and operation.state or tostring(err))
      end)
      assert.equal(("running"):rep(40, " "), table.concat(states, " "))
    end)

    it("answers after calls to the dark address", function()
      local client <close> = both()
      for _ = 1, 5 do
        client:poll(PATH, { endpoint = pair.dark, connect_timeout = 0.05 })
        assert.equal("running", assert(client:poll(PATH)).state)
      end
    end)
  end)
end
