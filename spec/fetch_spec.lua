-- What a credential asks of others than the portal.
local listener = require "spec.support.listener"
local harness = require "spec.support.harness"

local LOCAL = "http://127.0.0.1:9"

describe("fetching", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  -- The message of the error that a function raises.
  local function raises(fn, ...)
    local good, message = pcall(fn, ...)
    assert.is_false(good)
    assert.is_string(message)
    return message
  end

  describe("a token", function()
    local function fetch(changes, options)
      local given = {
        tenant = here.portal.tenant, client_id = here.portal.client_id,
        client_secret = here.portal.client_secret, authority = here.endpoint,
      }
      for name, value in pairs(changes or {}) do
        given[name] = value
      end
      return here:client(options):fetch_token(given)
    end

    it("brings one that works, and its life in whole seconds", function()
      local grant = assert(fetch())
      assert.same({
        access_token = grant.access_token, expires_in = 3599, expires_on = grant.expires_on,
      }, grant)
      assert.equal("integer", math.type(grant.expires_in))
      assert(client:poll(here.location, { token = grant.access_token }))
    end)

    it("is not shown where the grant came with a status that no grant has", function()
      here:answer(201, '{"access_token":"SECRET-SECRET"}')
      local grant, err = fetch()
      assert.is_nil(grant)
      assert.same({ "unexpected_status" }, { err.code, err.body })
    end)

    it("is a form to the tenant's endpoint, without a token of its own", function()
      assert(fetch(nil, { token = function() error "asked" end }))
      local entry = here:last()
      assert.same({ "POST", "/" .. here.portal.tenant .. "/oauth2/token",
        "application/x-www-form-urlencoded" }, { entry.method, entry.uri, entry.content_type })
    end)

    it("has none of the caller's headers, which are for the portal", function()
      here:answer(200, '{"access_token":"t"}', { ETag = '"7"' })
      assert(fetch(nil, { headers = { ["If-None-Match"] = '"7"' }, if_match = "*" }))
      assert.is_nil(here:last().if_match)
    end)

    it("takes the tenant as one path segment", function()
      fetch { tenant = "a/b" }
      assert.equal("/a%2Fb/oauth2/token", here:last().uri)
    end)

    it("names the resource that it is for", function()
      local _, err = fetch { resource = "https://else.example" }
      assert.equal("invalid_resource", err.code)
    end)

    it("is a credential error when it is refused", function()
      local grant, err = fetch { client_secret = "wrong secret" }
      assert.is_nil(grant)
      assert.same({ "credential", "invalid_client", 401, false, true },
        { err.kind, err.code, err.status, err.retryable, err.sent })
      assert.matches("AADSTS7000215", err.message)
      assert.is_nil(tostring(err):find "%c")
    end)

    it("is an error when the answer holds none, which is not shown", function()
      here:answer(200, '{"acces_token":"very-secret-token"}')
      local grant, err = fetch()
      assert.is_nil(grant)
      assert.same({ "protocol", "invalid_token_answer" }, { err.kind, err.code })
      assert.is_nil(err.body)
      assert.is_nil(tostring(err):find("very-secret", 1, true))
    end)
  end)

  describe("with an assertion", function()
    local ASSERTION = "eyJ.very-secret/assertion+x"

    local function fetch(answer, changes)
      local other = listener.start(200, answer or '{"access_token":"t"}')
      local given = { tenant = "a b", client_id = "c&d", client_assertion = ASSERTION,
        authority = other.endpoint }
      for name, value in pairs(changes or {}) do
        given[name] = value
      end
      local grant, err = client:fetch_token(given)
      return { other:request() }, grant, err
    end

    it("is the form of v2, with the resource as scope", function()
      local request, grant = fetch()
      assert.matches("^POST /a%%20b/oauth2/v2%.0/token HTTP/1%.1\r\n", request[1])
      assert.matches("\r\nContent%-Type: application/x%-www%-form%-urlencoded\r\n", request[1])
      assert.is_nil(request[1]:find "Authorization")
      assert.equal("grant_type=client_credentials&client_id=c%26d"
        .. "&client_assertion=eyJ.very-secret%2Fassertion%2Bx&client_assertion_type="
        .. "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        .. "&scope=https%3A%2F%2Fcloudpartner.azure.com%2F.default", request[2])
      assert.same({ access_token = "t" }, grant)
    end)

    it("is for the resource that is named", function()
      local request = fetch(nil, { resource = "https://else.example" })
      assert.matches("&scope=https%3A%2F%2Felse.example%2F.default", request[2], 1, true)
    end)

    it("shows the assertion nowhere", function()
      here:answer(400, '{"error":"bad","error_description":"' .. ASSERTION .. '"}')
      local _, err = client:fetch_token { tenant = "t", client_id = "c",
        client_assertion = ASSERTION, authority = here.endpoint }
      assert.same({ "bad", "***" }, { err.code, err.message })
      assert.is_nil(err.body:find("secret", 1, true))
    end)
  end)

  describe("a token's life", function()
    local function life(fields)
      here:answer(200, '{"access_token":"t",' .. fields .. "}")
      local grant = assert(client:fetch_token { tenant = "t", client_id = "c",
        client_secret = "s", authority = here.endpoint })
      return { grant.expires_in, grant.expires_on }
    end

    it("is what the service says, whole seconds as integers", function()
      assert.same({ 3599, 1388452167 }, life '"expires_in":"3599","expires_on":"1388452167"')
      local found = life '"expires_in":3599,"expires_on":1388452167'
      assert.same({ "integer", "integer" }, { math.type(found[1]), math.type(found[2]) })
      assert.same({ 3599.5 }, life '"expires_in":3599.5')
      assert.same({ "3599.5" }, life '"expires_in":"3599.5"')
      assert.same({ [2] = "2026-11-26 10:00:00" }, life '"expires_on":"2026-11-26 10:00:00"')
    end)

    it("is absent where it is null, or no number and no text", function()
      assert.same({}, life '"expires_in":null,"expires_on":{}')
      assert.same({}, life '"x":1')
    end)
  end)

  describe("a document", function()
    local SECRET = "very-secret-request-token"

    it("asks with the headers that are given, and no other of the caller's", function()
      local other = listener.start(200, '{"value":"assertion"}')
      local asker = here:client { headers = { ["X-Portal"] = "no" },
        token = function() error "asked" end }
      local document = assert(asker:fetch_json {
        url = other.endpoint .. "?a=b%2fc&audience=api://x#fragment",
        headers = { Authorization = "bearer " .. SECRET, ["X-IDENTITY-HEADER"] = "" },
      })
      assert.same({ value = "assertion" }, document)
      local head = other:request()
      assert.matches("^GET /%?a=b%%2fc&audience=api://x HTTP/1.1\r\n", head)
      assert.matches("\r\nAuthorization: bearer " .. SECRET .. "\r\n", head, 1, true)
      assert.matches("\r\nAccept: application/json\r\n", head)
      assert.matches("\r\nX%-IDENTITY%-HEADER:%s*\r\n", head)
      assert.is_nil(head:find("X-Portal", 1, true))
    end)

    it("may be asked for by a POST, which has no body", function()
      local other = listener.start(200, "[1]")
      assert.same({ 1 }, client:fetch_json { url = other.endpoint .. "/x", method = "POST" })
      local head, body = other:request()
      assert.matches("^POST /x HTTP/1.1\r\n", head)
      assert.matches("\r\nContent%-Length: 0\r\n", head)
      assert.equal("", body)
    end)

    local function fail(status, body, headers)
      here:answer(status, body, headers)
      local document, err = client:fetch_json { url = here.endpoint .. "/x",
        headers = { Authorization = "bearer " .. SECRET } }
      assert.is_nil(document)
      return err
    end

    it("that is none is an error, and what a good answer held is not shown", function()
      for body, code in pairs { ["{"] = "invalid_json", ['"x"'] = "unexpected_document",
        ["null"] = "unexpected_document" } do
        local err = fail(200, body)
        assert.same({ "protocol", code }, { err.kind, err.code, err.body })
      end
      assert.same({ "unexpected_status" }, { fail(201, '{"value":"x"}').code })
    end)

    it("that is refused is a credential error, with the service's words", function()
      local err = fail(403, '{"error":{"code":"Denied","message":"No."}}')
      assert.same({ "credential", "Denied", "No.", 403, true },
        { err.kind, err.code, err.message, err.status, err.sent })
      err = fail(302, "", { Location = "http://127.0.0.1:9/" })
      assert.same({ "credential", "http_302" }, { err.kind, err.code })
      assert.equal(2, #here:entries())
    end)

    it("shows none of its headers", function()
      local seen
      client = here:client { trace = function(event) seen = event end }
      local err = fail(400, '{"error":{"code":"bad ' .. SECRET .. '","message":"bearer '
        .. SECRET .. '"}}', { ["x-ms-request-id"] = SECRET })
      assert.same({ "bad ***", "***", "***" }, { err.code, err.message, err.request_id })
      for _, texts in ipairs { err, seen } do
        for _, text in pairs(texts) do
          assert.is_nil(tostring(text):find("secret", 1, true))
        end
      end
    end)

    it("is asked over https, or of loopback", function()
      for url, code in pairs {
        ["http://a.example/"] = "insecure_url", ["ftp://127.0.0.1/"] = "invalid_url",
        ["127.0.0.1/x"] = "invalid_url", [""] = "invalid_url", ["/x"] = "invalid_url",
        ["https://u:p@127.0.0.1/"] = "user_info", ["https://a b/"] = "invalid_url",
        ["https://127.0.0.%31/"] = "invalid_url", ["http:\\\\127.0.0.1\\"] = "invalid_url",
        ["https://127.0.0.1/\r\nX: y"] = "invalid_url",
      } do
        if url ~= "" then
          local document, err = client:fetch_json { url = url }
          assert.is_nil(document)
          assert.same({ "origin", code, false }, { err.kind, err.code, err.sent }, url)
        end
      end
    end)

    it("is never asked of a link-local address, however it is spelt", function()
      for _, host in ipairs { "169.254.169.254", "169.254.0.1:80", "0xa9fea9fe", "2852039166",
        "0251.0376.0251.0376", "169.254.43518", "169.16689662", "169.254.169.254.",
        "[fe80::1]", "[FEBF::1]", "[fe80:0:0:0:0:0:0:1]:8080", "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]", "[::169.254.169.254]", "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]" } do
        for _, scheme in ipairs { "http", "https" } do
          local document, err = client:fetch_json { url = scheme .. "://" .. host .. "/x" }
          assert.is_nil(document)
          assert.same({ "origin", "link_local", false }, { err.kind, err.code, err.sent }, host)
        end
        assert.matches("link%-local", raises(client.fetch_token, client, { tenant = "t",
          client_id = "c", client_secret = "s", authority = "https://" .. host }))
      end
      for _, host in ipairs { "[fe80::1%25lo]", "１６９.254.169.254", "169。254。169。254" } do
        local _, err = client:fetch_json { url = "https://" .. host .. "/x" }
        assert.equal("invalid_url", err.code)
      end
    end)

    it("raises where it is asked for wrongly", function()
      assert.matches("table expected", raises(client.fetch_json, client))
      assert.matches("'url' is missing", raises(client.fetch_json, client, {}))
      assert.matches("'url': string expected", raises(client.fetch_json, client, { url = 42 }))
      assert.matches("'method' must be", raises(client.fetch_json, client,
        { url = LOCAL, method = "PUT" }))
      assert.matches("did you mean 'headers'?", raises(client.fetch_json, client,
        { url = LOCAL, header = {} }), 1, true)
      assert.matches("'X' holds a control character", raises(client.fetch_json, client,
        { url = LOCAL, headers = { X = "a\nb" } }))
      assert.matches("'Host' is set by", raises(client.fetch_json, client,
        { url = LOCAL, headers = { Host = "x" } }))
      assert.matches("'headers': table expected", raises(client.fetch_json, client,
        { url = LOCAL, headers = "X: y" }))
    end)
  end)

  describe("raises", function()
    it("when a token is asked for without what it takes", function()
      local all = { tenant = "t", client_id = "c", client_secret = "s", authority = LOCAL }
      for name in pairs { tenant = 1, client_id = 1, client_secret = 1 } do
        for _, value in ipairs { false, 42, "" } do
          local given = { tenant = "t", client_id = "c", client_secret = "s", authority = LOCAL }
          given[name] = value or nil
          assert.matches(name, raises(client.fetch_token, client, given))
        end
      end
      all.client_secert = "s"
      assert.matches("'client_secert' (did you mean 'client_secret'?)",
        raises(client.fetch_token, client, all), 1, true)
      assert.matches("table expected", raises(client.fetch_token, client))
    end)

    it("when the authority of a token is no origin to trust", function()
      for _, authority in ipairs { "http://login.example", "https://login.example/tenant",
        "login.example", "https://u:p@login.example" } do
        local message = raises(client.fetch_token, client,
          { tenant = "t", client_id = "c", client_secret = "s", authority = authority })
        assert.matches("authority", message)
      end
    end)

    it("when a token is asked for with a secret and an assertion", function()
      assert.matches("not both", raises(client.fetch_token, client, { tenant = "t",
        client_id = "c", client_secret = "s", client_assertion = "a" }))
      assert.matches("client_assertion", raises(client.fetch_token, client, { tenant = "t",
        client_id = "c", client_assertion = 42 }))
    end)
  end)
end)
