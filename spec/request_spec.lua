-- The wire: what of a call reaches the server, how often, and what never does.
local cpp = require "cpp"
local support = require "spec.support.portal"

local VERSION = "api-version=2017-10-31"
local OFFER = "/api/publishers/contoso/offers/vm"

describe("a request", function()
  local portal, client

  support.share(setup, before_each, teardown, function(...)
    portal, client = ...
  end)

  local over_tls = support.share_secure(before_each, teardown)

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

  describe("follows the location of a cancel", function()
    -- Cancels, polls, and tells where the poll went.
    local function follow(form)
      portal:set { location = form }
      local accepted = assert(client:cancel("contoso", "vm"))
      local operation = assert(client:poll(accepted))
      assert.equal("running", operation.state)
      assert.equal(accepted.location, operation.location)
      assert.equal(accepted.location, portal.endpoint .. portal:last().uri)
      return portal:last().uri
    end

    it("in the form of 2018, absolute and without api-version", function()
      assert.matches("^" .. OFFER .. "/operations/[%x-]+%?" .. VERSION:gsub("%-", "%%-") .. "$",
        follow "F1")
    end)

    it("in the form of 2018 with literal $", function()
      assert.matches("^/api/operations/contoso%$[%x-]+%$%d+%$preview%?api%-version=2017%-10%-31$",
        follow "F2")
    end)

    it("in the form of 2020 for a migrated offer", function()
      assert.matches("^" .. OFFER .. "/operations/[%x-]+%?api%-version=2017%-10%-31$",
        follow "F3")
    end)

    it("in the form of 2020 for any other", function()
      assert.matches("^/api/operations/contoso%$vm%$%d+%$preview%?api%-version=2017%-10%-31$",
        follow "F4")
    end)

    for _, name in ipairs { "operation-location", "OPERATION-LOCATION", "location", "LoCaTiOn" } do
      it("from a header that is written " .. name, function()
        portal:send("HTTP/1.1 202 Accepted", name .. ":  /api/operations/x$1$preview \t",
          "Content-Length: 0", "", "")
        local operation = assert(client:cancel("contoso", "vm"))
        assert.equal(portal.endpoint .. "/api/operations/x$1$preview?" .. VERSION,
          operation.location)
      end)
    end

    it("from Operation-Location when Location comes too", function()
      local headers = { Location = "/b", ["Operation-Location"] = "/a" }
      portal:answer(202, "", headers)
      local operation = assert(client:cancel("contoso", "vm"))
      assert.equal(portal.endpoint .. "/a?" .. VERSION, operation.location)
    end)

    it("byte for byte: $ and percent escapes stay", function()
      portal:answer(200, "{}")
      local target = "/api/../operations/./contoso$a%2fB%24c$2$preview?x=%41$1+2&y"
      assert(client:poll(target))
      assert.equal(target .. "&" .. VERSION, portal:last().uri)
    end)

    it("over HTTP/2, where names come in lower case", function()
      local tls = over_tls()
      tls:set { location = "F4" }
      local other = tls:client()
      local accepted = assert(other:cancel("contoso", "vm"))
      assert.equal("running", assert(other:poll(accepted)).state)
      assert.equal("HTTP/2.0", tls:last().protocol)
      assert.equal(accepted.location, tls.endpoint .. tls:last().uri)
    end)
  end)

  describe("is not redirected", function()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      it(("by a %d"):format(status), function()
        portal:answer(status, "", { Location = OFFER .. "/status?" .. VERSION })
        for _, call in ipairs { "cancel", "status" } do
          local _, err = client[call](client, "contoso", "vm")
          assert.same({ "http", "http_" .. status, true, false },
            { err.kind, err.code, err.sent, err.retryable })
        end
        assert.equal(2, #portal:entries())
      end)
    end
  end)

  describe("to another origin", function()
    -- spec/hostile has a listener that would see a socket.
    it("sends nothing and asks for no token", function()
      local other = over_tls()
      local before = #other:entries()
      local asked = 0
      local careful = portal:client { token = function() asked = asked + 1 return "t" end }
      local operation, err = careful:poll(other.location)
      assert.is_nil(operation)
      assert.same({ "origin", "foreign_origin", false, false, other.location },
        { err.kind, err.code, err.sent, err.retryable, err.location })
      assert.equal(0, asked)
      assert.equal(before, #other:entries())
    end)

    it("is refused when a cancel names it, and the location is kept", function()
      portal:answer(202, "", { Location = "//evil.example/api/op" })
      assert.equal("http://evil.example/api/op", assert(client:cancel("contoso", "vm")).location)
      portal:answer(202, "", { Location = "https://evil.example/api/op?a=1" })
      local operation = assert(client:cancel("contoso", "vm"))
      assert.same({ "accepted", "https://evil.example/api/op?a=1" },
        { operation.state, operation.location })
      local _, err = client:poll(operation)
      assert.same({ "foreign_origin", "https://evil.example/api/op?a=1" },
        { err.code, err.location })
      assert.equal(2, #portal:entries())
    end)

    it("goes when the call's endpoint says so", function()
      local other = over_tls()
      local options = { endpoint = other.endpoint, token = other.token, ca_file = other.ca_file }
      assert.equal("canceled", assert(client:poll(other.location, options)).state)
      assert.equal(0, #portal:entries())
    end)
  end)

  describe("whose kept connection dies unanswered", function()
    -- A client with a connection that has served.
    local function warm(at, options)
      local result = at:client(options)
      assert(result:poll(at.location))
      return result
    end

    it("reaches the server once when it is a cancel", function()
      local kept = warm(portal)
      portal:fault { on = "cancel", drop = "before" }
      local operation, err = kept:cancel("contoso", "vm")
      assert.is_nil(operation)
      assert.same({ "transport", "connection_lost", true, true },
        { err.kind, err.code, err.sent, err.retryable })
      local entries = portal:entries()
      assert.equal(2, #entries)
      assert.equal(entries[1].connection, entries[2].connection)
    end)

    it("reaches the server once when the cancel has acted", function()
      local kept = warm(portal)
      portal:fault { on = "cancel", drop = "after" }
      local _, err = kept:cancel("contoso", "vm")
      assert.equal("connection_lost", err.code)
      local entries = portal:entries()
      assert.same({ 2, true }, { #entries, entries[2].acted })
    end)

    it("reaches the server once when it asks for a token", function()
      local kept = warm(portal)
      portal:fault { on = "token", drop = "before" }
      local _, err = kept:fetch_token {
        tenant = "t", client_id = "c", client_secret = "s", authority = portal.endpoint,
      }
      assert.same({ "connection_lost", true }, { err.code, err.sent })
      assert.equal(2, #portal:entries())
    end)

    it("reaches the server once over HTTP/2 too", function()
      local tls = over_tls()
      local kept = warm(tls)
      tls:fault { on = "cancel", drop = "before" }
      local _, err = kept:cancel("contoso", "vm")
      assert.same({ "transport", true }, { err.kind, err.sent })
      assert.equal(2, #tls:entries())
    end)

    it("reaches the server once over TLS with HTTP/1.1", function()
      local tls = over_tls()
      local kept = warm(tls, { http_version = "1.1" })
      tls:fault { on = "cancel", drop = "before" }
      local _, err = kept:cancel("contoso", "vm")
      assert.same({ "connection_lost", true }, { err.code, err.sent })
      assert.equal(2, #tls:entries())
    end)

    it("goes again when it only reads", function()
      local kept = warm(portal)
      portal:fault { on = "poll", drop = "before", times = 1 }
      assert.equal("canceled", assert(kept:poll(portal.location)).state)
      local entries = portal:entries()
      assert.equal(3, #entries)
      assert.equal(entries[1].connection, entries[2].connection)
      assert.not_equal(entries[2].connection, entries[3].connection)
    end)

    it("does not go again when the connection was new", function()
      portal:fault { drop = "before", times = 1 }
      local _, err = client:poll(portal.location)
      assert.same({ "transport", "connection_lost", true, true },
        { err.kind, err.code, err.sent, err.retryable })
      assert.equal(1, #portal:entries())
    end)
  end)

  describe("tells in its error whether it was sent:", function()
    it("not when nobody listens", function()
      local closed = support.start()
      closed:close()
      local _, err = portal:client { endpoint = closed.endpoint }:cancel("contoso", "vm")
      assert.same({ "could_not_connect", false }, { err.code, err.sent })
    end)

    it("not when there is no token", function()
      local _, err = portal:client { token = function() end }:cancel("contoso", "vm")
      assert.same({ "no_token", false }, { err.code, err.sent })
    end)

    it("not when the server's certificate is refused", function()
      local tls = over_tls()
      local _, err = portal:client { endpoint = tls.endpoint }:cancel("contoso", "vm")
      assert.same({ "tls_verification", false }, { err.code, err.sent })
      assert.equal(0, #tls:entries())
    end)

    it("yes when the answer never came", function()
      portal:fault { delay = 60 }
      local _, err = client:cancel("contoso", "vm", { timeout = 0.3 })
      assert.same({ "timeout", true }, { err.code, err.sent })
      assert.equal(1, #portal:entries())
    end)

    it("yes when the service refused it", function()
      portal:answer(503, "")
      local _, err = client:cancel("contoso", "vm")
      assert.same({ "http_503", true }, { err.code, err.sent })
    end)
  end)

  describe("asks a token function", function()
    it("once per exchange, with the client and no rejected token", function()
      local calls = {}
      local asking
      asking = portal:client { token = function(...)
        table.insert(calls, table.pack(...))
        return portal.token
      end }
      assert(asking:cancel("contoso", "vm"))
      assert(asking:poll(portal.location))
      assert.equal(2, #calls)
      for _, call in ipairs(calls) do
        assert.same({ n = 2, asking }, call)
      end
    end)

    it("that is any callable value", function()
      local callable = setmetatable({}, { __call = function() return portal.token end })
      assert(portal:client { token = callable }:poll(portal.location))
    end)

    it("with the token that got the last 401, which is not repeated", function()
      local rejected = {}
      local answers = { "first-token", "second-token", portal.token, portal.token }
      local asking = portal:client { token = function(_, old)
        table.insert(rejected, old or "none")
        return answers[#rejected]
      end }
      for i = 1, 4 do
        local operation, err = asking:poll(portal.location)
        assert.equal(i > 2, operation ~= nil)
        assert.equal(i <= 2, err ~= nil and err.status == 401)
      end
      assert.same({ "none", "first-token", "second-token", "second-token" }, rejected)
      assert.equal(4, #portal:entries())
    end)

    it("which may yield", function()
      local asking = portal:client { token = function() return coroutine.yield "asked" end }
      local poll = coroutine.wrap(function() return assert(asking:poll(portal.location)) end)
      assert.equal("asked", poll())
      assert.equal(0, #portal:entries())
      assert.equal("canceled", poll(portal.token).state)
    end)

    it("which may ask the same client for one", function()
      local asking = portal:client { token = function(self)
        local grant = assert(self:fetch_token {
          tenant = portal.emulator.tenant, client_id = portal.emulator.client_id,
          client_secret = portal.emulator.client_secret, authority = portal.endpoint,
        })
        return grant.access_token
      end }
      assert.equal("canceled", assert(asking:poll(portal.location)).state)
      local entries = portal:entries()
      assert.same({ "token", "poll" }, { entries[1].call, entries[2].call })
    end)

    it("and passes on the error that it raises", function()
      local problem = {}
      local asking = portal:client { token = function() error(problem) end }
      local good, raised = pcall(asking.poll, asking, portal.location)
      assert.is_false(good)
      assert.equal(problem, raised)
      assert(asking:poll(portal.location, { token = portal.token })) -- it works on
    end)

    -- The error of a call whose token function answers this.
    local function refusal(...)
      local answer = table.pack(...)
      local function token() return table.unpack(answer, 1, answer.n) end
      local operation, err = client:poll(portal.location, { token = token })
      assert.is_nil(operation)
      assert.equal(0, #portal:entries())
      assert.is_false(err.sent)
      assert.equal(portal.location, err.location)
      return err
    end

    it("and takes its reason", function()
      local err = refusal(nil, "the vault is shut")
      assert.same({ "credential", "no_token", "the vault is shut" },
        { err.kind, err.code, err.message })
    end)

    it("and does without a reason", function()
      local err = refusal()
      assert.same({ "credential", "no_token" }, { err.kind, err.code })
      assert.matches("token function", tostring(err))
    end)

    it("and takes the error that it hands on", function()
      local reason = cpp.error {
        kind = "transport", code = "could_not_connect", message = "no way", retryable = true,
        retry_after = 7, sent = true,
      }
      local err = refusal(nil, reason)
      assert.same({ "credential", "could_not_connect", "no way", true, 7 },
        { err.kind, err.code, err.message, err.retryable, err.retry_after })
    end)

    it("and refuses what is no token", function()
      for _, value in ipairs { 42, {}, "", "two\r\nlines", "nul\0" } do
        local err = refusal(value)
        assert.same({ "credential", "invalid_token", false },
          { err.kind, err.code, err.retryable })
      end
    end)
  end)

  it("without any token is an error that says how to give one", function()
    local script = [[print(select(2, require "cpp".client():cancel("contoso", "vm")))]]
    local output = support.child(script, { CPP_ENDPOINT = portal.endpoint })
    assert.matches("CPP_TOKEN", output)
    assert.matches("%[credential/no_token%]", output)
    assert.equal(0, #portal:entries())
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
end)
