-- The answer: what becomes of the service's headers and documents.
local cpp = require "cpp"
local harness = require "spec.support.harness"

local DAY = 86400

describe("the answer", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  -- Polls a portal that answers so.
  local function poll(status, body, headers)
    here:answer(status, body, headers)
    return client:poll(here.location)
  end

  -- The operation that a document, given as text, makes.
  local function read(body)
    return assert(poll(200, body))
  end

  describe("to a poll", function()
    it("is an object, or an array of one", function()
      for _, shape in ipairs { "object", "array" } do
        here:set { document = shape }
        local operation = assert(client:poll(assert(client:cancel("contoso", "vm"))))
        assert.same({ "running", "running" }, { operation.state, operation.status })
        assert.equal("displaydummycertify", operation.steps[1].id)
        assert.equal(shape == "array", operation.document[1] ~= nil)
      end
    end)

    for _, body in ipairs { "", " \r\n", "null", "true", "42", '"completed"', "[]", "{}",
      '[{"status":"completed"},{"status":"completed"}]', '[["completed"]]', '["completed"]',
      '{"status":null}', '{"status":7}', '{"status":{"status":"completed"}}',
      '{"state":"completed"}', '{"steps":[{"status":"complete"}]}',
    } do
      it("without a status is unknown, never a success: " .. harness.shown(body), function()
        local operation = read(body)
        assert.same({ "unknown", false, body },
          { operation.state, operation.done, operation.body })
        assert.is_nil(operation.status)
      end)
    end

    for _, body in ipairs { "<html></html>", '{"status":"running"', "{}{}", "completed" } do
      it("that is 200 and no JSON is an error: " .. harness.shown(body), function()
        local operation, err = poll(200, body)
        assert.is_nil(operation)
        assert.same({ "protocol", "invalid_json", 200, true, false, body, here.location },
          { err.kind, err.code, err.status, err.sent, err.retryable, err.body, err.location })
      end)
    end

    it("that is 202 is running, whatever its document says", function()
      for _, body in ipairs { "", "accepted", '{"status":"completed"}', '{"status":"new"}' } do
        local operation = assert(poll(202, body))
        assert.same({ "running", false, 202, body },
          { operation.state, operation.done, operation.http_status, operation.body })
      end
    end)

    it("that is 202 keeps the location, or moves to the one it brings", function()
      assert.equal(here.location, assert(poll(202, "")).location)
      local operation = assert(poll(202, "", { Location = "/api/operations/c$vm$2$live" }))
      assert.equal(here.endpoint .. "/api/operations/c$vm$2$live?api-version=2017-10-31",
        operation.location)
    end)

    it("that is 200 has no location to follow", function()
      local headers = { Location = "/api/a", ["Operation-Location"] = "/api/b" }
      local operation = assert(poll(200, '{"status":"running"}', headers))
      assert.equal(here.location, operation.location)
    end)

    it("that is 204 is a success", function()
      local operation = assert(poll(204))
      assert.same({ "succeeded", true, 204, "" },
        { operation.state, operation.done, operation.http_status, operation.body })
      assert.is_nil(operation.document)
    end)

    for _, status in ipairs { 201, 203, 206 } do
      it(("that is %d is an error, since nobody knows what it means"):format(status), function()
        local operation, err = poll(status, '{"status":"completed"}')
        assert.is_nil(operation)
        assert.same({ "protocol", "unexpected_status", status, true },
          { err.kind, err.code, err.status, err.sent })
      end)
    end

    it("names them in their order, whatever they are called", function()
      here:answer(202, "", { Location = "/api/publishers/offers/offers/operations/operations/b" })
      local operation = assert(client:poll(here.location))
      assert.same({ "offers", "operations", "b" },
        { operation.publisher, operation.offer, operation.id })
    end)

    it("names publisher, offer and operation after its location", function()
      here:answer(200, "{}")
      local target = "/api/publishers/con%2Ftoso/offers/v%20m/operations/a%24b?x=/offers/no"
      local operation = assert(client:poll(target))
      assert.same({ "con/toso", "v m", "a$b" },
        { operation.publisher, operation.offer, operation.id })
    end)

    it("names none of them after a location with $, but keeps those of its cancel", function()
      local operation = assert(client:poll("/api/operations/contoso$vm$1$preview"))
      assert.same({}, { operation.publisher, operation.offer, operation.id })
      here:set { location = "F4" }
      operation = assert(client:poll(assert(client:cancel("contoso", "vm"))))
      assert.same({ "contoso", "vm" }, { operation.publisher, operation.offer })
    end)

    it("says what the exchange was", function()
      local headers = { ["x-ms-request-id"] = "from the service" }
      local operation = assert(poll(200, '{"status":"running"}', headers))
      assert.same({ 200, "from the service", here:last().client_request_id },
        { operation.http_status, operation.request_id, operation.client_request_id })
    end)

    it("is known by its correlation id where it has no request id", function()
      here:send("HTTP/1.1 200 OK", "x-ms-correlation-id: c-1", "Content-Length: 2", "", "{}")
      assert.equal("c-1", assert(client:poll(here.location)).request_id)
    end)

    it("is known by its correlation id where its request id is empty", function()
      here:send("HTTP/1.1 200 OK", "x-ms-request-id:", "x-ms-correlation-id: c-1",
        "Content-Length: 2", "", "{}")
      assert.equal("c-1", assert(client:poll(here.location)).request_id)
    end)

    it("is the last one: an informational one before it counts for nothing", function()
      here:send("HTTP/1.1 103 Early Hints", "x-ms-request-id: early", "Retry-After: 9", "",
        "HTTP/1.1 200 OK", "Content-Length: 21", "", '{"status":"canceled"}')
      local operation = assert(client:poll(here.location))
      assert.same({ "canceled", 200 }, { operation.state, operation.http_status,
        operation.request_id, operation.retry_after })
    end)

    it("ends with its connection where it says no length", function()
      here:send("HTTP/1.1 200 OK", "", '{"status":"canceled"}')
      assert.equal("canceled", assert(client:poll(here.location)).state)
    end)

    it("has no fields for JSON null, and cpp.null in its document", function()
      local operation = read '{"status":null,"steps":null,"messages":null,"x":[null]}'
      for _, name in ipairs { "status", "steps", "messages", "progress" } do
        assert.is_nil(operation[name])
      end
      assert.equal(cpp.null, operation.document.status)
      assert.equal(cpp.null, operation.document.x[1])
    end)

    it("has a document of its own for JSON null alone", function()
      assert.equal(cpp.null, read("null").document)
    end)

    it("has messages as the service wrote them", function()
      local operation = read '{"messages":[{"messageHtml":"<p>x</p>","level":"error"}]}'
      assert.same({ { messageHtml = "<p>x</p>", level = "error" } }, operation.messages)
      assert.is_nil(read('{"messages":"none"}').messages)
    end)

    it("has no fields but those of the contract", function()
      local operation = read '{"status":"running","location":"x","document":1,"body":2}'
      assert.is_nil(operation.stepz)
      assert.is_nil(operation[1])
      assert.equal(here.location, operation.location)
      assert.equal(1, operation.document.document)
    end)
  end)

  describe("that is the one before", function()
    local BODY = '{"status":"running","steps":[{"id":"live","progressPercentage":40}]}'

    it("is a new operation that has not changed", function()
      here:answer(200, BODY)
      local first = assert(client:poll(here.location))
      local second = assert(client:poll(first))
      assert.same({ true, false }, { first.changed, second.changed })
      assert.not_equal(first, second)
      for _, name in ipairs { "state", "done", "status", "http_status", "location", "id",
        "publisher", "offer", "progress", "body" } do
        assert.is_not_nil(first[name])
        assert.equal(first[name], second[name])
      end
      assert.equal("live", second.steps[1].id)
      assert.not_equal(first.client_request_id, second.client_request_id)
    end)

    it("is not decoded: what could not be is good enough", function()
      local before = { location = here.location, http_status = 200, body = "no JSON",
        state = "running", done = false, status = "Running" }
      here:answer(200, "no JSON")
      local operation = assert(client:poll(before))
      assert.same({ false, "running", "Running", "no JSON" },
        { operation.changed, operation.state, operation.status, operation.body })
    end)

    it("does not change the operation that is polled", function()
      here:answer(200, BODY)
      local first = assert(client:poll(here.location))
      local copy = {}
      for name, value in next, first do
        copy[name] = value
      end
      here:answer(202, '{"status":"completed"}', { Location = "/api/other" })
      assert.equal("running", assert(client:poll(first)).state)
      local after = {}
      for name, value in next, first do
        after[name] = value
      end
      assert.same(copy, after)
      assert.equal("live", first.steps[1].id)
    end)

    it("has its state, where what is polled is a table of a script's own", function()
      here:answer(200, '{"status":"running","steps":[{"progressPercentage":41}]}')
      local first = assert(client:poll(here.location))
      local again = assert(client:poll {
        location = first.location, http_status = first.http_status, body = first.body,
      })
      assert.same({ "running", false, "running", 41, false },
        { again.state, again.done, again.status, again.progress, again.changed })
    end)

    it("has changed when a byte, the status or the location has", function()
      here:answer(200, BODY)
      local first = assert(client:poll(here.location))
      here:answer(200, BODY .. " ")
      assert.is_true(assert(client:poll(first)).changed)
      here:answer(202, BODY)
      assert.is_true(assert(client:poll(first)).changed)
      local second = assert(client:poll(first))
      here:answer(202, BODY, { Location = "/api/moved" })
      local moved = assert(client:poll(second))
      assert.is_true(moved.changed)
      assert.is_true(assert(client:poll(moved)).changed == false)
    end)

    it("has changed when an operation without a body precedes it", function()
      here:answer(204)
      local accepted = { location = here.location, state = "accepted" }
      assert.is_true(assert(client:poll(accepted)).changed)
    end)

    it("is running, not accepted any more, when a poll brings the 202 of the cancel", function()
      here:answer(202, "Accepted", { Location = "/api/operations/x$1" })
      local accepted = assert(client:cancel("contoso", "vm"))
      local operation = assert(client:poll(accepted))
      assert.same({ "accepted", "running", false },
        { accepted.state, operation.state, operation.changed })
    end)

    it("tells what the document of the cancel's own 202 says", function()
      here:answer(202, '{"status":"Running","id":"7","steps":[{"progressPercentage":40}]}',
        { Location = "/api/operations/x$1" })
      local accepted = assert(client:cancel("contoso", "vm"))
      for _ = 1, 2 do
        accepted = assert(client:poll(accepted))
        assert.same({ "running", "Running", "7", 40, false, "contoso" }, { accepted.state,
          accepted.status, accepted.id, accepted.progress, accepted.changed,
          accepted.publisher })
      end
    end)

    it("still tells a new Retry-After and request id", function()
      local first = assert(poll(200, BODY, { ["Retry-After"] = "5" }))
      here:answer(200, BODY, { ["Retry-After"] = "9", ["x-ms-request-id"] = "second" })
      local second = assert(client:poll(first))
      assert.same({ false, 9, "second" },
        { second.changed, second.retry_after, second.request_id })
    end)
  end)

  describe("to a cancel", function()
    it("that is 202 is accepted, not done, with its location", function()
      local operation = assert(client:cancel("contoso", "vm"))
      assert.same({ "accepted", false, 202, "contoso", "vm", true }, {
        operation.state, operation.done, operation.http_status, operation.publisher,
        operation.offer, operation.changed,
      })
      assert.equal(operation.id, operation.location:match "/operations/([%x-]+)%?")
    end)

    it("that is 202 may have no location, and then there is nothing to poll", function()
      here:set { location = "none" }
      local operation = assert(client:cancel("contoso", "vm"))
      assert.same({ "accepted" }, { operation.state, operation.location })
      local polled, err = client:poll(operation)
      assert.is_nil(polled)
      assert.same({ "protocol", "no_location", false, false },
        { err.kind, err.code, err.sent, err.retryable })
    end)

    it("that is 202 may have an empty location before one, of the same header too", function()
      here:send("HTTP/1.1 202 Accepted", "Location:", "Location: /api/b",
        "Content-Length: 0", "Connection: close", "", "")
      assert.matches("/api/b%?", assert(client:cancel("contoso", "vm")).location)
    end)

    it("that is 202 may have an empty header, or a location that is no URL", function()
      here:send("HTTP/1.1 202 Accepted", "Operation-Location: ", "Location: /api/b",
        "Content-Length: 0", "Connection: close", "", "")
      assert.matches("/api/b%?", assert(client:cancel("contoso", "vm")).location)
      here:answer(202, "", { Location = "https://user:pass@localhost/x y" })
      local operation = assert(client:cancel("contoso", "vm"))
      assert.equal("https://user:pass@localhost/x y", operation.location)
      local _, err = client:poll(operation)
      assert.equal("origin", err.kind)
    end)

    it("that is 200 is canceled and done", function()
      here:set { synchronous = true }
      local operation = assert(client:cancel("contoso", "vm"))
      assert.same({ "canceled", true, 200, "" },
        { operation.state, operation.done, operation.http_status, operation.body })
      assert.is_nil(operation.location)
    end)

    it("that is 200 may have a document, whatever it says", function()
      here:answer(200, '{"status":"running"}', { Location = "/api/ignored" })
      local operation = assert(client:cancel("contoso", "vm"))
      assert.same({ "canceled", true }, { operation.state, operation.done, operation.location })
      assert.equal("running", operation.document.status)
    end)

    it("that is 200 and no JSON comes from somebody else: an error, and it was sent", function()
      here:answer(200, "<html>Log in to the hotel's network</html>")
      local operation, err = client:cancel("contoso", "vm")
      assert.is_nil(operation)
      assert.same({ "protocol", "invalid_json", 200, true, false },
        { err.kind, err.code, err.status, err.sent, err.retryable })
      assert.matches("hotel", err.body)
    end)

    it("that is another 2xx is an error, and it was sent", function()
      here:answer(204)
      local _, err = client:cancel("contoso", "vm")
      assert.same({ "protocol", "unexpected_status", true }, { err.kind, err.code, err.sent })
    end)
  end)

  describe("with Retry-After", function()
    local function retry_after(value, date)
      here:send("HTTP/1.1 200 OK", "Retry-After: " .. value,
        "Date: " .. (date or "Sun, 06 Nov 1994 08:49:37 GMT"), "Content-Length: 2", "", "{}")
      return assert(client:poll(here.location)).retry_after
    end

    it("in seconds has them", function()
      assert.equal(0, retry_after "0")
      assert.equal(120, retry_after "120")
      assert.equal(7, retry_after " 007 ")
    end)

    it("as a date has the seconds from the server's own date", function()
      assert.equal(90, retry_after "Sun, 06 Nov 1994 08:51:07 GMT")
      assert.equal(DAY, retry_after "Mon, 07 Nov 1994 08:49:37 GMT")
    end)

    it("as a date that has passed has none to wait", function()
      assert.equal(0, retry_after "Sun, 06 Nov 1994 08:00:00 GMT")
    end)

    it("as a date goes by the clock here where the server shows none", function()
      local old = os.setlocale(nil, "time")
      finally(function() os.setlocale(old, "time") end)
      os.setlocale("C", "time")
      local then_ = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + DAY)
      local seconds = retry_after(then_, "yesterday or so")
      assert.is_true(seconds > DAY - 60 and seconds <= DAY)
    end)

    for _, value in ipairs { "", "soon", "-5", "1.5", "5 minutes", "0x10", "99999999999",
      ("9"):rep(40) } do
      it("that is nonsense has none: " .. harness.shown(value), function()
        assert.is_nil(retry_after(value))
      end)
    end
  end)

  describe("to status", function()
    it("is the offer's status, in the shape of an operation", function()
      local status = assert(client:status("contoso", "vm"))
      assert.same({ "running", "running", false, 200, "contoso", "vm" }, {
        status.state, status.status, status.done, status.http_status, status.publisher,
        status.offer,
      })
      assert.equal("displaydummycertify", status.steps[1].id)
      assert.is_nil(status.location)
    end)

    it("may be one of its own words", function()
      here:answer(200, '{"status":"neverPublished"}')
      local status = assert(client:status("contoso", "vm"))
      assert.same({ "not_started", "neverPublished" }, { status.state, status.status })
    end)

    it("that is no JSON is an error", function()
      here:answer(200, "")
      local _, err = client:status("contoso", "vm")
      assert.same({ "protocol", "invalid_json" }, { err.kind, err.code })
    end)
  end)

  describe("on the wire", function()
    it("is what was announced, and no byte after it", function()
      here:send("HTTP/1.1 200 OK", "Content-Length: 21", "", '{"status":"canceled"}more')
      local operation = assert(client:poll(here.location))
      assert.same({ "canceled", '{"status":"canceled"}' }, { operation.state, operation.body })
    end)

    it("is none when it was cut, but a 202 keeps its location", function()
      here:send("HTTP/1.1 202 Accepted", "Location: /api/op$1", "Content-Length: 99", "", "cut")
      local operation, err = client:cancel("contoso", "vm")
      assert.is_nil(operation)
      assert.same({ "transport", "incomplete_answer", 202, true,
        here.endpoint .. "/api/op$1?api-version=2017-10-31" },
        { err.kind, err.code, err.status, err.sent, err.location })
    end)
  end)
end)
