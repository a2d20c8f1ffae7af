-- TLS: certificates of every bad kind, old protocols and handshakes that break are refused
-- before a request is sent, each with a message that says which; good ones are accepted.
-- libcurl's GnuTLS flavour says of most bad certificates only that they are bad, and takes
-- three that OpenSSL refuses: policy of that library, which docs/trust.md tells.
local encounter = require "spec.hostile.encounter"
local libcurl = require "spec.support.libcurl"
local cpp = require "cpp"
local shell = require "cpp.emulator.shell"
local child = require "spec.support.child"
local tls = require "spec.hostile.tls"

-- Which library it is shows in libcurl's file name: make gnutls links to that one by name.
local library = select(2, shell.run("ldd " .. package.searchpath("cpp", package.cpath)))
  :find("libcurl-gnutls", 1, true) and "GnuTLS" or "OpenSSL"

-- What the libraries call an event.
local function words(openssl, gnutls)
  return library == "GnuTLS" and gnutls or openssl
end

describe("over TLS", function()
  local peer, servers

  setup(function()
    peer = encounter.start()
    servers = tls.start(peer.port)
  end)

  teardown(function()
    servers:close()
    peer:close()
  end)

  -- Options of a client of the server of that name; it trusts root.
  local function options(name, more)
    return encounter.with({
      endpoint = servers.endpoints[name], ca_file = servers.folder .. "/root.pem", timeout = 30,
    }, more)
  end

  local function accepts(given)
    local client <close> = cpp.client(encounter.with(given, { token = encounter.TOKEN }))
    assert.equal("canceled", assert(client:cancel("contoso", "vm")).state)
    assert.equal("canceled", assert(client:poll "/x").state)
  end

  -- Both calls fail before they are sent, and say why.
  local function refuses(given, code, message)
    local asked = 0
    local client <close> = cpp.client(encounter.with(given, { token = function()
      asked = asked + 1
      return encounter.TOKEN
    end }))
    for _, call in ipairs { "cancel", "poll" } do
      local result, err = peer:call(client, call, nil, "/x")
      assert.is_nil(result)
      assert.same({ "transport", code, false, code == "tls_handshake" or code == "timeout" },
        { err.kind, err.code, err.sent, err.retryable }, tostring(err))
      assert.matches(message, err.message)
      assert.is_nil(err.status)
    end
    assert.equal(2, asked)
  end

  describe("a certificate is refused that", function()
    local BAD = "server certificate verification failed"
    local NO_ISSUER = words("unable to get local issuer certificate", BAD)
    local cases = {
      { "has expired", "expired", words("certificate has expired", BAD) },
      { "is not yet valid", "early", words("certificate is not yet valid", BAD) },
      { "is for another host", "elsewhere",
        words("no alternative certificate subject name matches", "does not match target host") },
      { "signed itself", "selfsigned", words("self.signed certificate", BAD) },
      { "an unknown authority signed", "unknown", NO_ISSUER },
      { "an unknown authority signed and sends along", "unknown_chain",
        words("self.signed certificate in certificate chain", BAD) },
      { "comes without its intermediate", "unchained", NO_ISSUER },
      { "somebody signed who is no authority", "impostor", words("invalid CA certificate", BAD) },
    }
    for _, case in ipairs(cases) do
      local what, name, message = table.unpack(case)
      for _, version in ipairs { "1.1", "2" } do
        it(("%s, HTTP/%s wanted"):format(what, version), function()
          refuses(options(name, { http_version = version }), "tls_verification", message)
        end)
      end
    end

    it("the wrong authority cannot vouch for", function()
      refuses(options("good", { ca_file = servers.folder .. "/stranger.pem" }),
        "tls_verification", NO_ISSUER)
    end)

    it("the system's store cannot vouch for", function()
      local output = child.output(([[
        local client = require "cpp".client { endpoint = %q, token = "t" }
        print(select(2, client:cancel("contoso", "vm")))]]):format(servers.endpoints.good))
      assert.matches(NO_ISSUER .. ".-%[transport/tls_verification%]$", output)
    end)
  end)

  describe("it is the policy of " .. library .. " whether a certificate passes that", function()
    -- GnuTLS takes it, and OpenSSL refuses it with this message.
    local function differs(given, message)
      if library == "GnuTLS" then
        accepts(given)
      else
        refuses(given, "tls_verification", message)
      end
    end

    for _, version in ipairs { "1.1", "2" } do
      it("is for clients, HTTP/" .. version .. " wanted", function()
        differs(options("client", { http_version = version }), "unsuitable certificate purpose")
      end)

      it("has a weak key, HTTP/" .. version .. " wanted", function()
        differs(options("weak", { http_version = version }), "key too weak")
      end)
    end

    it("a folder without hashed names vouches for", function()
      local given = options("good", { ca_path = servers.folder .. "/bare" })
      given.ca_file = nil
      if libcurl >= 820 and library == "OpenSSL" then -- it looks for a certificate there first
        refuses(given, "ca_file", "trust anchors")
      else
        differs(given, "unable to get local issuer certificate")
      end
    end)
  end)

  describe("a certificate is accepted that", function()
    for what, name in pairs {
      ["a known authority signed"] = "good", ["comes with its intermediate"] = "chained",
      ["comes with its root"] = "rooted", ["is for TLS 1.2"] = "tls12",
      ["is for TLS 1.3"] = "tls13",
    } do
      it(what .. ", by ca_file", function()
        accepts(options(name))
      end)

      it(what .. ", by ca_path", function()
        local given = options(name, { ca_path = servers.folder .. "/hashed" })
        given.ca_file = nil
        accepts(given)
      end)
    end

    it("SSL_CERT_FILE or SSL_CERT_DIR vouches for", function()
      local script = ([[
        local client = require "cpp".client { endpoint = %q, token = "t" }
        print(client:cancel("contoso", "vm"))]]):format(servers.endpoints.good)
      for name, value in pairs { SSL_CERT_FILE = "/root.pem", SSL_CERT_DIR = "/hashed" } do
        assert.equal("contoso/vm: canceled",
          child.output(script, { [name] = servers.folder .. value }))
      end
    end)
  end)

  describe("a handshake fails with", function()
    for _, name in ipairs { "tls1", "tls11" } do
      it("a server of an old protocol only: " .. name, function()
        refuses(options(name), "tls_handshake", "protocol version")
      end)
    end

    local NO_TLS = words("wrong version number", "unexpected TLS packet")

    it("a server that speaks plain HTTP", function()
      refuses(options "plain", "tls_handshake", NO_TLS)
    end)

    -- The peer's side of a handshake.
    local function breaks(code, message, ...)
      peer:play { ... }
      refuses({ endpoint = "https://127.0.0.1:" .. peer.port,
        timeout = code == "timeout" and 0.2 or 30 }, code, message)
      local main, foreign, requests = peer:counts()
      assert.same({ 2, 0, 0 }, { main, foreign, requests })
    end

    it("a peer that answers in plain text at once", function()
      breaks("tls_handshake", NO_TLS, "220 mail.example ESMTP\r\n")
    end)

    it("a peer that sends garbage", function()
      breaks("tls_handshake", NO_TLS, ("\xf3\x9a\x00\x7f"):rep(100))
    end)

    it("a peer that sends an alert", function()
      breaks("tls_handshake", words("handshake failure", "Handshake failed"), "\21\3\3\0\2\2\40")
    end)

    it("a peer that promises a record and closes", function()
      breaks("tls_handshake", words("SSL", "decoding the received TLS packet"), "\22\3\3\0\100\2")
    end)

    it("a peer that closes", function()
      breaks("tls_handshake", words("SSL", "TLS connection was non%-properly terminated"))
    end)

    it("a peer that is silent", function()
      breaks("timeout", "no connection", { hold = true })
    end)

    it("a peer that drips", function()
      breaks("timeout", "no connection", "\22\3\3\0\100\2", { endless = "\0", every = 0.05 })
    end)
  end)

  it("nothing switches verification off", function()
    for _, name in ipairs { "insecure", "verify", "verify_peer", "verify_host", "ssl_verify",
      "tls_verify", "no_verify", "cacert", "ssl_verifypeer", "skip_verify" } do
      for _, value in ipairs { true, false, 0, "none" } do
        local good, raised = pcall(cpp.client, { [name] = value })
        assert.is_false(good)
        assert.matches("unknown option '" .. name .. "'", raised)
        good, raised = pcall(cpp.poll, "/x", { [name] = value })
        assert.is_false(good)
        assert.matches("unknown option '" .. name .. "'", raised)
      end
    end
    for _, name in ipairs { "ca_file", "ca_path" } do
      for _, value in ipairs { false, "", 0 } do
        assert.is_false((pcall(cpp.client, { [name] = value })))
      end
    end
  end)
end)
