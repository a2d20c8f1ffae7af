-- Proxies that refuse a tunnel, break in it, or are none.
local cpp = require "cpp"
local encounter = require "spec.hostile.encounter"
local harness = require "spec.support.harness"
local tunnel = require "spec.support.tunnel"

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

    it("with 401, and says nothing of the token", function()
      local rejections = {}
      local client = peer:client { endpoint = "https://portal.example",
        proxy = "http://127.0.0.1:" .. peer.port, token = function(_, rejected)
          table.insert(rejections, rejected or "none")
          return encounter.TOKEN
        end }
      peer:play({ { read = "http" }, answered(401) })
      for _ = 1, 2 do
        encounter.compare(refused(401), client:poll "/x")
      end
      assert.same({ "none", "none" }, rejections)
    end)
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

  describe("that speaks SOCKS4, which takes addresses alone", function()
    -- A label of 64 bytes: it fails without a name server.
    it("is not to blame for a name that has none", function()
      local client <close> = cpp.client { token = "t",
        proxy = peer.endpoint:gsub("^http", "socks4"),
        endpoint = "https://" .. ("x"):rep(64) .. ".example" }
      peer:play { { hold = true } }
      local _, err = client:cancel("contoso", "vm")
      assert.same({ "transport", "could_not_resolve", false, true },
        { err.kind, err.code, err.sent, err.retryable })
      peer:forget()
    end)
  end)

  describe("whose tunnel breaks under a request", function()
    local here, proxy, client

    setup(function() here = harness.start { tls = true } end)
    teardown(function() here:close() end)
    before_each(function() proxy = tunnel.start() end)
    after_each(function()
      here:reset()
      proxy:close()
    end)

    -- Makes a call on a connection that has served and now breaks. libcurl begins it again
    -- on a new one, and what the proxy says to that, with this status, is no answer of the
    -- portal's.
    local function breaks(status, version, method, ...)
      client = here:client { proxy = proxy.url, http_version = version, timeout = 20 }
      assert(client:poll(here.location))
      proxy:cut(status)
      local result, err = client[method](client, ...)
      assert.is_nil(result)
      assert.same({ "transport", true }, { err.kind, err.sent })
      return err
    end

    it("loses a cancel, and says nothing of the portal's", function()
      local err = breaks(nil, nil, "cancel", "contoso", "vm")
      assert.same({ "connection_lost", true }, { err.code, err.retryable })
      assert.same({}, { err.status, err.request_id, err.retry_after })
    end)

    it("loses a poll, and says nothing of the portal's", function()
      local err = breaks(nil, "1.1", "poll", here.location)
      assert.is_true(err.retryable)
      assert.same({}, { err.status, err.request_id, err.retry_after })
    end)

    -- The portal may have had it on the connection that broke.
    it("and refuses another: the poll counts as sent", function()
      local err = breaks("407 Sign in", "1.1", "poll", here.location)
      assert.same({ "proxy_refused", 407, false }, { err.code, err.status, err.retryable })
    end)

    it("and is busy: the poll counts as sent", function()
      local err = breaks("503 Busy", "1.1", "poll", here.location)
      assert.same({ "proxy_refused", 503, true }, { err.code, err.status, err.retryable })
    end)
  end)
end)
