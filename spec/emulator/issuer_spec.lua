local asking = require "spec.emulator.asking"

local RESOURCE = "https://cloudpartner.azure.com"
local EXCHANGE = "api://AzureADTokenExchange"
local JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
local ALWAYS = -1

local function path_of(url)
  return (url:gsub("^https?://[^/]+", ""))
end

describe("the emulator hands out", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  -- Asks the directory with this credential, at v2 unless told otherwise.
  local function fetch(credential, version)
    local arguments = {}
    local form = { grant_type = "client_credentials", client_id = portal.client_id }
    if version == "v1" then
      form.resource = RESOURCE
    else
      form.scope = RESOURCE .. "/.default"
    end
    for name, value in pairs(credential) do
      form[name] = value
    end
    for name, value in pairs(form) do
      table.insert(arguments, "--data-urlencode")
      table.insert(arguments, name .. "=" .. value)
    end
    local path = version == "v1" and "/oauth2/token" or "/oauth2/v2.0/token"
    return asking.ask(portal, "/" .. portal.tenant .. path, table.unpack(arguments))
  end

  local function exchange(assertion)
    return fetch { client_assertion_type = JWT_BEARER, client_assertion = assertion }
  end

  local function is_good(token)
    portal.token = token
    return asking.poll(portal).status == 200
  end

  local function secret(version)
    return fetch({ client_secret = portal.client_secret }, version)
  end

  describe("GitHub's assertions", function()
    local function ask_github(audience, token)
      return asking.ask(portal, path_of(portal.github.url) .. "&audience=" .. audience,
        "-H", "Authorization: bearer " .. (token or portal.github.token))
    end

    for what, audience in pairs { ["as it is"] = EXCHANGE,
      encoded = "api%3A%2F%2FAzureADTokenExchange" } do
      it("for the directory, its audience " .. what, function()
        still()
        local answer = ask_github(audience)
        assert.equal(200, answer.status)
        assert.is_true(is_good(exchange(answer.document.value).document.access_token))
        assert.equal(1, portal:ledger().github)
        assert.equal(1, portal:ledger().tokens)
      end)
    end

    it("for another audience, which the directory refuses", function()
      still()
      local answer = exchange(ask_github("https://example.com").document.value)
      assert.equal(401, answer.status)
      assert.truthy(answer.document.error_description:find "^AADSTS700212: .*example%.com")
    end)

    it("not without the request token", function()
      still()
      assert.equal(401, ask_github(EXCHANGE, "another").status)
      assert.equal(401, asking.ask(portal, path_of(portal.github.url)).status)
    end)

    it("for their time", function()
      still({}, { assertion_seconds = 1 })
      local assertion = ask_github(EXCHANGE).document.value
      assert.is_true(asking.eventually(function()
        local refused = exchange(assertion).document.error_description or ""
        return refused:find "^AADSTS700024: " ~= nil
      end))
      portal:set("*", { assertion_seconds = 60 })
      assert.equal(200, exchange(ask_github(EXCHANGE).document.value).status)
    end)
  end)

  describe("those of Pipelines", function()
    local function ask_pipelines(query, ...)
      return asking.ask(portal, path_of(portal.pipelines.url) .. query, "-X", "POST",
        "-H", "Content-Length: 0", ...)
    end

    local function right(...)
      return ask_pipelines("?api-version=7.1&serviceConnectionId="
        .. portal.pipelines.service_connection, ...)
    end

    local function authorized()
      return "Authorization: Bearer " .. portal.pipelines.token
    end

    it("for the directory", function()
      still()
      local answer = right("-H", authorized(), "-H", "X-TFS-FedAuthRedirect: Suppress")
      assert.equal(200, answer.status)
      assert.is_true(is_good(exchange(answer.document.oidcToken).document.access_token))
      assert.equal(1, portal:ledger().pipelines)
    end)

    it("not without the access token: 401, or the way to sign in", function()
      still()
      local wrong = "Authorization: Bearer another"
      assert.equal(401, right("-H", "X-TFS-FedAuthRedirect: Suppress").status)
      assert.equal(401, right("-H", wrong, "-H", "X-TFS-FedAuthRedirect: Suppress").status)
      local answer = right("-H", wrong)
      assert.equal(302, answer.status)
      assert.truthy(answer.headers.location:find "^/_signin")
    end)

    it("not for another service connection, nor without an api-version", function()
      still()
      local id = "serviceConnectionId=" .. portal.pipelines.service_connection
      assert.equal(400, ask_pipelines("?" .. id, "-H", authorized()).status)
      assert.equal(400, ask_pipelines("?api-version=1&" .. id, "-H", authorized()).status)
      assert.equal(404, ask_pipelines("?api-version=7.1&serviceConnectionId=x",
        "-H", authorized()).status)
    end)

    it("for a POST alone", function()
      still()
      assert.equal(405, asking.ask(portal, path_of(portal.pipelines.url)).status)
    end)
  end)

  describe("a managed identity's tokens", function()
    local function ask_identity(query, header)
      return asking.ask(portal, path_of(portal.identity.endpoint) .. query,
        "-H", "X-IDENTITY-HEADER: " .. (header or portal.identity.header))
    end

    local QUERY = "?api-version=2019-08-01&resource=" .. RESOURCE

    it("of the host's own", function()
      still()
      local answer = ask_identity(QUERY)
      assert.equal(200, answer.status)
      assert.truthy(answer.document.expires_on:find "^%d+$")
      assert.is_nil(answer.document.expires_in)
      assert.is_true(is_good(answer.document.access_token))
      assert.equal(1, portal:ledger().identity)
    end)

    it("of the one with a client id", function()
      still({}, { system_identity = false })
      local answer = ask_identity(QUERY .. "&client_id=" .. portal.identity.client_id)
      assert.equal(portal.identity.client_id, answer.document.client_id)
      assert.is_true(is_good(answer.document.access_token))
      local none = ask_identity(QUERY)
      assert.equal(400, none.status)
      assert.truthy(none.document.message:find "^No User Assigned or Delegated Managed")
      portal:set("*", { system_identity = true })
      assert.equal(200, ask_identity(QUERY).status)
    end)

    it("not without the header", function()
      still()
      assert.equal(401, ask_identity(QUERY, "another").status)
      assert.equal(401, asking.ask(portal, path_of(portal.identity.endpoint) .. QUERY).status)
    end)

    it("not for another client id, resource or api-version", function()
      still()
      assert.equal(400, ask_identity(QUERY .. "&client_id=x").status)
      assert.equal(400, ask_identity "?api-version=2019-08-01&resource=https://x".status)
      assert.equal(400, ask_identity("?resource=" .. RESOURCE).status)
    end)
  end)

  it("tokens for a secret at either endpoint", function()
    still()
    local first, second = secret "v1", secret "v2"
    assert.is_true(is_good(first.document.access_token))
    assert.is_true(is_good(second.document.access_token))
    assert.same({ "3599", 3599 }, { first.document.expires_in, second.document.expires_in })
    assert.is_string(first.document.expires_on)
    assert.is_nil(second.document.expires_on)
    assert.equal(2, portal:ledger().tokens)
  end)

  it("nothing for the parameter of the other endpoint", function()
    still()
    local form = { client_secret = portal.client_secret }
    form.scope, form.resource = RESOURCE, RESOURCE .. "/.default"
    assert.equal("invalid_scope", fetch(form).document.error)
    assert.equal("invalid_resource", fetch(form, "v1").document.error)
  end)

  for shape, pattern in pairs {
    string = '"%d+"', number = "%d+[,}]", fraction = "%d+%.5", null = "null",
  } do
    it("tokens whose life is told as " .. shape, function()
      still({}, { expires_in = shape, expires_on = shape })
      for _, version in ipairs { "v1", "v2" } do
        local body = secret(version).body
        assert.truthy(body:find('"expires_in":' .. pattern), body)
        assert.truthy(body:find('"expires_on":' .. pattern), body)
      end
    end)
  end

  it("tokens whose life is not told", function()
    still()
    portal:set("*", { expires_in = "none", expires_on = "none" })
    assert.is_nil(secret "v1".body:find('"expires_', 1, true))
    portal:set("*", { expires_on = "number" })
    local document = secret "v2".document
    assert.same({ "nil", "number" },
      { type(document.expires_in), type(document.expires_on) })
    portal:set("*", { expires_in = "usual" })
    assert.equal("3599", secret "v1".document.expires_in)
  end)

  it("nothing where a fault strikes that call", function()
    still({}, { faults = {
      { on = "identity", status = 503, times = ALWAYS },
      { on = "github", status = 500, times = ALWAYS },
      { on = "pipelines", status = 429, times = ALWAYS },
    } })
    assert.equal(503, asking.ask(portal, path_of(portal.identity.endpoint)).status)
    assert.equal(500, asking.ask(portal, path_of(portal.github.url)).status)
    assert.equal(429, asking.ask(portal, path_of(portal.pipelines.url), "-d", "").status)
    assert.equal(200, secret "v1".status)
  end)

  it("no secret to its ledger", function()
    still()
    local assertion = asking.ask(portal, path_of(portal.github.url) .. "&audience="
      .. EXCHANGE, "-H", "Authorization: bearer " .. portal.github.token).document.value
    exchange(assertion)
    secret "v2"
    asking.ask(portal, path_of(portal.pipelines.url), "-X", "POST", "-d", "x=secret-body",
      "-H", "Authorization: Bearer " .. portal.pipelines.token)
    asking.ask(portal, path_of(portal.identity.endpoint),
      "-H", "X-IDENTITY-HEADER: " .. portal.identity.header)
    local file <close> = assert(io.open(portal.folder .. "/ledger.jsonl"))
    local text = file:read "a"
    for _, word in ipairs { assertion, portal.github.token, portal.pipelines.token,
      portal.identity.header, "p%2Bq", "secret-body" } do
      assert.is_nil(text:find(word, 1, true), word)
    end
    assert.equal(5, portal:ledger().requests)
  end)

  it("the variables of each route", function()
    still({}, { certificate = true })
    local names = { AZURE_AUTHORITY_HOST = true, CPP_ENDPOINT = true }
    for route, own in pairs {
      token = { "CPP_TOKEN" },
      secret = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET" },
      certificate = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH" },
      workload = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE" },
      github = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN" },
      pipelines = { "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN",
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "AZURESUBSCRIPTION_CLIENT_ID",
        "AZURESUBSCRIPTION_TENANT_ID" },
      identity = { "IDENTITY_ENDPOINT", "IDENTITY_HEADER" },
    } do
      local expected = {}
      for name in pairs(names) do
        expected[name] = true
      end
      for _, name in ipairs(own) do
        expected[name] = true
      end
      local found = {}
      for name, value in pairs(portal:environment(route)) do
        assert.is_string(value)
        found[name] = true
      end
      assert.same(expected, found)
    end
    assert.error_matches(function()
      portal:environment "oracle"
    end, "no route 'oracle'", 1, true)
  end)
end)
