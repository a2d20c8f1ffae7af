-- The functions that a user gives a client: token and trace. Each may yield, raise, call
-- the client again, close it.

local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"
local child = require "spec.support.child"

describe("a token function", function()
  local here

  setup(function() here = harness.start() end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  local function poll(client, options)
    return client:poll(harness.PATH, options)
  end

  it("is called once for an exchange, with the client", function()
    local calls = {}
    local client = here:client { token = function(...)
      table.insert(calls, table.pack(...))
      return here.portal.token
    end }
    assert(poll(client))
    assert(poll(client))
    assert.equal(2, #calls)
    assert.same({ client, nil, n = 2 }, calls[1])
  end)

  it("is told the token that was refused last, on its own client only", function()
    local told = {}
    local function token(_, rejected)
      table.insert(told, rejected or "none")
      return #told == 1 and "a-stale-token" or here.portal.token
    end
    local client = here:client { token = token }
    assert.equal(401, select(2, poll(client)).status)
    assert(poll(client))
    assert(poll(here:client { token = token }))
    assert.same({ "none", "a-stale-token", "none" }, told)
  end)

  it("of a call counts before the client's", function()
    local client = here:client { token = function() error "not this one" end }
    assert(poll(client, { token = function() return here.portal.token end }))
    assert(poll(client, { token = here.portal.token }))
  end)

  it("is not called for a dry run, nor for a location that is refused", function()
    local client = here:client { token = function() error "is called" end }
    assert(poll(client, { dry_run = true }))
    local _, err = client:poll "https://elsewhere.example/api"
    assert.equal("foreign_origin", err.code)
  end)

  it("may yield", function()
    local client = here:client { token = coroutine.yield }
    local thread = coroutine.create(poll)
    assert.same({ true, client }, { coroutine.resume(thread, client) })
    assert.equal(0, #here:entries())
    local good, operation = coroutine.resume(thread, here.portal.token)
    assert.is_true(good)
    assert.equal("running", operation.state)
  end)

  it("may sleep and call the client again", function()
    local nested
    local client = here:client { token = function(client)
      client:sleep(0.01)
      nested = assert(poll(client, { token = here.portal.token })).state
      return here.portal.token
    end }
    coroutines.together(client, 3, function()
      assert.equal("running", poll(client).state)
    end)
    assert.equal("running", nested)
    assert.equal(6, #here:entries())
  end)

  it("may fetch the token through the client that asks", function()
    local portal = here.portal
    local client = here:client { token = function(client)
      local fetched = assert(client:fetch_token {
        authority = portal.authority, tenant = portal.tenant,
        client_id = portal.client_id, client_secret = portal.client_secret,
      })
      return fetched.access_token
    end }
    coroutines.together(client, 2, function()
      assert.equal("running", poll(client).state)
    end)
    local calls = {}
    for _, entry in ipairs(here:entries()) do
      calls[entry.call] = (calls[entry.call] or 0) + 1
    end
    assert.same({ token = 2, poll = 2 }, calls)
  end)

  for _, when in ipairs { "at once", "after it has yielded" } do
    it("that raises " .. when .. " ends the call with its error, and nothing is sent", function()
      local problem = { "a value" }
      local client = here:client { token = function(client)
        if when ~= "at once" then
          client:sleep(0.01)
        end
        error(problem)
      end }
      coroutines.together(client, 1, function()
        local good, raised = pcall(poll, client)
        assert.is_false(good)
        assert.equal(problem, raised)
      end)
      assert.equal(0, #here:entries())
      assert(poll(client, { token = here.portal.token }))
    end)
  end

  it("that closes the client ends the call as closed, with its location", function()
    local client = here:client { token = function(client)
      client:close()
      return here.portal.token
    end }
    local _, err = poll(client)
    assert.equal("closed", err.kind)
    assert.equal(here.running, err.location)
    assert.is_false(err.sent)
    assert.equal(0, #here:entries())
  end)

  it("that sleeps when the client closes ends with it", function()
    local reasons = {}
    local client = here:client { token = function(client)
      local slept, err = client:sleep(1000)
      table.insert(reasons, err.kind)
      return slept, err
    end }
    coroutines.together(client, 2, function(i)
      if i == 1 then
        local _, err = poll(client)
        table.insert(reasons, err.kind)
        assert.equal(here.running, err.location)
      else
        client:close()
      end
    end)
    assert.same({ "closed", "closed" }, reasons)
  end)

  it("whose coroutine is closed leaves its call as if it had not been", function()
    local ended
    local client = here:client { token = function(client)
      local _ <close> = setmetatable({}, { __close = function() ended = true end })
      client:sleep(1000)
    end }
    local thread = coroutines.begin(client, "poll", harness.PATH)
    assert.is_true(coroutine.close(thread))
    assert.is_true(ended)
    client:close()
    assert.is_nil(client:pollfd())
    assert.equal(0, #here:entries())
  end)

  it("that gives no token, and says why, makes a credential error", function()
    local given = {
      { nil, "no cat to ask" }, { false }, { 7 }, { "" }, { "two\nlines" }, { {} },
    }
    for _, results in ipairs(given) do
      local client = here:client { token = function() return results[1], results[2] end }
      local _, err = poll(client)
      assert.equal("credential", err.kind)
      assert.is_false(err.sent)
      assert.matches(results[2] or "token", err.message)
    end
    assert.equal(0, #here:entries())
  end)
end)

describe("a trace function", function()
  local here

  setup(function() here = harness.start() end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  local function poll(client, options)
    return client:poll(harness.PATH, options)
  end

  it("is told of each exchange after its end", function()
    local events = {}
    local client = here:client { trace = function(...)
      assert.equal(1, #here:entries() - #events)
      table.insert(events, table.pack(...))
    end }
    local operation = assert(poll(client))
    local _, err = client:status("contoso", "nothing")
    assert.equal(2, #events)
    local first, second = events[1][1], events[2][1]
    assert.equal(1, events[1].n)
    assert.same({ "GET", here.running, 200, true, false },
      { first.method, first.url, first.status, first.sent, first.reused })
    assert.equal(operation.client_request_id, first.client_request_id)
    assert.is_nil(first.code)
    assert.same({ 404, err.code, true }, { second.status, second.code, second.reused })
  end)

  it("is told of an exchange without an answer", function()
    here:delay(30)
    local told
    local client = here:client { timeout = 0.5, trace = function(event) told = event end }
    local _, err = poll(client)
    assert.equal("timeout", err.code)
    assert.same({ "timeout", true }, { told.code, told.sent })
    assert.is_nil(told.status)
  end)

  it("is not called where there was no exchange", function()
    local client = here:client { trace = function() error "is called" end }
    assert(poll(client, { dry_run = true }))
    assert.equal("origin", select(2, client:poll "https://elsewhere.example/api").kind)
    assert.equal("credential", select(2, poll(client, { token = function() end })).kind)
  end)

  it("may yield, and the result is kept", function()
    local client = here:client { trace = coroutine.yield }
    local thread = coroutine.create(poll)
    local _, event = assert(coroutine.resume(thread, client))
    assert.equal(200, event.status)
    local _, operation = assert(coroutine.resume(thread, "ignored"))
    assert.equal("running", operation.state)
    assert.equal("dead", coroutine.status(thread))
  end)

  it("may sleep and call the client again", function()
    local traced = 0
    local client
    client = here:client { trace = function()
      traced = traced + 1
      if traced <= 3 then
        client:sleep(0.01)
        assert.equal("running", poll(client).state)
      end
    end }
    coroutines.together(client, 3, function()
      assert.equal("running", poll(client).state)
    end)
    assert.equal(6, traced)
  end)

  it("may close the client, and the result is kept", function()
    local client
    client = here:client { trace = function() client:close() end }
    assert.equal("running", poll(client).state)
    assert.error_matches(function() poll(client) end, "client is closed")
  end)

  for _, when in ipairs { "at once", "after it has yielded" } do
    it("that raises " .. when .. " changes neither a result nor an error", function()
      local client
      client = here:client { trace = function()
        if when ~= "at once" then
          client:sleep(0.01)
        end
        error "trace is broken"
      end }
      coroutines.together(client, 1, function()
        assert.equal("running", poll(client).state)
        assert.equal(404, select(2, client:status("contoso", "nothing")).status)
      end)
    end)
  end

  it("that raises is a warning of Lua, whatever it raises", function()
    local output, how, status = child.run(here, [[
      warn "@on"
      local cpp = require "cpp"
      local unprintable = setmetatable({}, { __tostring = function() error "no text" end })
      for _, problem in ipairs { "a string", 42, unprintable } do
        local client <close> = cpp.client { trace = function() error(problem, 0) end }
        print(assert(client:status("contoso", "vm")).state)
      end
    ]])
    local warning = "Lua warning: cpp: error in trace function: %s\nrunning\n"
    assert.equal(warning:format "a string" .. warning:format "42" .. warning:format "table",
      output)
    assert.same({ "exit", 0 }, { how, status })
  end)

  it("whose coroutine is closed leaves the client fit", function()
    local client = here:client { max_connections = 1, trace = coroutine.yield }
    local thread = coroutine.create(poll)
    assert(coroutine.resume(thread, client))
    assert.is_true(coroutine.close(thread))
    assert(poll(client, { trace = function() end }))
    assert.equal(1, (here:connections()))
  end)
end)
