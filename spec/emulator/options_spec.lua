local asking = require "spec.emulator.asking"
local emulator = require "cpp.emulator"


describe("the emulator checks its arguments:", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  local function refuses(given, culprit)
    assert.error_matches(function()
      emulator.start(given)
    end, culprit, 1, true)
  end

  it("an unknown option", function()
    refuses({ tsl = true }, "'tsl'")
  end)

  it("an option of the wrong type", function()
    refuses({ tls = 1 }, "'tls'")
    refuses({ speed = -1 }, "'speed'")
    refuses({ speed = 0 / 0 }, "'speed'")
  end)

  it("an unknown setting of an offer", function()
    refuses({ offers = { ["contoso/vm"] = { runing = "publish" } } }, "'runing'")
    refuses({ offers = { ["contoso/vm"] = { words = { done = "x" } } } }, "'done'")
    refuses({ offers = { ["contoso/vm"] = { history = { { when = 1 } } } } }, "'when'")
  end)

  it("an impossible setting of an offer", function()
    refuses({ offers = { ["contoso/vm"] = { running = "golive" } } }, "'running'")
    refuses({ offers = { ["contoso/vm"] = { list_lag = "2" } } }, "'list_lag'")
  end)

  it("an offer without a publisher", function()
    refuses({ offers = { vm = {} } }, "'vm'")
  end)

  it("a fault", function()
    refuses({ faults = { { on = "cancel", dorp = "before" } } }, "'dorp'")
    refuses({ faults = { { status = 503 } } }, "'on'")
    refuses({ faults = { { on = "cancel", raw = { true } } } }, "'raw'")
    refuses({ faults = { { on = "cancel", times = 1.5 } } }, "'times'")
  end)

  it("at run time too", function()
    still()
    assert.error_matches(function()
      portal:set("contoso/vm", { runing = false })
    end, "'runing'", 1, true)
    assert.error_matches(function()
      portal:set("*", { fault = {} })
    end, "'fault'", 1, true)
  end)
end)
