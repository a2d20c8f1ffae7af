-- The wire: what of a call reaches the server, how often, and what never does.
local cpp = require "cpp"
local child = require "spec.support.child"
local harness = require "spec.support.harness"

local VERSION = "api-version=2017-10-31"
local OFFER = "/api/publishers/contoso/offers/vm"

describe("a request", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  local over_tls = harness.share_secure(before_each, teardown)

  describe("is not redirected", function()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      it(("by a %d"):format(status), function()
        here:answer(status, "", { Location = OFFER .. "/status?" .. VERSION })
        for _, call in ipairs { "cancel", "status" } do
          local _, err = client[call](client, "contoso", "vm")
          assert.same({ "http", "http_" .. status, true, false },
            { err.kind, err.code, err.sent, err.retryable })
        end
        assert.equal(2, #here:entries())
      end)
    end
  end)

  describe("to another origin", function()
    -- spec/hostile has a listener that would see a socket.
    it("sends nothing and asks for no token", function()
      local other = over_tls()
      local before = #other:entries()
      local asked = 0
      local careful = here:client { token = function() asked = asked + 1 return "t" end }
      local operation, err = careful:poll(other.location)
      assert.is_nil(operation)
      assert.same({ "origin", "foreign_origin", false, false, other.location },
        { err.kind, err.code, err.sent, err.retryable, err.location })
      assert.equal(0, asked)
      assert.equal(before, #other:entries())
    end)

    it("is refused when a cancel names it, and the location is kept", function()
      here:answer(202, "", { Location = "//evil.example/api/op" })
      assert.equal("http://evil.example/api/op", assert(client:cancel("contoso", "vm")).location)
      here:answer(202, "", { Location = "https://evil.example/api/op?a=1" })
      local operation = assert(client:cancel("contoso", "vm"))
      assert.same({ "accepted", "https://evil.example/api/op?a=1" },
        { operation.state, operation.location })
      local _, err = client:poll(operation)
      assert.same({ "foreign_origin", "https://evil.example/api/op?a=1" },
        { err.code, err.location })
      assert.equal(2, #here:entries())
    end)

    it("goes when the call's endpoint says so", function()
      local other = over_tls()
      local options = { endpoint = other.endpoint, token = other.token, ca_file = other.ca_file }
      assert.equal("canceled", assert(client:poll(other.location, options)).state)
      assert.equal(0, #here:entries())
    end)
  end)

  describe("whose connection dies unanswered", function()
    -- A client with a connection that has served.
    local function warm(at, options)
      local result = at:client(options)
      assert(result:poll(at.location))
      return result
    end

    it("reaches the server once when it is a cancel", function()
      local kept = warm(here)
      here:fault { on = "cancel", drop = "before" }
      local operation, err = kept:cancel("contoso", "vm")
      assert.is_nil(operation)
      assert.same({ "transport", "connection_lost", true, true },
        { err.kind, err.code, err.sent, err.retryable })
      local entries = here:entries()
      assert.equal(2, #entries)
    end)

    it("reaches the server once when the cancel has acted", function()
      local kept = warm(here)
      here:fault { on = "cancel", drop = "after" }
      local _, err = kept:cancel("contoso", "vm")
      assert.equal("connection_lost", err.code)
      local entries = here:entries()
      assert.same({ 2, true }, { #entries, entries[2].acted })
    end)

    it("reaches the server once when it asks for a token", function()
      local kept = warm(here)
      here:fault { on = "token", drop = "before" }
      local _, err = kept:fetch_token {
        tenant = "t", client_id = "c", client_secret = "s", authority = here.endpoint,
      }
      assert.same({ "connection_lost", true }, { err.code, err.sent })
      assert.equal(2, #here:entries())
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
      local kept = warm(here)
      here:fault { on = "poll", drop = "before", times = 1 }
      assert.equal("canceled", assert(kept:poll(here.location)).state)
      local entries = here:entries()
      assert.equal(3, #entries)
      assert.equal(entries[1].connection, entries[2].connection)
      assert.not_equal(entries[2].connection, entries[3].connection)
    end)

    it("does not go again when the connection was new", function()
      here:fault { drop = "before", times = 1 }
      local _, err = client:poll(here.location)
      assert.same({ "transport", "connection_lost", true, true },
        { err.kind, err.code, err.sent, err.retryable })
      assert.equal(1, #here:entries())
    end)
  end)

  describe("tells in its error whether it was sent:", function()
    it("not when nobody listens", function()
      local closed = harness.start()
      closed:close()
      local _, err = here:client { endpoint = closed.endpoint }:cancel("contoso", "vm")
      assert.same({ "could_not_connect", false }, { err.code, err.sent })
    end)

    it("not when there is no token", function()
      local _, err = here:client { token = function() end }:cancel("contoso", "vm")
      assert.same({ "no_token", false }, { err.code, err.sent })
    end)

    it("not when the server's certificate is refused", function()
      local tls = over_tls()
      local _, err = here:client { endpoint = tls.endpoint }:cancel("contoso", "vm")
      assert.same({ "tls_verification", false }, { err.code, err.sent })
      assert.equal(0, #tls:entries())
    end)

    it("yes when the answer never came", function()
      here:fault { delay = 60 }
      local _, err = client:cancel("contoso", "vm", { timeout = 0.3 })
      assert.same({ "timeout", true }, { err.code, err.sent })
      assert.equal(1, #here:entries())
    end)

    it("yes when there was no descriptor to send it again", function()
      here:fault { on = "poll", drop = "before", times = 1 }
      local output = child.run(here, ([[
        local client = require "cpp".client()
        assert(client:status("contoso", "vm"))
        assert(os.execute "prlimit --nofile=3: --pid $PPID")
        local _, err = client:poll(%q)
        print(err.code, err.sent)
      ]]):format(here.location), "export ASAN_OPTIONS=detect_leaks=0") -- it needs descriptors
      assert.equal("no_descriptors\ttrue\n", output)
      assert.equal(2, #here:entries())
    end)

    it("yes when the service refused it", function()
      here:answer(503, "")
      local _, err = client:cancel("contoso", "vm")
      assert.same({ "http_503", true }, { err.code, err.sent })
    end)
  end)

  describe("asks a token function", function()
    it("once per exchange, with the client and no rejected token", function()
      local calls = {}
      local asking
      asking = here:client { token = function(...)
        table.insert(calls, table.pack(...))
        return here.token
      end }
      assert(asking:cancel("contoso", "vm"))
      assert(asking:poll(here.location))
      assert.equal(2, #calls)
      for _, call in ipairs(calls) do
        assert.same({ n = 2, asking }, call)
      end
    end)

    it("that is any callable value", function()
      local callable = setmetatable({}, { __call = function() return here.token end })
      assert(here:client { token = callable }:poll(here.location))
    end)

    it("with the token that got the last 401, which is not repeated", function()
      local rejected = {}
      local answers = { "first-token", "second-token", here.token, here.token }
      local asking = here:client { token = function(_, old)
        table.insert(rejected, old or "none")
        return answers[#rejected]
      end }
      for i = 1, 4 do
        local operation, err = asking:poll(here.location)
        assert.equal(i > 2, operation ~= nil)
        assert.equal(i <= 2, err ~= nil and err.status == 401)
      end
      assert.same({ "none", "first-token", "second-token", "second-token" }, rejected)
      assert.equal(4, #here:entries())
    end)

    it("which may yield", function()
      local asking = here:client { token = function() return coroutine.yield "asked" end }
      local poll = coroutine.wrap(function() return assert(asking:poll(here.location)) end)
      assert.equal("asked", poll())
      assert.equal(0, #here:entries())
      assert.equal("canceled", poll(here.token).state)
    end)

    it("which may ask the same client for one", function()
      local asking = here:client { token = function(self)
        local grant = assert(self:fetch_token {
          tenant = here.portal.tenant, client_id = here.portal.client_id,
          client_secret = here.portal.client_secret, authority = here.endpoint,
        })
        return grant.access_token
      end }
      assert.equal("canceled", assert(asking:poll(here.location)).state)
      local entries = here:entries()
      assert.same({ "token", "poll" }, { entries[1].call, entries[2].call })
    end)

    it("and passes on the error that it raises", function()
      local problem = {}
      local asking = here:client { token = function() error(problem) end }
      local good, raised = pcall(asking.poll, asking, here.location)
      assert.is_false(good)
      assert.equal(problem, raised)
      assert(asking:poll(here.location, { token = here.token })) -- it works on
    end)

    -- The error of a call whose token function answers this.
    local function refusal(...)
      local answer = table.pack(...)
      local function token() return table.unpack(answer, 1, answer.n) end
      local operation, err = client:poll(here.location, { token = token })
      assert.is_nil(operation)
      assert.equal(0, #here:entries())
      assert.is_false(err.sent)
      assert.equal(here.location, err.location)
      return err
    end

    it("and takes its reason", function()
      local err = refusal(nil, "the vault is shut")
      assert.same({ "credential", "no_token", "the vault is shut" },
        { err.kind, err.code, err.message })
    end)

    it("and is told as closed where that has closed the client", function()
      for _, result in ipairs { false, "a-token" } do
        client = here:client { token = function(self)
          self:close()
          return result or nil, "no such thing"
        end }
        local _, err = client:poll(here.location)
        assert.same({ "closed", "closed", false, here.location },
          { err.kind, err.code, err.sent, err.location })
      end
      assert.equal(0, #here:entries())
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
    local output = child.output(script, { CPP_ENDPOINT = here.endpoint })
    assert.matches("CPP_TOKEN", output)
    assert.matches("%[credential/no_token%]", output)
    assert.equal(0, #here:entries())
  end)
end)
