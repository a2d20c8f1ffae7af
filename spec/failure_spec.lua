-- Failures: whatever goes wrong comes back as one error table.
local cpp = require "cpp"
local harness = require "spec.support.harness"

describe("an error", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  local function fail(...)
    return here:fail(client, ...)
  end

  describe("that the service tells", function()
    local shapes = {
      { "an object with code and message", 400,
        '{"error":{"code":"InvalidAPIVersion","message":"Say which."}}',
        "InvalidAPIVersion", "Say which." },
      { "code and message without the object around them", 409,
        '{"code":"Busy","message":"One runs."}', "Busy", "One runs." },
      { "a Message", 401, '{"Message":"Denied."}', "http_401", "Denied." },
      { "words, as the token endpoint does", 400,
        '{"error":"invalid_client","error_description":"AADSTS7000215: no"}',
        "invalid_client", "AADSTS7000215: no" },
      { "a bare JSON string", 422, '"The offer is incomplete."', "http_422",
        "The offer is incomplete." },
      { "a number for a code", 400, '{"error":{"code":4711,"message":"m"}}', "4711", "m" },
      { "an HTML page", 502, "<html><h1>Bad</h1></html>", "http_502", "HTTP 502 Bad Gateway" },
      { "no body", 404, "", "http_404", "HTTP 404 Not Found" },
      { "a status nobody knows", 499, "", "http_499", "HTTP 499" },
      { "half an object", 500, '{"error":{"code":"X"', "http_500",
        "HTTP 500 Internal Server Error" },
      { "nothing of use", 400, '{"error":{"code":null,"message":{}},"Message":""}', "http_400",
        "HTTP 400 Bad Request" },
      { "an empty string", 400, '""', "http_400", "HTTP 400 Bad Request" },
      { "an array", 400, '[{"code":"x"}]', "http_400", "HTTP 400 Bad Request" },
      { "null", 400, "null", "http_400", "HTTP 400 Bad Request" },
    }

    for _, shape in ipairs(shapes) do
      local name, status, body, code, message = table.unpack(shape)
      it("in " .. name .. " says all there is to know", function()
        here:answer(status, body, { ["x-ms-request-id"] = "r-1" })
        local err = fail()
        local entry = here:last()
        assert.same({
          kind = "http", code = code, message = message, status = status,
          retryable = status >= 500, sent = true, request_id = "r-1",
          client_request_id = entry.client_request_id, body = body ~= "" and body or nil,
          location = here.location,
        }, err)
      end)
    end

    it("is the same whichever call it was", function()
      here:answer(404, '{"error":{"code":"OfferNotFound","message":"No such offer."}}')
      for _, call in ipairs { "cancel", "operations", "status" } do
        local err = fail(nil, call, "contoso", "vm")
        assert.same({ "http", "OfferNotFound", "No such offer.", 404, true },
          { err.kind, err.code, err.message, err.status, err.sent })
        assert.is_nil(err.location)
      end
    end)

    it("is worth another try after 408, 429 and any 5xx, and no other", function()
      for _, status in ipairs { 408, 429, 500, 501, 502, 503, 504, 599 } do
        here:answer(status, "")
        assert.is_true(fail().retryable, status)
      end
      for _, status in ipairs { 304, 400, 401, 403, 404, 409, 410, 412, 422, 451 } do
        here:answer(status, "")
        assert.is_false(fail().retryable, status)
      end
    end)

    it("has the seconds of Retry-After", function()
      here:answer(429, "", { ["Retry-After"] = "17" })
      assert.equal(17, fail().retry_after)
      -- The last year that a clock of 32 bits knows.
      here:answer(503, "", { ["Retry-After"] = "Thu, 31 Dec 2037 00:00:00 GMT" })
      assert.near(2145830400 - os.time(), fail().retry_after, 60)
      here:answer(503, "", { ["Retry-After"] = "in a while" })
      assert.is_nil(fail().retry_after)
    end)

    it("hints at the usual cause of a 403, after the service's own words", function()
      here:answer(403, '{"error":{"code":"Forbidden","message":"Go away."}}')
      local err = fail()
      assert.matches("^Go away%. .*not a member of that publisher", err.message)
      assert.matches("wrong one of its two object ids", err.message)
      here:answer(403, "")
      assert.matches("^HTTP 403 Forbidden .*not a member", fail().message)
    end)

    it("has no hint from the token endpoint, and is about the credential", function()
      here:answer(403, '{"error":"access_denied","error_description":"No."}')
      local err = fail(nil, "fetch_token", {
        tenant = "t", client_id = "c", client_secret = "s", authority = here.endpoint,
      })
      assert.same({ "credential", "access_denied", "No." }, { err.kind, err.code, err.message })
    end)
  end)

  describe("on the way", function()
    it("is could_not_connect when nobody listens", function()
      local closed = harness.start()
      closed:close()
      local err = select(2, client:status("contoso", "vm", { endpoint = closed.endpoint }))
      assert.same({ "transport", "could_not_connect", true, false },
        { err.kind, err.code, err.retryable, err.sent })
      assert.is_nil(err.status)
      assert.is_nil(err.body)
      assert.is_string(err.client_request_id)
    end)

    it("is could_not_resolve when the name has no address", function()
      local name = ("a"):rep(64) .. ".invalid" -- too long a label to ask anybody for
      local err = select(2, client:status("contoso", "vm", { endpoint = "https://" .. name }))
      assert.same({ "transport", "could_not_resolve", true, false },
        { err.kind, err.code, err.retryable, err.sent })
      assert.matches(name, tostring(err))
    end)

    it("is could_not_resolve where a name cannot be spelt for DNS", function()
      local err = select(2, client:status("contoso", "vm", { endpoint = "https://ü.invalid" }))
      assert.same({ "transport", "could_not_resolve", false },
        { err.kind, err.code, err.sent })
    end)

    it("is timeout when no answer comes in time", function()
      here:fault { delay = 60 }
      local err = fail { timeout = 0.30004999 }
      assert.same({ "transport", "timeout", true, true },
        { err.kind, err.code, err.retryable, err.sent })
      assert.matches("no answer within 0%.3 seconds", tostring(err))
    end)

    it("is timeout when an answer begins and never ends, and what came is kept", function()
      here:fault { raw = {
        "HTTP/1.1 202 Accepted\r\nLocation: /api/moved\r\nRetry-After: 3\r\n"
          .. "x-ms-request-id: r-2\r\nContent-Length: 99\r\n\r\npart", 60,
      } }
      local err = select(2, client:cancel("contoso", "vm", { timeout = 0.5 }))
      assert.same({ "timeout", 202, true, 3, "r-2", "part",
        here.endpoint .. "/api/moved?api-version=2017-10-31" },
        { err.code, err.status, err.sent, err.retry_after, err.request_id, err.body,
          err.location })
      assert.matches("no complete answer", tostring(err))
    end)

    it("is connection_lost when the connection closes unanswered", function()
      here:send ""
      local err = fail()
      assert.same({ "transport", "connection_lost", true, true },
        { err.kind, err.code, err.retryable, err.sent })
    end)

    it("is incomplete_answer when the body is cut", function()
      here:send("HTTP/1.1 200 OK", "Content-Length: 99", "", '{"status":"comp')
      local err = fail()
      assert.same({ "transport", "incomplete_answer", true, true, 200, '{"status":"comp' },
        { err.kind, err.code, err.retryable, err.sent, err.status, err.body })
    end)

    it("is no operation when the last chunk is missing", function()
      here:send("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "15",
        '{"status":"canceled"}', "")
      assert.equal("transport", fail().kind)
    end)

    it("is invalid_http when the answer is not HTTP", function()
      here:send("SSH-2.0-OpenSSH_9.2", "")
      local err = fail()
      assert.same({ "protocol", "invalid_http", false, true },
        { err.kind, err.code, err.retryable, err.sent })
    end)

    it("is invalid_encoding when the body is not the gzip it claims to be", function()
      here:send("HTTP/1.1 200 OK", "Content-Encoding: gzip", "Content-Length: 9", "",
        "not gzip!")
      local err = fail()
      assert.same({ "protocol", "invalid_encoding", true }, { err.kind, err.code, err.sent })
    end)

    it("is body_too_large when the body exceeds max_body after decompression", function()
      local body = '{"x":"' .. ("y"):rep(5000) .. '"}'
      here:answer(200, body)
      local err = fail { max_body = 4999 }
      assert.same({ "protocol", "body_too_large", false, true, 200 },
        { err.kind, err.code, err.retryable, err.sent, err.status })
      assert.matches("4999", tostring(err))
      assert.equal(body, assert(client:poll(here.location, { max_body = #body })).body)
    end)

    it("is headers_too_large when the headers never end", function()
      local line = "X-Line: " .. ("x"):rep(1000) .. "\r\n"
      here:fault { raw = "HTTP/1.1 200 OK\r\n" .. line:rep(300) }
      local err = fail()
      assert.same({ "protocol", "headers_too_large", true }, { err.kind, err.code, err.sent })
    end)

    it("leaves the client good for the next call", function()
      here:send("garbage", "")
      fail()
      here:fault()
      assert.equal("canceled", assert(client:poll(here.location)).state)
    end)
  end)

  describe("over TLS", function()
    local secure

    setup(function()
      secure = harness.start { tls = true }
    end)

    teardown(function()
      secure:close()
    end)

    it("is tls_verification without the authority's certificate", function()
      local plain = cpp.client { endpoint = secure.endpoint, token = secure.token }
      local operation, err = plain:poll(secure.location)
      plain:close()
      assert.is_nil(operation)
      assert.same({ "transport", "tls_verification", false, false, secure.location },
        { err.kind, err.code, err.retryable, err.sent, err.location })
      assert.equal(0, #secure:entries())
    end)

    it("is ca_file when there is no such file", function()
      local err = select(2, secure:client { ca_file = "/no/such/file" }:poll(secure.location))
      assert.same({ "transport", "ca_file", false, false },
        { err.kind, err.code, err.retryable, err.sent })
    end)

    it("is tls_handshake when the other side does not speak it", function()
      local endpoint = here.endpoint:gsub("^http:", "https:")
      local err = select(2, client:status("contoso", "vm", { endpoint = endpoint }))
      assert.same({ "transport", "tls_handshake", false }, { err.kind, err.code, err.sent })
    end)

    it("is timeout when the connection is not ready within connect_timeout", function()
      os.execute("kill -STOP " .. secure.portal.pid) -- the kernel still accepts
      local hasty = secure:client { connect_timeout = 0.2, timeout = 60 }
      local err = select(2, hasty:poll(secure.location))
      os.execute("kill -CONT " .. secure.portal.pid)
      assert.same({ "transport", "timeout", true, false },
        { err.kind, err.code, err.retryable, err.sent })
    end)
  end)
end)
