-- The time of a call is that of its token function too.
local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"
local credential = require "cpp.credential"

local here

setup(function()
  here = harness.start()
end)
teardown(function()
  here:close()
end)
after_each(function()
  here:reset()
end)

local PORTAL = { "tenant", "client_id", "client_secret", "authority" }

local function parameters()
  local given = {}
  for _, name in ipairs(PORTAL) do
    given[name] = here.portal[name]
  end
  return given
end

describe("a token function", function()
  it("is told what is left of the call that asks", function()
    local client, seen = here:client { timeout = 50 }, {}
    local function token(self)
      self:sleep(0.01)
      table.insert(seen, self:option "timeout")
      return here.portal.token
    end
    assert(client:status("contoso", "vm", { token = token, timeout = 9 }))
    assert(client:status("contoso", "vm", { token = token }))
    assert.is_true(seen[1] > 1 and seen[1] < 9)
    assert.is_true(seen[2] > 9 and seen[2] < 50)
    assert.equal(50, client:option "timeout")
  end)

  it("leaves nothing of that behind when it fails or is closed", function()
    local client = here:client { timeout = 50 }
    assert.error_matches(function()
      client:status("contoso", "vm", { timeout = 9, token = function() error "mine" end })
    end, "mine")
    assert.equal(50, client:option "timeout")
    client:status("contoso", "vm", { timeout = 9, token = function() return nil, "no" end })
    assert.equal(50, client:option "timeout")
    local thread = coroutine.wrap(function()
      local inner = coroutine.create(function()
        client:status("contoso", "vm", { timeout = 9, token = coroutine.yield })
      end)
      coroutine.resume(inner)
      coroutine.close(inner)
      return client:option "timeout"
    end)
    assert.equal(50, thread())
  end)

  it("is told so again after it has called with another token function", function()
    local client, seen = here:client { timeout = 50 }, {}
    local inner = {
      function() return here.portal.token end,
      function() return nil, "no" end,
      function() error "mine" end,
    }
    client:status("contoso", "vm", { timeout = 9, token = function(self)
      for i, token in ipairs(inner) do
        pcall(self.status, self, "contoso", "vm", { timeout = 5, token = token })
        seen[i] = self:option "timeout"
      end
    end })
    for i in ipairs(inner) do
      assert.is_true(seen[i] > 5 and seen[i] <= 9)
    end
    assert.equal(50, client:option "timeout")
  end)

  it("is another's in another coroutine", function()
    local client, seen = here:client { timeout = 50 }, {}
    local threads = {}
    for i = 1, 3 do
      threads[i] = coroutine.create(function()
        client:status("contoso", "vm", { timeout = 10 * i, token = function(self)
          coroutine.yield()
          seen[i] = self:option "timeout"
          return nil, "enough"
        end })
      end)
      assert(coroutine.resume(threads[i]))
    end
    assert.equal(50, client:option "timeout")
    for i = 1, 3 do
      assert(coroutine.resume(threads[i]))
      assert.is_true(seen[i] > 10 * i - 9 and seen[i] <= 10 * i)
    end
  end)

  it("is told no more when another's, whose coroutine nobody has, is collected", function()
    local client, seen = here:client { timeout = 50 }, {}
    local lost = coroutine.create(function()
      client:status("contoso", "vm", { token = coroutine.yield })
    end)
    assert(coroutine.resume(lost))
    lost = setmetatable({ lost }, { __mode = "v" })
    client:status("contoso", "vm", { timeout = 9, token = function(self)
      collectgarbage()
      collectgarbage()
      table.insert(seen, self:option "timeout")
      return nil, "enough"
    end })
    assert.is_nil(lost[1])
    assert.is_true(seen[1] <= 9)
  end)

  it("fetches within it", function()
    here:faults({ on = "token", times = -1, delay = 3600 })
    local client = here:client { timeout = 50 }
    local given = parameters()
    local _, err = client:status("contoso", "vm", { timeout = 0.5, token = function(self)
      return self:fetch_token(given)
    end })
    assert.same({ "credential", "timeout", true, false },
      { err.kind, err.code, err.retryable, err.sent })
    assert.matches("^no %a+ within 0%.%d+ seconds", err.message)
  end)

  it("waits for another's login within it", function()
    here:faults({ on = "token", times = -1, delay = 3600 })
    local token = credential.client_secret(parameters())
    local client = here:client { timeout = 50, token = token }
    local thread = coroutines.begin(client, "status", "contoso", "vm")
    local _, err = client:status("contoso", "vm", { timeout = 0.2 })
    assert.same({ "credential", "login_timeout", true }, { err.kind, err.code, err.retryable })
    assert(coroutine.close(thread))
  end)

  it("runs az within it", function()
    local az = require "spec.support.az".new()
    finally(function() az:close() end)
    az:is "sleep 60"
    local client = here:client { timeout = 50, token = credential.azure_cli() }
    local _, err = client:status("contoso", "vm", { timeout = 1.5 })
    assert.same({ "credential", "az_timeout", true }, { err.kind, err.code, err.retryable })
    assert.equal("az gave no token within 1 s", err.message)
  end)
end)
