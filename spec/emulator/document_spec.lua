local asking = require "spec.emulator.asking"

local GUID, cancel, get, list = asking.GUID, asking.cancel, asking.get, asking.list
local location_of, path_of, poll = asking.location_of, asking.path_of, asking.poll

describe("the emulator shows an operation", function()
  local portal
  local still, advance = asking.share(after_each, function(given)
    portal = given
  end)

  it("with its six steps and their progress", function()
    still { publish_seconds = 600, elapsed = 150 }
    local document = poll(portal).document
    local seen = {}
    for i, step in ipairs(document.steps) do
      seen[i] = { step.id, step.status, math.tointeger(step.progressPercentage) }
    end
    assert.same({
      { "displaydummycertify", "complete", 100 },
      { "displaycertify", "inProgress", 50 },
      { "displayprovision", "notStarted", 0 },
      { "displaypackage", "notStarted", 0 },
      { "publisher-signoff", "notStarted", 0 }, { "live", "notStarted", 0 },
    }, seen)
  end)

  it("that completes by itself", function()
    still { publish_seconds = 600 }
    advance(600)
    local document = poll(portal).document
    assert.equal("completed", document.status)
    assert.equal(100, document.steps[6].progressPercentage)
  end)

  it("that fails, with messages in HTML", function()
    still { publish_seconds = 600, ending = "failed", errors = { "<p>no</p>" } }
    advance(600)
    local document = poll(portal).document
    assert.equal("failed", document.status)
    assert.equal("failed", document.steps[2].status)
    assert.equal("<p>no</p>", document.steps[2].messages[1].messageHtml)
    assert.equal("error", document.steps[2].messages[1].level)
  end)

  it("that waits for its publisher", function()
    still { running = "preview" }
    local document = poll(portal).document
    assert.equal("running", document.status)
    assert.equal("waitingForPublisherReview", document.steps[5].status)
    local status = get(portal, path_of "contoso/vm" .. "status").document
    assert.equal("waitingForPublisherReview", status.status)
  end)

  it("that is blocked while it runs", function()
    still { blocked = true, elapsed = 1 }
    local document = poll(portal).document
    assert.equal("running", document.status)
    assert.equal("blocked", document.steps[1].status)
    assert.equal("error", document.steps[1].messages[1].level)
  end)

  it("that is queued first", function()
    still { queued_seconds = 10 }
    assert.equal("not started", poll(portal).document.status)
    advance(10)
    assert.equal("running", poll(portal).document.status)
  end)

  it("as an array of one", function()
    assert.equal("running", poll(still { document = "array" }).document[1].status)
  end)

  it("in other words", function()
    still { words = { running = "In_Progress" } }
    assert.equal("In_Progress", poll(portal).document.status)
    assert.equal("In_Progress", list(portal)[1].submissionState)
  end)

  it("with other HTTP statuses", function()
    still { running_status = 202, done_status = 204, cancel_seconds = 0 }
    local answer = poll(portal)
    assert.equal(202, answer.status)
    assert.truthy(location_of(answer):find(GUID, 1, true))
    cancel(portal)
    answer = poll(portal)
    assert.equal(204, answer.status)
    assert.equal("", answer.body)
  end)

  it("late, and not at all before it is known", function()
    still { running = false, document_lag = 30, cancel_seconds = 0 }
    portal:set("contoso/vm", { running = "publish", id = GUID })
    assert.equal(404, poll(portal).status)
    advance(30)
    assert.equal("running", poll(portal).document.status)
    cancel(portal)
    advance(29)
    assert.equal("running", poll(portal).document.status)
    advance(1)
    assert.equal("canceled", poll(portal).document.status)
  end)

  it("late with what its cancel changed", function()
    still { document_lag = 30, cancel_seconds = 60 }
    advance(30)
    cancel(portal)
    assert.equal("canCancel", poll(portal).document.cancellationRequestState)
    advance(30)
    assert.equal("cancelRequested", poll(portal).document.cancellationRequestState)
  end)

  it("by turns as it is and as it was", function()
    still { document_lag = 3600, replicas = "alternating", elapsed = 7200,
      cancel_seconds = 0 }
    cancel(portal)
    local seen = {}
    for i = 1, 4 do
      seen[i] = poll(portal).document.status
    end
    assert.same({ "canceled", "running", "canceled", "running" }, seen)
  end)

  it("with progress that is another at every look", function()
    still { moving = true, elapsed = 1, cancel_seconds = 0 }
    local seen = {}
    for i = 1, 3 do
      seen[i] = math.tointeger(poll(portal).document.steps[1].progressPercentage)
    end
    assert.same({ 0, 1, 2 }, seen)
    cancel(portal)
    assert.equal(poll(portal).body, poll(portal).body)
  end)

  it("with a Retry-After at every look", function()
    still { retry_after = "7" }
    local path = path_of "contoso/vm"
    for _, look in ipairs { "operations/" .. GUID, "submissions/", "status" } do
      assert.equal("7", get(portal, path .. look).headers["retry-after"])
    end
    assert.is_nil(cancel(portal).headers["retry-after"])
    portal:set("contoso/vm", { retry_after = false })
    assert.is_nil(poll(portal).headers["retry-after"])
  end)

  it("behind a byte order mark, as everything that is JSON", function()
    still({}, { byte_order_mark = true })
    for _, look in ipairs { "operations/" .. GUID, "submissions/", "status",
      "operations/none" } do
      local body = get(portal, path_of "contoso/vm" .. look).body
      assert.truthy(body:find "^\xEF\xBB\xBF[%[{]")
    end
    assert.equal("", cancel(portal).body)
    portal:set("*", { byte_order_mark = false })
    assert.truthy(poll(portal).body:find "^{")
  end)

  it("in the same bytes while nothing changes", function()
    still()
    assert.equal(poll(portal).body, poll(portal).body)
  end)

  it("compressed for who accepts it", function()
    local answer = get(still(), path_of "contoso/vm" .. "status", "--compressed")
    assert.equal("gzip", answer.headers["content-encoding"])
    assert.equal("running", answer.document.status)
  end)
end)
