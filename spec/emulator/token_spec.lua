local asking = require "spec.emulator.asking"

local ask, eventually, poll = asking.ask, asking.eventually, asking.poll

describe("the emulator issues tokens", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  local function fields(changes)
    local form = { grant_type = "client_credentials", client_id = portal.client_id,
      client_secret = portal.client_secret,
      resource = "https://cloudpartner.azure.com" }
    for name, value in pairs(changes or {}) do
      form[name] = value
    end
    return form
  end

  local function fetch(changes, tenant)
    local arguments = {}
    for name, value in pairs(fields(changes)) do
      table.insert(arguments, "--data-urlencode")
      table.insert(arguments, name .. "=" .. value)
    end
    return ask(portal, "/" .. (tenant or portal.tenant) .. "/oauth2/token",
      table.unpack(arguments))
  end

  it("for the right secret, with numbers as strings", function()
    still({}, { token_seconds = 600 })
    local answer = fetch()
    assert.equal(200, answer.status)
    assert.equal("Bearer", answer.document.token_type)
    assert.equal("600", answer.document.expires_in)
    assert.truthy(answer.document.expires_on:find "^%d+$")
    portal.token = answer.document.access_token
    assert.equal(200, poll(portal).status)
  end)

  it("that work when the old one does no more", function()
    still({}, { token_calls = 0 })
    assert.equal(401, poll(portal).status)
    portal:set("*", { revoke = true, token_calls = 1 })
    portal.token = fetch().document.access_token
    assert.equal(200, poll(portal).status)
    assert.equal(401, poll(portal).status)
  end)

  it("that end with their time", function()
    still({}, { token_seconds = 1 })
    portal.token = fetch().document.access_token
    assert.is_true(eventually(function()
      return poll(portal).status == 401
    end))
  end)

  for name, code in pairs { client_secret = "invalid_client",
    client_id = "unauthorized_client", grant_type = "unsupported_grant_type",
    resource = "invalid_resource" } do
    it("not for a wrong " .. name, function()
      still()
      local answer = fetch { [name] = "wrong" }
      assert.equal(name == "client_secret" and 401 or 400, answer.status)
      assert.equal(code, answer.document.error)
      assert.truthy(answer.document.error_description:find "^AADSTS%d+: ")
    end)
  end

  it("not for a wrong tenant", function()
    still()
    assert.equal("invalid_request", fetch({}, "elsewhere").document.error)
  end)

  it("not for a secret that is encoded wrong", function()
    still()
    local parts = {}
    for name, value in pairs(fields()) do
      table.insert(parts, name .. "=" .. value)
    end
    local answer = ask(portal, "/" .. portal.tenant .. "/oauth2/token",
      "-d", table.concat(parts, "&"))
    assert.equal(400, answer.status)
    assert.equal("invalid_request", answer.document.error)
  end)

  it("without a word of them in the ledger", function()
    still()
    fetch()
    poll(portal)
    local file <close> = io.open(portal.folder .. "/ledger.jsonl")
    local text = file:read "a"
    assert.is_nil(text:find(portal.token, 1, true))
    assert.is_nil(text:find("p%2Bq", 1, true))
    assert.equal(1, portal:ledger().tokens)
  end)
end)
