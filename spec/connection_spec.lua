-- Kept connections: what a peer sends, or how it ends, while a connection idles is never
-- taken for an answer, and no call fails for it.

local encounter = require "spec.hostile.encounter"
local cpp = require "cpp"
local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"
local tls = require "spec.hostile.tls"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" .. '{"status":"running"}'
local ACCEPTED = "HTTP/1.1 202 Accepted\r\nLocation: /api/right\r\nContent-Length: 0\r\n\r\n"
local RESET = { reset = true }
local HOLD = { hold = true }

local function answer(status, body)
  return ("HTTP/1.1 %s\r\nLocation: /api/wrong\r\nContent-Length: %d\r\n\r\n%s"):format(
    status, #body, body)
end

describe("a kept connection over HTTP/1.1", function()
  local peer
  encounter.share(setup, teardown, function(shared)
    peer = shared
  end)
  after_each(function()
    peer:forget()
  end)

  -- What the peer does after its first answer.
  local late = {
    ["a late 408"] = { answer("408 Request Timeout", "") },
    ["a late 400"] = { answer("400 Bad Request", "{}") },
    ["a late 500"] = { answer("500 Internal Server Error", "") },
    ["a late 200 that says canceled"] = { answer("200 OK", '{"status":"canceled"}') },
    ["a late 200 without a body"] = { answer("200 OK", "") },
    ["a late 202"] = { answer("202 Accepted", "") },
    ["a late byte"] = { "\n" },
    ["an end"] = {},
    ["a late answer and an end"] = { answer("408 Request Timeout", ""), 0 },
    ["a late byte and a reset"] = { "x", RESET },
    ["a reset"] = { RESET },
  }

  local idle = {
    ["the loop ran"] = function(client) assert(client:sleep(0.1)) end,
    ["the process was busy"] = function() os.execute "sleep 0.1" end,
  }

  -- A client whose only connection has served, and then suffered.
  local function suffer(steps, wait, then_plays)
    local client = peer:client()
    local script = { { read = "http" }, OK, 0.02, table.unpack(steps) }
    if steps[#steps] ~= RESET and #steps > 0 and steps[#steps] ~= 0 then
      table.insert(script, HOLD)
    end
    peer:play(script, { { read = "http" }, then_plays, HOLD })
    assert.equal("running", assert(client:poll(peer.location)).state)
    wait(client)
    peer:counts() -- by now it has done what was due
    return client
  end

  for what, steps in pairs(late) do
    for when, wait in pairs(idle) do
      it(("that saw %s while %s is not used for a cancel"):format(what, when), function()
        local client = suffer(steps, wait, ACCEPTED)
        local operation = assert(client:cancel("contoso", "vm"))
        assert.same({ "accepted", peer.endpoint .. "/api/right?" .. encounter.VERSION },
          { operation.state, operation.location })
        assert.same({ 2, 0, 2 }, { peer:counts() })
      end)

      it(("that saw %s while %s is not used for a poll"):format(what, when), function()
        local client = suffer(steps, wait, OK)
        assert.equal("running", assert(client:poll(peer.location)).state)
        assert.same({ 2, 0, 2 }, { peer:counts() })
      end)
    end
  end

  for what, steps in pairs(late) do
    if type(steps[1]) == "string" then
      it(("that got %s in one segment with the answer is not used again"):format(what), function()
        local client = peer:client()
        peer:play({ { read = "http" }, OK .. steps[1], HOLD },
          { { read = "http" }, ACCEPTED, HOLD })
        assert.equal("running", assert(client:poll(peer.location)).state)
        local operation = assert(client:cancel("contoso", "vm"))
        assert.equal(peer.endpoint .. "/api/right?" .. encounter.VERSION, operation.location)
        assert.same({ 2, 0, 2 }, { peer:counts() })
      end)
    end
  end

  it("serves the next read where nothing happened on it", function()
    local client = peer:client()
    peer:play { { read = "http" }, OK, { read = "http" }, OK, HOLD }
    assert(client:poll(peer.location))
    assert(client:sleep(0.02))
    assert(client:poll(peer.location))
    assert.same({ 1, 0, 2 }, { peer:counts() })
  end)

  it("that dies under a read costs no read its answer, however often it happens", function()
    local client, plays = peer:client(), {}
    for i = 1, 9 do
      plays[i] = { { read = "http" }, OK, { read = "http" } }
    end
    peer:play(table.unpack(plays))
    for _ = 1, 9 do
      assert(client:poll(peer.location))
    end
    assert.same({ 9, 0, 17 }, { peer:counts() })
  end)

  it("is left alone by a cancel, and serves the read after it", function()
    local client = peer:client()
    peer:play({ { read = "http" }, OK, { read = "http" }, OK, HOLD },
      { { read = "http" }, ACCEPTED, HOLD })
    assert(client:poll(peer.location))
    assert(client:cancel("contoso", "vm"))
    assert.same({ 2, 0, 2 }, { peer:counts() })
  end)
end)

describe("a kept connection over TLS and HTTP/1.1", function()
  local over_tls = harness.share_secure(before_each, teardown)

  -- What the server sends, after seconds, behind its first answer; nothing: it ends.
  local late = {
    ["a late 408"] = { 0.05, answer("408 Request Timeout", ""), 60 },
    ["a late 400"] = { 0.05, answer("400 Bad Request", "{}"), 60 },
    ["a late 500"] = { 0.05, answer("500 Internal Server Error", ""), 60 },
    ["a late 200 that says canceled"] = { 0.05, answer("200 OK", '{"status":"canceled"}'), 60 },
    ["a late 200 without a body"] = { 0.05, answer("200 OK", ""), 60 },
    ["a late 202"] = { 0.05, answer("202 Accepted", ""), 60 },
    ["close_notify"] = { 0.05 },
    ["a late answer and close_notify"] = { 0.05, answer("408 Request Timeout", "") },
    ["a late 200 right behind the answer"] = { answer("200 OK", '{"status":"canceled"}'), 60 },
    ["close_notify right behind the answer"] = {},
  }

  -- A client with `count` connections that have served, and then suffered.
  local function suffer(steps, wait, count)
    local here = over_tls()
    local client = here:client { http_version = "1.1" }
    here.portal:set("*", { faults = {
      { on = "poll", times = count, delay = count > 1 and 0.3 or 0,
        raw = { OK, table.unpack(steps) } },
    } })
    coroutines.together(client, count, function()
      assert.equal("running", assert(client:poll(here.location)).state)
    end)
    wait(client)
    local other = here:client()
    for _ = 1, 3 do -- by then the server has done what was due
      assert(other:status("contoso", "vm"))
    end
    return client, here
  end

  -- What else it was asked.
  local function asked(here)
    local entries = {}
    for _, entry in ipairs(here:entries()) do
      if entry.call ~= "status" then
        table.insert(entries, entry)
      end
    end
    return entries
  end

  local idle = {
    ["the loop ran"] = function(client) assert(client:sleep(0.15)) end,
    ["the process was busy"] = function() os.execute "sleep 0.15" end,
  }

  for what, steps in pairs(late) do
    for when, wait in pairs(idle) do
      it(("that saw %s while %s is not used for a cancel"):format(what, when), function()
        local client, here = suffer(steps, wait, 1)
        local operation = assert(client:cancel("contoso", "vm"))
        assert.equal("accepted", operation.state)
        assert.matches("/operations/", operation.location)
        local entries = asked(here)
        assert.same({ 2, "cancel", 202 }, { #entries, entries[2].call, entries[2].status })
        assert.not_equal(entries[1].connection, entries[2].connection)
      end)

      it(("that saw %s while %s is not used for a poll"):format(what, when), function()
        local client, here = suffer(steps, wait, 1)
        assert.equal("canceled", assert(client:poll(here.location)).state)
        local entries = asked(here)
        assert.equal(2, #entries)
        assert.not_equal(entries[1].connection, entries[2].connection)
      end)
    end
  end

  for when, wait in pairs(idle) do
    it(("costs no call where eight have ended while %s"):format(when), function()
      for _, call in ipairs { "poll", "cancel" } do
        local client, here = suffer({ 0.05 }, wait, 8)
        assert.equal(8, #asked(here))
        if call == "poll" then
          assert.equal("canceled", assert(client:poll(here.location)).state)
        else
          assert.equal("accepted", assert(client:cancel("contoso", "vm")).state)
        end
        assert.equal(9, #asked(here))
        here:reset()
      end
    end)
  end

  it("serves the next read where nothing happened on it, and no cancel", function()
    local here = over_tls()
    local client = here:client { http_version = "1.1" }
    assert(client:poll(here.location))
    assert(client:sleep(0.02))
    assert(client:poll(here.location))
    assert(client:cancel("contoso", "vm"))
    assert(client:poll(here.location))
    local entries = here:entries()
    assert.equal(entries[1].connection, entries[2].connection)
    assert.not_equal(entries[1].connection, entries[3].connection)
  end)
end)

describe("a kept connection to a server that ends it", function()
  local servers

  setup(function()
    local peer = encounter.start() -- for a port that is free on all loopback addresses
    servers = tls.start(peer.port)
    peer:close()
  end)
  teardown(function()
    servers:close()
  end)

  local function client_of(name)
    return cpp.client { endpoint = servers.endpoints[name], token = "t", timeout = 20,
      ca_file = servers.folder .. "/root.pem" }
  end

  -- What a client with one connection that has served, and then idled longer than the
  -- server lets it, gets for a call.
  local function idle(name, wait, call)
    local client <close> = client_of(name)
    for _ = 1, 3 do
      assert.equal("canceled", assert(client:poll "/x").state)
      wait(client)
      local operation, err
      if call == "poll" then
        operation, err = client:poll "/x"
      else
        operation, err = client:cancel("contoso", "vm")
      end
      assert.equal("canceled", operation and operation.state, tostring(err))
      wait(client)
    end
  end

  for name, version in pairs { hasty = "HTTP/1.1", hasty2 = "HTTP/2" } do
    for _, call in ipairs { "poll", "cancel" } do
      it(("costs no %s over %s while the loop ran"):format(call, version), function()
        idle(name, function(client) client:sleep(0.3) end, call)
      end)

      it(("costs no %s over %s while the process was busy"):format(call, version), function()
        idle(name, function() os.execute "sleep 0.3" end, call)
      end)
    end
  end

  it("costs no call over HTTP/2 after its last request", function()
    local client <close> = client_of "brief2"
    for _ = 1, 8 do
      assert.equal("canceled", assert(client:poll "/x").state)
      assert.equal("canceled", assert(client:cancel("contoso", "vm")).state)
    end
  end)
end)
