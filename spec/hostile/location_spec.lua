-- Locations that lead astray, redirects, and headers that contradict each other. The peer
-- listens for every foreign origin that can be had on one machine, and hears nothing.
local encounter = require "spec.hostile.encounter"
local libcurl = require "spec.support.libcurl"

local http, state, NONE = encounter.http, encounter.state, encounter.NONE

local VERSION = "?" .. encounter.VERSION

describe("a location", function()
  local peer
  local get = encounter.share(setup, teardown, function(shared)
    peer = shared
  end)

  -- Fills the peer's own port, and that of another origin, into a text.
  local function fill(text)
    return (text:gsub("PORT", peer.port):gsub("OTHER", peer.other_port))
  end

  local function accepted(location)
    return "HTTP/1.1 202 Accepted\r\nLocation: " .. location
      .. "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
  end

  -- The operation of a 202 with this location, by either call.
  local function take(client, call, location)
    peer:answer(accepted(location))
    local operation = assert(peer:call(client, call))
    assert.equal(call == "cancel" and "accepted" or "running", operation.state)
    return operation
  end

  local function refuses(client, operation, code)
    local polled, err = client:poll(operation)
    assert.is_nil(polled)
    assert.same({ "origin", code, false, false, operation.location },
      { err.kind, err.code, err.sent, err.retryable, err.location })
    assert.is_nil(tostring(err):find "%c")
    local main, foreign = peer:counts()
    assert.same({ 1, 0 }, { main, foreign })
  end

  -- Each with what it becomes, if that differs.
  local refused = {
    { "on another host", "http://127.0.0.2:PORT/x", "foreign_origin" },
    { "on another port", "http://127.0.0.1:OTHER/x", "foreign_origin" },
    { "on the default port", "http://127.0.0.1/x", "foreign_origin" },
    { "on the same host by another name", "http://localhost:PORT/x", "foreign_origin" },
    { "on the same host over IPv6", "http://[::1]:PORT/x", "foreign_origin" },
    { "on the same host, mapped into IPv6", "http://[::ffff:127.0.0.1]:PORT/x",
      "foreign_origin" },
    { "of a scheme that is stronger", "https://127.0.0.1:PORT/x", "foreign_origin" },
    { "of another scheme", "ftp://127.0.0.1:PORT/x", "foreign_origin" },
    { "of a file", "file:///etc/passwd", "foreign_origin" },
    { "of a scheme nobody knows", "gopher://127.0.0.1:PORT/x", "foreign_origin" },
    { "without a scheme, elsewhere", "//127.0.0.2:PORT/x", "foreign_origin",
      "http://127.0.0.2:PORT/x" },
    { "of three slashes", "http:///127.0.0.2:PORT/x", "foreign_origin",
      "http://127.0.0.2:PORT/x" },
    { "with our host as user info", "http://127.0.0.1:PORT@127.0.0.2:PORT/x", "user_info" },
    { "with user info", "http://user:secret@127.0.0.1/x", "user_info" },
    { "with empty user info", "http://@127.0.0.2/x", "user_info" },
    { "with a backslash", "/\\127.0.0.2:PORT/x", "invalid_location" },
    { "with backslashes for slashes", "http:\\\\127.0.0.2:PORT\\x", "invalid_location" },
    { "with a backslash before the host", "http://127.0.0.1:PORT\\@127.0.0.2/x",
      "invalid_location" },
    { "with a tab", "http://127.0.0.1:PORT/\tx", "invalid_location" },
    { "with a space", "/x y", "invalid_location" },
    { "with an escape of terminals", "/x\27[31m", "invalid_location" },
    { "with DEL", "/x\127", "invalid_location" },
    { "with a port that is none", "http://127.0.0.1:99999/x", "invalid_location" },
    { "with a zone", "http://[fe80::1%25lo]:PORT/x", "invalid_location" },
    { "of a scheme alone", "http:", "invalid_location" },
    { "of a broken address", "http://[::1/x", "invalid_location" },
    { "in a list", "http://127.0.0.1:PORT/x, http://127.0.0.2:PORT/x", "invalid_location" },
    { "of JavaScript", "javascript:alert(1)", "foreign_origin" },
  }

  -- libcurl 8.23 takes no head with a bare CR; see wire_spec.
  if libcurl < 820 then
    table.insert(refused, { "with a bare CR", "/x\rSet-Cookie: y", "invalid_location" })
  end

  for _, case in ipairs(refused) do
    local name, text, code, becomes = table.unpack(case)
    for _, call in ipairs { "cancel", "poll" } do
      it(("%s: %s is kept and not followed"):format(call, name), function()
        local client = peer:client()
        local location = fill(text)
        local operation = take(client, call, location)
        assert.equal(becomes and fill(becomes) or location, operation.location)
        refuses(client, operation, code)
        peer:check_good(client)
        peer:forget()
      end)
    end
  end

  -- What is on the endpoint, however it is written, is followed there and nowhere else.
  local followed = {
    { "that climbs out of its path", "/../../../etc/passwd", "/../../../etc/passwd" },
    { "that is a number of the host", "http://2130706433:PORT/x", "/x" },
    { "that is an octal number of the host", "http://0177.0.0.1:PORT/x", "/x" },
    { "that is short for the host", "http://127.1:PORT/x", "/x" },
    { "with an escaped slash and NUL", "/x%2f%00", "/x%2f%00" },
    { "with bytes that are not UTF-8", "/x\xff\xfe", "/x\xff\xfe" },
    { "with an at sign in its path", "/@127.0.0.2/x", "/@127.0.0.2/x" },
    { "with a URL in its query", "/x?u=http://127.0.0.2/", "/x?u=http://127.0.0.2/&" },
    { "with a fragment", "/x#@127.0.0.2", "/x" },
    { "of 60 kB", "/" .. ("x"):rep(60000), "/" .. ("x"):rep(60000) },
  }

  for _, case in ipairs(followed) do
    local name, text, path = table.unpack(case)
    it("is followed on the endpoint " .. name, function()
      local client = peer:client()
      local operation = take(client, "cancel", fill(text))
      local version = path:find "&$" and encounter.VERSION or VERSION
      assert.equal(peer.endpoint .. path .. version, operation.location)
      peer:answer("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" .. '{"status":"running"}')
      assert.equal("running", assert(client:poll(operation)).state)
      assert.same({ 1, 0, 1 }, { peer:counts() })
      peer:forget()
    end)
  end

  it("of 8 MB is no URL", function()
    local text = peer.endpoint .. "/" .. ("x"):rep(8000000) .. VERSION
    local _, err = peer:client():poll(text)
    assert.same({ "invalid_location", false }, { err.code, err.sent })
  end)

  it("of 100 kB is no success", function()
    for _, call in ipairs { "cancel", "poll" } do
      local client = peer:client()
      peer:answer(accepted("/" .. ("x"):rep(102400)))
      local operation, err = peer:call(client, call)
      assert.is_nil(operation)
      -- libcurl before 8.6 says out of memory of a line that is longer than it takes.
      assert.is_true(err.code == "headers_too_large" or err.code == "out_of_memory")
      assert.is_true(err.sent)
      assert.matches("100 kB", err.message)
      peer:check_good(client)
    end
  end)

  it("that resolves elsewhere in an operation of the caller's making is refused", function()
    local client = peer:client()
    for _, case in ipairs(refused) do
      peer:play { { hold = true } }
      local _, err = client:poll { location = fill(case[2]), state = "accepted" }
      assert.equal("origin", err.kind, case[1])
      assert.same({ 0, 0, 0 }, { peer:counts() })
    end
  end)

  describe("in a redirect", function()
    for _, status in ipairs { 300, 301, 302, 303, 304, 305, 306, 307, 308, 310, 399 } do
      for what, where in pairs {
        ["elsewhere"] = "http://127.0.0.2:PORT/x", ["here"] = "/x", ["to another port"] =
        "http://127.0.0.1:OTHER/x", ["without a scheme"] = "//127.0.0.2:PORT/x",
      } do
        it(("by %d %s is not followed"):format(status, what), function()
          local answer = ("HTTP/1.1 %d Moved\r\nLocation: %s\r\nRefresh: 0; url=%s\r\n"
            .. "Content-Length: 0\r\n\r\n"):format(status, fill(where), fill(where))
          local case = { script = { { read = "http" }, answer } }
          for _, call in ipairs { "cancel", "poll", "status", "operations" } do
            local keeps = call == "poll" and peer.location or NONE
            peer:suffer(case, call, http(status, { location = keeps }))
          end
        end)
      end
    end
  end)

  describe("among headers that contradict each other", function()
    local function headers(...)
      return "HTTP/1.1 202 Accepted\r\n" .. table.concat({ ... }, "\r\n")
        .. "\r\nContent-Length: 0\r\n\r\n"
    end
    local function first(answer, fields)
      return { cancel = state("accepted", fields), poll = state("running", fields), answer }
    end
    local function case(name, answer, fields)
      local result = first(answer, fields)
      result[1], result[2] = name, answer
      return result
    end
    -- libcurl 8.23 takes no head with two that differ; see wire_spec.
    if libcurl < 820 then
      encounter.cases(it, get, { case("is the first of two, not the foreign second",
        headers("Location: http://[::1]/a", "Location: http://127.0.0.2/b"),
        { location = "http://[::1]/a" }) })
    end
    encounter.cases(it, get, {
      case("is that of the operation, wherever it stands", headers("Location: http://[::1]/a",
        "Operation-Location: http://127.0.0.2/b"), { location = "http://127.0.0.2/b" }),
      case("is not a folded line", headers("X: y", " Location: http://127.0.0.2/b",
        "Location: http://[::1]/a"), { location = "http://[::1]/a" }),
      case("is not a name with a space after it", headers("Location : http://127.0.0.2/b",
        "Location: http://[::1]/a"), { location = "http://[::1]/a" }),
      case("is not a name that only ends so", headers("X-Location: http://127.0.0.2/b",
        "Content-Location: http://127.0.0.2/c", "Location: http://[::1]/a"),
        { location = "http://[::1]/a" }),
      case("goes with the first Retry-After", headers("Retry-After: 5", "Retry-After: 500"),
        { retry_after = 5 }),
      case("goes with no Retry-After when the first is nonsense", headers("Retry-After: soon",
        "Retry-After: 5"), { retry_after = NONE }),
      case("goes with no Retry-After that is a list", headers "Retry-After: 5, 6",
        { retry_after = NONE }),
      case("goes with the first request id", headers("x-ms-request-id: a",
        "x-ms-request-id: b", "x-ms-correlation-id: c"), { request_id = "a" }),
    })
  end)

  describe("goes with a Retry-After", function()
    local DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    local values = {
      ["0"] = 0, ["0000000007"] = 7, ["120"] = 120, ["9999999999"] = 9999999999,
      ["99999999999"] = NONE, ["18446744073709551616"] = NONE, ["-1"] = NONE, ["+5"] = NONE,
      ["5.0"] = NONE, ["1e3"] = NONE, ["0x10"] = NONE, ["5s"] = NONE, ["5;q=1"] = NONE,
      ["nan"] = NONE, ["inf"] = NONE, [""] = NONE, ["\xff"] = NONE, ["\27[2J"] = NONE,
      ["Sun, 06 Nov 1994 08:49:47 GMT"] = 10, ["Sunday, 06-Nov-94 08:49:47 GMT"] = 10,
      ["Sun Nov  6 08:49:47 1994"] = 10, ["Sun, 06 Nov 1994 08:49:27 GMT"] = 0,
      ["Sun, 99 Nov 1994 08:49:47 GMT"] = NONE, ["Sun, 06 Nov 1994 99:49:47 GMT"] = NONE,
      ["Sun, 06 Foo 1994 08:49:47 GMT"] = NONE,
    }
    for value, seconds in pairs(values) do
      it(("of %q, after any answer"):format(value):gsub("[\27\xff]", "?"), function()
        for _, status in ipairs { 202, 429, 503 } do
          local answer = ("HTTP/1.1 %d X\r\n%sRetry-After: %s\r\nContent-Length: 0\r\n\r\n")
            :format(status, DATE, value)
          local case = { script = { { read = "http" }, answer } }
          local expected = { retry_after = seconds }
          peer:suffer(case, "cancel", status == 202 and state("accepted", expected)
            or http(status, expected))
          peer:suffer(case, "poll", status == 202 and state("running", expected)
            or http(status, expected))
        end
      end)
    end
  end)

  describe("in several headers", function()
    local function place(...)
      peer:answer("HTTP/1.1 202 Accepted\r\n" .. table.concat({ ... }, "\r\n")
        .. "\r\nContent-Length: 0\r\n\r\n")
      return assert(peer:call(peer:client(), "cancel")).location
    end
    local function at(path)
      return peer.endpoint .. path .. VERSION
    end

    it("is that of Azure-AsyncOperation, then Operation-Location, then Location", function()
      local async, own, last = "Azure-AsyncOperation: /1", "Operation-Location: /2",
        "Location: /3"
      assert.equal(at "/1", place(last, own, async))
      assert.equal(at "/1", place("azure-asyncoperation: /1", last))
      assert.equal(at "/2", place(last, own))
      assert.equal(at "/2", place("Azure-AsyncOperation: ", last, own))
      assert.equal(at "/3", place(last))
    end)

    it("may be folded over two lines", function()
      assert.equal(at "/1", place("Location:", " /1"))
      assert.equal(at "/1", place("Location:  ", "\t /1", "X: y"))
      assert.equal(at "/1", place("X: y", " Location: /2", "Location: /1"))
    end)
  end)
end)
