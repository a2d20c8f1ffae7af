--- The workflows over HTTP, against the emulator: its ledger counts what acted.
-- Its clock runs 400 times as fast, so 40 virtual seconds are 0.1 real ones.

local cpp = require "cpp"
local emulator = require "cpp.emulator"
local credential = require "cpp.credential"
local workflow = require "cpp.workflow"

local PACE = { interval = 0.02, max_interval = 0.1, list_lag = 0.3, deadline = 60,
  notification_emails = "a@example.com" }

local function with(fields)
  for name, value in pairs(PACE) do
    fields[name] = fields[name] or value
  end
  return fields
end

-- Calls fn with a portal and a client of it, which it closes.
local function use(start, fn)
  start.speed = 400
  local portal <close> = assert(emulator.start(start))
  local client <close> = cpp.client { endpoint = portal.endpoint, token = portal.token,
    max_connections = 64 }
  return fn(portal, client)
end

describe("over the emulator", function()
  local MATRIX = {}
  for _, location in ipairs { "F1", "F2", "F3", "F4", "none", "https://evil.example/x" } do
    for _, names in ipairs { "canceled", "own" } do
      for _, order in ipairs { "newest", "oldest", "shuffled" } do
        for _, lag in ipairs { 0, 30 } do
          for _, synchronous in ipairs { false, true } do
            table.insert(MATRIX, { running = "publish", location = location,
              names = names, list_order = order, list_lag = lag, elapsed = 100,
              synchronous = synchronous, cancel_seconds = 40, list_own = order == "oldest",
              history = { { state = "canceled", ago = 9000 }, { ago = 7000 } } })
          end
        end
      end
    end
  end

  it("is sure in every form of the service, all at once", function()
    local offers, targets = {}, {}
    for i, settings in ipairs(MATRIX) do
      offers["contoso/vm-" .. i] = settings
      targets[i] = { "contoso", "vm-" .. i }
    end
    use({ offers = offers }, function(portal, client)
      local results = workflow.cancel_all(client, targets, with { concurrency = 32 })
      local ledger = portal:ledger()
      for i, result in ipairs(results) do
        assert.equal("canceled", result.outcome or tostring(result.err))
        assert.is_nil(result.running)
        assert.equal(1, ledger.offers["contoso/vm-" .. i].acted)
        assert.equal(1, ledger.offers["contoso/vm-" .. i].cancels)
      end
      assert.equal(#MATRIX, #results)
    end)
  end)

  local function case(name, fault, posts)
    it("never cancels blindly twice: " .. name, function()
      fault.on = "cancel"
      use({ offers = { ["contoso/vm"] = { running = "publish", cancel_seconds = 40 } },
        faults = { fault } }, function(portal, client)
        local result = assert(workflow.cancel(client, "contoso", "vm", with {}))
        local ledger = portal:ledger()
        assert.same({ "canceled", posts, 1 },
          { result.outcome, ledger.cancels, ledger.acted })
      end)
    end)
  end
  case("the answer dropped after acting", { drop = "after" }, 1)
  case("the request dropped before acting", { drop = "before" }, 2)
  case("500 after acting", { status = 500, when = "after" }, 1)
  case("503 before acting", { status = 503 }, 2)

  it("tells a colleague's publish from mine, in a preview too", function()
    use({ offers = { ["contoso/vm"] = { running = "preview", cancel_seconds = 40,
      next = { id = "0b0b0b0b-0000-4000-8000-000000000000" } } } },
      function(_, client)
        local result = assert(workflow.cancel(client, "contoso", "vm", with {}))
        assert.equal("canceled", result.outcome)
        assert.equal("0b0b0b0b-0000-4000-8000-000000000000", result.running.id)
        local again, err = workflow.cancel(client, "contoso", "vm",
          with { operation = "ffffffff-0000-4000-8000-000000000000" })
        assert.is_nil(again)
        assert.same({ "other_operation", "not_sent" }, { err.code, err.cancel })
      end)
  end)

  it("says that the service gave up, or was too late", function()
    use({ offers = {
      ["contoso/firm"] = { running = "publish", cancelable = false, names = "own",
        cancel_seconds = 40 },
      ["contoso/late"] = { running = "publish", too_late = true },
    } }, function(_, client)
      local results = workflow.cancel_all(client,
        { { "contoso", "firm" }, { "contoso", "late" } }, with {})
      assert.equal("not_canceled", results[1].err.code)
      assert.equal("too_late", results[2].outcome)
    end)
  end)

  it("goes on after a crash from the operation's id alone", function()
    use({ offers = { ["contoso/vm"] = { running = "publish", cancel_seconds = 40 } } },
      function(portal, client)
        local id
        local crashed = coroutine.wrap(pcall)
        crashed(workflow.cancel, client, "contoso", "vm", with { on_change = function(op)
          id = id or op.id
          if op.state == "accepted" then
            coroutine.yield()
          end
        end })
        local result = assert(workflow.cancel(client, "contoso", "vm",
          with { operation = id }))
        assert.same({ "canceled", id, 2 },
          { result.outcome, result.operation.id, portal:ledger().cancels })
      end)
  end)

  it("logs in once, or is refused once", function()
    local offers, targets = {}, {}
    for i = 1, 200 do
      offers["contoso/vm-" .. i] = { running = "publish", cancel_seconds = 40 }
      targets[i] = { "contoso", "vm-" .. i }
    end
    use({ offers = offers }, function(portal)
      for _, secret in ipairs { portal.client_secret, "wrong" } do
        local before = portal:ledger().tokens
        local client <close> = cpp.client { endpoint = portal.endpoint,
          token = credential.client_secret { tenant = portal.tenant,
            client_id = portal.client_id, client_secret = secret,
            authority = portal.authority } }
        local results = workflow.cancel_all(client, targets, with { concurrency = 64 })
        assert.equal(200, #results)
        assert.equal(secret == "wrong" and "invalid_client",
          results[200].err and results[200].err.code or false)
        assert.equal(1, portal:ledger().tokens - before)
      end
    end)
  end)

  it("is right in the end where half of all exchanges break", function()
    local offers, targets, faults = {}, {}, {}
    for i = 1, 100 do
      offers["contoso/vm-" .. i] = { running = "publish", cancel_seconds = 40 }
      targets[i] = { "contoso", "vm-" .. i }
    end
    for i, fault in ipairs { { drop = "before" }, { drop = "after" }, { status = 503 },
      { status = 500, when = "after" } } do
      fault.on, fault.probability, fault.times, fault.seed = "*", 0.16, -1, i
      faults[i] = fault
    end
    use({ offers = offers, faults = faults }, function(portal, client)
      local results = workflow.cancel_all(client, targets, with { concurrency = 64 })
      local ledger = portal:ledger()
      local canceled = 0
      for i, result in ipairs(results) do
        local acted = ledger.offers["contoso/vm-" .. i].acted
        if result.outcome then
          canceled = canceled + 1
          assert.same({ "canceled", 1 }, { result.outcome, acted })
        else
          assert.equal("unverified", result.err.code)
          assert.is_true(acted <= 1)
        end
      end
      assert.is_true(canceled > 25, canceled)
    end)
  end)

  it("ends each of many, by name, when the client closes meanwhile", function()
    local offers, targets = {}, {}
    for i = 1, 8 do
      offers["contoso/vm-" .. i] = { running = "publish" }
      targets[i] = { "contoso", "vm-" .. i }
    end
    use({ offers = offers }, function(_, client)
      local exchanges = 0
      local results = workflow.cancel_all(client, targets, with { concurrency = 2,
        trace = function()
          exchanges = exchanges + 1
          if exchanges == 3 then
            client:close()
          end
        end })
      assert.equal(8, #results)
      for i, result in ipairs(results) do
        assert.equal("closed", result.err.kind, "vm-" .. i)
      end
    end)
  end)

  it("gives an exchange no more time than the client does", function()
    local start = { offers = { ["contoso/vm"] = { running = "publish" } } }
    start.faults = { { on = "poll", delay = 400 * 30, times = 1 } }
    use(start, function(portal)
      local slow
      local client <close> = cpp.client { endpoint = portal.endpoint, token = portal.token,
        timeout = 0.2, trace = function(event) slow = slow or event.code and event.total end }
      local list = assert(client:operations("contoso", "vm"))
      local _, err = workflow.wait(client, list[1], with { deadline = 1.5 })
      assert.equal("deadline", err.code)
      assert.is_true(slow < 1, slow)
    end)
    use({ offers = start.offers }, function(_, client)
      assert.error_matches(function()
        workflow.wait(client, "/api/operations/1", { timeout = "5", deadline = 2 })
      end, "option 'timeout': number of seconds expected, got string")
    end)
  end)
end)
