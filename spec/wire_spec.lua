-- Which word an event has: that docs/errors.md, types/cpp.lua and the source agree, and
-- what newer versions of libcurl refuse. The events themselves are in spec/hostile.
local encounter = require "spec.hostile.encounter"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

describe("the words for events", function()
  local documented = {}
  for kind, section in read "docs/errors.md":gmatch "## kind `(%l+)`([^#]*)" do
    for code in section:gmatch "\n|[^\n]-| `([%l%d_]+)` |" do
      documented[code] = kind
    end
  end

  it("are documented, each with its kind", function()
    local annotated = {}
    for code, kind in read "types/cpp.lua":gmatch '\n%-%-%-| "([%l%d_]+)" # (%l+)' do
      if (kind == "transport" or kind == "protocol") and code ~= "no_location" then
        annotated[code] = kind
      end
    end
    assert.same(annotated, documented)
  end)
end)

describe("a head", function()
  local peer
  encounter.share(setup, teardown, function(shared)
    peer = shared
  end)

  local START = "HTTP/1.1 202 Accepted\r\nLocation: /api/x\r\n"
  local LOCATION = "/api/x?" .. encounter.VERSION

  local function cancel(rest)
    peer:answer(START .. rest .. "Content-Length: 0\r\n\r\n")
    return peer:call(peer:client(), "cancel")
  end

  it("with a line of more than 100 kB is no lack of memory", function()
    local _, err = cancel("X: " .. ("y"):rep(150000) .. "\r\n")
    assert.same({ "protocol", "headers_too_large", true, false, 202, peer.endpoint .. LOCATION },
      { err.kind, err.code, err.sent, err.retryable, err.status, err.location })
  end)

  -- Each is taken by libcurl 7.88; from 8.13 on it refuses two locations that differ, and
  -- from 8.21 on a bare CR. What had come before stays.
  for name, rest in pairs { ["with two locations"] = "Location: /api/y\r\n",
    ["with a bare CR"] = "X: a\rb\r\n" } do
    it(name .. " is an accepted cancel or keeps its location", function()
      local operation, err = cancel(rest)
      if operation then
        assert.equal("accepted", operation.state)
      else
        assert.same({ "protocol", "invalid_http", 202 }, { err.kind, err.code, err.status })
      end
      assert.equal(peer.endpoint .. LOCATION, (operation or err).location)
    end)
  end
end)
