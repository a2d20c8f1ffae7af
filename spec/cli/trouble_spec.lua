local cjson = require "cjson"
local command = require "spec.cli.command"
local service = require "spec.cli.service"
local tell = require "cpp.cli.tell"
local trace = require "cpp.cli.trace"

local objects, offer, run = service.objects, service.offer, service.run
local QUICK = service.QUICK

setup(service.start)
teardown(service.stop)
after_each(service.reset)

local function event(fields)
  local all = { method = "GET", url = "https://cloudpartner.azure.com/api/x?y=z", sent = true }
  for name, value in pairs(fields) do
    all[name] = value
  end
  return all
end

describe("a failure that may pass", function()
  -- Status, code, pause, what is said of it.
  local PASSING = {
    { nil, "could_not_resolve", nil, "no answer from %s: could not resolve" },
    { nil, "could_not_connect", nil, "no answer from %s: could not connect" },
    { nil, "timeout", nil, "no answer from %s: timeout" },
    { 200, "incomplete_answer", nil, "no answer from %s: incomplete answer" },
    { 502, "proxy_refused", nil, "no answer from %s: the proxy refused the tunnel: HTTP 502" },
    { nil, "proxy_refused", nil, "no answer from %s: proxy refused" },
    { 408, "http_408", nil, "HTTP 408 from %s" }, { 429, "TooMany", 0, "HTTP 429 from %s" },
    { 503, "http_503", 300, "HTTP 503 from %s, which asks to wait 5m00s" },
  }
  for _, case in ipairs(PASSING) do
    local status, code, pause, message = table.unpack(case, 1, 4)
    it("is told: " .. code, function()
      local failed = trace.trouble(event { status = status, code = code, retryable = true,
        retry_after = pause })
      assert.same({ status, code, message:format "https://cloudpartner.azure.com" },
        { failed.status, failed.code, failed.message })
    end)
  end

  for name, fields in pairs { ["a good answer"] = { status = 200 },
    ["a refusal"] = { status = 403, code = "Forbidden", retryable = false },
    ["a certificate"] = { code = "tls_verification", retryable = false } } do
    it("is none: " .. name, function()
      assert.is_nil(trace.trouble(event(fields)))
    end)
  end

  -- Words: seconds, and what came then.
  local function listen(words)
    local told, time = {}, 0
    local listen_to = trace.listener(function() return time end)
    for at, word in words:gmatch "(%d+):(%S+)" do
      time = math.tointeger(at)
      local status = tonumber(word)
      local failed, heard = listen_to(event { status = status,
        code = status ~= 200 and word or nil, retryable = status ~= 200 })
      table.insert(told, failed and at .. ":" .. (failed.status or failed.code)
        .. (heard and "" or "!"))
    end
    return table.concat(told, " ")
  end

  it("is told when it begins, and when it changes", function()
    assert.equal("1:timeout 3:503",
      listen "0:200 1:timeout 2:timeout 3:503 4:503 5:timeout 6:200 7:timeout")
  end)

  it("is told before anything was ever answered as such", function()
    assert.equal("0:timeout! 1:503", listen "0:timeout 1:503")
  end)

  it("is a proxy's alone where no tunnel was opened", function()
    local listen_to = trace.listener(function() return 0 end)
    local _, heard = listen_to(event { status = 502, code = "proxy_refused",
      retryable = true })
    assert.is_false(heard)
  end)

  it("is told again after a long quiet, but not for ever", function()
    assert.equal("0:503 1800:503", listen "0:503 299:503 600:200 1800:503 1900:503")
    local words = {}
    for i = 1, 500 do
      words[i] = i * 60 .. ":" .. (i % 2 == 0 and "503" or "200")
    end
    assert.equal("120:503", listen(table.concat(words, " ")))
  end)
end)

