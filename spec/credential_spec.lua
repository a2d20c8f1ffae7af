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
    return self.answer and self.answer(n)
      or { access_token = "token-" .. n, expires_in = self.expires_in or 3599 }
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

  it("renews one that lives shortly a tenth of its life before it expires", function()
    for life, renewed in pairs { [60] = 54, [301] = 270.9, [3000] = 2700, [3001] = 2701 } do
      local one, token = service { expires_in = life }, credential.client_secret(SECRET)
      token(one.client)
      one.time = one.time + renewed - 0.1
      assert.equal("token-1", token(one.client))
      one.time = one.time + 0.2
      assert.equal("token-2", token(one.client))
    end
  end)

  local now = os.time
  local null = cpp.null
  -- What came with a token, and the seconds until it is renewed.
  local LIVES = {
    { { expires_in = "3599" }, 3299 }, { { expires_in = 3599.5 }, 3299.5 },
    { { expires_in = "3599.5" }, 3299.5 }, { { expires_in = 1e300 }, 1e9 - 300 },
    { { expires_in = 3599, expires_on = "1" }, 3299 },
    { { expires_in = null, expires_on = 3620 }, 3320 }, { { expires_on = "3620" }, 3320 },
    { {}, 300 }, { { expires_in = null }, 300 }, { { expires_in = "soon" }, 300 },
    { { expires_in = 0 }, 300 }, { { expires_in = -5 }, 300 }, { { expires_in = 0 / 0 }, 300 },
    { { expires_in = true, expires_on = {} }, 300 }, { { expires_on = -1e9 }, 300 },
    { { expires_on = "2026-11-26 17:00:00" }, 300 }, { { expires_in = "", expires_on = "" }, 300 },
  }

  for _, case in ipairs(LIVES) do
    local given, renewed = table.unpack(case)
    local words = {}
    for name, value in pairs(given) do
      table.insert(words, ("%s = %s"):format(name, type(value)))
    end
    it(("is good for %s s: %s"):format(renewed, table.concat(words, ", ")), function()
      os.time = function() return 1e9 end -- luacheck: ignore
      finally(function() os.time = now end) -- luacheck: ignore
      local one, token = service(), credential.client_secret(SECRET)
      one.answer = function(n)
        local ends = tonumber(given.expires_on)
        return { access_token = "token-" .. n, expires_in = given.expires_in,
          expires_on = ends and ends > 1000 and ("%d"):format(1e9 + ends) or given.expires_on }
      end
      token(one.client)
      one.time = one.time + renewed - 1
      assert.equal("token-1", token(one.client))
      one.time = one.time + 1.1
      assert.equal("token-2", token(one.client))
    end)
  end

  describe("whose renewal fails", function()
    for name, failure in pairs { ["wrong secret"] = WRONG, ["busy service"] = BUSY } do
      it("is used to its end: " .. name, function()
        local one, token = service(), credential.client_secret(SECRET)
        token(one.client)
        one.failures = { failure, failure, failure }
        one.time = one.time + 3300
        assert.equal("token-1", token(one.client))
        assert.equal(2, #one.fetched)
        one.time = one.time + 9
        assert.equal("token-1", token(one.client))
        assert.equal(2, #one.fetched)
        one.time = one.time + 1
        assert.equal("token-1", token(one.client))
        assert.equal(3, #one.fetched)
        one.time = one.time + 289 -- 3599 s
        assert.same({ nil, failure }, { token(one.client) })
        one.time = one.time + 10
        assert.equal("token-5", token(one.client))
      end)
    end

    it("is not used when it was rejected", function()
      local one, token = service(), credential.client_secret(SECRET)
      token(one.client)
      one.failures = { BUSY }
      assert.same({ nil, BUSY }, { token(one.client, "token-1") })
      assert.equal("token-1", token(one.client))
      assert.equal("token-3", token(one.client, "token-1"))
    end)
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

  it("remembers it for no longer when it is asked meanwhile", function()
    local one, token = service { failures = { WRONG } }, credential.client_secret(SECRET)
    for _ = 1, 10 do
      assert.same({ nil, WRONG }, { token(one.client) })
      one.time = one.time + 1
    end
    assert.equal("token-2", token(one.client))
  end)

  it("gives again what was rejected once, and tells that", function()
    local one, token = service(), credential.client_secret(SECRET)
    one.answer = function() return { access_token = "same", expires_in = 3599 } end
    assert.equal("same", token(one.client))
    local got, err = token(one.client, "same")
    assert.same({ nil, "credential", "rejected_again", false },
      { got, err.kind, err.code, err.retryable })
    assert.matches("^client secret of app gave the very token", err.message)
    one.time = one.time + 299
    assert.equal("same", token(one.client, "same"))
    assert.equal(2, #one.fetched)
    one.time = one.time + 1
    assert.equal("same", token(one.client, "same"))
    assert.equal(3, #one.fetched)
    one.answer = function() return { access_token = "new" } end
    one.time = one.time + 3600
    assert.equal("new", token(one.client, "same"))
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

  it("is the old one for all but the one who renews it", function()
    local one, token = service(), credential.client_secret(SECRET)
    token(one.client)
    one.time = one.time + 3300
    local results = ask_at_once(one, token, 10)
    assert.equal(2, #one.fetched)
    assert.equal("token-2", results[1])
    for i = 2, 10 do
      assert.equal("token-1", results[i])
    end
  end)

  it("logs in once where its life is not known", function()
    local one = service()
    one.answer = function(n) return { access_token = "token-" .. n } end
    local token = credential.client_secret(SECRET)
    ask_at_once(one, token, 10)
    ask_at_once(one, token, 10)
    assert.equal(1, #one.fetched)
  end)

  -- Whoever fetches closes its client; the others have one of their own.
  it("takes nobody along whose client stays open", function()
    local one, token = service(), credential.client_secret(SECRET)
    local CLOSED = { kind = "closed", code = "closed" }
    local closing = setmetatable({ fetch_token = function()
      task.sleep(0.5)
      return nil, CLOSED
    end }, { __index = one.client })
    local results = task.run(one.client, function()
      return task.map({ closing, one.client, one.client }, function(client)
        return { token(client) }
      end)
    end)
    assert.same({ { nil, CLOSED }, { "token-1" }, { "token-1" } }, results)
    assert.equal(1, #one.fetched)
  end)

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
