-- Calls that no connection can take wait their turn; and a call with start_by, which has
-- left by then or is not sent, whatever held it up.

local coroutines = require "spec.support.coroutines"
local cqueues = require "cqueues"
local harness = require "spec.support.harness"
local encounter = require "spec.hostile.encounter"

describe("calls to one host", function()
  local here

  setup(function() here = harness.start() end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  local function poll(client, options)
    return client:poll(harness.PATH, options)
  end

  -- Calls that wait, each with an id of its own, in the order in which they were made.
  local function begin(client, count)
    local threads = {}
    for i = 1, count do
      threads[i] = coroutines.begin(client, "poll", harness.PATH,
        { client_request_id = "call " .. i })
    end
    return threads
  end

  -- Steps until the requests of all these calls have ended; returns what each gives.
  local function finish(client, threads)
    local ended = 0
    while ended < #threads do
      client:step(1)
      while client:finished() do
        ended = ended + 1
      end
    end
    local states = {}
    for i, thread in ipairs(threads) do
      states[i] = assert(coroutines.complete(thread)).state
    end
    return states
  end

  it("have no more connections than max_connections, and go in order", function()
    local client = here:client { max_connections = 3 }
    assert.equal(50, #finish(client, begin(client, 50)))
    local entries = here:entries()
    assert.equal(50, #entries)
    assert.equal(3, (here:connections()))
    for i, entry in ipairs(entries) do
      local place = tonumber(entry.client_request_id:match "%d+")
      assert.is_true(math.abs(place - i) < 3)
    end
  end)

  it("go on when one of them is given up before its turn", function()
    local client = here:client { max_connections = 1 }
    local threads = begin(client, 9)
    for i = 9, 2, -2 do
      assert.is_true(coroutine.close(threads[i - 1]))
      table.remove(threads, i - 1)
    end
    finish(client, threads)
    local ids = {}
    for i, entry in ipairs(here:entries()) do
      ids[i] = entry.client_request_id:match "%d+"
    end
    assert.equal("1 3 5 7 9", table.concat(ids, " "))
  end)

  it("wake who sleeps on the descriptor when the end of one begins another", function()
    here:faults { on = "poll", delay = 30 }
    local client = here:client { max_connections = 1, timeout = 1000, connect_timeout = 1000 }
    local first = coroutines.begin(client, "poll", harness.PATH)
    here:step_until_arrived(client, 1)
    local second = coroutines.begin(client, "poll", harness.PATH)
    while client:timeout() < 100 do
      client:step(0.01)
    end
    assert.is_true(coroutine.close(first))
    assert.is_true(client:timeout() < 1)
    coroutines.until_ended(client)
    assert.equal("running", coroutines.complete(second).state)
  end)

  it("end as closed in the queue when the client closes", function()
    local client = here:client { max_connections = 1 }
    local threads = begin(client, 30)
    client:close()
    for _, thread in ipairs(threads) do
      assert.equal("closed", select(2, coroutines.complete(thread)).kind)
    end
  end)

  it("wait for nothing at another host", function()
    here:faults { on = "poll", delay = 30 }
    local client = here:client { max_connections = 1 }
    local waiting = begin(client, 5)
    local other = here.portal.endpoint:gsub("127%.0%.0%.1", "localhost")
    assert.equal("running", assert(client:status("contoso", "vm", { endpoint = other })).state)
    assert.equal(5, #waiting)
  end)

  describe("with start_by", function()
    local function refused(operation, err)
      assert.is_nil(operation)
      assert.same({ "transport", "not_started", false, true },
        { err.kind, err.code, err.sent, err.retryable })
    end

    it("go before that time", function()
      local client = here:client()
      for _, time in ipairs { client:now() + 30, math.huge } do
        assert(poll(client, { start_by = time }))
        assert(client:operations("contoso", "vm", { start_by = time }))
        assert(client:cancel("contoso", "other", { start_by = time }))
      end
      assert.equal(6, #here:entries())
    end)

    it("do not go after it", function()
      local client = here:client()
      for _, time in ipairs { client:now() - 0.001, 0, -5, -math.huge } do
        refused(client:cancel("contoso", "other", { start_by = time }))
        refused(poll(client, { start_by = time }))
      end
      assert.equal(0, #here:entries())
    end)

    it("do not go when the token function took too long", function()
      local client
      client = here:client { token = function()
        assert(client:sleep(0.1))
        return here.portal.token
      end }
      refused(client:cancel("contoso", "other", { start_by = client:now() + 0.05 }))
      assert.equal(0, #here:entries())
    end)

    it("end at that time in the queue", function()
      here:faults { on = "poll", delay = 30 }
      local client = here:client { max_connections = 1 }
      local first = coroutines.begin(client, "poll", harness.PATH)
      here:step_until_arrived(client, 1)
      refused(client:cancel("contoso", "other", { start_by = client:now() + 0.05 }))
      assert.is_true(coroutine.close(first))
      assert.equal(1, #here:entries())
    end)

    it("do not go when the process was busy elsewhere", function()
      local client = here:client()
      local start_by = client:now() + 0.05
      local call = coroutines.begin(client, "cancel", "contoso", "other", { start_by = start_by })
      os.execute "sleep 0.1"
      coroutines.until_ended(client)
      refused(coroutines.complete(call))
      assert.equal(0, #here:entries())
      assert(poll(client))
    end)

    it("may be answered later than that", function()
      here:delay(0.3)
      local client = here:client()
      local start_by = client:now() + 0.15
      assert(poll(client, { start_by = start_by }))
      assert.is_true(client:now() > start_by)
    end)

    it("end by timeout where that comes first", function()
      here:faults { on = "poll", delay = 30 }
      local client = here:client { max_connections = 1, timeout = 0.1 }
      local first = coroutines.begin(client, "poll", harness.PATH, { timeout = 30 })
      here:step_until_arrived(client, 1)
      local _, err = poll(client, { start_by = client:now() + 30 })
      assert.is_true(coroutine.close(first))
      assert.same({ "timeout", false }, { err.code, err.sent })
    end)

    it("say in a dry run what they would send", function()
      assert.equal("POST", here:client():cancel("contoso", "vm",
        { start_by = 0, dry_run = true }).method)
    end)
  end)
end)

describe("calls to a peer that keeps silent", function()
  local peer
  encounter.share(setup, teardown, function(shared)
    peer = shared
  end)

  -- libcurl has been given both, since nobody knows how many a connection can take.
  it("wake who sleeps on the descriptor when the end of one begins another", function()
    peer:play { { hold = true } }
    local client = peer:client { max_connections = 1,
      endpoint = peer.endpoint:gsub("http:", "https:") }
    local first = coroutines.begin(client, "poll", "/1")
    local second = coroutines.begin(client, "poll", "/2")
    local limit = client:now() + 5
    while client:timeout() < 1 do
      assert(client:now() < limit)
      client:step(0.01)
    end
    local fd = client:pollfd()
    local readable = { pollfd = fd, events = "r" }
    assert.is_truthy(not fd or cqueues.poll(readable, 0.01) ~= readable)
    assert.is_true(coroutine.close(first))
    assert.equal(0, client:timeout())
    assert.is_truthy(not fd or cqueues.poll(readable, 5) == readable)
    assert.is_true(coroutine.close(second))
    if fd then
      cqueues.cancel(fd)
    end
  end)

  it("are not sent where the handshake takes longer than start_by allows", function()
    peer:play { { hold = true } }
    local client = peer:client()
    local _, err = client:cancel("contoso", "vm", { start_by = client:now() + 0.1,
      endpoint = peer.endpoint:gsub("http:", "https:") })
    assert.same({ "not_started", false }, { err.code, err.sent })
  end)
end)

describe("calls over HTTP/2", function()
  local here

  setup(function() here = harness.start { tls = true } end)
  teardown(function() here:close() end)

  it("share max_connections = 1, as many as the server lets", function()
    here:delay(1)
    local client <close>, arrived = here:client { max_connections = 1 }, nil
    coroutines.together(client, 100, function()
      assert(client:poll(harness.PATH))
      arrived = arrived or #here:entries()
    end)
    assert.equal(100, arrived)
    assert.equal(1, (here:connections()))
  end)
end)
