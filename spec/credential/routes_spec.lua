-- Every route to a token, as automation finds it in its environment, against the emulator:
-- a cancel is followed to its end while the service rejects each token after a few calls.
-- The emulator's clock stands still.
local cpp = require "cpp"
local credential = require "cpp.credential"
local emulator = require "cpp.emulator"
local fifo = require "spec.support.fifo"
local shell = require "cpp.emulator.shell"
local variables = require "spec.support.variables"
local workflow = require "cpp.workflow"

local PASSWORD = "p w'd$\\ü"

local portal
local offers = 0

setup(function()
  portal = assert(emulator.start { tls = true, speed = 0, token_calls = 3,
    certificate = true, certificate_password = PASSWORD })
end)
teardown(function()
  portal:close()
end)
before_each(function()
  portal:set("*", { faults = {}, token_calls = 3, expires_in = "usual", expires_on = "usual" })
end)
after_each(variables.restore)

-- Routes as the emulator calls them, the credential's name, and who is asked for each token.
local ROUTES = {
  { "secret", "client_secret", { "tokens" } },
  { "certificate", "certificate", { "tokens" } },
  { "workload", "federated", { "tokens" } },
  { "github", "github_actions", { "github", "tokens" } },
  { "pipelines", "azure_pipelines", { "pipelines", "tokens" } },
  { "identity", "managed_identity", { "identity" } },
}

local function new_client(token, options)
  local all = { endpoint = portal.endpoint, ca_file = portal.ca_file, token = token }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return cpp.client(all)
end

local function new_offer()
  offers = offers + 1
  local offer = "vm" .. offers
  portal:set("contoso/" .. offer, { running = "publish" })
  return offer
end

-- Cancels what runs and waits for the end of it, which comes after ten exchanges.
---@param listen? fun(event: table, count: integer)
local function cancel(client, listen)
  local operation, err = client:cancel("contoso", new_offer())
  if not operation then
    return nil, err
  end
  local count = 0
  local function trace(event)
    count = count + 1
    if count == 10 then
      portal:set("*", { advance = 1000 })
    end
    if listen then
      listen(event, count)
    end
  end
  return workflow.wait(client, operation, { interval = 0.02, max_interval = 0.05,
    deadline = 60, trace = trace })
end

-- How often each of those who give tokens is asked meanwhile.
local function asked(names, fn)
  local before, counts = portal:ledger(), {}
  fn()
  local after = portal:ledger()
  for i, name in ipairs(names) do
    counts[i] = after[name] - before[name]
  end
  return table.unpack(counts)
end

-- All that an event or an error tells, as text.
local function words(value, into)
  if type(value) == "table" then
    for name, item in pairs(value) do
      words(name, into)
      words(item, into)
    end
  else
    table.insert(into, tostring(value))
  end
end

local function secrets()
  return { portal.token, portal.client_secret, PASSWORD, portal.github.token,
    portal.pipelines.token, portal.identity.header, "eyJ" }
end

local function assert_no_secret(value)
  local into = {}
  words(value, into)
  local text = table.concat(into, "\n")
  for _, secret in ipairs(secrets()) do
    assert.is_nil(text:find(secret, 1, true), text)
  end
end

