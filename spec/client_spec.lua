-- The client as a caller sees it: calls, connections, deadlines, sleep, close.
-- spec/client/ has what its functions, its end and its process do to it.

local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"

local EMAIL = { notification_emails = "a@x.com" }

describe("a client", function()
  local here

  setup(function() here = harness.start() end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  local function poll(client, options)
    return client:poll(harness.PATH, options)
  end

  describe("in one call after another", function()
    it("returns when the answer has come", function()
      here:delay(0.1)
      local client = here:client()
      local before = client:now()
      local operation = assert(poll(client))
      assert.equal("running", operation.state)
      assert.is_true(client:now() - before >= 0.1)
    end)

    it("keeps its connection, but for a cancel over HTTP/1.1, which has its own", function()
      local client = here:client()
      assert(poll(client))
      assert(client:status("contoso", "vm"))
      assert(client:operations("contoso", "vm"))
      assert.equal(1, (here:connections()))
      assert(client:cancel("contoso", "other", EMAIL))
      assert(poll(client))
      local entries = here:entries()
      assert.equal(5, #entries)
      assert.equal(2, (here:connections()))
      assert.not_equal(entries[3].connection, entries[4].connection)
    end)

    it("keeps its connection after an error answer", function()
      local client = here:client()
      local _, err = client:status("contoso", "nothing")
      assert.equal(404, err.status)
      assert(poll(client))
      assert.equal(1, (here:connections()))
    end)

    it("shares no connection with another client", function()
      assert(poll(here:client()))
      assert(poll(here:client()))
      assert.equal(2, (here:connections()))
    end)

    it("opens a new connection where the old one has died", function()
      local client = here:client()
      assert(poll(client))
      here:faults { on = "cancel", drop = "before" }
      local _, err = client:cancel("contoso", "other", EMAIL)
      assert.equal("connection_lost", err.code)
      assert(poll(client))
      assert(poll(client))
      assert.equal(2, (here:connections()))
    end)

    it("blocks other coroutines as long as it has no wait function", function()
      here:delay(0.05)
      local client, arrived = here:client(), {}
      for _ = 1, 3 do
        coroutine.wrap(function()
          assert(poll(client))
          table.insert(arrived, #here:entries())
        end)()
      end
      assert.same({ 1, 2, 3 }, arrived)
    end)
  end)

  describe("with twenty calls in flight", function()
    local function threads()
      local count = 0
      for _ in require "lfs".dir "/proc/self/task" do
        count = count + 1
      end
      return count
    end

    it("sends all before the first answer comes, on one thread", function()
      here:delay(1)
      local client, before, arrived = here:client { max_connections = 20 }, threads(), nil
      coroutines.together(client, 20, function()
        local operation = assert(poll(client))
        arrived = arrived or #here:entries()
        assert.equal("running", operation.state)
      end)
      assert.equal(20, arrived)
      assert.equal(20, (here:connections()))
      assert.equal(before, threads())
    end)

    it("tells each its own answer", function()
      local client, ids = here:client(), {}
      coroutines.together(client, 20, function(i)
        local id = ("call-%d"):format(i)
        ids[i] = assert(poll(client, { client_request_id = id })).client_request_id
      end)
      for i = 1, 20 do
        assert.equal(("call-%d"):format(i), ids[i])
      end
    end)

    it("opens no more than max_connections", function()
      here:delay(0.1)
      local client = here:client { max_connections = 3 }
      coroutines.together(client, 12, function() assert(poll(client)) end)
      assert.equal(12, #here:entries())
      assert.equal(3, (here:connections()))
    end)

    it("opens sixteen unless it is told otherwise", function()
      here:delay(0.5)
      local client = here:client()
      coroutines.together(client, 20, function() assert(poll(client)) end)
      assert.equal(20, #here:entries())
      assert.equal(16, (here:connections()))
    end)

    it("keeps as many connections as it may open", function()
      local client = here:client { max_connections = 6 }
      here:delay(0.3)
      for _ = 1, 2 do
        coroutines.together(client, 6, function() assert(poll(client)) end)
      end
      assert.equal(12, #here:entries())
      assert.equal(6, (here:connections()))
    end)
  end)

  describe("and its deadlines", function()
    local function slow(seconds, times)
      here:faults { on = "*", delay = seconds, times = times or 1 }
    end

    -- The call's error, and that it did not wait for the answer.
    local function failed(client, before, result, err)
      assert.is_nil(result)
      assert.is_true(client:now() - before < 10)
      return err
    end

    it("ends a call that gets no answer in time", function()
      slow(30)
      local client = here:client { timeout = 0.5 }
      local err = failed(client, client:now(), poll(client))
      assert.equal("transport", err.kind)
      assert.equal("timeout", err.code)
      assert.is_true(err.retryable)
      assert.is_true(err.sent)
    end)

    it("takes the call's own timeout before the client's", function()
      slow(30)
      local client = here:client { timeout = 60 }
      local err = failed(client, client:now(), poll(client, { timeout = 0.2 }))
      assert.equal("timeout", err.code)
      assert(poll(client))
    end)

    it("ends no other call", function()
      slow(30)
      local client, codes = here:client(), {}
      coroutines.together(client, 2, function(i)
        local result, err = poll(client, { timeout = i == 1 and 0.5 or 20 })
        codes[i] = result and result.state or err.code
      end)
      assert.same({ "timeout", "running" }, codes)
    end)

    it("ends several calls, each at its time", function()
      slow(30, -1)
      local client, ended = here:client(), {}
      coroutines.together(client, 4, function(i)
        local _, err = poll(client, { timeout = 0.1 * i })
        table.insert(ended, err.code .. i)
      end)
      assert.same({ "timeout1", "timeout2", "timeout3", "timeout4" }, ended)
    end)

    it("counts the time that a call waits for a connection", function()
      slow(30)
      local client = here:client { max_connections = 1 }
      local first, err
      coroutines.together(client, 2, function(i)
        if i == 1 then
          first = select(2, poll(client, { timeout = 1 }))
        else
          err = select(2, poll(client, { timeout = 0.2 }))
          assert.is_nil(first)
        end
      end)
      assert.equal("timeout", err.code)
      assert.is_false(err.sent)
      assert.equal(1, #here:entries())
    end)

    it("counts the time that the token takes", function()
      local client = here:client { timeout = 0.1, token = function(client)
        client:sleep(0.2)
        return here.portal.token
      end }
      local _, err = poll(client)
      assert.equal("timeout", err.code)
      assert.is_false(err.sent)
      assert.equal(0, #here:entries())
    end)

    it("leave the client fit for the next call", function()
      slow(30, 2)
      local client = here:client { max_connections = 1 }
      for _ = 1, 2 do
        assert.equal("timeout", select(2, poll(client, { timeout = 0.1 })).code)
      end
      assert.equal("running", poll(client).state)
    end)
  end)

  describe("and time", function()
    it("tells monotonic seconds as a float", function()
      local client = here:client()
      local first = client:now()
      assert.equal("float", math.type(first))
      assert.is_true(client:now() >= first)
    end)

    it("sleeps at least as long as it is told", function()
      local client = here:client()
      local before = client:now()
      assert.is_true(client:sleep(0.05))
      assert.is_true(client:now() - before >= 0.05)
    end)

    it("does not wait where there is nothing to sleep", function()
      local client = here:client { wait = function() error "waits" end }
      assert.is_true(client:sleep(0))
    end)

    it("wakes sleepers in the order of their times", function()
      local client, order = here:client(), {}
      coroutines.together(client, 3, function(i)
        client:sleep(0.3 - 0.09 * i)
        table.insert(order, i)
      end)
      assert.same({ 3, 2, 1 }, order)
    end)

    it("answers calls while others sleep", function()
      local client, order = here:client(), {}
      coroutines.together(client, 2, function(i)
        if i == 1 then
          client:sleep(1)
        else
          assert(poll(client))
        end
        table.insert(order, i)
      end)
      assert.same({ 2, 1 }, order)
    end)

    for name, value in pairs { NaN = 0 / 0, negative = -1, string = "1", absent = false } do
      it("refuses to sleep or step for seconds that are " .. name, function()
        local client = here:client()
        for _, method in ipairs { "sleep", "step" } do
          if value or method == "sleep" then
            local good, message = pcall(client[method], client, value or nil)
            assert.is_false(good)
            assert.matches("seconds", message)
          end
        end
      end)
    end
  end)

  describe("that is closed", function()
    -- The errors of calls during which the client is closed, `arrived` of them
    -- when the portal has them.
    local function errors_of(client, count, arrived, call)
      local errors = {}
      coroutines.together(client, count + 1, function(i)
        if i > count then
          here:step_until_arrived(client, arrived)
          client:close()
        else
          errors[i] = select(2, call())
        end
      end)
      return errors
    end

    it("ends its calls, with the location of a poll", function()
      here:delay(30)
      local client = here:client()
      local errors = errors_of(client, 3, 3, function() return poll(client) end)
      for i = 1, 3 do
        assert.equal("closed", errors[i].kind)
        assert.equal(here.running, errors[i].location)
        assert.is_true(errors[i].sent)
      end
    end)

    it("ends a cancel, which may have been carried out", function()
      here:delay(30)
      local client = here:client()
      local err = errors_of(client, 1, 1, function()
        return client:cancel("contoso", "other", EMAIL)
      end)[1]
      assert.equal("closed", err.kind)
      assert.is_true(err.sent)
      assert.is_false(err.retryable)
    end)

    it("ends a call that waits for a connection", function()
      here:delay(30)
      local client = here:client { max_connections = 1 }
      local errors = errors_of(client, 2, 1, function() return poll(client) end)
      assert.equal("closed", errors[1].kind)
      assert.equal("closed", errors[2].kind)
      assert.same({ true, false }, { errors[1].sent, errors[2].sent })
      assert.equal(here.running, errors[2].location)
    end)

    it("ends its sleeps, endless ones too", function()
      local client, results = here:client(), {}
      coroutines.together(client, 3, function(i)
        if i == 3 then
          client:close()
        else
          results[i] = table.pack(client:sleep(i == 1 and 1000 or math.huge))
        end
      end)
      for i = 1, 2 do
        assert.is_nil(results[i][1])
        assert.equal("closed", results[i][2].kind)
        assert.matches("closed", tostring(results[i][2]))
      end
    end)

    it("refuses a new call", function()
      local client = here:client()
      client:close()
      local calls = {
        poll = { harness.PATH }, cancel = { "contoso", "vm" }, status = { "contoso", "vm" },
        operations = { "contoso", "vm" }, sleep = { 1 },
        fetch_token = { { tenant = "t", client_id = "c", client_secret = "s" } },
      }
      for method, arguments in pairs(calls) do
        local good, message = pcall(client[method], client, table.unpack(arguments))
        assert.is_false(good)
        assert.matches("client is closed", message)
      end
      assert.equal(0, #here:entries())
    end)

    it("may be closed again", function()
      local client = here:client()
      assert.is_false(client:closed())
      assert.equal(0, select("#", client:close()))
      assert.is_true(client:closed())
      client:close()
      assert.is_true(client:closed())
      assert.matches("closed", tostring(client))
    end)

    it("may be asked what costs no exchange", function()
      local client = here:client { trace = print, timeout = 7 }
      client:close()
      assert.is_number(client:now())
      assert.same({ print, 7.0 }, { client:option "trace", client:option "timeout" })
      assert.is_nil(client:timeout())
      assert.is_nil(client:finished())
      assert.is_nil(client:pollfd())
      assert.equal("r", client:events())
      assert.is_nil(client:step(30))
      assert.is_nil(client:wait(print))
    end)

    it("has given its descriptors back", function()
      harness.collect()
      local before = harness.descriptors()
      local client = here:client()
      assert(poll(client))
      assert.is_true(harness.descriptors() > before)
      client:close()
      assert.equal(before, (harness.descriptors()))
    end)

    it("is closed by the end of a to-be-closed variable", function()
      local known
      do
        local client <close> = here:client()
        known = client
        assert(poll(client))
      end
      assert.error_matches(function() poll(known) end, "client is closed")
    end)
  end)

  it("raises where it is made wrongly, and leaves nothing open", function()
    harness.collect()
    local before = harness.descriptors()
    for _ = 1, 20 do
      assert.error_matches(function() here:client { timeout = -1 } end, "timeout")
    end
    harness.collect()
    assert.equal(before, (harness.descriptors()))
  end)
end)

describe("a client over TLS", function()
  local here

  setup(function() here = harness.start { tls = true } end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  local function poll(client)
    return client:poll(harness.PATH)
  end

  it("keeps its connection", function()
    local client = here:client()
    for _ = 1, 3 do
      assert(poll(client))
    end
    assert.equal(3, #here:entries())
    assert.equal(1, (here:connections()))
  end)

  it("shares one connection among the streams of HTTP/2", function()
    here:delay(1)
    local client, arrived = here:client(), nil
    coroutines.together(client, 20, function()
      assert(poll(client))
      arrived = arrived or #here:entries()
    end)
    assert.equal(20, arrived)
    assert.equal(1, (here:connections()))
    assert.equal("HTTP/2.0", here:entries()[1].protocol)
  end)

  it("holds max_connections where HTTP/2 has more calls than streams", function()
    here:delay(0.5)
    local client = here:client { max_connections = 2 }
    coroutines.together(client, 130, function() assert(poll(client)) end)
    assert.equal(130, #here:entries())
    assert.is_true(here:connections() <= 2)
  end)

  it("holds max_connections with HTTP/1.1", function()
    here:delay(0.05)
    local client = here:client { max_connections = 3, http_version = "1.1" }
    coroutines.together(client, 9, function() assert(poll(client)) end)
    assert.equal(9, #here:entries())
    assert.equal(3, (here:connections()))
    assert.equal("HTTP/1.1", here:entries()[1].protocol)
  end)

  it("gives up a connection that is not made within connect_timeout", function()
    -- The kernel accepts for the stopped process; nobody answers the handshake.
    local function signal(name)
      assert(os.execute(("kill -%s %d"):format(name, here.portal.pid)))
    end
    local client = here:client { connect_timeout = 0.3, timeout = 50 }
    local before = client:now()
    signal "STOP"
    local _, err = poll(client)
    signal "CONT"
    assert.equal("timeout", err.code)
    assert.is_true(err.retryable)
    assert.is_false(err.sent)
    assert.is_true(client:now() - before < 20)
  end)

  it("ends one stream at its deadline and goes on with the others", function()
    local client, ended = here:client(), {}
    assert(poll(client))
    here:faults { on = "*", delay = 30 }
    coroutines.together(client, 3, function(i)
      local result, err = client:poll(harness.PATH, { timeout = i == 1 and 0.5 or 20 })
      ended[i] = result and result.state or err.code
    end)
    assert.same({ "timeout", "running", "running" }, ended)
    assert(poll(client))
    assert.equal(1, (here:connections()))
  end)
end)
