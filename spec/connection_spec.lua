-- Kept connections: what a peer sends, or how it ends, while a connection idles is never
-- taken for an answer, and no call fails for it.

local bench = require "spec.hostile.bench"

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
  bench.share(setup, teardown, function(shared)
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
    return client
  end

  for what, steps in pairs(late) do
    for when, wait in pairs(idle) do
      it(("that saw %s while %s is not used for a cancel"):format(what, when), function()
        local client = suffer(steps, wait, ACCEPTED)
        local operation = assert(client:cancel("contoso", "vm"))
        assert.same({ "accepted", peer.endpoint .. "/api/right?" .. bench.VERSION },
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
        assert.equal(peer.endpoint .. "/api/right?" .. bench.VERSION, operation.location)
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

  it("is left alone by a cancel, and serves the read after it", function()
    local client = peer:client()
    peer:play({ { read = "http" }, OK, { read = "http" }, OK, HOLD },
      { { read = "http" }, ACCEPTED, HOLD })
    assert(client:poll(peer.location))
    assert(client:cancel("contoso", "vm"))
    assert.same({ 2, 0, 2 }, { peer:counts() })
  end)
end)
