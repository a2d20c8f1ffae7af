-- Errors that a script makes, for policy of its own.
local cpp = require "cpp"
local harness = require "spec.support.harness"

describe("an error", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  local function fail(...)
    return here:fail(client, ...)
  end

  describe("of a script's own", function()
    local function new(fields)
      local all = { kind = "workflow", code = "deadline", message = "too slow" }
      for name, value in pairs(fields or {}) do
        all[name] = value
      end
      return all, cpp.error(all)
    end

    it("has its fields and reads like any other", function()
      local fields, err = new { status = 504, request_id = "r-4", operation = "id" }
      assert.same(fields, err)
      assert.equal("too slow [workflow/deadline, HTTP 504, request r-4]", tostring(err))
      assert.equal(getmetatable(fail { token = "bad" }), getmetatable(err))
    end)

    it("is a table of its own", function()
      local fields, err = new()
      fields.message = "changed"
      assert.equal("too slow", err.message)
    end)

    it("is of any kind that there is, and no other", function()
      for _, kind in ipairs { "transport", "http", "protocol", "origin", "credential", "closed",
        "workflow" } do
        assert.equal(kind, select(2, new { kind = kind }).kind)
      end
      assert.has_error(function() new { kind = "weather" } end)
    end)

    it("needs a kind, a code and a message", function()
      for _, name in ipairs { "kind", "code", "message" } do
        local good, raised = pcall(new, { [name] = 42 })
        assert.is_false(good)
        assert.matches("'" .. name .. "': string expected, got number", raised)
        local fields = new()
        fields[name] = nil
        good, raised = pcall(cpp.error, fields)
        assert.is_false(good)
        assert.matches("'" .. name .. "'", raised)
      end
      assert.has_error(function() cpp.error "text" end)
    end)
  end)
end)
