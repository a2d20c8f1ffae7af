local asking = require "spec.emulator.asking"

local VERSION, GUID, GUID_PATTERN = asking.VERSION, asking.GUID, asking.GUID_PATTERN
local cancel, get, location_of = asking.cancel, asking.get, asking.location_of
local path_of = asking.path_of

describe("the emulator gives the location", function()
  local portal
  local still, advance = asking.share(after_each, function(given)
    portal = given
  end)

  local function header_line(settings)
    return cancel(still(settings)).head:match "\r\n([%a-]*[Ll][Oo][Cc][^\r\n]*)"
  end

  it("F1: absolute, without api-version", function()
    local line = header_line { location = "F1" }
    assert.equal("Operation-Location: " .. portal.endpoint .. path_of "contoso/vm"
      .. "operations/" .. GUID, line)
  end)

  it("F2: by the offer's GUID and number", function()
    local guid = header_line { location = "F2" }:match(
      "^Operation%-Location: /api/operations/contoso%$([%x-]+)%$1%$preview%?(.*)$")
    assert.truthy(guid:find(GUID_PATTERN))
  end)

  it("F3: relative, with api-version", function()
    assert.equal("Location: " .. path_of "contoso/vm" .. "operations/" .. GUID .. "?"
      .. VERSION, header_line { location = "F3" })
  end)

  it("F4: by the offer's name and number", function()
    assert.equal("Location: /api/operations/contoso$vm$1$preview?" .. VERSION,
      header_line { location = "F4" })
  end)

  it("not at all", function()
    assert.is_nil(header_line { location = "none" })
  end)

  it("as it is told", function()
    assert.equal("Operation-Location: http://evil.example/x",
      header_line { location = "http://evil.example/x" })
  end)

  it("in a header of any case", function()
    assert.truthy(header_line { location_header = "operation-LOCATION" }
      :find("^operation%-LOCATION: http"))
  end)

  it("in both headers", function()
    local headers = cancel(still { location_header = "both" }).headers
    assert.is_string(headers.location)
    assert.equal(headers.location, headers["operation-location"])
  end)

  it("in Azure's header, beside that of the result", function()
    local headers = cancel(still { location_header = "async", location = "F3" }).headers
    assert.equal(path_of "contoso/vm" .. "operations/" .. GUID .. "?" .. VERSION,
      headers["azure-asyncoperation"])
    assert.equal(path_of "contoso/vm" .. "status?" .. VERSION, headers.location)
    assert.is_nil(headers["operation-location"])
  end)

  for _, form in ipairs { "F1", "F2", "F3", "F4" } do
    for _, names in ipairs { "canceled", "own" } do
      it(("%s so that it can be polled (%s)"):format(form, names), function()
        still { location = form, names = names, cancel_seconds = 5 }
        local path = location_of(cancel(portal)):gsub("^https?://[^/]+", "")
        advance(5)
        local expected = names == "own" and "completed" or "canceled"
        assert.equal(expected, get(portal, path).document.status)
      end)
    end
  end
end)