for _, route in ipairs(ROUTES) do
  local name, constructor, givers = table.unpack(route)

  describe("the route " .. name, function()
    before_each(function()
      variables.set(portal:environment(name))
    end)

    it("carries a cancel to its end, through many tokens, and shows none", function()
      local events = {}
      local token = credential.environment()
      local function listen(event)
        table.insert(events, event)
      end
      -- Those of the directory are the client's own.
      local client <close> = new_client(token, { trace = listen })
      local operation, err
      local first, second = asked(givers, function()
        operation, err = cancel(client, listen)
      end)
      assert.is_nil(err)
      assert.equal("canceled", operation.state)
      assert.equal(constructor, token:route().name)
      assert.is_true(first >= 3, first)
      assert.is_true(second == nil or second == first, second)
      assert.is_true(#events > 10 + first)
      assert_no_secret { events, tostring(token), token:route(), tostring(client) }
    end)

    it("logs in once for ten exchanges, whatever the answer says of its life", function()
      for _, shape in ipairs { "usual", "string", "number", "fraction", "null", "none" } do
        portal:set("*", { token_calls = -1, expires_in = shape, expires_on = shape })
        local client <close> = new_client(credential[constructor]())
        local count = asked(givers, function()
          for _ = 1, 10 do
            assert(client:status("contoso", "vm1"))
          end
        end)
        assert.equal(1, count, shape)
      end
    end)

    local giver = ({ tokens = "token" })[givers[1]] or givers[1]

    it("may get through another time when who gives is busy", function()
      for _, fault in ipairs { { status = 503 }, { status = 429, retry_after = "7" },
        { drop = "before" } } do
        fault.on, fault.times = giver, -1
        portal:set("*", { faults = { fault } })
        local client <close> = new_client(credential.environment())
        local operation, err = client:status("contoso", "vm1")
        assert.is_nil(operation)
        assert.same({ "credential", true }, { err.kind, err.retryable })
        assert.equal(fault.retry_after, err.retry_after and tostring(err.retry_after))
        assert_no_secret { err, tostring(err) }
      end
    end)

    it("is refused for ten seconds when who gives says no", function()
      portal:set("*", { faults = { { on = giver, status = 403, times = -1 } } })
      local client <close> = new_client(credential.environment())
      local count = asked({ giver == "token" and "tokens" or giver }, function()
        for _ = 1, 3 do
          local operation, err = client:status("contoso", "vm1")
          assert.is_nil(operation)
          assert.same({ "credential", false, 403 }, { err.kind, err.retryable, err.status })
          assert_no_secret { err, tostring(err) }
        end
      end)
      assert.equal(1, count)
    end)
  end)
end

describe("the route az", function()
  it("carries a cancel to its end", function()
    local az = require "spec.support.az".new()
    finally(function() az:close() end)
    az:is(([[echo '{"accessToken": "%s", "expires_on": %d}']]):format(portal.token,
      os.time() + 3600))
    portal:set("*", { token_calls = -1 })
    variables.set {}
    local client <close> = new_client(credential.environment())
    assert.equal("canceled", assert(cancel(client)).state)
    assert.equal(1, az:runs())
  end)
end)

describe("a certificate", function()
  it("signs with RS256 too", function()
    variables.set(portal:environment "certificate")
    local client <close> = new_client(credential.certificate { algorithm = "RS256" })
    assert(client:status("contoso", "vm1"))
  end)

  it("is another than the directory knows", function()
    variables.set(portal:environment "certificate")
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    assert(shell.run(("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout %s "
      .. "-out %s.pem && cat %s.pem >>%s; rm %s.pem"):format(name, name, name, name, name)))
    local client <close> = new_client(credential.certificate { path = name })
    local _, err = client:status("contoso", "vm1")
    assert.equal("credential", err.kind)
    assert.matches("AADSTS700027", err.message)
  end)
end)

describe("a host that says no to what identifies the job", function()
  for route, variable in pairs { github = "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    pipelines = "SYSTEM_ACCESSTOKEN", identity = "IDENTITY_HEADER" } do
    it("is told as a 401: " .. route, function()
      local given = portal:environment(route)
      given[variable] = "wrong"
      variables.set(given)
      local client <close> = new_client(credential.environment())
      local _, err = client:status("contoso", "vm1")
      assert.same({ "credential", 401, false }, { err.kind, err.status, err.retryable })
    end)
  end
end)

describe("a user-assigned identity", function()
  it("is asked for by the client id that AZURE_CLIENT_ID names", function()
    portal:set("*", { system_identity = false })
    finally(function() portal:set("*", { system_identity = true }) end)
    local given = portal:environment "identity"
    variables.set(given)
    local client <close> = new_client(credential.environment())
    local _, err = client:status("contoso", "vm1")
    assert.same({ "credential", 400 }, { err.kind, err.status })
    given.AZURE_CLIENT_ID = portal.identity.client_id
    local other <close> = new_client(credential.environment())
    assert(other:status("contoso", "vm1"))
  end)
end)

describe("a federated token", function()
  local name

  local function write(text)
    local file <close> = assert(io.open(name .. ".new", "w"))
    file:write(text):close()
    assert(os.rename(name .. ".new", name))
  end

  before_each(function()
    name = os.tmpname()
    local given = portal:environment "workload"
    given.AZURE_FEDERATED_TOKEN_FILE = name
    variables.set(given)
  end)
  after_each(function()
    os.remove(name)
  end)

  it("that is replaced in mid-wait is read again", function()
    write "first\n"
    portal:set("*", { assertions = { "first" } })
    local client <close> = new_client(credential.environment())
    local operation, err = cancel(client, function(_, count)
      if count == 4 then
        portal:set("*", { assertions = { "second" } })
        write "second"
      end
    end)
    assert.is_nil(err)
    assert.equal("canceled", operation.state)
    write "first"
    local stale <close> = new_client(credential.federated())
    local _, refused = stale:status("contoso", "vm1")
    assert.matches("AADSTS70", refused.message)
  end)

  it("that is not there, or none, is told by its file", function()
    for _, case in ipairs { { "", true, "is empty" }, { " \n", true, "is empty" },
      { "two words", false, "holds a character" }, { "a\nb", false, "holds a line break" },
      { ("a"):rep(65537), false, "is longer than any" } } do
      local text, retryable, said = table.unpack(case)
      write(text)
      local client <close> = new_client(credential.environment())
      local _, err = client:status("contoso", "vm1")
      assert.same({ "credential", "unreadable_file", retryable },
        { err.kind, err.code, err.retryable })
      assert.is_truthy(err.message:find(name, 1, true) and err.message:find(said, 1, true))
    end
    os.remove(name)
    local client <close> = new_client(credential.environment())
    local _, err = client:status("contoso", "vm1")
    assert.same({ "unreadable_file", false }, { err.code, err.retryable })
    assert.is_truthy(err.message:find(name, 1, true))
    local pipe <close> = fifo.new()
    for _, path in ipairs { "/", pipe.name } do
      local other <close> = new_client(credential.federated { file = path })
      _, err = other:status("contoso", "vm1")
      assert.same({ "unreadable_file", false }, { err.code, err.retryable })
      assert.equal(("the federated token cannot be read: %s: it is no regular file")
        :format(path), err.message)
    end
  end)

  it("may be reached by links, as a cluster projects it", function()
    write "by-link"
    portal:set("*", { assertions = { "by-link" } })
    local link = name .. ".link"
    assert(os.execute(("ln -s %s %s"):format(name, link)))
    finally(function() os.remove(link) end)
    local client <close> = new_client(credential.federated { file = link })
    assert(client:status("contoso", "vm1"))
  end)
end)

describe("a client that closes in mid-fetch", function()
  -- Resumes what waits, and lets the clients work, until all have ended.
  local function drive(clients, threads)
    for _ = 1, 2000 do
      local alive = false
      for _, client in ipairs(clients) do
        client:step(0.005)
      end
      for _, thread in ipairs(threads) do
        if coroutine.status(thread) == "suspended" then
          assert(coroutine.resume(thread))
          alive = true
        end
      end
      if not alive then
        return
      end
    end
    error "they hang"
  end

  it("takes nobody along", function()
    variables.set(portal:environment "secret")
    portal:set("*", { faults = { { on = "token", delay = 1 } } }) -- for ever
    local token, clients, threads, results = credential.environment(), {}, {}, {}
    for i = 1, 3 do
      clients[i] = new_client(token, { wait = coroutine.yield })
      threads[i] = coroutine.create(function()
        results[i] = table.pack(clients[i]:status("contoso", "vm1"))
      end)
      assert(coroutine.resume(threads[i]))
    end
    clients[1]:close()
    drive(clients, threads)
    assert.equal("closed", results[1][2].kind)
    assert.is_truthy(results[2][1])
    assert.is_truthy(results[3][1])
    for _, client in ipairs(clients) do
      client:close()
    end
  end)
end)
