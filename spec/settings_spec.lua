-- Options: what each does, on a client and on a call, and how misuse is told.
local cpp = require "cpp"
local libcurl = require "spec.support.libcurl"
local shell = require "cpp.emulator.shell"
local child = require "spec.support.child"
local harness = require "spec.support.harness"

local LOCAL = "http://127.0.0.1:9"

describe("settings:", function()
  local here, secure

  setup(function()
    here, secure = harness.start(), harness.start { tls = true }
  end)

  before_each(function()
    here:reset()
    secure:reset()
  end)

  teardown(function()
    here:close()
    secure:close()
  end)

  local raises = harness.raises

  local function misuse(options)
    return here:misuse(options)
  end

  describe("an option counts on a client, and on a call before it:", function()
    -- What `observe` tells of a client with option `name` as `one`, and of a call that
    -- says `two` instead.
    local function check(name, one, two, observe, at)
      local client = (at or here):client { [name] = one }
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
        check("token", here.token, "wrong", outcome(here)))
      local function right() return here.token end
      assert.same({ "http_401", "canceled" }, check("token", "wrong", right, outcome(here)))
      assert.same({ "canceled", "http_401" }, check("token", right, "wrong", outcome(here)))
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
      here:fault { delay = 60 }
      local function message(client, options)
        return select(2, client:poll(here.location, options)).message:match "%d%S*"
      end
      assert.same({ "0.11", "0.07" }, check("timeout", 0.11, 0.07, message))
    end)

    it("connect_timeout", function()
      os.execute("kill -STOP " .. secure.portal.pid) -- the kernel still accepts
      finally(function() os.execute("kill -CONT " .. secure.portal.pid) end)
      local client = secure:client { connect_timeout = 0.05, timeout = 60 }
      local _, err = client:poll(secure.location)
      assert.same({ "timeout", false }, { err.code, err.sent })
      client = secure:client { timeout = 60 }
      _, err = client:poll(secure.location, { connect_timeout = 0.05 })
      assert.same({ "timeout", false }, { err.code, err.sent })
    end)

    it("max_body", function()
      here:answer(200, '{"status":"canceled"}')
      assert.same({ "canceled", "body_too_large" },
        check("max_body", 21, 20, outcome(here)))
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
      local folder = secure.portal.folder .. "/authorities"
      local ca_file = shell.quote(secure.ca_file)
      assert(os.execute(("mkdir %s %s && ln -s %s %s/$(openssl x509 -hash -noout -in %s).0"):format(
        folder, folder .. "-none", ca_file, folder, ca_file)))
      local client = cpp.client { endpoint = secure.endpoint, token = secure.token,
        ca_path = folder }
      finally(function() client:close() end)
      assert.equal("canceled", outcome(secure)(client, {}))
      -- libcurl 8.23 looks for a certificate in it first.
      assert.equal(libcurl < 820 and "tls_verification" or "ca_file",
        outcome(secure)(client, { ca_path = folder .. "-none" }))
    end)

    it("proxy", function()
      assert.same({ "canceled", "proxy_refused" },
        check("proxy", "", here.endpoint, outcome(secure), secure)) -- a portal is no proxy
    end)

    it("trace", function()
      local seen = {}
      local function tracer(name)
        return function() table.insert(seen, name) end
      end
      local function observe(client, options)
        seen = {}
        assert(client:poll(here.location, options))
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
        local client <close> = here:client()
        local message = raises(client.poll, client, here.location, { [name] = value })
        assert.matches("'" .. name .. "' is for cpp.client", message, 1, true)
      end)
    end
  end)

  describe("an option of a call alone", function()
    it("is refused on a client: dry_run", function()
      assert.matches("'dry_run' is for a call", raises(cpp.client, { dry_run = true }))
    end)

    it("is refused on a client: start_by", function()
      assert.matches("'start_by' is for a call", raises(cpp.client, { start_by = 1 }))
    end)

    it("is refused where it has no meaning: status", function()
      local client <close> = here:client()
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
      local client <close> = here:client()
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
      local output = child.output([[print(select(2, pcall(require "cpp".client, "token")))]],
        { CPP_TOKEN = "t" })
      assert.matches("table expected, got string", output)
    end)

    it("is told to the line that gave it", function()
      assert.matches("settings_spec%.lua:%d+: ", raises(function() cpp.client { tokn = "x" } end))
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
      return child.output(POLL:format(options or "nil", at.location), environment)
    end

    it("stands in for endpoint and token", function()
      local environment = { CPP_ENDPOINT = here.endpoint, CPP_TOKEN = here.token }
      assert.equal("canceled", run(here, environment))
    end)

    it("yields to options", function()
      local environment = { CPP_ENDPOINT = "http://a.example", CPP_TOKEN = "wrong" }
      local options = ("{ endpoint = %q, token = %q }"):format(here.endpoint, here.token)
      assert.equal("canceled", run(here, environment, options))
    end)

    it("that is empty says nothing", function()
      local environment = { CPP_ENDPOINT = "", CPP_TOKEN = "", SSL_CERT_FILE = "" }
      assert.equal("foreign_origin", run(here, environment))
    end)

    it("is checked, and the variable named", function()
      assert.matches("CPP_ENDPOINT", run(here, { CPP_ENDPOINT = "http://a.example" }))
    end)

    it("names the authorities", function()
      local environment = { CPP_ENDPOINT = secure.endpoint, CPP_TOKEN = secure.token }
      assert.equal("tls_verification", run(secure, environment))
      environment.SSL_CERT_FILE = secure.ca_file
      assert.equal("canceled", run(secure, environment))
      assert.equal("ca_file", run(secure, environment, "{ ca_file = '/no/such/file' }"))
    end)

    it("yields its authorities to either option, of a client and of a call", function()
      local folder = os.tmpname()
      os.remove(folder)
      assert(os.execute(("mkdir %s && cp %s %s/ca.pem && openssl rehash %s"):format(folder,
        secure.ca_file, folder, folder)))
      finally(function() os.execute("rm -r " .. folder) end)
      local environment = { CPP_ENDPOINT = secure.endpoint, CPP_TOKEN = secure.token,
        SSL_CERT_FILE = "/no/such/file" }
      local on_call = [[
        local client = require "cpp".client()
        local operation, err = client:poll(%q, { %s = %q })
        print(operation and operation.state or err.code)]]
      for name, value in pairs { ca_path = folder, ca_file = secure.ca_file } do
        local options = ("{ %s = %q }"):format(name, value)
        assert.equal("canceled", run(secure, environment, options))
        assert.equal("canceled",
          child.output(on_call:format(secure.location, name, value), environment))
      end
    end)

    local function with_proxy(at, proxy)
      return {
        CPP_ENDPOINT = at.endpoint, CPP_TOKEN = at.token, SSL_CERT_FILE = at.ca_file or "",
        http_proxy = proxy, https_proxy = proxy, ALL_PROXY = proxy,
      }
    end

    it("names the proxy, which an option of no proxy switches off", function()
      local environment = with_proxy(secure, here.endpoint)
      assert.equal("proxy_refused", run(secure, environment))
      assert.equal("canceled", run(secure, environment, '{ proxy = "" }'))
      environment.no_proxy = "localhost"
      assert.equal("canceled", run(secure, environment))
      local options = ("{ proxy = %q }"):format(here.endpoint)
      assert.equal("proxy_refused", run(secure, environment, options)) -- no_proxy is not about this
    end)

    -- The code of the error, and whether it may pass; or the state.
    local function with_bad_proxy(proxy, excluded)
      local environment = with_proxy(secure, proxy)
      environment.no_proxy = excluded
      return child.output(([[
        local client = require "cpp".client()
        local operation, err = client:poll(%q)
        print(operation and operation.state or err.code .. " " .. tostring(err.retryable))]])
        :format(secure.location), environment)
    end

    -- libcurl would go past the first three, and through a host named "u" for the
    -- fourth; of the two after it the module would send the login in clear.
    it("names a proxy that is none, which does not pass", function()
      local host = here.endpoint:match "//(.*)"
      for _, proxy in ipairs { "http://us%00er:pw@" .. host, "user:p%1fw@" .. host,
        "socks5h://:%0a@" .. host, "http://u:12/3@" .. host, "https:/u:p@" .. host,
        "socks5h:///u:p@" .. host, '"http://127.0.0.1:1"',
        "foo://127.0.0.1:1", "http://127.0.0.1:99999" } do
        assert.equal("invalid_proxy false", with_bad_proxy(proxy))
        assert.equal("canceled", with_bad_proxy(proxy, "localhost"))
      end
    end)

    it("names a proxy in libcurl's own way", function()
      local host = here.endpoint:match "//(.*)"
      for _, proxy in ipairs { host, "socks://" .. host, "HTTP://u%zz:p%7f@" .. host .. "/" } do
        assert.equal("proxy_refused false", with_bad_proxy(proxy))
      end
    end)

    -- Each of them comes before those that are set already.
    it("names the proxy for https by these variables", function()
      local environment = { CPP_ENDPOINT = secure.endpoint, CPP_TOKEN = secure.token,
        SSL_CERT_FILE = secure.ca_file, http_proxy = "foo://x", HTTP_PROXY = "foo://x" }
      local before = "canceled"
      for _, name in ipairs { "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy" } do
        for _, case in ipairs { { "", before }, { "foo://x", "invalid_proxy" },
          { here.endpoint, "proxy_refused" } } do
          environment[name] = case[1]
          assert.equal(case[2], run(secure, environment))
        end
        before = "proxy_refused"
      end
    end)

    it("never sends plain http by a proxy, nor does the option", function()
      assert.equal("canceled", run(here, with_proxy(here, LOCAL)))
      local client = here:client { proxy = LOCAL }
      assert.equal("canceled", assert(client:poll(here.location)).state)
    end)
  end)

  it("a proxy's user info is shown nowhere", function()
    local proxy = here.endpoint:gsub("//", "//user:very-secret@")
    local events = {}
    local client = secure:client {
      proxy = proxy, trace = function(event) table.insert(events, event) end,
    }
    local _, err = client:poll(secure.location)
    assert.same({ "transport", "proxy_refused", false }, { err.kind, err.code, err.sent })
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
