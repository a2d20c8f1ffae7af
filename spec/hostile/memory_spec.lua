-- Answers that never end, or that unpack to far more than they are: a call holds no more
-- than max_body of them. Each runs in a process of its own, whose peak is read.
local encounter = require "spec.hostile.encounter"
local child = require "spec.support.child"

local MiB = 1024 * 1024

-- Resident memory may rise by this much while an answer without end comes in.
local LIMIT = 32 * 1024 -- kB

local SCRIPT = [[
  local function peak()
    return tonumber(io.open "/proc/self/status":read "a":match "VmHWM:%%s*(%%d+)")
  end
  local client = require "cpp".client { http_version = %q }
  collectgarbage() collectgarbage()
  local before = peak()
  local value, err = client:%s
  local result = value and value.state or err.kind .. " " .. err.code
  print(result, peak() - before)
]]

-- A sanitizer keeps what is freed, and a shadow of it all.
local function is_sanitized()
  return io.open "/proc/self/maps":read "a":find("libasan", 1, true) ~= nil
end

-- So many zero bytes, gzipped once, and twice.
local function bombs(size)
  local name = os.tmpname()
  local pipe <close> = assert(io.popen(("head -c %d /dev/zero | gzip -1 | tee %s | gzip")
    :format(size, name)))
  local twice = pipe:read "a"
  pipe:close()
  local file <close> = assert(io.open(name, "rb"))
  os.remove(name)
  return file:read "a", twice
end

describe("memory is bounded by max_body", function()
  local peer, once, twice

  setup(function()
    peer = encounter.start()
    once, twice = bombs(200 * MiB)
  end)

  teardown(function()
    peer:close()
  end)

  -- The outcome of both calls, whatever the peer plays; as little memory as promised.
  local function measure(expected, version, ...)
    for _, call in ipairs { ('poll(%q)'):format(peer.location), 'cancel("contoso", "vm")' } do
      peer:play { { read = version == "2" and "http2" or "http" }, ... }
      local output = child.output(SCRIPT:format(version, call),
        { CPP_ENDPOINT = peer.endpoint, CPP_TOKEN = "t" })
      local result, rise = output:match "^([^\t]+)\t(%d+)$"
      assert.equal(expected, result, output)
      assert.is_true(is_sanitized() or tonumber(rise) <= LIMIT, output)
      assert.same({ 1, 0, 1 }, { peer:counts() })
    end
  end

  local function gzipped(encoding, body)
    return ("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s")
      :format(encoding, #body, body)
  end

  local BLOCK = (" "):rep(65536)
  local FLOOD = { endless = BLOCK, times = 200 * MiB // #BLOCK }
  local TOO_LARGE = "protocol body_too_large"

  it("in a body of 200 MiB", function()
    measure(TOO_LARGE, "1.1", ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(
      200 * MiB), FLOOD)
  end)

  it("in a body of no announced length", function()
    measure(TOO_LARGE, "1.1", "HTTP/1.1 200 OK\r\n\r\n", FLOOD)
  end)

  it("in chunks without end", function()
    measure(TOO_LARGE, "1.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      { endless = "10000\r\n" .. BLOCK .. "\r\n" })
  end)

  it("in the body of an error", function()
    measure(TOO_LARGE, "1.1", "HTTP/1.1 503 No\r\n\r\n", FLOOD)
  end)

  it("in a gzip bomb", function()
    measure(TOO_LARGE, "1.1", gzipped("gzip", once))
  end)

  it("in a gzip bomb within a gzip bomb", function()
    measure(TOO_LARGE, "1.1", gzipped("gzip, gzip", twice))
  end)

  it("in a body without end over HTTP/2", function()
    local http2 = require "spec.hostile.http2"
    measure(TOO_LARGE, "2", http2.HELLO .. http2.headers(http2.END_HEADERS, 200),
      { endless = http2.data(0, BLOCK:sub(1, 16384)) })
  end)

  it("in a bomb over HTTP/2", function()
    local http2 = require "spec.hostile.http2"
    measure(TOO_LARGE, "2", http2.HELLO .. http2.headers(http2.END_HEADERS, 200,
      { "content-encoding", "gzip, gzip" }) .. http2.data(http2.END_STREAM, twice))
  end)

  it("by its own limit in headers without end", function()
    measure("protocol headers_too_large", "1.1", "HTTP/1.1 200 OK\r\n",
      { endless = ("X-Filler: " .. ("y"):rep(1000) .. "\r\n"):rep(64) })
  end)

  it("by its own limit in interim answers without end", function()
    measure("protocol headers_too_large", "1.1",
      { endless = ("HTTP/1.1 100 Continue\r\n\r\n"):rep(1000) })
  end)

  it("in documents nested without end", function()
    measure(TOO_LARGE, "1.1", "HTTP/1.1 200 OK\r\n\r\n", { endless = ("["):rep(65536) })
  end)
end)
