local asking = require "spec.emulator.asking"

local cancel, get, location_of = asking.cancel, asking.get, asking.location_of
local path_of, poll, post = asking.path_of, asking.poll, asking.post
local ALWAYS = -1

describe("the emulator breaks", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  local function broken(fault, more)
    still({}, more)
    portal:set("*", { faults = { fault } })
  end

  it("the connection before it acts", function()
    broken { on = "cancel", drop = "before" }
    assert.equal(52, cancel(portal).exit)
    assert.equal(1, portal:ledger().cancels)
    assert.equal(0, portal:ledger().acted)
    assert.equal(202, cancel(portal).status)
  end)

  it("the connection after it acted", function()
    broken { on = "cancel", drop = "after" }
    assert.equal(52, cancel(portal).exit)
    assert.equal(1, portal:ledger().acted)
    assert.is_nil(portal:ledger().entries[1].status)
  end)

  it("the stream, over HTTP/2", function()
    broken({ on = "cancel", drop = "after" }, { tls = true })
    assert.equal(92, cancel(portal).exit)
    assert.equal(1, portal:ledger().acted)
  end)

  it("with a status before it acts", function()
    broken { on = "cancel", status = 503, retry_after = "3", body = "busy" }
    local answer = cancel(portal)
    assert.equal(503, answer.status)
    assert.equal("3", answer.headers["retry-after"])
    assert.truthy(answer.output:find "busy$")
    assert.equal(0, portal:ledger().acted)
  end)

  it("with a status after it acted", function()
    broken { on = "cancel", status = 500, when = "after" }
    local answer = cancel(portal)
    assert.equal(500, answer.status)
    assert.is_nil(location_of(answer))
    assert.equal(1, portal:ledger().acted)
  end)

  it("with headers added to a good answer", function()
    broken { on = "poll", retry_after = "7", headers = { ["X-Odd"] = "1" } }
    local answer = poll(portal)
    assert.equal("running", answer.document.status)
    assert.equal("7", answer.headers["retry-after"])
    assert.equal("1", answer.headers["x-odd"])
  end)

  it("with another body", function()
    broken { on = "poll", body = "[1,", headers = { ["Content-Type"] = "text/html" } }
    local answer = poll(portal)
    assert.equal(200, answer.status)
    assert.equal("[1,", answer.body)
    assert.equal("text/html", answer.headers["content-type"])
  end)

  it("with raw bytes, in pieces", function()
    broken { on = "poll", raw = { "HTTP/1.1 200 OK\r\nContent-Le", 0.01,
      "ngth: 10\r\n\r\nshort\0" } }
    local answer = poll(portal)
    assert.equal(18, answer.exit)
    assert.equal("short\0", answer.body)
  end)

  it("with raw bytes after it acted", function()
    broken { on = "cancel", raw = "garbage\r\n\r\n", when = "after" }
    assert.not_equal(0, cancel(portal).exit)
    assert.equal(1, portal:ledger().acted)
  end)

  it("the stream where raw bytes cannot be sent", function()
    broken({ on = "poll", raw = "garbage" }, { tls = true })
    assert.equal(92, poll(portal).exit)
  end)

  it("late, having acted and recorded at once", function()
    broken { on = "cancel", delay = 10 }
    assert.equal(28, cancel(portal, "--max-time", "0.3").exit)
    assert.equal(1, portal:ledger().acted)
  end)

  it("some requests and not others", function()
    broken { on = "poll", skip = 1, times = 2, status = 500 }
    local seen = {}
    for i = 1, 4 do
      seen[i] = poll(portal).status
    end
    assert.same({ 200, 500, 500, 200 }, seen)
  end)

  it("one offer and not another", function()
    broken { on = "status", offer = "contoso/other", status = 500, times = ALWAYS }
    assert.equal(200, get(portal, path_of "contoso/vm" .. "status").status)
    assert.equal(500, get(portal, path_of "contoso/other" .. "status").status)
  end)

  it("some at random, the same with every run", function()
    local function run()
      local seen = {}
      portal:set("*", { faults = {
        { on = "poll", status = 500, times = ALWAYS, probability = 0.5, seed = 7 } } })
      for i = 1, 12 do
        seen[i] = poll(portal).status
      end
      return seen
    end
    still()
    local first = run()
    assert.same(first, run())
    assert.truthy(table.concat(first, " "):find "200")
    assert.truthy(table.concat(first, " "):find "500")
  end)

  it("nothing more when the faults are taken away", function()
    broken { on = "*", times = ALWAYS, status = 500 }
    assert.equal(500, poll(portal).status)
    portal:set("*", { faults = {} })
    assert.equal(200, poll(portal).status)
  end)

  for _, tls in ipairs { false, true } do
    it("the order, answering a POST before its body" .. (tls and " (HTTP/2)" or ""),
      function()
        broken({ on = "cancel", early = true }, { tls = tls })
        local answer = post(portal, path_of "contoso/vm" .. "cancel", ("x"):rep(100000))
        assert.equal(202, answer.status)
        assert.is_nil(portal:ledger().entries[1].body)
        assert.equal(1, portal:ledger().acted)
      end)
  end
end)
