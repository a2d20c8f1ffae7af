-- Proxies that refuse a tunnel, break in it, or are none.
local encounter = require "spec.hostile.encounter"

local NONE = encounter.NONE
local PAGE = "<html>Sign in, very-secret</html>"

describe("a proxy", function()
  local peer
  local get = encounter.share(setup, teardown, function(shared)
    peer = shared
  end)

  -- Cases whose service is behind the peer, spoken to by this scheme.
  local function cases(scheme, list)
    for _, case in ipairs(list) do
      local name = case[1]
      for _, call in ipairs { "cancel", "poll" } do
        it(("%s: %s"):format(call, name), function()
          local client = peer:client { endpoint = "https://portal.example",
            proxy = scheme .. "://user:very-secret@127.0.0.1:" .. peer.port }
          peer:play(case.script or { { read = "http" }, table.unpack(case, 2) })
          local location = "https://portal.example/api/operations/1"
          local _, err = peer:call(client, call, nil, location)
          encounter.compare(case.both, nil, err)
          assert.is_nil(tostring(err):find "secret")
          assert.equal(1, (get():counts()))
        end)
      end
    end
  end

  local function answered(status, ...)
    return ("HTTP/1.1 %s X\r\n"):format(status) .. table.concat({ ... }, "\r\n")
      .. "\r\nContent-Length: " .. #PAGE .. "\r\n\r\n" .. PAGE
  end

  local function refused(status, more)
    local passing = status == 408 or status == 429 or status >= 500
    return encounter.with({ kind = "transport", code = "proxy_refused", status = status,
      sent = false, retryable = passing, body = NONE, location = nil }, more)
  end

  local function lost(code)
    return { kind = "transport", code = code, sent = false, retryable = true, status = NONE }
  end

  describe("that answers a CONNECT", function()
    local list = {
      { "with 429 and a time", answered(429, "Retry-After: 7"),
        both = refused(429, { retry_after = 7 }) },
      { "with 407 in a head that asks for a password",
        answered(407, 'Proxy-Authenticate: Basic realm="x"', "Location: /x"),
        both = refused(407) },
      { "with a tunnel, and then with no TLS", "HTTP/1.1 200 Established\r\n\r\n",
        ("x"):rep(100), both = lost "tls_handshake" },
      { "with nothing", both = lost "connection_lost" },
      { "with half a head", "HTTP/1.1 200 Established\r\nX", both = lost "connection_lost" },
    }
    for _, status in ipairs { 302, 400, 403, 404, 405, 407, 408, 500, 502, 503, 504 } do
      table.insert(list, { "with " .. status, answered(status), both = refused(status) })
    end
    cases("http", list)
  end)

  describe("that speaks SOCKS5", function()
    local TAKEN = "\5\0"
    local no = { kind = "transport", code = "proxy_refused", sent = false, retryable = false,
      status = NONE }
    cases("socks5h", {
      { "and takes no password", script = { "\5\255" }, both = no },
      { "and does not allow it", script = { TAKEN .. "\5\2\0\1\0\0\0\0\0\0" }, both = no },
      { "and falls over", script = { TAKEN .. "\5\1\0\1\0\0\0\0\0\0" }, both = no },
      { "and goes away", script = {}, both = lost "connection_lost" },
    })
  end)
end)
