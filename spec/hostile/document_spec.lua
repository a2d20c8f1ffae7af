-- Documents that are none, that are of the wrong types everywhere, or that bring what
-- terminals and logs must not see.
local encounter = require "spec.hostile.encounter"
local harness = require "spec.support.harness"

local protocol, http = encounter.protocol, encounter.http
local state, NONE = encounter.state, encounter.NONE

local function answer(status, body, headers)
  return ("HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s"):format(status, headers or "",
    #body, body)
end

describe("a document", function()
  local peer
  local get = encounter.share(setup, teardown, function(shared)
    peer = shared
  end)

  local function cases(list)
    encounter.cases(it, get, list)
  end

  describe("that is no JSON:", function()
    local bodies = {
      ["a page"] = "<!DOCTYPE html><html><body>Sign in</body></html>",
      ["XML"] = '<?xml version="1.0"?><status>canceled</status>',
      ["a word"] = "canceled",
      ["two byte order marks before it"] = '\xef\xbb\xbf\xef\xbb\xbf{"status":"canceled"}',
      ["UTF-16"] = "{\0\"\0s\0t\0a\0t\0u\0s\0\"\0:\0\"\0c\0\"\0}\0",
      ["NUL after it"] = '{"status":"canceled"}\0',
      ["NUL in a string"] = '{"status":"cancel\0ed"}',
      ["NUL alone"] = "\0",
      ["a second document after it"] = '{"status":"canceled"}{"status":"running"}',
      ["a comma after the last"] = '{"status":"canceled",}',
      ["a comment"] = '{"status":"canceled"}//',
      ["single quotes"] = "{'status':'canceled'}",
      ["names without quotes"] = '{status:"canceled"}',
      ["no end"] = '{"status":"canceled"',
      ["no end of a string"] = '{"status":"canceled',
      ["an infinite number"] = '{"status":"canceled","x":Infinity}',
      ["no number"] = '{"status":"canceled","x":NaN}',
      ["a hexadecimal number"] = '{"status":"canceled","x":0x10}',
      ["half a surrogate"] = '{"status":"canceled","x":"\\ud800"}',
      ["an escape that is none"] = '{"status":"canceled","x":"\\q"}',
      ["arrays a thousand deep"] = ("["):rep(1000) .. ("]"):rep(1000),
      ["arrays a million deep"] = ("["):rep(1000000) .. ("]"):rep(1000000),
      ["objects without end"] = ('{"status":'):rep(100000),
      ["brackets that do not match"] = '{"status":"canceled"]',
      ["code"] = "while(1);",
      ["JSON behind a guard"] = ')]}\'\n{"status":"canceled"}',
    }
    for name, body in pairs(bodies) do
      local invalid = protocol("invalid_json", { status = 200, body = body })
      cases {
        { "with " .. name, answer(200, body), both = invalid },
        { "in a 202, with " .. name, answer(202, body),
          cancel = state("accepted", { body = body }),
          poll = state("running", { body = body }) },
        { "in a 503, with " .. name, answer(503, body), both = http(503, { body = body }) },
      }
      it("ends a list and a status, with " .. name, function()
        peer:suffer({ script = { { read = "http" }, answer(200, body) } }, "status", invalid)
        peer:suffer({ script = { { read = "http" }, answer(200, body) } }, "operations", invalid)
      end)
    end
  end)

  local VALUES = { "null", "true", "false", "0", "-1", "1e308", "0.5", '""', '"x"',
    '"canceled\\u0000"', '"\\u001b[2J"', "[]", "{}", "[[]]", '[{"status":"canceled"}]',
    '{"status":"canceled"}', '"' .. ("x"):rep(100000) .. '"', ("["):rep(60) .. ("]"):rep(60) }
  local FIELDS = { "id", "status", "steps", "messages", "state", "publisher", "offer",
    "location", "submissionState", "document", "body", "done", "__index", "1" }

  -- Reads all that an operation has.
  local function read_all(operation)
    for _, name in ipairs { "document", "steps", "messages", "progress", "id" } do
      assert.is_not_function(operation[name])
    end
    assert.is_nil(tostring(operation):find "%c")
    assert.is_truthy(utf8.len(tostring(operation)))
  end

  for _, field in ipairs(FIELDS) do
    it(("is never a success with any value for %q"):format(field), function()
      local client = peer:client()
      for _, value in ipairs(VALUES) do
        local body = ('{"%s":%s}'):format(field, value)
        peer:answer(answer(200, body))
        local operation = assert(client:poll(peer.location))
        assert.same({ "unknown", false, body, peer.location },
          { operation.state, operation.done, operation.body, operation.location })
        read_all(operation)
        peer:answer(answer(200, body))
        read_all(assert(client:status("contoso", "vm")))
      end
    end)
  end

  for _, field in ipairs { "id", "status", "progressPercentage", "messages", "stepName" } do
    it(("is read with any value for %q of a step"):format(field), function()
      local client = peer:client()
      for _, value in ipairs(VALUES) do
        local body = ('{"status":"running","steps":[{"%s":%s},%s]}'):format(field, value, value)
        peer:answer(answer(200, body))
        local operation = assert(client:poll(peer.location))
        assert.same({ "running", false }, { operation.state, operation.done })
        assert.is_true(operation.progress >= 0 and operation.progress <= 100)
        read_all(operation)
      end
    end)
  end

  for _, field in ipairs { "error", "code", "message", "Message", "error_description" } do
    it(("is read with any value for %q of an error"):format(field), function()
      local client = peer:client()
      for _, value in ipairs(VALUES) do
        for _, form in ipairs { '{"%s":%s}', '{"error":{"%s":%s}}' } do
          for _, call in ipairs { "cancel", "poll" } do
            peer:answer(answer(400, form:format(field, value)))
            local operation, err = peer:call(client, call)
            assert.is_nil(operation)
            assert.same({ "http", 400, true, false, "string", "string" }, { err.kind,
              err.status, err.sent, err.retryable, type(err.code), type(err.message) })
            assert.is_nil(tostring(err):find "%c")
          end
        end
      end
    end)
  end

  it("is read where it is a list of anything", function()
    local client = peer:client()
    for _, field in ipairs { "id", "submissionState", "status", "steps", "location" } do
      for _, value in ipairs(VALUES) do
        peer:answer(answer(200, ('[{"%s":%s},%s]'):format(field, value, value)))
        for _, operation in ipairs(assert(client:operations("contoso", "vm"))) do
          assert.is_true(operation.state == "unknown" or operation.state == "canceled")
          read_all(operation)
        end
      end
    end
  end)

  it("gives no location to an item whose id is no path segment", function()
    local client = peer:client()
    for _, id in ipairs { "", ".", "..", "a\\u0000b", "a\\r\\nb" } do
      peer:answer(answer(200, ('[{"id":"%s","submissionState":"running"}]'):format(id)))
      local items = assert(client:operations("contoso", "vm"))
      assert.same({ "running", 1 }, { items[1].state, #items })
      assert.is_nil(items[1].location)
    end
    for _, id in ipairs { "../../x", "//127.0.0.2/", "a?b#c", "a\\\\b" } do
      peer:answer(answer(200, ('[{"id":"%s"}]'):format(id)))
      local location = assert(client:operations("contoso", "vm"))[1].location
      assert.matches("^http://127%.0%.0%.1:%d+/api/publishers/contoso/offers/vm/operations/"
        .. "[%w%%.-]+%?api%-version=2017%-10%-31$", location)
    end
  end)

  describe("in bytes that are not UTF-8", function()
    for _, bytes in ipairs { "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
      "\xc2\x9b31m" } do
      local name = harness.shown(bytes)
      local body = '{"status":"' .. bytes .. '"}'
      cases {
        { "is kept, and shown as question marks: " .. name, answer(200, body),
          cancel = state("canceled", { body = body }),
          poll = state("unknown", { body = body, status = bytes }) },
        { "is kept in an error: " .. name, answer(400, '"' .. bytes .. '"'),
          both = http(400, { message = bytes }) },
      }
    end
  end)

  describe("that would steer a terminal", function()
    for _, bytes in ipairs { "\27[2J\27[H", "\27]0;title\7", "\8\8\8\8", "\r", "\n", "\0",
      "\u{9b}31m", "\u{85}" } do
      local escaped = bytes:gsub("[%c]", function(c) return ("\\u%04x"):format(c:byte()) end)
      local header = bytes:gsub("[\r\n%z]", "")
      cases {
        { "is one clean line in an error: " .. harness.shown(bytes),
          answer(400, ('{"error":{"code":"a%sb","message":"c%sd"}}'):format(escaped, escaped),
            "x-ms-request-id: e" .. header .. "f\r\n"),
          both = http(400, { code = "a" .. bytes .. "b", message = "c" .. bytes .. "d",
            request_id = "e" .. header .. "f" }) },
        { "is one clean line in an operation: " .. harness.shown(bytes),
          answer(200, ('{"status":"a%sb","id":"x%s"}'):format(escaped, escaped)),
          cancel = state "canceled", poll = state("unknown", { status = "a" .. bytes .. "b" }) },
      }
    end
  end)

  describe("that echoes the token", function()
    local TOKEN = encounter.TOKEN
    local HEADERS = "Location: /x?t=" .. TOKEN .. "\r\nx-ms-request-id: r-" .. TOKEN .. "\r\n"
    local ECHO = '{"error":{"code":"' .. TOKEN .. '","message":"not ' .. TOKEN .. '"}}'
    local hidden = { code = "***", message = "not ***", request_id = "r-***",
      body = '{"error":{"code":"***","message":"not ***"}}' }
    cases {
      { "in a 401", answer(401, ECHO, HEADERS), both = http(401, hidden) },
      { "in a 500", answer(500, ECHO, HEADERS), both = http(500, hidden) },
      { "in a redirect", answer(302, ECHO, HEADERS), both = http(302, hidden) },
      { "in a 200 that is no JSON", answer(200, "<" .. TOKEN .. ">", HEADERS),
        both = protocol("invalid_json", { body = "<***>", request_id = "r-***" }) },
      { "in a 205 that nobody expects", "HTTP/1.1 205 " .. TOKEN .. "\r\n" .. HEADERS
        .. "Content-Length: 0\r\n\r\n", both = protocol("unexpected_status",
          { request_id = "r-***", body = NONE }) },
      { "in a body that is cut", "HTTP/1.1 202 A\r\n" .. HEADERS
        .. "Content-Length: 999\r\n\r\n" .. TOKEN, both = encounter.transport("incomplete_answer",
          { body = "***", request_id = "r-***" }) },
      { "in what is no HTTP", "SSH-" .. TOKEN .. "\r\n", both = protocol "invalid_http" },
      { "in an encoding nobody knows", answer(200, "{}", "Content-Encoding: " .. TOKEN
        .. "\r\n"), both = protocol "invalid_encoding" },
    }
  end)
end)
