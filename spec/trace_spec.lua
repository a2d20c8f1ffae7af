-- An exchange as a person sees it: dry runs and trace events.
local cpp = require "cpp"
local child = require "spec.support.child"
local harness = require "spec.support.harness"

local VERSION = "api-version=2017-10-31"
local OFFER = "/api/publishers/contoso/offers/vm"

describe("a request", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  describe("that is a dry run", function()
    local function dry(call, ...)
      local silent = here:client { token = function() error "asked" end }
      return assert(silent[call](silent, ...))
    end

    it("sends nothing, asks for no token and shows the request", function()
      local run = dry("cancel", "contoso", "vm", {
        dry_run = true, notification_emails = "a@x.com", if_match = "*",
        client_request_id = "job 7", headers = { ["X-Mine"] = "yes" },
      })
      assert.same({
        method = "POST",
        url = here.endpoint .. OFFER .. "/cancel?" .. VERSION,
        headers = {
          ["Authorization"] = "Bearer ***", ["Accept"] = "application/json",
          ["Content-Type"] = "application/json", ["If-Match"] = "*",
          ["User-Agent"] = "cloud-partner-portal/" .. cpp._VERSION, ["X-Mine"] = "yes",
          ["x-ms-client-request-id"] = "job 7",
        },
        body = '{"metadata":{"notification-emails":"a@x.com"}}',
      }, run)
      assert.equal(0, #here:entries())
    end)

    it("has no body to read", function()
      local run = dry("poll", here.location, { dry_run = true })
      assert.same({ "GET", here.location }, { run.method, run.url, run.body })
    end)

    it("keeps the client's token to itself", function()
      local run = assert(client:poll(here.location, { dry_run = true }))
      assert.equal("Bearer ***", run.headers.Authorization)
      assert.is_nil(tostring(run):find(here.token, 1, true))
    end)

    it("obeys the origin rule", function()
      local run, err = client:poll("https://evil.example/api", { dry_run = true })
      assert.is_nil(run)
      assert.equal("foreign_origin", err.code)
    end)

    it("reads as a curl command that a shell understands", function()
      local run = dry("cancel", "contoso", "vm", {
        dry_run = true, notification_emails = "o'hara@x.com", client_request_id = "$HOME",
        ca_file = "/my own/ca.pem",
      })
      local script = "curl() { printf '<%s>\\n' \"$@\"; }; CPP_TOKEN='s e c'; " .. tostring(run)
      local pipe <close> = io.popen(script)
      local words = {}
      for word in pipe:lines() do
        words[word] = true
      end
      assert.is_true(words["<Authorization: Bearer s e c>"])
      assert.is_true(words["<x-ms-client-request-id: $HOME>"])
      assert.is_true(words["<POST>"] and words["<-i>"])
      assert.is_true(words["<--cacert>"] and words["</my own/ca.pem>"])
      assert.is_true(words['<{"metadata":{"notification-emails":"o\'hara@x.com"}}>'])
      assert.is_true(words["<" .. run.url .. ">"])
    end)

    -- The curl line for an endpoint that nobody listens at.
    local function line_with(proxy, endpoint)
      local apart <close> = cpp.client { endpoint = endpoint or "https://127.0.0.1:1",
        token = "t", proxy = proxy }
      return tostring(assert(apart:poll(OFFER .. "/operations/1",
        { dry_run = true })))
    end

    it("goes through the client's proxy as a curl command, without its password", function()
      assert.matches(" --proxy 'http://proxy.example:3128' ",
        line_with "http://proxy.example:3128")
      local line = line_with "http://jo:s3cret@proxy.example:3128"
      assert.matches(" --proxy 'http://%*%*%*@proxy.example:3128' ", line)
      assert.is_nil(line:find("s3cret", 1, true))
      assert.is_nil(line:find("jo:", 1, true))
    end)

    it("speaks the client's version of HTTP as a curl command", function()
      for version, option in pairs { ["1.1"] = "http1.1", ["2"] = "http2-prior-knowledge" } do
        local line = tostring(dry("poll", "/", { dry_run = true, http_version = version }))
        assert.is_truthy(line:find(" --" .. option .. " ", 1, true), line)
      end
    end)

    it("goes through none as a curl command where the client goes through none", function()
      assert.matches(" %-%-noproxy '%*' ", line_with "")
      assert.is_nil(line_with():find("proxy", 1, true))
      assert.is_nil(line_with("http://proxy.example:3128", "http://127.0.0.1:1")
        :find("proxy", 1, true))
    end)
  end)

  describe("is traced", function()
    local events

    local function traced(options)
      events = {}
      options = options or {}
      options.trace = function(event) table.insert(events, event) end
      return here:client(options)
    end

    it("once, after it has ended, with all that is known of it", function()
      local tracing = traced()
      local operation = assert(tracing:cancel("contoso", "vm"))
      local event = events[1]
      assert.equal(1, #events)
      assert.same({
        "POST", here.endpoint .. OFFER .. "/cancel?" .. VERSION, 202, true, false, "HTTP/1.1",
        "127.0.0.1", operation.request_id, operation.client_request_id,
      }, {
        event.method, event.url, event.status, event.sent, event.reused, event.protocol,
        event.address, event.request_id, event.client_request_id,
      })
      assert.is_nil(event.code)
      assert.equal(here:last().content_length, event.bytes_sent)
    end)

    it("with the times of its stages in order", function()
      assert(traced():poll(here.location))
      local event = events[1]
      assert.is_true(0 <= event.dns and event.dns <= event.connect)
      assert.is_true(event.connect <= event.first_byte and event.first_byte <= event.total)
      assert.is_true(event.total > 0)
    end)

    it("with whether its connection served before", function()
      local tracing = traced()
      assert(tracing:poll(here.location))
      assert(tracing:poll(here.location))
      assert.same({ false, true }, { events[1].reused, events[2].reused })
    end)

    it("as new where there never was a connection", function()
      local tracing = traced()
      assert.is_nil(tracing:poll("/x", { endpoint = "http://127.0.0.1:1" }))
      assert.same({ "could_not_connect", false }, { events[1].code, events[1].reused })
    end)

    it("with the code of its error", function()
      local tracing = traced()
      here:answer(404, '{"error":{"code":"OfferNotFound","message":"no"}}')
      tracing:poll(here.location)
      here:fault { drop = "before" }
      tracing:cancel("contoso", "vm")
      assert.same({ "OfferNotFound", 404, "connection_lost" },
        { events[1].code, events[1].status, events[2].code, events[2].status })
      assert.same({ false, true }, { events[1].retryable, events[2].retryable })
    end)

    it("with the pause that its answer asks for", function()
      here:answer(200, '{"status":"running"}', { ["Retry-After"] = "300" })
      local tracing = traced()
      assert(tracing:poll(here.location))
      here:answer(200, '{"status":"running"}')
      assert(tracing:poll(here.location))
      assert.same({ 300 }, { events[1].retry_after, events[2].retry_after })
      assert.is_nil(events[1].retryable)
    end)

    it("as compressed: fewer bytes came than the body has", function()
      here:answer(200, '{"note":"' .. ("x"):rep(5000) .. '"}')
      local operation = assert(traced():poll(here.location))
      assert.equal(5000, #operation.document.note)
      assert.is_true(events[1].bytes_received > 0 and events[1].bytes_received < 1000)
    end)

    it("without the token", function()
      assert(traced():poll(here.location))
      for _, value in pairs(events[1]) do
        assert.is_nil(tostring(value):find(here.token, 1, true))
      end
    end)

    it("to a function that may use the client itself", function()
      local inner
      local tracing
      tracing = here:client { trace = function()
        inner = inner or assert(tracing:status("contoso", "vm", { trace = function() end }))
      end }
      assert.equal("canceled", assert(tracing:poll(here.location)).state)
      assert.equal("running", inner.state)
    end)

    it("to a function whose error is a warning, and the result stays", function()
      local script = [[
        local client = require "cpp".client{ trace = function() error("oops", 0) end }
        print(client:poll(%q))]]
      local output = child.output(script:format(here.location),
        { CPP_ENDPOINT = here.endpoint, CPP_TOKEN = here.token })
      assert.matches("Lua warning: cpp: error in trace function: oops\n", output)
      assert.matches("\ncontoso/vm: canceled", output)
    end)
  end)
end)
