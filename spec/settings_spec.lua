-- Options: what each does, on a client and on a call, and how misuse is told.
local cpp = require "cpp"
local shell = require "cpp.emulator.shell"
local support = require "spec.support.portal"

local LOCAL = "http://127.0.0.1:9"

describe("settings:", function()
  local portal, secure

  setup(function()
    portal, secure = support.start(), support.start(true)
  end)

  before_each(function()
    portal:reset()
    secure:reset()
  end)

  teardown(function()
    portal:close()
    secure:close()
  end)

  -- The message of the error that a function raises.
  local function raises(fn, ...)
    local good, message = pcall(fn, ...)
    assert.is_false(good)
    assert.is_string(message)
    return message
  end

  -- The messages of a wrong options table on a client and on a call; nothing is sent.
  local function misuse(options)
    local client <close> = portal:client()
    local messages = { raises(cpp.client, options), raises(client.cancel, client, "contoso",
      "vm", options) }
    assert.equal(0, #portal:entries())
    return messages
  end

  describe("an option counts on a client, and on a call before it:", function()
    -- What `observe` tells of a client with option `name` as `one`, and of a call that
    -- says `two` instead.
    local function check(name, one, two, observe, at)
      local client = (at or portal):client { [name] = one }
      local of_client = observe(client, {})
      local of_call = observe(client, { [name] = two })
      local again = observe(client, {})
      assert.same(of_client, again)
      return { of_client, of_call }
    end

    local function dry(client, options)
      options.dry_run = true
      return assert(client:cancel("contoso", "vm", options))
    end

    local function header(name)
      return function(client, options)
        return dry(client, options).headers[name]
      end
    end

    -- Polls the portal: the state, or the code of the error.
    local function outcome(at)
      return function(client, options)
        local operation, err = client:poll(at.location, options)
        return operation and operation.state or err.code
      end
    end

    it("endpoint", function()
      local function url(client, options) return dry(client, options).url:match "^(.-)/api" end
      assert.same({ "https://one.example", "http://localhost:8" },
        check("endpoint", "https://one.example", "http://localhost:8", url))
    end)

    it("token", function()
      assert.same({ "canceled", "http_401" },
        check("token", portal.token, "wrong", outcome(portal)))
      local function right() return portal.token end
      assert.same({ "http_401", "canceled" }, check("token", "wrong", right, outcome(portal)))
      assert.same({ "canceled", "http_401" }, check("token", right, "wrong", outcome(portal)))
    end)

    it("api_version", function()
      local function url(client, options) return dry(client, options).url:match "%?(.*)" end
      assert.same({ "api-version=1", "api-version=2" }, check("api_version", "1", "2", url))
    end)

    it("notification_emails", function()
      local function body(client, options) return dry(client, options).body:match '"([^"]*)"}}' end
      assert.same({ "a@x.com", "b@x.com,c@x.com" },
        check("notification_emails", "a@x.com", { "b@x.com", "c@x.com" }, body))
    end)

    it("if_match", function()
      assert.same({ '"1"', "*" }, check("if_match", '"1"', "*", header "If-Match"))
    end)

    it("headers", function()
      assert.same({ "1", "2" },
        check("headers", { ["X-It"] = "1" }, { ["X-It"] = "2" }, header "X-It"))
    end)

    it("user_agent", function()
      assert.same({ "one", "two" }, check("user_agent", "one", "two", header "User-Agent"))
    end)

    it("client_request_id", function()
      assert.same({ "one", "two" },
        check("client_request_id", "one", "two", header "x-ms-client-request-id"))
    end)

    it("timeout", function()
      portal:fault { delay = 60 }
      local function message(client, options)
        return select(2, client:poll(portal.location, options)).message:match "%d%S*"
      end
      assert.same({ "0.11", "0.07" }, check("timeout", 0.11, 0.07, message))
    end)

    it("connect_timeout", function()
      os.execute("kill -STOP " .. secure.emulator.pid) -- the kernel still accepts
      finally(function() os.execute("kill -CONT " .. secure.emulator.pid) end)
      local client = secure:client { connect_timeout = 0.05, timeout = 60 }
      local _, err = client:poll(secure.location)
      assert.same({ "timeout", false }, { err.code, err.sent })
      client = secure:client { timeout = 60 }
      _, err = client:poll(secure.location, { connect_timeout = 0.05 })
      assert.same({ "timeout", false }, { err.code, err.sent })
    end)

    it("max_body", function()
      portal:answer(200, '{"status":"canceled"}')
      assert.same({ "canceled", "body_too_large" },
        check("max_body", 21, 20, outcome(portal)))
    end)

    it("http_version", function()
      local function protocol(client, options)
        assert(client:poll(secure.location, options))
        return secure:last().protocol
      end
      assert.same({ "HTTP/2.0", "HTTP/1.1" }, check("http_version", "2", "1.1", protocol, secure))
    end)

    it("ca_file", function()
      local result = check("ca_file", secure.ca_file, "/no/such/file", outcome(secure), secure)
      assert.same({ "canceled", "ca_file" }, result)
    end)

    it("ca_path", function()
      local folder = secure.emulator.folder .. "/authorities"
      local ca_file = shell.quote(secure.ca_file)
      assert(os.execute(("mkdir %s %s && ln -s %s %s/$(openssl x509 -hash -noout -in %s).0"):format(
        folder, folder .. "-none", ca_file, folder, ca_file)))
      local client = cpp.client { endpoint = secure.endpoint, token = secure.token,
        ca_path = folder }
      finally(function() client:close() end)
      assert.equal("canceled", outcome(secure)(client, {}))
      assert.equal("tls_verification", outcome(secure)(client, { ca_path = folder .. "-none" }))
    end)

    it("proxy", function()
      assert.same({ "canceled", "proxy" }, check("proxy", "", portal.endpoint, outcome(secure),
        secure)) -- a portal is no proxy
    end)

    it("trace", function()
      local seen = {}
      local function tracer(name)
        return function() table.insert(seen, name) end
      end
      local function observe(client, options)
        seen = {}
        assert(client:poll(portal.location, options))
        return seen
      end
      assert.same({ { "one" }, { "two" } }, check("trace", tracer "one", tracer "two", observe))
    end)
  end)

  describe("an option of a client alone", function()
    it("may be given to cpp.client", function()
      local client <close> = cpp.client { max_connections = 1, wait = function() end }
      assert.is_function(client:wait())
    end)

    for name, value in pairs { max_connections = 3, wait = print } do
      it("is refused on a call: " .. name, function()
        local client <close> = portal:client()
        local message = raises(client.poll, client, portal.location, { [name] = value })
        assert.matches("'" .. name .. "' is for cpp.client", message, 1, true)
      end)
    end
  end)

  describe("an option of a call alone", function()
    it("is refused on a client: dry_run", function()
      assert.matches("'dry_run' is for a call", raises(cpp.client, { dry_run = true }))
    end)

    it("is refused where it has no meaning: status", function()
      local client <close> = portal:client()
      local options = { status = "running" }
      assert.matches("'status'", raises(cpp.client, options))
      assert.matches("'status'", raises(client.cancel, client, "a", "b", options))
      assert.matches("'status'", raises(client.poll, client, "/x", options))
      assert.matches("'status'", raises(client.status, client, "a", "b", options))
      assert(client:operations("contoso", "vm", options))
    end)
  end)

  describe("an unknown option", function()
    it("is named, with the nearest that there is", function()
      for wrong, right in pairs { tokn = "token", Timeout = "timeout", time_out = "timeout",
        emails = false, proxi = "proxy", cafile = "ca_file", http_verson = "http_version",
        notification_email = "notification_emails", completely_else = false } do
        for _, message in ipairs(misuse { [wrong] = "x" }) do
          local hint = right and (" (did you mean '%s'?)"):format(right) or ""
          assert.matches(("unknown option '%s'%s"):format(wrong, hint), message, 1, true)
          assert.equal(right and true or nil, message:find("did you mean", 1, true) and true)
        end
      end
    end)

    it("has hints that the place accepts", function()
      local client <close> = portal:client()
      assert.matches("did you mean 'dry_run'",
        raises(client.poll, client, "/x", { dryrun = true }))
      assert.is_nil(raises(cpp.client, { dryrun = true }):find("dry_run", 1, true))
    end)

    it("may be no name at all", function()
      for _, options in ipairs { { "x" }, { [true] = 1 }, { [1.5] = 2 } } do
        for _, message in ipairs(misuse(options)) do
          assert.matches("options are named by strings", message)
        end
      end
    end)

    it("may be as long as it likes", function()
      for _, message in ipairs(misuse { [("x"):rep(5000)] = 1 }) do
        assert.matches("unknown option", message)
      end
    end)

    it("is no table of options", function()
      for _, options in ipairs { "token", 42, true } do
        for _, message in ipairs(misuse(options)) do
          assert.matches("table expected, got " .. type(options), message)
        end
      end
      -- Also where the environment would fill in what options leave out.
      local output = support.child([[print(select(2, pcall(require "cpp".client, "token")))]],
        { CPP_TOKEN = "t" })
      assert.matches("table expected, got string", output)
    end)

    it("is told to the line that gave it", function()
      assert.matches("settings_spec%.lua:%d+: ", raises(function() cpp.client { tokn = "x" } end))
    end)
  end)

  describe("a wrong value raises and names its option:", function()
    local not_text = { 42, true, {}, print }
    local control = { "a\r\nX: y", "a\nb", "a\rb", "a\0b" }
    local infinity, nan = math.huge, 0 / 0
    local seconds = { "5", true, {}, nan, -1, 0, infinity, -infinity }
    local wrong = {
      endpoint = { not_text, control, { "" } },
      token = { { 42, true, {}, "", "a b\127" }, control },
      api_version = { not_text, control, { "" } },
      notification_emails = { { 42, true, print, { 42 }, { "a@x.com", true }, { {} },
        { first = "a@x.com" }, { "a@x.com", nil, "c@x.com" }, { "a\r\nb" }, { "a", "b\0" } },
        control },
      if_match = { not_text, control, { "" } },
      timeout = { seconds },
      connect_timeout = { seconds },
      headers = { { 42, "X: y", { "X: y" }, { X = 42 }, { X = true }, { [true] = "x" } } },
      user_agent = { not_text, control, { "" } },
      client_request_id = { not_text, control, { "" } },
      ca_file = { not_text, control, { "" } },
      ca_path = { not_text, control, { "" } },
      proxy = { not_text, control },
      http_version = { { 1.1, 2, true, {}, "", "1", "2.0", "3", "1.1\0" } },
      max_body = { { "100", true, {}, 0, -1, 1.5, nan, infinity, 2 ^ 53 } },
      trace = { { "print", 42, true, {} } },
      max_connections = { { "3", true, {}, 0, -1, 1.5, nan, infinity, 1e9 } },
      wait = { { "poll", 42, true, {} } },
      dry_run = { { 1, "true", {} } },
      status = { not_text, control, { "" } },
    }

    for name, lists in pairs(wrong) do
      it(name, function()
        local client = portal:client()
        local takers = { cpp.client }
        if name == "dry_run" or name == "status" then
          takers = {}
        end
        if name ~= "max_connections" and name ~= "wait" then
          table.insert(takers, function(options)
            return client:operations("contoso", "vm", options)
          end)
        end
        for _, list in ipairs(lists) do
          for _, value in ipairs(list) do
            for _, taker in ipairs(takers) do
              assert.matches("option '" .. name .. "'", raises(taker, { [name] = value }), 1, true)
            end
          end
        end
        assert.equal(0, #portal:entries())
      end)
    end

    it("a token, whose value the message does not repeat", function()
      for _, value in ipairs { "very-secret\r\n", "very-secret\0", "very-secret\127" } do
        for _, message in ipairs(misuse { token = value }) do
          assert.is_nil(message:find("secret", 1, true))
        end
      end
    end)

    it("a proxy, whose value the message does not repeat", function()
      for _, message in ipairs(misuse { proxy = "http://u:very-secret@h\r\n" }) do
        assert.is_nil(message:find("secret", 1, true))
      end
    end)

    it("notification_emails, with the number of the item", function()
      for _, message in ipairs(misuse { notification_emails = { "a@x.com", 42 } }) do
        assert.matches("item 2: string expected, got number", message)
      end
    end)
  end)

  describe("headers may not hold", function()
    for _, name in ipairs { "Two Words", "A:B", "", "X\r\nY", "X\0", "Ü", "(x)" } do
      it("a name that is none: " .. support.shown(name), function()
        for _, message in ipairs(misuse { headers = { [name] = "x" } }) do
          assert.matches("option 'headers'", message)
        end
      end)
    end

    for _, value in ipairs { "a\r\nAuthorization: x", "a\nb", "a\rb", "a\0b", "a\27b", "a\127" } do
      it("control characters: " .. support.shown(value), function()
        for _, message in ipairs(misuse { headers = { ["X-It"] = value } }) do
          assert.matches("'X-It' holds a control character", message, 1, true)
        end
      end)
    end

    it("what an option sets, which is named", function()
      for name, option in pairs {
        Authorization = "token", ["X-MS-Client-Request-Id"] = "client_request_id",
        ["user-agent"] = "user_agent", ["If-Match"] = "if_match", Host = "endpoint",
        ["Proxy-Authorization"] = "proxy",
      } do
        for _, message in ipairs(misuse { headers = { [name] = "x" } }) do
          assert.matches(("'%s' is set by the option '%s'"):format(name, option), message, 1, true)
        end
      end
    end)

    it("what is the module's own", function()
      for _, name in ipairs { "Content-Type", "CONTENT-LENGTH", "Transfer-Encoding",
        "Connection", "Expect", "Accept", "Accept-Encoding" } do
        for _, message in ipairs(misuse { headers = { [name] = "x" } }) do
          assert.matches(("'%s' is the module's own"):format(name), message, 1, true)
        end
      end
    end)
  end)

  describe("an endpoint", function()
    local function url(endpoint)
      local client <close> = cpp.client { endpoint = endpoint, token = "t" }
      return assert(client:poll("/x?api-version=1", { dry_run = true })).url
    end

    it("is an origin, however it is written", function()
      for endpoint, origin in pairs {
        ["https://a.example"] = "https://a.example", ["https://a.example/"] = "https://a.example",
        ["HTTPS://A.Example:443"] = "https://a.example",
        ["https://a.example:8443"] = "https://a.example:8443",
        ["http://localhost"] = "http://localhost", ["http://127.3.2.1:80"] = "http://127.3.2.1",
        ["http://[::1]:8080"] = "http://[::1]:8080",
      } do
        assert.equal(origin .. "/x?api-version=1", url(endpoint))
      end
    end)

    for why, endpoints in pairs {
      ["no path, query or fragment"] = { "https://a.example/api", "https://a.example/?a=b",
        "https://a.example?a=b", "https://a.example/#x", "https://a.example//" },
      ["user info"] = { "https://user@a.example", "https://user:pass@a.example" },
      ["loopback only"] = { "http://a.example", "http://127.0.0.256",
        "http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://0.0.0.0",
        "http://10.0.0.1", "http://[::2]", "http://127.evil.example", "http://notlocalhost" },
      ["not an http(s) URL"] = { "a.example", "ftp://a.example", "localhost:8080", "https://",
        "https://a b", "https:\\\\a.example", "unheard-of://a.example", "https://a.example:99999",
        "https://[fe80::1%25lo]",
        "/api", "https://" .. ("a"):rep(400) .. ".example" },
    } do
      it("is refused: " .. why, function()
        for _, endpoint in ipairs(endpoints) do
          for _, message in ipairs(misuse { endpoint = endpoint }) do
            assert.matches("option 'endpoint'", message)
            assert.matches(why, message, 1, true)
          end
        end
      end)
    end
  end)

  describe("an id", function()
    local client

    before_each(function()
      client = portal:client()
    end)

    local function refuses(value, why)
      for _, call in ipairs { "cancel", "operations", "status" } do
        local message = raises(client[call], client, value, "vm")
        assert.matches("publisher", message)
        assert.matches(why, message, 1, true)
        message = raises(client[call], client, "contoso", value)
        assert.matches("offer", message)
        assert.matches(why, message, 1, true)
      end
      assert.equal(0, #portal:entries())
    end

    it("is a string", function()
      refuses(nil, "string expected, got nil")
      refuses(42, "string expected, got number")
      refuses({ "vm" }, "string expected, got table")
    end)

    it("is not empty", function()
      refuses("", "is empty")
    end)

    it("is not . or .., which no URL can hold", function()
      refuses(".", "'.'")
      refuses("..", "'..'")
    end)

    it("holds no CR, LF or NUL", function()
      for _, value in ipairs { "a\r\nb", "a\n", "\rb", "a\0", "\0" } do
        refuses(value, "CR, LF or NUL")
      end
    end)

    it("is not longer than any id is", function()
      refuses(("x"):rep(1025), "longer than 1024")
      client:cancel("contoso", ("x"):rep(1024))
      assert.equal(1, #portal:entries())
    end)

    it("of a tenant is one, too", function()
      for _, tenant in ipairs { "", ".", "..", "a\r\nb", "a\0" } do
        local message = raises(client.fetch_token, client,
          { tenant = tenant, client_id = "c", client_secret = "s" })
        assert.matches("tenant", message)
      end
    end)
  end)

  describe("a call raises", function()
    local client

    before_each(function()
      client = portal:client()
    end)

    it("when there is nothing to poll", function()
      assert.matches("location: string or operation expected, got n", raises(client.poll, client))
      assert.matches("got n", raises(cpp.poll))
      assert.matches("got number", raises(client.poll, client, 42))
      assert.matches("location is empty", raises(client.poll, client, ""))
    end)

    it("when its client is closed", function()
      client:close()
      for _, call in ipairs { "cancel", "operations", "status" } do
        assert.matches("closed", raises(client[call], client, "contoso", "vm"))
      end
      assert.matches("closed", raises(client.poll, client, portal.location))
      assert.matches("closed", raises(client.sleep, client, 0))
      assert.matches("closed", raises(client.fetch_token, client, {}))
    end)

    it("when it is not called on a client", function()
      assert.matches("cpp.client expected", raises(client.cancel, {}, "contoso", "vm"), 1, true)
      assert.matches("cpp.client expected", raises(client.poll, "/x"), 1, true)
    end)

    it("when it sleeps for no number of seconds", function()
      assert.matches("number expected, got no", raises(client.sleep, client))
      assert.matches("NaN", raises(client.sleep, client, 0 / 0))
      assert.matches("negative", raises(client.sleep, client, -1))
    end)

    it("when a token is asked for without what it takes", function()
      local all = { tenant = "t", client_id = "c", client_secret = "s", authority = LOCAL }
      for name in pairs { tenant = 1, client_id = 1, client_secret = 1 } do
        for _, value in ipairs { false, 42, "" } do
          local given = { tenant = "t", client_id = "c", client_secret = "s", authority = LOCAL }
          given[name] = value or nil
          assert.matches(name, raises(client.fetch_token, client, given))
        end
      end
      all.client_secert = "s"
      assert.matches("'client_secert' (did you mean 'client_secret'?)",
        raises(client.fetch_token, client, all), 1, true)
      assert.matches("table expected", raises(client.fetch_token, client))
    end)

    it("when the authority of a token is no origin to trust", function()
      for _, authority in ipairs { "http://login.example", "https://login.example/tenant",
        "login.example", "https://u:p@login.example" } do
        local message = raises(client.fetch_token, client,
          { tenant = "t", client_id = "c", client_secret = "s", authority = authority })
        assert.matches("authority", message)
      end
    end)
  end)

  describe("the environment", function()
    local POLL = [[
      local options = %s
      local client = require "cpp".client(options)
      local operation, err = client:poll(%q)
      print(operation and operation.state or err.code)]]

    -- Polls in a process of its own, with these options: the state or the code.
    local function run(at, environment, options)
      return support.child(POLL:format(options or "nil", at.location), environment)
    end

    it("stands in for endpoint and token", function()
      local environment = { CPP_ENDPOINT = portal.endpoint, CPP_TOKEN = portal.token }
      assert.equal("canceled", run(portal, environment))
    end)

    it("yields to options", function()
      local environment = { CPP_ENDPOINT = "http://a.example", CPP_TOKEN = "wrong" }
      local options = ("{ endpoint = %q, token = %q }"):format(portal.endpoint, portal.token)
      assert.equal("canceled", run(portal, environment, options))
    end)

    it("that is empty says nothing", function()
      local environment = { CPP_ENDPOINT = "", CPP_TOKEN = "", SSL_CERT_FILE = "" }
      assert.equal("foreign_origin", run(portal, environment))
    end)

    it("is checked, and the variable named", function()
      assert.matches("CPP_ENDPOINT", run(portal, { CPP_ENDPOINT = "http://a.example" }))
      local output = run(portal, { CPP_TOKEN = "very-secret\n" })
      assert.matches("CPP_TOKEN", output)
      assert.is_nil(output:find("secret", 1, true))
    end)

    it("names the authorities", function()
      local environment = { CPP_ENDPOINT = secure.endpoint, CPP_TOKEN = secure.token }
      assert.equal("tls_verification", run(secure, environment))
      environment.SSL_CERT_FILE = secure.ca_file
      assert.equal("canceled", run(secure, environment))
      assert.equal("ca_file", run(secure, environment, "{ ca_file = '/no/such/file' }"))
    end)

    local function with_proxy(at, proxy)
      return {
        CPP_ENDPOINT = at.endpoint, CPP_TOKEN = at.token, SSL_CERT_FILE = at.ca_file or "",
        http_proxy = proxy, https_proxy = proxy, ALL_PROXY = proxy,
      }
    end

    it("names the proxy, which an option of no proxy switches off", function()
      local environment = with_proxy(secure, portal.endpoint)
      assert.equal("proxy", run(secure, environment))
      assert.equal("canceled", run(secure, environment, '{ proxy = "" }'))
      environment.no_proxy = "localhost"
      assert.equal("canceled", run(secure, environment))
      local options = ("{ proxy = %q }"):format(portal.endpoint)
      assert.equal("proxy", run(secure, environment, options)) -- no_proxy is not about this
    end)

    it("never sends plain http by a proxy, nor does the option", function()
      assert.equal("canceled", run(portal, with_proxy(portal, LOCAL)))
      local client = portal:client { proxy = LOCAL }
      assert.equal("canceled", assert(client:poll(portal.location)).state)
    end)
  end)

  it("a proxy's user info is shown nowhere", function()
    local proxy = portal.endpoint:gsub("//", "//user:very-secret@")
    local events = {}
    local client = secure:client {
      proxy = proxy, trace = function(event) table.insert(events, event) end,
    }
    local _, err = client:poll(secure.location)
    assert.same({ "transport", "proxy", false }, { err.kind, err.code, err.sent })
    local run = client:poll(secure.location, { dry_run = true })
    local texts = { tostring(err), tostring(client), tostring(run) }
    for _, fields in ipairs { err, events[1], run, run.headers } do
      for _, value in pairs(fields) do
        table.insert(texts, tostring(value))
      end
    end
    assert.is_true(#texts > 20)
    assert.is_nil(table.concat(texts, "\n"):find("secret", 1, true))
  end)
end)
