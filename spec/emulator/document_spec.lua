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
