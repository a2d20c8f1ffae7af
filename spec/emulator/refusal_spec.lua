local asking = require "spec.emulator.asking"

local VERSION, BODY, ask = asking.VERSION, asking.BODY, asking.ask
local bearer, cancel, get = asking.bearer, asking.cancel, asking.get
local path_of, poll, post = asking.path_of, asking.poll, asking.post

describe("the emulator refuses", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  local path = path_of "contoso/vm"

  it("a request without a token", function()
    local answer = ask(still(), path .. "status?" .. VERSION)
    assert.equal(401, answer.status)
    assert.is_string(answer.document.Message)
  end)

  it("a wrong token", function()
    local answer = ask(still(), path .. "status?" .. VERSION,
      "-H", "Authorization: Bearer nonsense")
    assert.equal(401, answer.status)
    assert.is_string(answer.document.Message)
  end)

  it("a token that was revoked", function()
    still():set("*", { revoke = true })
    assert.equal(401, poll(portal).status)
  end)

  it("a token after so many calls", function()
    still({}, { token_calls = 2 })
    assert.equal(200, poll(portal).status)
    assert.equal(200, poll(portal).status)
    assert.equal(401, poll(portal).status)
  end)

  for what, query in pairs { missing = "?x=1", unknown = "?api-version=2015-01-01",
    doubled = "?" .. VERSION .. "&" .. VERSION } do
    it("an api-version that is " .. what, function()
      local answer = get(still(), path .. "status" .. query)
      assert.equal(400, answer.status)
      assert.equal("InvalidAPIVersion", answer.document.error.code)
    end)
  end

  it("a client that does not accept JSON", function()
    for _, range in ipairs { "text/html", "data/*", "application/jsonx",
      "text/html, application/json;q=0" } do
      assert.equal(406, get(still(), path .. "status", "-H", "Accept: " .. range).status)
    end
    for _, range in ipairs { "*/*", "text/html, Application/JSON;q=0.5", "application/*" } do
      assert.equal(200, get(still(), path .. "status", "-H", "Accept: " .. range).status)
    end
  end)

  it("another publisher's offer", function()
    assert.equal(403, get(still(), path_of "fabrikam/vm" .. "status").status)
  end)

  it("an offer that is marked as foreign", function()
    assert.equal(403, get(still { foreign = true }, path .. "status").status)
  end)

  it("an unknown offer", function()
    assert.equal(404, get(still(), path_of "contoso/none" .. "status").status)
  end)

  it("an unknown operation", function()
    assert.equal(404, poll(still(), "no-such-id").status)
  end)

  it("an unknown path", function()
    still()
    for _, bad in ipairs { "", "/api", path .. "submissions", path .. "operations/" } do
      assert.equal(404, get(portal, bad).status)
    end
  end)

  it("the wrong method", function()
    assert.equal(405, get(still(), path .. "cancel").status)
  end)

  it("a body that is not JSON", function()
    local answer = post(still(), path .. "cancel", "{")
    assert.equal(400, answer.status)
    assert.equal("InvalidJson", answer.document.error.code)
  end)

  it("a body of another shape", function()
    for _, body in ipairs { "[]", "3", "{}", '{"metadata":[]}', '{"metadata":{}}',
      '{"metadata":{"notification-emails":["a@x.com"]}}' } do
      local answer = post(portal or still(), path .. "cancel", body)
      assert.equal(400, answer.status)
      assert.equal("InvalidRequest", answer.document.error.code)
    end
  end)

  it("a body of another type", function()
    for _, kind in ipairs { "application/x-www-form-urlencoded", "application/jsonx",
      "application/json-patch+json" } do
      local answer = ask(still(), path .. "cancel?" .. VERSION, "-H", bearer(portal),
        "-H", "Content-Type: " .. kind, "-d", BODY)
      assert.equal("InvalidContentType", answer.document.error.code)
    end
  end)

  it("a POST of unknown length", function()
    assert.equal(411, get(still(), path .. "cancel", "-X", "POST").status)
  end)

  it("an If-Match that matches no longer", function()
    still()
    local tag = get(portal, path .. "status").headers.etag
    assert.truthy(tag:find("%3A", 1, true))
    assert.equal(412, cancel(portal, "-H", 'If-Match: "other"').status)
    assert.equal(202, cancel(portal, "-H", "If-Match: " .. tag).status)
    assert.equal(202, cancel(portal, "-H", "If-Match: *").status)
  end)

  it("to let a refused cancel act", function()
    post(still(), path .. "cancel", "{")
    local counts = portal:ledger()
    assert.equal(1, counts.cancels)
    assert.equal(0, counts.acted)
    assert.equal(0, counts.idle)
  end)
end)
