local cpp = require "cpp"
local credential = require "cpp.credential"
local fake = require "spec.support.fake"
local task = require "cpp.task"

local SECRET = { tenant = "t", client_id = "app", client_secret = "s3cr3t+&%ü" }

-- A client whose fetches take a second and give token-1, token-2, ….
local function service(given)
  local self = fake.new(given)
  self.fetched = {}
  self.client.fetch_token = function(_, parameters)
    table.insert(self.fetched, parameters)
    local n = #self.fetched
    if task.running(self.client) then
      task.sleep(1)
    end
    local failure = table.remove(self.failures or {}, 1)
    if failure then
      return nil, failure
    end
    return { access_token = "token-" .. n, expires_in = self.expires_in or 3599 }
  end
  return self
end

local WRONG = { kind = "http", code = "invalid_client", status = 401, retryable = false }
local BUSY = { kind = "http", code = "http_503", status = 503, retryable = true }

describe("a credential", function()
  it("fetches through the client that asks, and keeps the token", function()
    local one, other, token = service(), service(), credential.client_secret(SECRET)
    assert.equal("token-1", token(one.client))
    assert.equal("token-1", token(one.client))
    assert.equal("token-1", token(other.client))
    assert.same({ SECRET }, one.fetched)
    assert.same({}, other.fetched)
  end)

  it("renews it 5 minutes before it expires", function()
    local one, token = service(), credential.client_secret(SECRET)
    token(one.client)
    one.time = one.time + 3298
    assert.equal("token-1", token(one.client))
    one.time = one.time + 1
    assert.equal("token-2", token(one.client))
  end)

  it("takes a life that is a string, as the service sends it", function()
    local one, token = service { expires_in = "3599" }, credential.client_secret(SECRET)
    token(one.client)
    one.time = one.time + 3298
    assert.equal("token-1", token(one.client))
  end)

  it("uses one that lives no longer than that for half its life", function()
    local one, token = service { expires_in = 60 }, credential.client_secret(SECRET)
    token(one.client)
    one.time = one.time + 29
    assert.equal("token-1", token(one.client))
    one.time = one.time + 1
    assert.equal("token-2", token(one.client))
  end)

  it("renews the rejected one, and no other", function()
    local one, token = service(), credential.client_secret(SECRET)
    token(one.client)
    assert.equal("token-1", token(one.client, "token-0"))
    assert.equal("token-2", token(one.client, "token-1"))
    assert.equal("token-2", token(one.client, "token-1"))
  end)

  it("remembers a refusal for 10 seconds", function()
    local one, token = service { failures = { WRONG } }, credential.client_secret(SECRET)
    assert.same({ nil, WRONG }, { token(one.client) })
    one.time = one.time + 9
    assert.same({ nil, WRONG }, { token(one.client) })
    one.time = one.time + 1
    assert.equal("token-2", token(one.client))
  end)

  it("remembers no failure that may pass", function()
    local one, token = service { failures = { BUSY } }, credential.client_secret(SECRET)
    assert.same({ nil, BUSY }, { token(one.client) })
    assert.equal("token-2", token(one.client))
  end)

  -- What each of n tasks got.
  local function ask_at_once(one, token, n)
    local list = {}
    for i = 1, n do
      list[i] = i
    end
    return task.run(one.client, function()
      return task.map(list, function() return token(one.client) end, n)
    end)
  end

  it("fetches once, however many ask", function()
    local one = service()
    local results = ask_at_once(one, credential.client_secret(SECRET), 100)
    assert.equal(1, #one.fetched)
    for i = 1, 100 do
      assert.equal("token-1", results[i])
    end
  end)

  for name, failure in pairs { ["wrong secret"] = WRONG, ["busy service"] = BUSY } do
    it("fails once, however many ask: " .. name, function()
      local one = service { failures = { failure } }
      local results, errors = ask_at_once(one, credential.client_secret(SECRET), 100)
      assert.same({}, results)
      assert.equal(failure, errors[100])
      assert.equal(1, #one.fetched)
    end)
  end

  it("does not wait for a fetch whose coroutine was closed", function()
    local one, token = service(), credential.client_secret(SECRET)
    local got = task.run(one.client, function()
      local threads = {}
      task.spawn(function()
        threads[1] = coroutine.running()
        token(one.client)
      end)
      task.sleep(0.5)
      coroutine.close(threads[1])
      return token(one.client)
    end)
    assert.equal("token-2", got)
  end)

  it("does not wait for ever for a fetch that was abandoned", function()
    local one, token = service(), credential.client_secret(SECRET)
    local fetch_token = one.client.fetch_token
    one.client.fetch_token = coroutine.yield
    local abandoned = coroutine.create(function(...) return token(...) end)
    coroutine.resume(abandoned, one.client)
    one.client.fetch_token = fetch_token
    assert.equal("token-1", token(one.client))
    assert.is_true(one.time < 1061)
    assert.equal("suspended", coroutine.status(abandoned))
  end)

  it("does not wait at all for one that was collected", function()
    local one, token = service(), credential.client_secret(SECRET)
    local fetch_token = one.client.fetch_token
    one.client.fetch_token = coroutine.yield
    coroutine.resume(coroutine.create(function(...) return token(...) end), one.client)
    one.client.fetch_token = fetch_token
    collectgarbage()
    assert.equal("token-1", token(one.client))
    assert.equal(1000.0, one.time)
  end)

  it("fetches anew after an error in the fetch", function()
    local one, token = service(), credential.client_secret(SECRET)
    local fetch_token = one.client.fetch_token
    one.client.fetch_token = function() error "broken" end
    assert.error_matches(function() token(one.client) end, "broken")
    one.client.fetch_token = fetch_token
    assert.equal("token-1", token(one.client))
  end)

  it("ends when the client closes while it waits", function()
    local one, token = service(), credential.client_secret(SECRET)
    one.client.fetch_token = coroutine.yield
    local fetching = coroutine.create(function(...) return token(...) end)
    coroutine.resume(fetching, one.client)
    one.on_sleep = function() return nil, { kind = "closed" } end
    local got, err = token(one.client)
    assert.same({ nil, "closed" }, { got, err.kind })
    coroutine.close(fetching)
  end)

  it("never shows its secret or its token", function()
    local one, token = service(), credential.client_secret(SECRET)
    token(one.client)
    assert.equal("cpp.credential: client secret of app", tostring(token))
    assert.is_nil(next(token))
    for name, value in pairs(getmetatable(token)) do
      assert.is_nil((tostring(name) .. tostring(value)):find("s3cr3t", 1, true))
    end
  end)
end)

describe("credential.client_secret", function()
  it("refuses what cannot be", function()
    local function with(changes)
      return function()
        local options = {}
        for name, value in pairs(SECRET) do
          options[name] = value
        end
        for name, value in pairs(changes) do
          options[name] = value or nil
        end
        credential.client_secret(options)
      end
    end
    assert.error_matches(with { tenant = false }, "'tenant' is missing")
    assert.error_matches(with { client_secret = 7 }, "'client_secret'")
    assert.error_matches(with { secret = "s" }, "unknown option 'secret'")
    assert.error_matches(function() credential.client_secret() end, "table")
  end)

  it("keeps what it was given, whatever becomes of the table", function()
    local options = { tenant = "t", client_id = "app", client_secret = "first" }
    local one, token = service(), credential.client_secret(options)
    options.client_secret = "second"
    token(one.client)
    assert.equal("first", one.fetched[1].client_secret)
  end)
end)

describe("credential.azure_cli", function()
  local popen, command = io.popen, nil

  -- What `az` prints, and how it ends.
  local function az(output, status)
    io.popen = function(line) -- luacheck: ignore
      command = line
      return setmetatable({
        read = function() return output end,
        close = function() return (status or 0) == 0 or nil, "exit", status or 0 end,
      }, { __close = function() end })
    end
  end
  after_each(function()
    io.popen = popen -- luacheck: ignore
  end)

  it("asks az for a token for the service", function()
    az '{"accessToken":"from-az","expires_on":99999999999}'
    assert.equal("from-az", credential.azure_cli()(fake.new().client))
    assert.matches("^az account get%-access%-token %-%-resource "
      .. "https://cloudpartner%.azure%.com %-%-output json", command)
  end)

  it("finds the token among warnings", function()
    az 'WARNING: old version\n{"accessToken":"from-az","expires_on":"99999999999"}\n'
    assert.equal("from-az", credential.azure_cli()(fake.new().client))
  end)

  local function answer_that_lives(seconds)
    return ('{"accessToken":"from-az","expires_on":%d}'):format(os.time() + seconds),
      ('{"accessToken":"from-az","expiresOn":"%s.000000"}'):format(
        os.date("%Y-%m-%d %H:%M:%S", os.time() + seconds))
  end

  for i, name in ipairs { "expires_on", "expiresOn" } do
    it("renews it by " .. name, function()
      local one, token = fake.new(), credential.azure_cli()
      az((select(i, answer_that_lives(3600))))
      token(one.client)
      az '{"accessToken":"second","expires_on":99999999999}'
      one.time = one.time + 3200
      assert.equal("from-az", token(one.client))
      one.time = one.time + 101
      assert.equal("second", token(one.client))
    end)
  end

  it("says how to install az", function()
    az("sh: 1: az: not found\n", 127)
    local token, err = credential.azure_cli()(fake.new().client)
    assert.is_nil(token)
    assert.same({ "credential", "az_not_found", false },
      { err.kind, err.code, err.retryable })
    assert.matches("install", err.message)
  end)

  it("says what az said", function()
    az("ERROR: Please run 'az login' to\nsetup account.\n", 1)
    local _, err = credential.azure_cli()(fake.new().client)
    assert.equal("az_failed", err.code)
    assert.matches("status 1: ERROR: Please run 'az login' to setup account", err.message)
  end)

  it("does not take other output for a token", function()
    for _, output in ipairs { "", "{}", "[", '{"accessToken":1}', "null" } do
      az(output)
      local token, err = credential.azure_cli()(fake.new().client)
      assert.same({ nil, "az_failed" }, { token, err.code })
    end
  end)

  it("runs a real command", function()
    io.popen = function(line, mode) -- luacheck: ignore
      return popen((line:gsub("^az ", "/nonexistent/az ")), mode)
    end
    local _, err = credential.azure_cli()(fake.new().client)
    assert.equal("az_not_found", err.code)
  end)
end)

describe("credential.environment", function()
  local getenv = os.getenv
  local function set(variables)
    os.getenv = function(name) -- luacheck: ignore
      return variables[name]
    end
  end
  after_each(function()
    os.getenv = getenv -- luacheck: ignore
  end)

  it("takes CPP_TOKEN first", function()
    set { CPP_TOKEN = "given", AZURE_TENANT_ID = "t", AZURE_CLIENT_ID = "c",
      AZURE_CLIENT_SECRET = "s" }
    local one, token = service(), credential.environment()
    assert.equal("given", token(one.client))
    one.time = one.time + 1e9
    assert.equal("given", token(one.client))
    assert.same({}, one.fetched)
    assert.equal("cpp.credential: CPP_TOKEN", tostring(token))
  end)

  it("takes the application's three next", function()
    set { CPP_TOKEN = "", AZURE_TENANT_ID = "t", AZURE_CLIENT_ID = "c",
      AZURE_CLIENT_SECRET = "s" }
    local one = service()
    assert.equal("token-1", credential.environment()(one.client))
    assert.same({ { tenant = "t", client_id = "c", client_secret = "s" } }, one.fetched)
  end)

  it("takes the Azure CLI where one of them is missing", function()
    set { AZURE_TENANT_ID = "t", AZURE_CLIENT_ID = "c", AZURE_CLIENT_SECRET = "" }
    assert.equal("cpp.credential: Azure CLI", tostring(credential.environment()))
  end)
end)

describe("with the emulator's token endpoint", function()
  local emulator = require "cpp.emulator"
  local portal
  setup(function()
    portal = assert(emulator.start {
      offers = { ["contoso/vm"] = { running = "publish" } },
    })
  end)
  teardown(function() portal:close() end)

  local function new_client(secret)
    return cpp.client { endpoint = portal.endpoint, token = credential.client_secret {
      tenant = portal.tenant, client_id = portal.client_id,
      client_secret = secret or portal.client_secret, authority = portal.authority,
    } }
  end

  it("logs in, with a secret that a form must encode, once", function()
    local one <close> = new_client()
    assert(one:operations("contoso", "vm"))
    assert(one:operations("contoso", "vm"))
    assert.equal(1, portal:ledger().tokens)
  end)

  it("tells a wrong secret by its AADSTS code", function()
    local one <close> = new_client "wrong"
    local _, err = one:operations("contoso", "vm")
    assert.same({ "credential", "invalid_client" }, { err.kind, err.code })
    assert.matches("AADSTS7000215", err.message)
  end)
end)
