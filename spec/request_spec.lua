-- The wire: what of a call reaches the server, how often, and what never does.
local cjson = require "cjson"
local cpp = require "cpp"
local support = require "spec.support.portal"

local VERSION = "api-version=2017-10-31"
local OFFER = "/api/publishers/contoso/offers/vm"
local GUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

describe("a request", function()
  local portal, secure, client

  -- An https portal; started by the first case that needs it.
  local function over_tls()
    if not secure then
      secure = support.start(true)
      secure:reset()
    end
    return secure
  end

  setup(function()
    portal = support.start()
  end)

  before_each(function()
    portal:reset()
    client = portal:client()
    if secure then
      secure:reset()
    end
  end)

  teardown(function()
    portal:close()
    if secure then
      secure:close()
    end
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

  describe("carries", function()
    it("what it accepts: JSON, gzip", function()
      assert(client:poll(portal.location))
      local entry = portal:last()
      assert.same({ "application/json", "gzip" }, { entry.accept, entry.accept_encoding })
    end)

    it("the module's name and version, or the option user_agent", function()
      assert(client:poll(portal.location))
      assert.equal("cloud-partner-portal/" .. cpp._VERSION, portal:last().user_agent)
      assert(client:poll(portal.location, { user_agent = "robot/1" }))
      assert.equal("robot/1", portal:last().user_agent)
    end)

    it("an id of its own each time, which the result names", function()
      local ids = {}
      for _ = 1, 40 do -- more than one block of random bytes has
        local operation = assert(client:poll(portal.location))
        local id = operation.client_request_id
        assert.matches(GUID, id)
        assert.is_nil(ids[id])
        ids[id] = true
        assert.equal(id, portal:last().client_request_id)
      end
    end)

    it("the option client_request_id instead", function()
      local operation = assert(client:poll(portal.location, { client_request_id = "job 7" }))
      assert.same({ "job 7", "job 7" },
        { portal:last().client_request_id, operation.client_request_id })
    end)

    it("If-Match on a cancel when it is given, byte for byte", function()
      local tag = [[W/"datetime'2018-03-03T02%3A07%3A34.1234567Z'"]]
      client:cancel("contoso", "vm", { if_match = tag })
      assert.equal(tag, portal:last().if_match)
    end)

    it("no If-Match otherwise, and never to read", function()
      assert(client:cancel("contoso", "vm"))
      assert.is_nil(portal:last().if_match)
      assert(client:poll(portal.location, { if_match = "*" }))
      assert.is_nil(portal:last().if_match)
    end)

    it("the caller's own headers", function()
      portal:answer(200, "{}", { ETag = '"7"' })
      assert(client:poll(portal.location))
      local _, err = client:poll(portal.location, { headers = { ["If-None-Match"] = '"7"' } })
      assert.equal("http_304", err.code) -- the server has seen it
    end)

    it("the call's headers in place of the client's", function()
      local with = portal:client { headers = { ["X-One"] = "1", ["X-Two"] = "2" } }
      local function sent(options)
        options.dry_run = true
        return assert(with:poll(portal.location, options)).headers
      end
      assert.same({ "1", "2" }, { sent {}["X-One"], sent {}["X-Two"] })
      local headers = sent { headers = { ["X-Two"] = "3", ["X-Empty"] = "" } }
      assert.same({ "3", "" }, { headers["X-Two"], headers["X-Empty"] })
      assert.is_nil(headers["X-One"])
    end)

    it("neither body nor content type to read", function()
      assert(client:poll(portal.location))
      local entry = portal:last()
      assert.is_nil(entry.content_type)
      assert.is_nil(entry.content_length)
      assert.is_nil(entry.body)
    end)

    it("no body to read on a connection that has carried one", function()
      assert(client:cancel("contoso", "vm", { notification_emails = "a@x.com" }))
      assert(client:status("contoso", "vm"))
      local entries = portal:entries()
      assert.equal(entries[1].connection, entries[2].connection)
      assert.same({ "GET" }, { entries[2].method, entries[2].body })
    end)
  end)

  describe("to cancel carries e-mail addresses", function()
    local function sent(emails)
      assert(client:cancel("contoso", "vm", { notification_emails = emails }))
      local entry = portal:last()
      assert.equal("application/json", entry.content_type)
      assert.equal(#entry.body, entry.content_length)
      return entry.body
    end

    it("from a string, as it is", function()
      assert.equal('{"metadata":{"notification-emails":"a@x.com,b@y.com"}}',
        sent "a@x.com,b@y.com")
    end)

    it("from an array, joined", function()
      assert.equal('{"metadata":{"notification-emails":"a@x.com,b@y.com,c@z.com"}}',
        sent { "a@x.com", "b@y.com", "c@z.com" })
    end)

    it("as JSON, whatever they hold", function()
      local address = '"quoted\\ \t"@x.com, ü@y.com'
      assert.equal(address, cjson.decode(sent(address)).metadata["notification-emails"])
    end)

    it("of the client, when the call gives none", function()
      local with = portal:client { notification_emails = "a@x.com" }
      assert(with:cancel("contoso", "vm"))
      assert.equal('{"metadata":{"notification-emails":"a@x.com"}}', portal:last().body)
    end)

    it("that are empty when nobody gives any: the service wants the field", function()
      assert.equal('{"metadata":{"notification-emails":""}}', sent(nil))
      assert.equal('{"metadata":{"notification-emails":""}}', sent {})
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

  describe("over TLS", function()
    -- Cancels 20 times, each time with a body of `size` bytes and more, over HTTP/2.
    local function cancel_unread(size, fault)
      local tls = over_tls()
      local other = tls:client()
      fault.on, fault.early = "cancel", true
      tls:fault(fault)
      return coroutine.wrap(function()
        for i = 1, 20 do
          local emails = ("x"):rep(size)
          local operation, err = other:cancel("contoso", "vm", { notification_emails = emails })
          assert.is_truthy(operation, err)
          assert.same({ i, "HTTP/2.0" }, { #tls:entries(), tls:last().protocol })
          coroutine.yield(operation)
        end
      end)
    end

    -- More than an HTTP/2 server lets in before it reads: then libcurl is certain to
    -- call the stream broken. With a few bytes it does so now and then.
    local LARGE, SMALL = 80000, 10

    for _, size in ipairs { SMALL, LARGE } do
      it(("answered 202 before %d bytes of body were read has its answer"):format(size), function()
        for operation in cancel_unread(size, {}) do
          assert.equal("accepted", operation.state)
          assert.matches("/operations/", operation.location)
        end
      end)
    end

    for what, case in pairs {
      ["200"] = { size = SMALL, note = "x" },
      ["200, compressed and thus of no announced length,"] = { size = LARGE,
        note = ("x"):rep(5000) },
    } do
      it("answered " .. what .. " before its body was read has its answer", function()
        local document = ('{"status":"canceled","note":"%s"}'):format(case.note)
        for operation in cancel_unread(case.size, { status = 200, body = document }) do
          assert.same({ "canceled", document }, { operation.state, operation.body })
        end
      end)
    end

    it("answered whole while its body waits to be read has its answer at the deadline", function()
      local tls, document = over_tls(), '{"status":"canceled"}'
      local other = tls:client()
      assert(other:poll(tls.location))
      tls:fault { on = "cancel", early = true, status = 200, body = document }
      local options = { timeout = 0.5, notification_emails = ("x"):rep(LARGE) }
      local operation = assert(other:cancel("contoso", "vm", options))
      assert.same({ "canceled", document }, { operation.state, operation.body })
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

  describe("that is a dry run", function()
    local function dry(call, ...)
      local silent = portal:client { token = function() error "asked" end }
      return assert(silent[call](silent, ...))
    end

    it("sends nothing, asks for no token and shows the request", function()
      local run = dry("cancel", "contoso", "vm", {
        dry_run = true, notification_emails = "a@x.com", if_match = "*",
        client_request_id = "job 7", headers = { ["X-Mine"] = "yes" },
      })
      assert.same({
        method = "POST",
        url = portal.endpoint .. OFFER .. "/cancel?" .. VERSION,
        headers = {
          ["Authorization"] = "Bearer ***", ["Accept"] = "application/json",
          ["Content-Type"] = "application/json", ["If-Match"] = "*",
          ["User-Agent"] = "cloud-partner-portal/" .. cpp._VERSION, ["X-Mine"] = "yes",
          ["x-ms-client-request-id"] = "job 7",
        },
        body = '{"metadata":{"notification-emails":"a@x.com"}}',
      }, run)
      assert.equal(0, #portal:entries())
    end)

    it("has no body to read", function()
      local run = dry("poll", portal.location, { dry_run = true })
      assert.same({ "GET", portal.location }, { run.method, run.url, run.body })
    end)

    it("keeps the client's token to itself", function()
      local run = assert(client:poll(portal.location, { dry_run = true }))
      assert.equal("Bearer ***", run.headers.Authorization)
      assert.is_nil(tostring(run):find(portal.token, 1, true))
    end)

    it("obeys the origin rule", function()
      local run, err = client:poll("https://evil.example/api", { dry_run = true })
      assert.is_nil(run)
      assert.equal("foreign_origin", err.code)
    end)

    it("reads as a curl command that a shell understands", function()
      local run = dry("cancel", "contoso", "vm", {
        dry_run = true, notification_emails = "o'hara@x.com", client_request_id = "$HOME",
      })
      local script = "curl() { printf '<%s>\\n' \"$@\"; }; CPP_TOKEN='s e c'; " .. tostring(run)
      local pipe <close> = io.popen(script)
      local words = {}
      for word in pipe:lines() do
        words[word] = true
      end
      assert.is_true(words["<Authorization: Bearer s e c>"])
      assert.is_true(words["<x-ms-client-request-id: $HOME>"])
      assert.is_true(words["<POST>"])
      assert.is_true(words['<{"metadata":{"notification-emails":"o\'hara@x.com"}}>'])
      assert.is_true(words["<" .. run.url .. ">"])
    end)
  end)

  describe("is traced", function()
    local events

    local function traced(options)
      events = {}
      options = options or {}
      options.trace = function(event) table.insert(events, event) end
      return portal:client(options)
    end

    it("once, after it has ended, with all that is known of it", function()
      local tracing = traced()
      local operation = assert(tracing:cancel("contoso", "vm"))
      local event = events[1]
      assert.equal(1, #events)
      assert.same({
        "POST", portal.endpoint .. OFFER .. "/cancel?" .. VERSION, 202, true, false, "HTTP/1.1",
        "127.0.0.1", operation.request_id, operation.client_request_id,
      }, {
        event.method, event.url, event.status, event.sent, event.reused, event.protocol,
        event.address, event.request_id, event.client_request_id,
      })
      assert.is_nil(event.code)
      assert.equal(portal:last().content_length, event.bytes_sent)
    end)

    it("with the times of its stages in order", function()
      assert(traced():poll(portal.location))
      local event = events[1]
      assert.is_true(0 <= event.dns and event.dns <= event.connect)
      assert.is_true(event.connect <= event.first_byte and event.first_byte <= event.total)
      assert.is_true(event.total > 0)
    end)

    it("with whether its connection served before", function()
      local tracing = traced()
      assert(tracing:poll(portal.location))
      assert(tracing:poll(portal.location))
      assert.same({ false, true }, { events[1].reused, events[2].reused })
    end)

    it("with the code of its error", function()
      local tracing = traced()
      portal:answer(404, '{"error":{"code":"OfferNotFound","message":"no"}}')
      tracing:poll(portal.location)
      portal:fault { drop = "before" }
      tracing:cancel("contoso", "vm")
      assert.same({ "OfferNotFound", 404, "connection_lost" },
        { events[1].code, events[1].status, events[2].code, events[2].status })
    end)

    it("as compressed: fewer bytes came than the body has", function()
      portal:answer(200, '{"note":"' .. ("x"):rep(5000) .. '"}')
      local operation = assert(traced():poll(portal.location))
      assert.equal(5000, #operation.document.note)
      assert.is_true(events[1].bytes_received > 0 and events[1].bytes_received < 1000)
    end)

    it("without the token", function()
      assert(traced():poll(portal.location))
      for _, value in pairs(events[1]) do
        assert.is_nil(tostring(value):find(portal.token, 1, true))
      end
    end)

    it("to a function that may use the client itself", function()
      local inner
      local tracing
      tracing = portal:client { trace = function()
        inner = inner or assert(tracing:status("contoso", "vm", { trace = function() end }))
      end }
      assert.equal("canceled", assert(tracing:poll(portal.location)).state)
      assert.equal("running", inner.state)
    end)

    it("to a function whose error is a warning, and the result stays", function()
      local script = [[
        local client = require "cpp".client{ trace = function() error("oops", 0) end }
        print(client:poll(%q))]]
      local output = support.child(script:format(portal.location),
        { CPP_ENDPOINT = portal.endpoint, CPP_TOKEN = portal.token })
      assert.matches("Lua warning: cpp: error in trace function: oops\n", output)
      assert.matches("\ncontoso/vm: canceled", output)
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
