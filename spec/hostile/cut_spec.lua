-- Wires that are cut, reset, silent or slow, at every point of an answer.
local encounter = require "spec.hostile.encounter"

local transport, state, NONE = encounter.transport, encounter.state, encounter.NONE

local HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n"
local DOCUMENT = '{"status":"canceled"}'
local CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
local ACCEPTED = "HTTP/1.1 202 Accepted\r\nLocation: /api/x\r\nRetry-After: 7\r\n"
  .. "x-ms-request-id: r-1\r\n"
local RESET, HOLD = { reset = true }, { hold = true }

describe("a wire", function()
  local peer
  local get = encounter.share(setup, teardown, function(shared)
    peer = shared
  end)

  -- Before a whole head, and after one.
  local lost, broken = transport("connection_lost", { status = NONE, body = NONE }),
    transport "connection_lost"
  local incomplete = transport "incomplete_answer"

  describe("that is cut", function()
    encounter.cases(it, get, {
      { "before the status line", "", both = lost },
      { "within the status line", "HTTP/1.1 20", both = lost },
      { "after the status line", "HTTP/1.1 200 OK\r\n", both = broken },
      { "after the status line of a 204", "HTTP/1.1 204 No Content\r\n", both = broken },
      { "within the name of a header", "HTTP/1.1 200 OK\r\nConte", both = broken },
      { "within the value of a header", "HTTP/1.1 200 OK\r\nContent-Length: 2",
        both = broken },
      { "before the blank line", HEAD, both = broken },
      { "within the blank line", HEAD .. "\r", both = broken },
      { "before the body", HEAD .. "\r\n", both = incomplete },
      { "in the body", HEAD .. "\r\n" .. DOCUMENT:sub(1, 20),
        both = transport("incomplete_answer", { status = 200, body = DOCUMENT:sub(1, 20) }) },
      { "after an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", both = lost },
      { "within an interim answer", "HTTP/1.1 103 Early Hints\r\nLink",
        both = transport("connection_lost", { status = NONE }) },
      { "before the first chunk", CHUNKED, both = incomplete },
      { "in the size of a chunk", CHUNKED .. "1", both = incomplete },
      { "in a chunk", CHUNKED .. "15\r\n" .. DOCUMENT:sub(1, 9), both = incomplete },
      { "after a chunk", CHUNKED .. "15\r\n" .. DOCUMENT, both = incomplete },
      { "between chunks", CHUNKED .. "15\r\n" .. DOCUMENT .. "\r\n", both = incomplete },
      { "in the last chunk", CHUNKED .. "15\r\n" .. DOCUMENT .. "\r\n0\r\n",
        both = incomplete },
      { "in the trailers", CHUNKED .. "15\r\n" .. DOCUMENT .. "\r\n0\r\nX: y\r\n",
        both = incomplete },
      { "in the body of an error", "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\n{",
        both = transport("incomplete_answer", { status = 503 }) },
    })
  end)

  describe("that is cut in a 202", function()
    encounter.cases(it, get, {
      { "within its headers keeps what came", ACCEPTED, both = {
        kind = "transport", code = "connection_lost", sent = true, status = 202,
        request_id = "r-1", retry_after = 7 } },
      { "in its body keeps its location", ACCEPTED .. "Content-Length: 9\r\n\r\n12345",
        both = transport("incomplete_answer", { status = 202, request_id = "r-1",
          retry_after = 7, body = "12345" }) },
    })

    it("keeps the location that came, absolute", function()
      local client = peer:client()
      for _, rest in ipairs { "", "Content-Length: 9\r\n\r\n12345" } do
        for _, call in ipairs { "cancel", "poll" } do
          peer:answer(ACCEPTED .. rest)
          local _, err = peer:call(client, call)
          assert.equal(peer.endpoint .. "/api/x?" .. encounter.VERSION, err.location)
        end
      end
    end)
  end)

  describe("that is reset", function()
    encounter.cases(it, get, {
      { "before the status line", RESET, both = lost },
      { "within the status line", "HTTP/1.1 20", RESET,
        both = transport("connection_lost", { status = NONE }) },
      { "within the headers", HEAD, RESET, both = transport "connection_lost" },
      { "before the body", HEAD .. "\r\n", RESET, both = incomplete },
      { "in the body", HEAD .. "\r\n" .. DOCUMENT:sub(1, 20), RESET,
        both = incomplete },
      { "between chunks", CHUNKED .. "15\r\n" .. DOCUMENT .. "\r\n", RESET,
        both = incomplete },
      { "in a body of no announced length", "HTTP/1.1 200 OK\r\n\r\n" .. DOCUMENT, RESET,
        both = incomplete },
    })
  end)

  describe("that falls silent", function()
    local silent = transport "timeout"
    encounter.cases(it, get, {
      { "before reading anything", script = { HOLD }, both = silent },
      { "before the status line", HOLD, both = transport("timeout", { status = NONE }) },
      { "within the status line", "HTTP/1.1 20", HOLD, both = silent },
      { "within the headers", HEAD, HOLD, both = silent },
      { "before the body", HEAD .. "\r\n", HOLD, both = silent },
      { "in the body", HEAD .. "\r\n{", HOLD, both = silent },
      { "in a body of no announced length", "HTTP/1.1 200 OK\r\n\r\n" .. DOCUMENT, HOLD,
        both = transport("timeout", { status = 200, body = DOCUMENT }) },
      { "between chunks", CHUNKED .. "15\r\n" .. DOCUMENT .. "\r\n", HOLD, both = silent },
      { "after an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", HOLD, both = silent },
      { "after a whole answer, which counts", HEAD .. "\r\n" .. DOCUMENT, HOLD,
        both = state("canceled") },
      { "after a 204, which has no body", "HTTP/1.1 204 No Content\r\n\r\n", HOLD,
        cancel = encounter.protocol("unexpected_status", { status = 204 }),
        poll = state("succeeded") },
    })
  end)

  describe("that drips", function()
    local function drip(text)
      return { endless = text, every = 0.02 }
    end
    encounter.cases(it, get, {
      { "a status line without end", "HTTP/1.1 200 O", drip "K", both = transport "timeout" },
      { "a header without end", HEAD .. "X: ", drip "y", both = transport "timeout" },
      { "headers without end", HEAD, drip "X: y\r\n", both = transport "timeout" },
      { "a body without end", "HTTP/1.1 200 OK\r\n\r\n", drip " ",
        both = transport("timeout", { status = 200 }) },
      { "chunks without end", CHUNKED, drip "1\r\n \r\n", both = transport "timeout" },
      { "interim answers without end", drip "HTTP/1.1 102 Processing\r\n\r\n",
        both = transport "timeout" },
      { "a whole answer, byte by byte", "H", 0.01, "TTP/1.1 2",
        0.01, "00 OK\r", 0.01, "\nContent-Length: 2", 0.01, "1\r\n\r", 0.01, "\n",
        DOCUMENT:sub(1, 1), 0.01, DOCUMENT:sub(2), both = state("canceled") },
    })
  end)

end)
