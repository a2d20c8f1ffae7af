local asking = require "spec.emulator.asking"

local GUID, cancel, follow = asking.GUID, asking.cancel, asking.follow
local location_of, poll = asking.location_of, asking.poll

describe("the emulator cancels", function()
  local portal
  local still, advance = asking.share(after_each, function(given)
    portal = given
  end)

  it("what runs, in its time", function()
    still { cancel_seconds = 60 }
    local answer = cancel(portal)
    assert.equal(202, answer.status)
    assert.equal("running", follow(portal, answer).document.status)
    advance(59)
    assert.equal("running", follow(portal, answer).document.status)
    advance(1)
    assert.equal("canceled", follow(portal, answer).document.status)
    assert.equal(1, portal:ledger().acted)
  end)

  it("an idle offer with a 202 like any other", function()
    still { running = false }
    local answer = cancel(portal)
    assert.equal(202, answer.status)
    assert.is_string(location_of(answer))
    advance(120)
    assert.equal("completed", follow(portal, answer).document.status)
    assert.equal(0, portal:ledger().acted)
    assert.equal(1, portal:ledger().idle)
  end)

  it("an idle offer, naming its last operation", function()
    still { running = false, history = { { id = GUID, state = "failed" } } }
    assert.equal("failed", follow(portal, cancel(portal)).document.status)
  end)

  it("at once when it is synchronous", function()
    still { synchronous = true }
    local answer = cancel(portal)
    assert.equal(200, answer.status)
    assert.is_nil(location_of(answer))
    assert.equal("", answer.body)
    assert.equal("canceled", poll(portal).document.status)
  end)

  it("with an operation of its own", function()
    still { names = "own", own_id = "11111111-2222-4333-8444-555555555555" }
    local answer = cancel(portal)
    assert.truthy(location_of(answer):find "11111111%-2222%-4333%-8444%-555555555555$")
    assert.equal("running", follow(portal, answer).document.status)
    advance(120)
    assert.equal("completed", follow(portal, answer).document.status)
    assert.equal("canceled", poll(portal).document.status)
  end)

  it("with an operation of its own that ends as told", function()
    still { names = "own", own_ending = "canceled", cancelable = false }
    local answer = cancel(portal)
    advance(120)
    assert.equal("canceled", follow(portal, answer).document.status)
    assert.equal("running", poll(portal).document.status)
  end)

  it("what runs, naming what ran before", function()
    still { names = "old", history = { { state = "failed" }, { state = "canceled" } } }
    assert.equal("canceled", follow(portal, cancel(portal)).document.status)
    assert.equal("cancelRequested", poll(portal).document.cancellationRequestState)
    portal:set("contoso/other", { running = "publish", names = "old" })
    local answer = asking.post(portal, asking.path_of "contoso/other" .. "cancel",
      asking.BODY)
    assert.equal("running", follow(portal, answer).document.status)
  end)

  it("too late", function()
    still { too_late = true }
    assert.equal("completed", follow(portal, cancel(portal)).document.status)
  end)

  it("what completes some time after it was accepted", function()
    still { too_late = 30, cancel_seconds = 60 }
    local answer = cancel(portal)
    advance(29)
    assert.equal("running", follow(portal, answer).document.status)
    advance(1)
    assert.equal("completed", follow(portal, answer).document.status)
  end)

  it("in vain where the service gives up", function()
    still { cancelable = false, names = "own" }
    local answer = cancel(portal)
    assert.equal("cancelRequested", poll(portal).document.cancellationRequestState)
    advance(120)
    assert.equal("failed", follow(portal, answer).document.status)
    assert.equal("running", poll(portal).document.status)
    assert.equal("canCancel", poll(portal).document.cancellationRequestState)
  end)

  it("a preview that waits for its publisher", function()
    still { running = "preview" }
    local answer = cancel(portal)
    advance(120)
    assert.equal("canceled", follow(portal, answer).document.status)
  end)

  it("once, however often it is asked", function()
    still { cancel_seconds = 60 }
    cancel(portal)
    advance(59)
    cancel(portal)
    advance(1)
    assert.equal("canceled", poll(portal).document.status)
    assert.same({ 1, 1 }, { portal:ledger().acted, portal:ledger().repeated })
  end)

  it("again what an earlier cancel gave up", function()
    still { cancelable = false, cancel_seconds = 60 }
    cancel(portal)
    advance(60)
    cancel(portal)
    assert.same({ 2, 0 }, { portal:ledger().acted, portal:ledger().repeated })
  end)

  it("nothing where it refuses an idle offer's", function()
    still { running = false, refuse_idle = 409 }
    local answer = cancel(portal)
    assert.equal(409, answer.status)
    assert.equal("InvalidOperation", answer.document.error.code)
    assert.is_nil(location_of(answer))
    assert.same({ 1, 0, 0 }, { portal:ledger().cancels, portal:ledger().acted,
      portal:ledger().idle })
    portal:set("contoso/vm", { running = "publish" })
    assert.equal(202, cancel(portal).status)
  end)

  it("once where it refuses a repeated one", function()
    still { cancel_seconds = 60, refuse_repeated = 400 }
    assert.equal(202, cancel(portal).status)
    local answer = cancel(portal)
    assert.equal(400, answer.status)
    assert.equal("OperationInProgress", answer.document.error.code)
    assert.same({ 1, 0 }, { portal:ledger().acted, portal:ledger().repeated })
    advance(60)
    assert.equal("canceled", poll(portal).document.status)
    assert.equal(202, cancel(portal).status)
  end)

  it("with a 200 that acts later", function()
    still { synchronous = 3 }
    assert.equal(200, cancel(portal).status)
    advance(2)
    assert.equal("running", poll(portal).document.status)
    advance(1)
    assert.equal("canceled", poll(portal).document.status)
  end)

  it("and shows so in cancellationRequestState", function()
    still { cancel_seconds = 0 }
    assert.equal("canCancel", poll(portal).document.cancellationRequestState)
    cancel(portal)
    assert.is_nil(poll(portal).document.cancellationRequestState)
    portal:set("contoso/vm", { cancellation_state = "odd" })
    assert.equal("odd", poll(portal).document.cancellationRequestState)
  end)
end)
