local asking = require "spec.emulator.asking"

local cancel, poll = asking.cancel, asking.poll

describe("the emulator with TLS", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  it("is trusted through its own authority alone", function()
    still({}, { tls = true })
    assert.equal(200, poll(portal).status)
    portal.ca_file = nil
    assert.equal(60, poll(portal).exit)
  end)

  it("speaks HTTP/2 and HTTP/1.1", function()
    still({}, { tls = true })
    cancel(portal, "--http2")
    cancel(portal, "--http1.1")
    local entries = portal:ledger().entries
    assert.equal("HTTP/2.0", entries[1].protocol)
    assert.equal("HTTP/1.1", entries[2].protocol)
  end)

  it("is valid for the loopback addresses too", function()
    still({}, { tls = true })
    local port = portal.endpoint:match "%d+$"
    portal.endpoint = "https://127.0.0.1:" .. port
    assert.equal(200, poll(portal).status)
  end)

  it("echoes the request id in lower case", function()
    still({}, { tls = true })
    local answer = cancel(portal, "-H", "x-ms-client-request-id: mine")
    assert.truthy(answer.head:find("\r\nx-ms-client-request-id: mine", 1, true))
    assert.truthy(answer.head:find("\r\noperation-location: https", 1, true))
  end)
end)
