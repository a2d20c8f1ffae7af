-- Answers that break the rules of HTTP/1.1: what is no HTTP, headers without end,
-- lengths that lie, chunks that are none, encodings that are not what they claim.
local encounter = require "spec.hostile.encounter"

local transport, protocol = encounter.transport, encounter.protocol
local http, state = encounter.http, encounter.state
local NONE = encounter.NONE

local OK, HOLD = "HTTP/1.1 200 OK\r\n", { hold = true }
local DOCUMENT = '{"status":"canceled"}'
local CHUNKED = OK .. "Transfer-Encoding: chunked\r\n\r\n"
local CHUNK = "15\r\n" .. DOCUMENT .. "\r\n"

-- What a command of the shell makes of some bytes.
local function filter(command, bytes)
  local name = os.tmpname()
  local file <close> = assert(io.open(name, "wb"))
  file:write(bytes)
  file:close()
  local pipe <close> = assert(io.popen(command .. " <" .. name))
  local result = pipe:read "a"
  os.remove(name)
  return result
end

local GZIP = filter("gzip -nc", DOCUMENT)
-- Of a page that begins with a table of codes: nothing comes out of its first bytes.
local EMPTY_START = filter("seq 500 | gzip -9nc", ""):sub(1, 24)

local function encoded(encoding, bytes)
  return OK .. "Content-Encoding: " .. encoding .. "\r\nContent-Length: " .. #bytes
    .. "\r\n\r\n" .. bytes
end

