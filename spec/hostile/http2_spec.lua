-- Misbehaviour over HTTP/2: streams that are reset, connections that go away, frames and
-- headers that are none.
local encounter = require "spec.hostile.encounter"
local http2 = require "spec.hostile.http2"
local libcurl = require "spec.support.libcurl"

local transport, state, NONE = encounter.transport, encounter.state, encounter.NONE
local HELLO, END_STREAM, END_HEADERS = http2.HELLO, http2.END_STREAM, http2.END_HEADERS
local BOTH = END_STREAM | END_HEADERS
local DOCUMENT = '{"status":"canceled"}'
local HALF = DOCUMENT:sub(1, 10)
local HOLD, RESET = { hold = true }, { reset = true }
local PING, PONG = http2.frame(6, 0, 0, "12345678"), { read = "pong" }

local function head(...)
  return HELLO .. http2.headers(END_HEADERS, 200, ...)
end

local LENGTH = { "content-length", "21" }

-- Steps after a whole request over HTTP/2.
local function script(...)
  return { { read = "http2" }, ... }
end

-- Where libcurl reads the end of a connection together with what came before it, it may
-- forget either: it takes a stream that is reset for one that has ended well. So a
-- connection lives on here unless its end is what a case is about.
describe("over HTTP/2", function()
  local peer
  local get = encounter.share(setup, teardown, function(shared)
    peer = shared
  end)

  local function cases(list, ending)
    for _, case in ipairs(list) do
      table.insert(case, ending)
      case.script = case.scripts == nil and script(table.unpack(case, 2)) or nil
      case.options = encounter.with({ http_version = "2" }, case.options)
    end
    encounter.cases(it, get, list)
  end

  -- Whether a head or body that had come was passed on is chance, and libcurl's version.
  local broken = transport "connection_lost"
  local lost = transport("connection_lost", { status = NONE, body = NONE })
  -- libcurl 7.88 forgets an answer whose end comes together with a fault of the stream;
  -- 8.14 reads it. And it does not try elsewhere what a server that goes away has not
  -- looked at, as 8.14 does up to five times; a POST opens no second connection.
  local is_new = libcurl >= 800
  local late = is_new and state "canceled" or broken
  local tries = is_new and { cancel = 1, poll = 6 } or 1
  -- 8.23 has another limit for who is asked to be calm, and lets a value hold CR and LF,
  -- whose second line is no header of its own.
  local is_newest = libcurl >= 820
  local calm = not is_newest and tries or 1

  describe("a stream that is reset", function()
    cases({
      { "before its headers", HELLO .. http2.reset(http2.INTERNAL_ERROR), both = broken },
      { "before its headers, as canceled", HELLO .. http2.reset(http2.CANCEL), both = broken },
      { "for the sake of calm", HELLO .. http2.reset(http2.ENHANCE_YOUR_CALM), both = broken },
      { "together with its headers", head() .. http2.reset(http2.INTERNAL_ERROR),
        both = broken },
      { "after its headers", head() .. PING, PONG, http2.reset(http2.INTERNAL_ERROR),
        both = broken },
      { "in mid-body", head(LENGTH) .. http2.data(0, HALF) .. PING, PONG,
        http2.reset(http2.CANCEL),
        both = broken },
      { "in mid-body of no announced length", head() .. http2.data(0, HALF) .. PING, PONG,
        http2.reset(http2.INTERNAL_ERROR),
        both = broken },
      { "after a body with its length, which is whole", head(LENGTH) .. http2.data(0, DOCUMENT)
        .. PING, PONG, http2.reset(http2.CANCEL), both = state("canceled",
          { body = DOCUMENT }) },
      { "after a document without a length, which is whole", head() .. http2.data(0, DOCUMENT)
        .. PING, PONG, http2.reset(http2.CANCEL), both = state("canceled",
          { body = DOCUMENT }) },
      { "after a word without a length, which may be cut", head() .. http2.data(0, "42")
        .. PING, PONG, http2.reset(http2.CANCEL), both = broken },
      { "after no body without a length, which may be cut", head() .. PING, PONG,
        http2.reset(http2.CANCEL), both = broken },
      { "together with a whole answer", head(LENGTH) .. http2.data(0, DOCUMENT)
        .. http2.reset(http2.NO_ERROR), both = late },
      { "after a whole answer", head() .. http2.data(END_STREAM, DOCUMENT)
        .. http2.reset(http2.INTERNAL_ERROR), both = state "canceled" },
    }, HOLD)
  end)

  describe("a connection that goes away", function()
    local function goaway(last)
      return http2.goaway(last, http2.NO_ERROR)
    end
    cases {
      { "without having seen the request", HELLO .. goaway(0), HOLD, both = broken,
        connections = tries, requests = { cancel = 1 } },
      { "after the request", HELLO .. goaway(1), both = broken },
      { "in a huff", HELLO .. http2.goaway(0, http2.ENHANCE_YOUR_CALM), HOLD,
        both = broken, connections = calm, requests = { cancel = 1 } },
      { "in mid-body", head(LENGTH) .. http2.data(0, HALF) .. goaway(1),
        both = broken },
      { "and still answers", HELLO .. goaway(1), http2.headers(END_HEADERS, 200)
        .. http2.data(END_STREAM, DOCUMENT), both = state "canceled" },
      { "after the answer", head() .. http2.data(END_STREAM, DOCUMENT) .. goaway(1),
        both = state "canceled" },
      { "without a word", HELLO, both = broken },
      { "by a reset", HELLO, RESET, both = lost },
      { "by a reset in mid-body", head(LENGTH) .. http2.data(0, HALF), RESET,
        both = broken },
      { "before the settings", both = broken },
      { "after the headers", head() .. PING, PONG,
        both = broken },
      { "in mid-body of no announced length", head() .. http2.data(0, "42") .. PING, PONG,
        both = broken },
    }
  end)

  -- libcurl repeats on another connection what the server says it has not looked at.
  describe("a stream that is refused", function()
    local refusal = script(HELLO .. http2.reset(http2.REFUSED_STREAM), HOLD)
    cases {
      { "is worth another connection to read, and none to post",
        connections = { cancel = 1, poll = 2 },
        scripts = { refusal, script(head() .. http2.data(END_STREAM, DOCUMENT)) },
        requests = { cancel = 1, poll = 2 },
        cancel = transport("connection_lost", { status = NONE }), poll = state "canceled" },
    }
  end)

  describe("silence", function()
    local silent = transport "timeout"
    cases({
      { "before the settings", both = silent },
      { "before the headers", HELLO, both = silent },
      { "in mid-body", head(LENGTH) .. http2.data(0, HALF), both = silent },
      { "after the body, without its end", head() .. http2.data(0, DOCUMENT), HOLD,
        both = silent },
      { "but for pings", HELLO, { endless = PING, every = 0.02 }, both = silent },
      { "but for interim answers", HELLO,
        { endless = http2.headers(END_HEADERS, 103), every = 0.02 }, both = silent },
    }, HOLD)
  end)

  describe("an answer", function()
    cases({
      { "in HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" .. DOCUMENT,
        both = lost },
      { "of garbage", ("\xf3\x9a\x00\x7f"):rep(100), both = lost },
      { "without a status", HELLO .. http2.frame(1, BOTH, 1, http2.field("x", "y")),
        both = broken },
      { "of a status that is a word", HELLO .. http2.headers(BOTH, "fine"), both = broken },
      { "of two statuses", HELLO .. http2.headers(BOTH, 500, { ":status", "200" }),
        both = broken },
      { "of a header that holds CR and LF", HELLO .. http2.headers(BOTH, 202,
        { "x", "y\r\nlocation: http://127.0.0.2/" }),
        cancel = is_newest and state("accepted", { location = NONE }) or broken,
        poll = is_newest and state "running" or broken },
      { "of a header that is in capitals", HELLO .. http2.headers(BOTH, 200, { "X", "y" }),
        both = broken },
      { "of a header of HTTP/1.1", HELLO .. http2.headers(BOTH, 200, { "connection", "x" }),
        both = broken },
      { "that does not decompress", HELLO .. http2.frame(1, BOTH, 1, ("\xff"):rep(20)),
        both = lost },
      { "of two lengths", head(LENGTH, { "content-length", "5" })
        .. http2.data(END_STREAM, DOCUMENT), both = broken },
      { "that is longer than its length", head { "content-length", "5" }
        .. http2.data(END_STREAM, DOCUMENT), both = broken },
      { "that is shorter than its length", head { "content-length", "50" }
        .. http2.data(END_STREAM, DOCUMENT), both = broken },
      { "on a stream that nobody opened", HELLO .. http2.frame(1, BOTH, 8, "\x88"),
        both = lost },
      { "in a frame that is too large", HELLO .. http2.frame(0, 0, 1, ("x"):rep(70000)),
        both = lost },
      { "with a body before its headers", HELLO .. http2.data(END_STREAM, DOCUMENT),
        both = lost },
      { "with settings that nobody can keep", http2.frame(4, 0, 0,
        (">I2I4"):pack(4, 0xffffffff)), both = lost },
      { "with a header of 16 kB, which is read", HELLO .. http2.headers(BOTH, 200,
        { "x", ("y"):rep(16000) }), cancel = state "canceled", poll = state "unknown" },
      { "with headers without end", HELLO .. http2.frame(1, 0, 1, http2.field(":status", "200")),
        { endless = http2.frame(9, 0, 1, http2.field("x", ("y"):rep(1000))) },
        both = broken },
      { "of a body without end", head(), { endless = http2.data(0, (" "):rep(16000)) },
        options = { max_body = 50000 }, both = encounter.protocol("body_too_large",
          { status = 200 }) },
      { "with trailers that look like a status", head() .. http2.data(0, DOCUMENT)
        .. http2.headers(BOTH, 204), both = late },
    }, HOLD)
  end)

  it("a 202 that is reset keeps its location", function()
    local client = peer:client { http_version = "2" }
    peer:play(script(HELLO .. http2.headers(END_HEADERS, 202, { "location", "/x" }) .. PING,
      PONG, http2.reset(http2.CANCEL), HOLD))
    local _, err = client:cancel("contoso", "vm")
    assert.equal(peer.endpoint .. "/x?" .. encounter.VERSION, err.location)
  end)
end)
