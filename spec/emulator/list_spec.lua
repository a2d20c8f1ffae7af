local asking = require "spec.emulator.asking"

local cancel, get, list = asking.cancel, asking.get, asking.list
local path_of, states = asking.path_of, asking.states

describe("the emulator lists operations", function()
  local portal
  local still, advance = asking.share(after_each, function(given)
    portal = given
  end)

  local history = { { state = "failed" }, { state = "canceled" } }

  it("newest first", function()
    still { history = history }
    assert.same({ "running", "canceled", "failed" }, states(list(portal)))
  end)

  it("oldest first", function()
    still { history = history, list_order = "oldest" }
    assert.same({ "failed", "canceled", "running" }, states(list(portal)))
  end)

  it("in no order", function()
    still { history = history, list_order = "shuffled" }
    local found = states(list(portal))
    table.sort(found)
    assert.same({ "canceled", "failed", "running" }, found)
  end)

  it("filtered by either name of the filter", function()
    still { history = history }
    assert.same({ "running" }, states(list(portal, "status=running")))
    assert.same({ "canceled" }, states(list(portal, "submissionState=Canceled")))
    assert.same({}, list(portal, "status=completed"))
  end)

  it("as an empty array", function()
    still { list = "empty" }
    assert.equal("[]", get(portal, path_of "contoso/vm" .. "submissions/").body)
  end)

  it("late", function()
    still { list_lag = 30, cancel_seconds = 0 }
    assert.same({}, states(list(portal)))
    advance(30)
    cancel(portal)
    assert.same({ "running" }, states(list(portal)))
    advance(30)
    assert.same({ "canceled" }, states(list(portal)))
  end)

  it("by turns as it is and as it was", function()
    still { list_lag = 30, replicas = "alternating" }
    local seen = {}
    for i = 1, 4 do
      seen[i] = #list(portal)
    end
    assert.same({ 1, 0, 1, 0 }, seen)
  end)

  it("as it was at one time or another", function()
    still({ list_lag = 30, replicas = "random" }, { seed = 1 })
    advance(15)
    local seen = {}
    for i = 1, 12 do
      seen[i] = #list(portal)
    end
    local counts = table.concat(seen)
    assert.truthy(counts:find "1" and counts:find "0", counts)
  end)

  it("without some of their fields", function()
    still { list_omits = { "id", "submissionType", "submissionState" } }
    local item = list(portal, "status=running")[1]
    assert.same({}, { item.id, item.submissionType, item.submissionState })
    assert.equal("vm", item.offerId)
    portal:set("contoso/vm", { list_omits = {} })
    assert.equal("publish", list(portal)[1].submissionType)
  end)

  it("cut short, of what is asked for", function()
    still { history = history, list_limit = 1 }
    assert.same({ "running" }, states(list(portal)))
    assert.same({ "failed" }, states(list(portal, "status=failed")))
    portal:set("contoso/vm", { list_order = "oldest", list_limit = 2 })
    assert.same({ "failed", "canceled" }, states(list(portal)))
  end)

  it("with a version that no double holds", function()
    local body = get(still(), path_of "contoso/vm" .. "submissions/").body
    local digits = body:match '"version":(%d+)'
    assert.equal(18, #digits)
    assert.not_equal(digits, ("%.0f"):format(tonumber(digits .. ".0")))
    assert.truthy(body:find '"changedTime":"[%d-]+T[%d:]+%.%d%d%d%d%d%d%dZ"')
  end)

  it("with a cancel's own only when told", function()
    still { names = "own" }
    cancel(portal)
    assert.equal(1, #list(portal))
    portal:set("contoso/vm", { list_own = true })
    assert.equal(2, #list(portal))
    assert.equal("cancel", list(portal)[1].submissionType)
    portal:set("contoso/vm", { own_type = "cancelSubmission" })
    assert.equal("cancelSubmission", list(portal)[1].submissionType)
    assert.equal("publish", list(portal)[2].submissionType)
    portal:set("contoso/vm", { own_type = false })
    assert.is_nil(list(portal)[1].submissionType)
    assert.equal("publish", list(portal)[2].submissionType)
  end)
end)
