local asking = require "spec.emulator.asking"
local emulator = require "cpp.emulator"
local options = require "cpp.emulator.options"

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

  it("an unknown name, and which one was meant", function()
    refuses({ certificat = true }, "(did you mean 'certificate'?)")
    refuses({ offers = { ["contoso/vm"] = { list_leg = 1 } } },
      "(did you mean 'list_lag'?)")
    refuses({ faults = { { on = "cancel", wen = "after" } } }, "(did you mean 'when'?)")
  end)

  it("an option of the wrong type", function()
    refuses({ tls = 1 }, "'tls'")
    refuses({ speed = -1 }, "'speed'")
    refuses({ speed = 0 / 0 }, "'speed'")
    refuses({ expires_in = "text" }, "'expires_in'")
    refuses({ assertions = "one" }, "'assertions'")
    refuses({ certificate = 1 }, "'certificate'")
    refuses({ certificate_password = "x" }, "'certificate_password'")
  end)

  it("an unknown setting of an offer", function()
    refuses({ offers = { ["contoso/vm"] = { runing = "publish" } } }, "'runing'")
    refuses({ offers = { ["contoso/vm"] = { words = { done = "x" } } } }, "'done'")
    refuses({ offers = { ["contoso/vm"] = { history = { { when = 1 } } } } }, "'when'")
  end)

  it("an impossible setting of an offer", function()
    refuses({ offers = { ["contoso/vm"] = { running = "golive" } } }, "'running'")
    for name, value in pairs { list_lag = "2", document_lag = -1, replicas = "two",
      list_omits = { "ids" }, list_limit = -1, own_type = true, refuse_idle = 200,
      refuse_repeated = true, too_late = -1, synchronous = "yes", moving = 1,
      republish = true, retry_after = 7 } do
      refuses({ offers = { ["contoso/vm"] = { [name] = value } } }, "'" .. name .. "'")
    end
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

  -- A name that is known is refused for its value alone.
  local function is_known(check, name)
    local _, message = pcall(check, name)
    return message:find("unknown name", 1, true) == nil
  end

  local CHECKS = {
    offer = function(name)
      options.offer("contoso/vm", { [name] = print })
    end,
    fault = function(name)
      options.portal { faults = { { on = "*", [name] = print } } }
    end,
    settings = function(name)
      options.portal { [name] = print }
    end,
    options = function(name)
      options.start { [name] = print }
    end,
  }

  for class, check in pairs(CHECKS) do
    it("as its annotations say: " .. class, function()
      local file <close> = assert(io.open "types/emulator.lua")
      local block = file:read "a":match("@class [^\n]*cpp%.emulator%." .. class
        .. "%f[%s].-\n\n")
      local count = 0
      for name in block:gmatch "@field ([%w_]+)" do
        assert.is_true(is_known(check, name), name)
        count = count + 1
      end
      assert.is_true(count > 5)
      assert.is_false(is_known(check, "nonsense"))
    end)
  end

  it("without a default for what is unknown", function()
    local file <close> = assert(io.open "types/emulator.lua")
    local text = file:read "a"
    for name in pairs(options.OFFER_DEFAULTS) do
      assert.truthy(text:find("@field " .. name .. "?", 1, true), name)
    end
  end)
end)