describe("what became of a cancel", function()
  -- What its exchange tells; what it means.
  for _, case in ipairs {
    { { status = 202 }, "accepted" }, { { status = 200 }, "accepted" },
    { { status = 202, code = "incomplete_answer" }, "accepted" },
    { { status = 200, code = "invalid_json" }, "unknown" },
    { { code = "timeout" }, "unknown" }, { { status = 503, code = "x" }, "unknown" },
    { { status = 408, code = "x" }, "unknown" }, { { status = 403, code = "x" }, "refused" },
    { { status = 429, code = "x" }, "refused" }, { { code = "y", sent = false }, nil },
  } do
    local fields, fate = case[1], case[2]
    it(("is %s: %s %s"):format(fate, fields.status, fields.code), function()
      assert.equal(fate, trace.fate(event(fields)))
    end)
  end

  it("is told by its own exchange alone", function()
    local post = { method = "POST", url = "https://x/api/publishers/p/offers/o/cancel?v=1" }
    assert.is_true(trace.is_cancel(event(post)))
    assert.is_false(trace.is_cancel(event { method = "POST", url = "https://x/token" }))
    assert.is_false(trace.is_cancel(event { url = post.url }))
  end)
end)

describe("a service that cannot be reached", function()
  local DEAD = " --endpoint http://127.0.0.1:9 "

  -- How often a pattern occurs.
  local function count(text, pattern)
    return select(2, text:gsub(pattern, ""))
  end

  for words, name in pairs { ["cancel contoso vm"] = "contoso/vm",
    ["cancel contoso vm --no-wait"] = "contoso/vm",
    ["wait /api/operations/x"] = "x" } do
    it("is told at once, and once: " .. words, function()
      local child <close> = command.start(words .. DEAD
        .. "--interval 0.02 --deadline 99", { CPP_TOKEN = "t" })
      assert.equal(name .. ": no answer from http://127.0.0.1:9: could not connect; "
        .. "will keep trying for a minute", child:read_until "no answer":sub(11))
      os.execute "sleep 0.3"
      local rest = child:kill "INT"
      assert.equal(0, count(rest, "no answer"))
    end)
  end

  it("is told as JSON too, and changes nothing of the result", function()
    local result = run("cancel contoso a b --json --deadline 0.3 --interval 0.02" .. DEAD)
    assert.equal(1, result.status)
    local told = {}
    for _, one in ipairs(objects(result.out)) do
      told[one.offer .. " " .. one.event] = (told[one.offer .. " " .. one.event] or 0) + 1
      if one.event == "change" then
        assert.same({ kind = "transport", code = "could_not_connect",
          message = "no answer from http://127.0.0.1:9: could not connect" }, one.error)
      end
    end
    assert.same({ ["a change"] = 1, ["a result"] = 1, ["b change"] = 1,
      ["b result"] = 1 }, told)
  end)

  it("is told where it is the token's", function()
    local fault = { on = "token", status = 503, times = 2 }
    service.portal:set("*", { faults = { fault } })
    offer "token"
    local portal = service.portal
    local program = ([[
      local credential = require "cpp.credential"
      local given = { tenant = %q, client_id = %q, client_secret = %q, authority = %q }
      credential.environment = function() return credential.client_secret(given) end
      arg = { "cancel", "contoso", "token", "--interval", "0.02", "--list-lag", "0.1" }
      dofile "lua/cpp/cli/main.lua"
    ]]):format(portal.tenant, portal.client_id, portal.client_secret, portal.authority)
    local result = command.shell("lua5.4 - <<'END'\n" .. program .. "\nEND",
      { CPP_ENDPOINT = portal.endpoint })
    assert.equal(0, result.status)
    assert.equal(1, count(result.err, "cloudpartner: HTTP 503 from "), result.err)
  end)

  it("is told once for each thing that fails meanwhile", function()
    offer "shaky"
    service.portal:set("*", { faults = {
      { on = "operations", status = 503, times = 1 },
      { on = "poll", status = 502, times = 3 },
    } })
    local result = run("cancel contoso shaky" .. QUICK)
    assert.equal(0, result.status)
    assert.equal(1, count(result.err, "contoso/shaky: HTTP 503 from [^\n]*; will keep "
      .. "trying until the deadline, in %d+s\n"))
    assert.equal(1, count(result.err, "contoso/shaky: HTTP 502 from "))
    assert.equal(2, count(result.err, "will keep trying"))
  end)

  it("is no news to one look, which ends", function()
    local result = run("status contoso vm" .. DEAD)
    assert.equal(1, result.status)
    assert.is_nil(result.err:find "will keep")
  end)

  it("is told beside the lines of --trace", function()
    local result = run("cancel contoso vm --trace --deadline 0.1" .. DEAD)
    assert.matches("%+0%.%d+ s GET [^\n]*could_not_connect", result.err)
    assert.equal(1, count(result.err, "will keep trying"))
  end)
end)

