-- A caller's own headers: what they may not hold.
local harness = require "spec.support.harness"

describe("wrong", function()
  local here

  setup(function()
    here = harness.start()
  end)

  before_each(function()
    here:reset()
  end)

  teardown(function()
    here:close()
  end)

  local function misuse(options)
    return here:misuse(options)
  end

  describe("headers may not hold", function()
    for _, name in ipairs { "Two Words", "A:B", "", "X\r\nY", "X\0", "Ü", "(x)" } do
      it("a name that is none: " .. harness.shown(name), function()
        for _, message in ipairs(misuse { headers = { [name] = "x" } }) do
          assert.matches("option 'headers'", message)
        end
      end)
    end

    for _, value in ipairs { "a\r\nAuthorization: x", "a\nb", "a\rb", "a\0b", "a\27b", "a\127" } do
      it("control characters: " .. harness.shown(value), function()
        for _, message in ipairs(misuse { headers = { ["X-It"] = value } }) do
          assert.matches("'X-It' holds a control character", message, 1, true)
        end
      end)
    end

    it("what an option sets, which is named", function()
      for name, option in pairs {
        Authorization = "token", ["X-MS-Client-Request-Id"] = "client_request_id",
        ["user-agent"] = "user_agent", ["If-Match"] = "if_match", Host = "endpoint",
        ["Proxy-Authorization"] = "proxy",
      } do
        for _, message in ipairs(misuse { headers = { [name] = "x" } }) do
          assert.matches(("'%s' is set by the option '%s'"):format(name, option), message, 1, true)
        end
      end
    end)

    it("what is the module's own", function()
      for _, name in ipairs { "Content-Type", "CONTENT-LENGTH", "Transfer-Encoding",
        "Connection", "Expect", "Accept", "Accept-Encoding" } do
        for _, message in ipairs(misuse { headers = { [name] = "x" } }) do
          assert.matches(("'%s' is the module's own"):format(name), message, 1, true)
        end
      end
    end)
  end)
end)
