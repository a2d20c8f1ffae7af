-- One transfer: the headers, the method and the body that go out, and how.
local cjson = require "cjson"
local cpp = require "cpp"
local listener = require "spec.support.listener"
local harness = require "spec.support.harness"

local GUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

describe("a request", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  local over_tls = harness.share_secure(before_each, teardown)

  describe("carries", function()
    it("what it accepts: JSON, gzip", function()
      assert(client:poll(here.location))
      local entry = here:last()
      assert.same({ "application/json", "gzip" }, { entry.accept, entry.accept_encoding })
    end)

    it("the module's name and version, or the option user_agent", function()
      assert(client:poll(here.location))
      assert.equal("cloud-partner-portal/" .. cpp._VERSION, here:last().user_agent)
      assert(client:poll(here.location, { user_agent = "robot/1" }))
      assert.equal("robot/1", here:last().user_agent)
    end)

    it("an id of its own each time, which the result names", function()
      local ids = {}
      for _ = 1, 40 do -- more than one block of random bytes has
        local operation = assert(client:poll(here.location))
        local id = operation.client_request_id
        assert.matches(GUID, id)
        assert.is_nil(ids[id])
        ids[id] = true
        assert.equal(id, here:last().client_request_id)
      end
    end)

    it("the option client_request_id instead", function()
      local operation = assert(client:poll(here.location, { client_request_id = "job 7" }))
      assert.same({ "job 7", "job 7" },
        { here:last().client_request_id, operation.client_request_id })
    end)

    it("no Expect, however long its body is", function()
      local server = listener.start(202, "")
      local sending = cpp.client { endpoint = server.endpoint, token = "t" }
      assert(sending:cancel("contoso", "vm", { notification_emails = ("x"):rep(2000000) }))
      local head, body = server:request()
      assert.is_nil(head:lower():find "expect")
      assert.is_true(#body > 2000000)
      sending:close()
    end)

    it("no more than a megabyte of URL, token and headers", function()
      for _, options in ipairs { { token = ("x"):rep(2000000) },
        { headers = { x = ("y"):rep(2000000) } } } do
        local _, err = client:cancel("contoso", "vm", options)
        assert.same({ "protocol", "request_too_large", false, false },
          { err.kind, err.code, err.sent, err.retryable })
      end
      assert.equal(0, #here:entries())
    end)

    it("If-Match on a cancel when it is given, byte for byte", function()
      local tag = [[W/"datetime'2018-03-03T02%3A07%3A34.1234567Z'"]]
      client:cancel("contoso", "vm", { if_match = tag })
      assert.equal(tag, here:last().if_match)
    end)

    it("no If-Match otherwise, and never to read", function()
      assert(client:cancel("contoso", "vm"))
      assert.is_nil(here:last().if_match)
      assert(client:poll(here.location, { if_match = "*" }))
      assert.is_nil(here:last().if_match)
    end)

    it("the caller's own headers", function()
      here:answer(200, "{}", { ETag = '"7"' })
      assert(client:poll(here.location))
      local _, err = client:poll(here.location, { headers = { ["If-None-Match"] = '"7"' } })
      assert.equal("http_304", err.code) -- the server has seen it
    end)

    it("the call's headers in place of the client's", function()
      local with = here:client { headers = { ["X-One"] = "1", ["X-Two"] = "2" } }
      local function sent(options)
        options.dry_run = true
        return assert(with:poll(here.location, options)).headers
      end
      assert.same({ "1", "2" }, { sent {}["X-One"], sent {}["X-Two"] })
      local headers = sent { headers = { ["X-Two"] = "3", ["X-Empty"] = "",
        ["X-Blank"] = "  " } }
      assert.same({ "3", "", "" },
        { headers["X-Two"], headers["X-Empty"], headers["X-Blank"] })
      assert.is_nil(headers["X-One"])
    end)

    it("neither body nor content type to read", function()
      assert(client:poll(here.location))
      local entry = here:last()
      assert.is_nil(entry.content_type)
      assert.is_nil(entry.content_length)
      assert.is_nil(entry.body)
    end)

    it("no body to read on a connection that has carried one", function()
      assert(client:cancel("contoso", "vm", { notification_emails = "a@x.com" }))
      assert(client:status("contoso", "vm"))
      local entries = here:entries()
      assert.equal(entries[1].connection, entries[2].connection)
      assert.same({ "GET" }, { entries[2].method, entries[2].body })
    end)
  end)

  describe("to cancel carries e-mail addresses", function()
    local function sent(emails)
      assert(client:cancel("contoso", "vm", { notification_emails = emails }))
      local entry = here:last()
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
      local with = here:client { notification_emails = "a@x.com" }
      assert(with:cancel("contoso", "vm"))
      assert.equal('{"metadata":{"notification-emails":"a@x.com"}}', here:last().body)
    end)

    it("that are empty when nobody gives any: the service wants the field", function()
      assert.equal('{"metadata":{"notification-emails":""}}', sent(nil))
      assert.equal('{"metadata":{"notification-emails":""}}', sent {})
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
end)