describe("a hint", function()
  -- {"exp": 1000000000, "tid": "t"}
  local OLD = "eyJhbGciOiJub25lIn0.eyJleHAiOiAxMDAwMDAwMDAwLCAidGlkIjogInQifQ.x"

  it("says where to look after a 401, once", function()
    local result = run("cancel contoso a b" .. QUICK, { CPP_TOKEN = "wrong" })
    assert.equal(1, result.status)
    assert.equal(2, select(2, result.err:gsub("refused with HTTP 401\n", "")))
    assert.equal(1, select(2, result.err:gsub("\n%S+ cloudpartner: `cloudpartner whoami`"
      .. " shows whose token it is", "")))
  end)

  for _, words in ipairs { "cancel contoso a", "wait '/api/operations/contoso$a$1$x'",
    "poll '/api/operations/contoso$a$1$x'",
    "operations contoso a", "status contoso a" } do
    it("says that the token has expired: " .. words, function()
      local result = run(words, { CPP_TOKEN = OLD })
      assert.equal(1, result.status)
      assert.matches("\n[^\n]-cloudpartner: the token in CPP_TOKEN expired %d+d%d+h ago; "
        .. "`cloudpartner whoami` ", result.err)
    end)
  end

  for _, words in ipairs { "wait", "poll", "wait --dry-run", "poll --dry-run" } do
    it("says how to name the service of a foreign location: " .. words, function()
      local result = run(words .. " 'https://Other.example:8443/api/operations/a$b?c'")
      assert.equal(1, result.status)
      assert.matches("foreign_origin", result.err)
      assert.matches("say so with %-%-endpoint 'https://other%.example:8443' or in "
        .. "CPP_ENDPOINT; the token goes there then\n$", result.err)
    end)
  end

  it("names no service that could be none", function()
    local result = run "poll http://other.example/api"
    assert.matches("\ncloudpartner: %-%-endpoint, or CPP_ENDPOINT, says where "
      .. "the service is\n$", result.err)
    assert.is_nil(result.err:find("--endpoint 'http://other", 1, true))
  end)

  -- Words, what is said.
  local HINTS = {
    { "status contoso nobody", "are both ids right?" },
    { "poll /api/operations/nothing", "does not know it any more, or is another one" },
    { "poll contoso/vm/nothing", "`cloudpartner operations contoso/vm` shows those" },
    { "status contosso vm", "is the publisher's id right?" },
    { "status contoso vm --endpoint http://127.0.0.1:9", "are host and port right" },
    { "status contoso vm --endpoint https://service.portal.invalid",
      "is the host name right" },
  }
  for _, case in ipairs(HINTS) do
    it("says what to check: " .. case[1], function()
      local result = run(case[1])
      assert.equal(1, result.status)
      assert.is_truthy(result.err:find("\ncloudpartner: .*" .. case[2]:gsub("%p", "%%%0")),
        result.err)
    end)
  end

  -- What only the errors themselves tell.
  local ERRORS = {
    { { code = "tls_verification" }, "--ca-file or SSL_CERT_FILE names the authority" },
    { { code = "proxy_refused", status = 407 }, "http://NAME:PASSWORD@HOST:PORT" },
    { { code = "proxy_refused", status = 403 }, "lets nothing through" },
    { { code = "invalid_token" }, "a token is the text alone" },
    { { code = "Conflict", status = 409 }, "`cloudpartner operations contoso/vm`" },
  }
  for _, case in ipairs(ERRORS) do
    it("says what to do about " .. case[1].code .. " " .. (case[1].status or ""), function()
      local hint = tell.hint(case[1], { publisher = "contoso", offer = "vm" })
      assert.is_truthy(hint:find(case[2], 1, true), hint)
    end)
  end

  it("is for people: JSON is as before", function()
    local result = run("status contoso a --json", { CPP_TOKEN = "wrong" })
    assert.is_nil(result.err:find "whoami")
    assert.equal(401, cjson.decode(result.out).error.status)
  end)
end)
