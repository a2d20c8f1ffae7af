-- Text fit to be shown: one clean line.
local cjson = require "cjson"
local cpp = require "cpp"
local text = require "cpp.text"
local harness = require "spec.support.harness"

describe("an error", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  local function fail(...)
    return here:fail(client, ...)
  end

  describe("as text", function()
    it("is one line: message, kind, code, status, request id", function()
      here:answer(404, '{"error":{"code":"Gone","message":"It is gone."}}',
        { ["x-ms-request-id"] = "r-3" })
      assert.equal("It is gone. [http/Gone, HTTP 404, request r-3]", tostring(fail()))
    end)

    it("does without what is not known", function()
      local err = select(2, client:poll { state = "accepted" })
      assert.equal("the operation has no location to poll [protocol/no_location]",
        tostring(err))
    end)

    it("holds no control characters and no broken UTF-8", function()
      local evil = "a\27[31m\r\nb\tc\1d\127e\u{9b}f\xff\xc3g\u{e9}\u{20ac}"
      here:answer(400, cjson.encode { error = { code = evil, message = evil } })
      local line = tostring(fail())
      assert.is_nil(line:find "%c")
      assert.is_truthy(utf8.len(line))
      for _, code in utf8.codes(line) do
        assert.is_false(code >= 0x80 and code < 0xa0)
      end
      assert.is_truthy(line:find("g\u{e9}\u{20ac}", 1, true)) -- letters stay
    end)

    it("is cleaned as lua/cpp/text.lua cleans, whatever the character", function()
      local parts = {}
      local code = 1
      while code <= 0x10ffff do
        table.insert(parts, utf8.char(code))
        code = code + (code < 0x3000 and 1 or 0x101)
      end
      table.insert(parts, "\xff\xc3(\xe2\x80\xf4\x90\x80\x80")
      local message = table.concat(parts, "x")
      local err = cpp.error { kind = "workflow", code = "c", message = message }
      -- A failed comparison would print both.
      assert.is_true(text.clean(message) .. " [workflow/c]" == tostring(err))
      assert.equal("a  b [workflow/c]",
        tostring(cpp.error { kind = "workflow", code = "c", message = "a\u{202E}\u{2028}b" }))
    end)

    it("keeps the service's message as it was in the field", function()
      here:answer(400, '"one\\r\\ntwo"')
      assert.equal("one\r\ntwo", fail().message)
    end)
  end)
end)