describe("an answer", function()
  local get = encounter.share(setup, teardown)

  local not_http = protocol("invalid_http", { status = NONE })
  local endless = protocol "headers_too_large"

  describe("that is no HTTP:", function()
    encounter.cases(it, get, {
      { "a greeting of SSH", "SSH-2.0-OpenSSH_9.2p1\r\n", both = not_http },
      { "a greeting of SMTP", "220 mail.example ESMTP\r\n", both = not_http },
      { "a page without headers", "<html><body>hello</body></html>\n", both = not_http },
      { "a document without headers", DOCUMENT, both = not_http },
      { "an alert of TLS", "\21\3\1\0\2\2\40", both = not_http },
      { "NUL bytes", ("\0"):rep(64), both = not_http },
      { "random bytes", ("\xf3\x9a\x00\x7f\x1b\r\n\xff"):rep(50), both = not_http },
      { "an empty line", "\r\n\r\n", both = not_http },
      { "a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", both = not_http },
      { "a version nobody knows", "HTTP/7.3 200 OK\r\nContent-Length: 0\r\n\r\n",
        both = not_http },
      { "a status that is a word", "HTTP/1.1 FINE OK\r\nContent-Length: 0\r\n\r\n",
        both = not_http },
      { "a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        both = not_http },
      { "a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        both = not_http },
      { "a status below 100", "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n",
        both = not_http },
      { "a status that is negative", "HTTP/1.1 -20 No\r\nContent-Length: 0\r\n\r\n",
        both = not_http },
      { "no status", "HTTP/1.1\r\nContent-Length: 0\r\n\r\n", both = not_http },
      { "a change of protocols", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\1\2\3",
        both = not_http },
      { "garbage without end", { endless = ("x"):rep(4096) }, both = not_http },
    })
  end)

  describe("with headers", function()
    encounter.cases(it, get, {
      { "without end", OK, { endless = "X-Filler: " .. ("y"):rep(1000) .. "\r\n" },
        both = endless },
      { "that begin with a colon", OK .. ": x\r\nContent-Length: 21\r\n\r\n" .. DOCUMENT,
        both = state "canceled" },
      { "without a colon", OK .. "what is this\r\nContent-Length: 21\r\n\r\n" .. DOCUMENT,
        both = protocol "invalid_http" },
      { "that hold a NUL", OK .. "X: a\0b\r\nContent-Length: 21\r\n\r\n" .. DOCUMENT,
        both = protocol "invalid_http" },
      { "that end in LF alone", "HTTP/1.1 200 OK\nContent-Length: 21\n\n" .. DOCUMENT,
        both = state "canceled" },
      { "that hold a second status line", "HTTP/1.1 500 No\r\nHTTP/1.1 200 OK: 1\r\n"
        .. "Content-Length: 21\r\n\r\n" .. DOCUMENT, both = http(500) },
      { "that hold a status line after some", "HTTP/1.1 404 No\r\nX: y\r\nHTTP/1.1 204 OK: 1\r\n"
        .. "Content-Length: 0\r\n\r\n", both = http(404) },
      { "that go on in trailers with a status", OK .. "Transfer-Encoding: chunked\r\n\r\n"
        .. '14\r\n{"status":"running"}\r\n0\r\nHTTP/1.1 204 OK: 1\r\n\r\n',
        cancel = state "canceled", poll = state("running", { http_status = 200 }) },
      { "that go on in trailers with a location", "HTTP/1.1 202 Accepted\r\n"
        .. "Transfer-Encoding: chunked\r\n\r\n0\r\nLocation: http://127.0.0.2/x\r\n\r\n",
        cancel = state("accepted", { location = NONE }), poll = state "running" },
      { "of interim answers without end", { endless = "HTTP/1.1 100 Continue\r\n\r\n" },
        both = endless },
      { "of many interim answers, then one", { endless = "HTTP/1.1 103 Early\r\n"
        .. "Location: http://127.0.0.2/x\r\nRetry-After: 9\r\n\r\n", times = 100 },
        "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        cancel = state("accepted", { location = NONE, retry_after = NONE }),
        poll = state("running", { retry_after = NONE }) },
    })
  end)

  describe("of a length", function()
    local function lengths(...)
      return OK .. "Content-Length: " .. table.concat({ ... }, "\r\nContent-Length: ")
        .. "\r\n\r\n" .. DOCUMENT
    end
    local function chunked_and(length)
      return OK .. "Transfer-Encoding: chunked\r\nContent-Length: " .. length .. "\r\n\r\n"
    end
    local short, lying = transport("incomplete_answer", { status = 200 }),
      protocol "invalid_http"
    encounter.cases(it, get, {
      { "that is too large", lengths "22", both = short },
      { "that is far too large", lengths "999999999999999999",
        both = short },
      { "that is too small leaves the rest", lengths "20",
        both = protocol("invalid_json", { body = DOCUMENT:sub(1, 20) }) },
      { "that is zero leaves all", lengths "0",
        cancel = state("canceled", { body = "" }), poll = state("unknown", { body = "" }) },
      { "that is negative", lengths "-1", both = lying },
      { "that is a word", lengths "many", both = lying },
      { "that is beyond counting", lengths(("9"):rep(40)), both = lying },
      { "said twice alike", lengths("21", "21"), both = state "canceled" },
      { "said twice, the second larger", lengths("21", "500"), both = lying },
      { "said twice, the first larger", lengths("500", "21"), both = lying },
      { "said as a list", lengths "21, 500", both = lying },
      { "and chunked, whole", chunked_and(5) .. CHUNK .. "0\r\n\r\n",
        both = state("canceled", { body = DOCUMENT }) },
      { "and chunked, cut where the length ends", chunked_and(21) .. CHUNK,
        both = transport "incomplete_answer" },
      { "and chunked, reset where the length ends", chunked_and(21) .. CHUNK,
        { reset = true }, both = transport "incomplete_answer" },
      { "and chunked, silent where the length ends", chunked_and(21) .. CHUNK, HOLD,
        both = transport "timeout" },
      { "for a 204, which has no body", "HTTP/1.1 204 OK\r\nContent-Length: 21\r\n\r\n"
        .. DOCUMENT, cancel = protocol "unexpected_status",
        poll = state("succeeded", { body = "" }) },
    })
  end)

  describe("in chunks", function()
    local bad = transport "incomplete_answer"
    encounter.cases(it, get, {
      { "whose size is no number", CHUNKED .. "zz\r\n" .. DOCUMENT, both = bad },
      { "whose size is negative", CHUNKED .. "-15\r\n" .. DOCUMENT, both = bad },
      { "whose size is beyond counting", CHUNKED .. ("f"):rep(40) .. "\r\n" .. DOCUMENT,
        both = bad },
      { "whose size is empty", CHUNKED .. "\r\n" .. DOCUMENT, both = bad },
      { "that are longer than they say", CHUNKED .. "5\r\n" .. DOCUMENT .. "\r\n0\r\n\r\n",
        both = bad },
      { "with extensions, which say nothing", CHUNKED .. "15;a=b\r\n" .. DOCUMENT
        .. "\r\n0;c\r\n\r\n", both = state("canceled", { body = DOCUMENT }) },
      { "of a byte each", CHUNKED .. DOCUMENT:gsub(".", "1\r\n%0\r\n") .. "0\r\n\r\n",
        both = state("canceled", { body = DOCUMENT }) },
      { "with trailers without end", CHUNKED .. CHUNK .. "0\r\n", { endless = "X: y\r\n" },
        both = endless },
      { "with an extension without end", CHUNKED .. "15;", { endless = ("x"):rep(999) },
        options = { timeout = 0.2 }, both = transport "timeout" },
    })
  end)

  describe("encoded", function()
    local bad = protocol "invalid_encoding"
    encounter.cases(it, get, {
      { "as gzip is read", encoded("gzip", GZIP),
        both = state("canceled", { body = DOCUMENT }) },
      { "as x-gzip in capitals is read", encoded("X-GZIP", GZIP),
        both = state("canceled", { body = DOCUMENT }) },
      { "as identity is read", encoded("identity", DOCUMENT),
        both = state("canceled", { body = DOCUMENT }) },
      { "as gzip, and is not", encoded("gzip", DOCUMENT), both = bad },
      { "as gzip twice, and is once", encoded("gzip, gzip", GZIP), both = bad },
      { "as gzip, with a byte changed", encoded("gzip", GZIP:sub(1, 12) .. "\255"
        .. GZIP:sub(14)), both = bad },
      { "as gzip, with a wrong checksum", encoded("gzip", GZIP:sub(1, -9) .. "\0\0\0\0"
        .. GZIP:sub(-4)), both = bad },
      { "as gzip, cut by the server", encoded("gzip", GZIP:sub(1, 20)),
        both = protocol "invalid_json" },
      { "as gzip, of no bytes", encoded("gzip", ""), cancel = state "canceled",
        poll = state "unknown" },
      { "as gzip, cut within its head", encoded("gzip", GZIP:sub(1, 10)),
        cancel = bad, poll = state "unknown" },
      { "as gzip, cut before the first byte of its content", encoded("gzip", EMPTY_START),
        cancel = bad, poll = state "unknown" },
      { "as gzip, of no content", encoded("gzip", filter("gzip -nc", "")),
        cancel = bad, poll = state "unknown" },
      { "as gzip, and a line feed after it", encoded("gzip", GZIP .. "\n"),
        both = state("canceled", { body = DOCUMENT }) },
      { "as gzip, and NULs after it", encoded("gzip", GZIP .. ("\0"):rep(512)),
        both = state("canceled", { body = DOCUMENT }) },
      { "as gzip, and an empty member after it",
        encoded("gzip", GZIP .. filter("gzip -nc", "")),
        both = state("canceled", { body = DOCUMENT }) },
      { "as gzip, and a word after what is no document",
        encoded("gzip", filter("gzip -nc", "42") .. "and so on"), both = bad },
      { "as nobody knows", encoded("martian", DOCUMENT), both = bad },
      { "as Brotli, which nobody asked for", encoded("br", DOCUMENT), both = bad },
      { "a hundred times", encoded(("gzip, "):rep(99) .. "gzip", GZIP), both = bad },
      { "as a transfer encoding nobody knows", OK .. "Transfer-Encoding: martian\r\n\r\n"
        .. DOCUMENT, both = bad },
    })
  end)

  describe("after the answer", function()
    encounter.cases(it, get, {
      { "a second one is nobody's", OK .. "Content-Length: 21\r\n\r\n" .. DOCUMENT
        .. "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", both = state "canceled" },
      { "garbage is nobody's", OK .. "Content-Length: 21\r\n\r\n" .. DOCUMENT
        .. ("\0\1\2"):rep(100), both = state "canceled" },
    })
  end)
end)
