-- The calls: what each asks of whom, and what it refuses to ask.
local cpp = require "cpp"
local support = require "spec.support.portal"

local LOCAL = "http://127.0.0.1:9"
local VERSION = "api-version=2017-10-31"
local OFFER = "/api/publishers/contoso/offers/vm"

describe("a call", function()
  local portal, client

  support.share(setup, before_each, teardown, function(...)
    portal, client = ...
  end)

  describe("goes", function()
    it("as POST …/cancel to cancel", function()
      assert(client:cancel("contoso", "vm"))
      local entry = portal:last()
      assert.same({ "POST", OFFER .. "/cancel?" .. VERSION }, { entry.method, entry.uri })
    end)

    it("as GET …/submissions/ to list operations", function()
      assert(client:operations("contoso", "vm"))
      local entry = portal:last()
      assert.same({ "GET", OFFER .. "/submissions/?" .. VERSION }, { entry.method, entry.uri })
    end)

    it("with the list's filter in the query, encoded", function()
      assert(client:operations("contoso", "vm", { status = "in progress" }))
      assert.equal(OFFER .. "/submissions/?status=in%20progress&" .. VERSION,
        portal:last().uri)
    end)

    it("as GET …/status for the offer's status", function()
      assert(client:status("contoso", "vm"))
      local entry = portal:last()
      assert.same({ "GET", OFFER .. "/status?" .. VERSION }, { entry.method, entry.uri })
    end)

    it("as GET of the location to poll", function()
      assert(client:poll(portal.location))
      local entry = portal:last()
      assert.same({ "GET", portal.location }, { entry.method, portal.endpoint .. entry.uri })
    end)

    it("with each id as one path segment, whatever it holds", function()
      client:cancel("con/toso", "a?b#c d$%2Eü+&=;")
      assert.equal("/api/publishers/con%2Ftoso/offers/a%3Fb%23c%20d%24%252E%C3%BC%2B%26%3D%3B"
        .. "/cancel?" .. VERSION, portal:last().uri)
    end)

    it("with the api-version of the option", function()
      client:status("contoso", "vm", { api_version = "2030-01-01&x" })
      assert.equal(OFFER .. "/status?api-version=2030-01-01%26x", portal:last().uri)
    end)

    it("with the token of the client, or that of the call", function()
      assert(client:poll(portal.location))
      local _, err = client:poll(portal.location, { token = "another" })
      assert.equal(401, err.status)
      assert(portal:client { token = "another" }:poll(portal.location, { token = portal.token }))
    end)
  end)

  describe("for a token", function()
    local function fetch(changes, options)
      local given = {
        tenant = portal.emulator.tenant, client_id = portal.emulator.client_id,
        client_secret = portal.emulator.client_secret, authority = portal.endpoint,
      }
      for name, value in pairs(changes or {}) do
        given[name] = value
      end
      return portal:client(options):fetch_token(given)
    end

    it("brings one that works, and its life in whole seconds", function()
      local grant = assert(fetch())
      assert.same({ access_token = grant.access_token, expires_in = 3599 }, grant)
      assert.equal("integer", math.type(grant.expires_in))
      assert(client:poll(portal.location, { token = grant.access_token }))
    end)

    it("is not shown where the grant came with a status that no grant has", function()
      portal:answer(201, '{"access_token":"SECRET-SECRET"}')
      local grant, err = fetch()
      assert.is_nil(grant)
      assert.same({ "unexpected_status" }, { err.code, err.body })
    end)

    it("is a form to the tenant's endpoint, without a token of its own", function()
      assert(fetch(nil, { token = function() error "asked" end }))
      local entry = portal:last()
      assert.same({ "POST", "/" .. portal.emulator.tenant .. "/oauth2/token",
        "application/x-www-form-urlencoded" }, { entry.method, entry.uri, entry.content_type })
    end)

    it("has none of the caller's headers, which are for the portal", function()
      portal:answer(200, '{"access_token":"t"}', { ETag = '"7"' })
      assert(fetch(nil, { headers = { ["If-None-Match"] = '"7"' }, if_match = "*" }))
      assert.is_nil(portal:last().if_match)
    end)

    it("takes the tenant as one path segment", function()
      fetch { tenant = "a/b" }
      assert.equal("/a%2Fb/oauth2/token", portal:last().uri)
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
      portal:answer(200, '{"acces_token":"very-secret-token"}')
      local grant, err = fetch()
      assert.is_nil(grant)
      assert.same({ "protocol", "invalid_token_answer" }, { err.kind, err.code })
      assert.is_nil(err.body)
      assert.is_nil(tostring(err):find("very-secret", 1, true))
    end)
  end)

  -- The message of the error that a function raises.
  local function raises(fn, ...)
    local good, message = pcall(fn, ...)
    assert.is_false(good)
    assert.is_string(message)
    return message
  end

  describe("raises", function()
    it("when there is nothing to poll", function()
      assert.matches("location: string or operation expected, got n", raises(client.poll, client))
      assert.matches("got n", raises(cpp.poll))
      assert.matches("got number", raises(client.poll, client, 42))
      assert.matches("location is empty", raises(client.poll, client, ""))
    end)

    it("when its client is closed", function()
      client:close()
      for _, call in ipairs { "cancel", "operations", "status" } do
        assert.matches("closed", raises(client[call], client, "contoso", "vm"))
      end
      assert.matches("closed", raises(client.poll, client, portal.location))
      assert.matches("closed", raises(client.sleep, client, 0))
      assert.matches("closed", raises(client.fetch_token, client, {}))
    end)

    it("when it is not called on a client", function()
      assert.matches("cpp.client expected", raises(client.cancel, {}, "contoso", "vm"), 1, true)
      assert.matches("cpp.client expected", raises(client.poll, "/x"), 1, true)
    end)

    it("when it sleeps for no number of seconds", function()
      assert.matches("number expected, got no", raises(client.sleep, client))
      assert.matches("NaN", raises(client.sleep, client, 0 / 0))
      assert.matches("negative", raises(client.sleep, client, -1))
    end)

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
  end)
end)
