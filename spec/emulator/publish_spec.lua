local asking = require "spec.emulator.asking"
local cpp = require "cpp"
local workflow = require "cpp.workflow"

local BODY, GUID, cancel, list = asking.BODY, asking.GUID, asking.cancel, asking.list
local location_of, path_of, poll = asking.location_of, asking.path_of, asking.poll
local post, states = asking.post, asking.states

describe("the emulator publishes", function()
  local portal
  local still, advance = asking.share(after_each, function(given)
    portal = given
  end)

  local path = path_of "contoso/vm"

  it("an idle offer, with a body that is not JSON", function()
    still { running = false }
    local answer = post(portal, path .. "publish", BODY)
    assert.equal(202, answer.status)
    assert.equal("Publish accepted", answer.output:match "\r\n\r\n(.*)$")
    assert.truthy(location_of(answer):find(GUID, 1, true))
    assert.same({ "a@x.com", "b@y.com" }, list(portal)[1].definition.metadata.emails)
  end)

  it("not while something runs", function()
    assert.equal(409, post(still(), path .. "publish", BODY).status)
  end)

  it("again when a cancel has ended", function()
    still { cancel_seconds = 60 }
    cancel(portal)
    assert.equal(409, post(portal, path .. "publish", BODY).status)
    advance(60)
    assert.equal(202, post(portal, path .. "publish", BODY).status)
  end)

  it("up to the publisher's signoff, then goes live", function()
    still { signoff = true, publish_seconds = 600 }
    assert.equal(400, post(portal, path .. "golive", "").status)
    advance(600)
    assert.equal(202, post(portal, path .. "golive", "").status)
    assert.equal("completed", poll(portal).document.status)
    assert.equal("production", list(portal)[1].slot)
  end)

  it("what a colleague starts when the run has ended", function()
    still { cancel_seconds = 10, next = { id = "colleague" } }
    cancel(portal)
    advance(10)
    assert.equal("canceled", poll(portal).document.status)
    assert.equal("running", poll(portal, "colleague").document.status)
  end)

  -- What a patch says of `next` while its offer's last run is over.
  for name, patch in pairs {
    ["only that"] = { next = { id = "colleague" } },
    ["with what runs"] = { next = { id = "colleague" }, running = "publish" },
  } do
    it("what a colleague starts after a run that is yet to start: " .. name, function()
      still { publish_seconds = 600, elapsed = 600 }
      portal:set("contoso/vm", { publish_seconds = 3600, elapsed = 0 })
      portal:set("contoso/vm", patch)
      assert.equal(404, poll(portal, "colleague").status)
      if not patch.running then
        post(portal, path_of "contoso/vm" .. "publish", BODY)
      end
      advance(3600)
      assert.equal("running", poll(portal, "colleague").document.status)
      assert.equal(3, #list(portal))
    end)
  end

  it("again when a list has shown the end of the last one", function()
    still { cancel_seconds = 10, republish = 600 }
    cancel(portal)
    advance(10)
    for _ = 1, 2 do
      assert.equal("canceled", poll(portal).document.status)
    end
    assert.same({ "canceled" }, states(list(portal)))
    assert.same({ "running", "canceled" }, states(list(portal)))
    cancel(portal)
    advance(10)
    assert.same({ "canceled", "canceled" }, states(list(portal)))
    assert.equal(3, #list(portal))
    assert.same({ 2, 0 }, { portal:ledger().acted, portal:ledger().idle })
  end)

  it("again, so that a workflow cancels and cancels again", function()
    still({ republish = 20000 }, { speed = 1000 })
    local client <close> = cpp.client { endpoint = portal.endpoint, token = portal.token }
    local seen = {}
    for i = 1, 2 do
      local result = assert(workflow.cancel(client, "contoso", "vm",
        { interval = 0.05, max_interval = 0.1, deadline = 60 }))
      assert.same({ "canceled" }, { result.outcome, result.running })
      seen[i] = result.operation.id
    end
    assert.not_equal(seen[1], seen[2])
    assert.same({ 2, 0, 0 }, { portal:ledger().acted, portal:ledger().repeated,
      portal:ledger().idle })
  end)

  it("again some time after the end of the last one", function()
    still { cancel_seconds = 10, republish = 600 }
    cancel(portal)
    advance(609)
    assert.equal(202, cancel(portal).status)
    assert.equal(1, portal:ledger().idle)
    advance(1)
    assert.equal(202, cancel(portal).status)
    assert.same({ 2, 1 }, { portal:ledger().acted, portal:ledger().idle })
  end)

  it("not again what an offer's history holds, nor once it is told not to", function()
    still { running = false, history = { {} }, republish = 0 }
    assert.equal(1, #list(portal))
    assert.equal(1, #list(portal))
    portal:set("contoso/vm", { running = "publish", publish_seconds = 5 })
    portal:set("contoso/vm", { republish = false })
    advance(5)
    assert.equal(2, #list(portal))
    assert.equal(2, #list(portal))
  end)

  it("nothing of a colleague's by what an offer's history holds", function()
    still { running = false, history = { {} }, next = { id = "colleague" } }
    assert.equal(404, poll(portal, "colleague").status)
    assert.equal(1, #list(portal))
  end)

  it("what a colleague starts when a run ended before the next was announced", function()
    still { publish_seconds = 600, next = { id = "first" } }
    advance(600)
    portal:set("contoso/vm", { next = { id = "second" } })
    assert.equal("running", poll(portal, "first").document.status)
    assert.equal(404, poll(portal, "second").status)
    advance(600)
    assert.equal("running", poll(portal, "second").document.status)
  end)
end)
