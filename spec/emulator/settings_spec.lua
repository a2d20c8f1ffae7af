local asking = require "spec.emulator.asking"

local eventually, get, path_of = asking.eventually, asking.get, asking.path_of
local poll = asking.poll

describe("the emulator changes at run time", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  it("what runs", function()
    still()
    portal:set("contoso/vm", { running = "publish", id = "second" })
    assert.equal("completed", poll(portal).document.status)
    assert.equal("running", poll(portal, "second").document.status)
  end)

  it("settings, keeping the others", function()
    still { document = "array" }
    portal:set("contoso/vm", { words = { running = "busy" } })
    assert.equal("busy", poll(portal).document[1].status)
  end)

  it("how long the run takes", function()
    still { publish_seconds = 600, elapsed = 100 }
    portal:set("contoso/vm", { publish_seconds = 100 })
    assert.equal("completed", poll(portal).document.status)
  end)

  it("which offers there are", function()
    still()
    portal:set("contoso/new", { running = "publish" })
    local answer = get(portal, path_of "contoso/new" .. "status")
    assert.equal("running", answer.document.status)
  end)

  it("the pace of time", function()
    still { publish_seconds = 3600 }
    portal:set("*", { speed = 1e9 })
    assert.is_true(eventually(function()
      return poll(portal).document.status == "completed"
    end))
  end)
end)
