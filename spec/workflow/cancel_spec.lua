local fake = require "spec.support.fake"
local workflow = require "cpp.workflow"

-- What a workflow asked, in order: "operations cancel poll".
local function asked(portal)
  local methods = {}
  for i, entry in ipairs(portal.log) do
    methods[i] = entry.method
  end
  return table.concat(methods, " ")
end

local function cancel(portal, opts)
  return workflow.cancel(portal.client, "contoso", "vm", opts)
end

local function repeated(value, times)
  local list = {}
  for i = 1, times do
    list[i] = value
  end
  return list
end

describe("workflow.cancel", function()
  before_each(function() math.randomseed(1) end) -- jitter

  local FORMS = { "F1", "F2", "F3", "F4", "foreign", "gone", "none" }

  for _, form in ipairs(FORMS) do
    for _, names in ipairs { "ran", "own" } do
      for _, lag in ipairs { 0, 30 } do
        it(("is sure: %s, naming %s, list %d s behind"):format(form, names, lag),
          function()
            local portal = fake.new { running = true, form = form, names = names,
              lag = lag }
            local result = assert(cancel(portal))
            assert.same({ "canceled", "run-1", 1 },
              { result.outcome, result.operation.id, portal.acted })
            assert.matches("/operations/run%-1%?", result.location)
            assert.is_nil(result.running)
          end)

        local leads = names == "ran" and form:find "^F"
        it(("%s: %s, naming %s, begun unlisted %d s ago"):format(
          leads and "is sure" or "does not guess", form, names, lag),
          function()
            local portal = fake.new { form = form, names = names, lag = lag + 20 }
            portal:add { id = "run-2", started = 1000 - lag }
            local result, err = cancel(portal)
            local word = result and result.outcome or err.code
            local operation = result and result.operation.id
            assert.equal(leads and "canceled" or "unverified", word)
            assert.equal(leads and "run-2" or nil, operation)
          end)
      end
    end
  end

  for _, order in ipairs { "newest", "oldest" } do
    it("finds what runs in a list with the " .. order .. " first", function()
      local portal = fake.new { order = order, history = {
        { id = "old-1", started = 1, ends_at = 2, ends_as = "succeeded" },
        { id = "old-2", started = 3, ends_at = 4, ends_as = "canceled" } } }
      portal:add { id = "run-1", started = 500 }
      local result = assert(cancel(portal))
      assert.same({ "canceled", "run-1" }, { result.outcome, result.operation.id })
    end)
  end

  it("looks after the cancel, be the list never behind and the clock at rest", function()
    local result = assert(cancel(fake.new { running = true }, { list_lag = 0 }))
    assert.same({ "canceled", "run-1", true },
      { result.outcome, result.operation.id, result.may_publish })
    local portal = fake.new { form = "none" }
    result = assert(cancel(portal, { list_lag = 0 }))
    assert.equal("nothing_to_cancel", result.outcome)
    assert.matches("cancel.* operations", asked(portal))
  end)

  it("says of a list from before the end that none was seen after it", function()
    local portal = fake.new { running = true, cancel_seconds = 0 }
    local poll = portal.client.poll
    portal.client.poll = function(...)
      local operation, err = poll(...)
      if operation then
        operation.retry_after = 1e6
      end
      return operation, err
    end
    local result = assert(cancel(portal))
    assert.same({ "canceled" }, { result.outcome, result.may_publish })
    assert.matches("no operations list was seen", result.trouble)
  end)

  it("takes a 200 for what it is, after a look", function()
    local portal = fake.new { running = true, synchronous = true }
    local result = assert(cancel(portal))
    assert.same({ "canceled", "run-1", 0.0 },
      { result.outcome, result.operation.id, portal.time - 1000 })
  end)

  it("does not take an empty list after a 200 for a proof", function()
    local _, err = cancel(fake.new { running = true, synchronous = true, list = "empty" })
    assert.same({ "unverified", "accepted" }, { err.code, err.cancel })
  end)

  for _, form in ipairs { "F1", "F2", "F3", "F4" } do
    it("follows the location where the list is empty: " .. form, function()
      local portal = fake.new { running = true, list = "empty", form = form }
      assert.equal("canceled", assert(cancel(portal)).outcome)
    end)
  end

  for _, form in ipairs { "foreign", "gone" } do
    it("does not claim what neither list nor location tells: " .. form, function()
      local portal = fake.new { running = true, list = "empty", form = form }
      local result, err = cancel(portal)
      assert.is_nil(result)
      assert.same({ "workflow", "unverified", "accepted" },
        { err.kind, err.code, err.cancel })
    end)
  end

  describe("where nothing runs", function()
    for _, state in ipairs { "succeeded", "canceled", "failed" } do
      for _, form in ipairs(FORMS) do
        it(("says so: %s, the last one %s"):format(form, state), function()
          local portal = fake.new { form = form, history = {
            { id = "old-1", started = 1, ends_at = 2, ends_as = state } } }
          local result = assert(cancel(portal))
          assert.same({ "nothing_to_cancel", true }, { result.outcome, result.may_publish })
          assert.same({}, { result.operation, result.location, result.running })
        end)
      end
    end

    it("says so of an offer that was never published", function()
      local portal = fake.new { form = "none" }
      local result = assert(cancel(portal))
      assert.same({ "nothing_to_cancel", true }, { result.outcome, result.may_publish })
      assert.is_true(portal.time >= 1120)
    end)

    it("does not say so before that is certain, though the deadline is near", function()
      local portal = fake.new { history = {
        { id = "old-1", started = 1, ends_at = 2, ends_as = "succeeded" } } }
      local result, err = cancel(portal, { deadline = 10 })
      assert.is_nil(result)
      assert.same({ "deadline", "accepted" }, { err.code, err.cancel })
      assert.equal(1010.0, portal.time)
    end)

    it("does not say so of what the list does not show yet", function()
      local portal = fake.new { lag = 60, form = "none" }
      portal:add { id = "run-1", started = 990 }
      local result, err = cancel(portal, { deadline = 10 })
      assert.is_nil(result)
      assert.equal("deadline", err.code)
    end)
  end)

  it("says too_late when it completed first", function()
    local portal = fake.new { running = true, too_late = true }
    assert.equal("too_late", assert(cancel(portal)).outcome)
  end)

  it("does not say too_late of what nobody saw before", function()
    local portal = fake.new { too_late = true, lag = 30, form = "none" }
    portal:add { id = "run-1", started = 990 }
    local _, err = cancel(portal)
    assert.same({ "unverified", "accepted" }, { err.code, err.cancel })
  end)

  it("says failed when it failed by itself", function()
    local portal = fake.new { running = true, cancelable = false }
    portal:plan_end(1010, "failed")
    assert.equal("failed", assert(cancel(portal)).outcome)
  end)

  it("polls on while the publisher's review is due", function()
    local portal = fake.new { running = true }
    portal.operations_known[1].state = "waiting_for_publisher_review"
    assert.equal("canceled", assert(cancel(portal)).outcome)
  end)

  it("says not_canceled when the service gave it up", function()
    local portal = fake.new { running = true, names = "own", cancelable = false }
    local result, err = cancel(portal)
    assert.is_nil(result)
    assert.same({ "workflow", "not_canceled", "run-1", "accepted" },
      { err.kind, err.code, err.operation.id, err.cancel })
  end)

  it("does not say not_canceled of what may have begun after it", function()
    local portal = fake.new { names = "own", cancelable = false, lag = 30, form = "F2" }
    portal:add { id = "run-1", started = 990 }
    local _, err = cancel(portal)
    assert.equal("unverified", err.code)
  end)

  it("tells of an operation that somebody else has started since", function()
    local portal = fake.new { running = true }
    portal:add { id = "colleague", started = 1060 }
    local result = assert(cancel(portal))
    assert.same({ "canceled", "run-1", "colleague" },
      { result.outcome, result.operation.id, result.running.id })
  end)

  it("does not take for running what the list shows late", function()
    local portal = fake.new { running = true }
    portal:add { id = "hasty", started = 1060, ends_at = 1060, ends_as = "failed",
      stale = true }
    local result = assert(cancel(portal))
    assert.same({ "canceled", "run-1" }, { result.outcome, result.operation.id })
    assert.is_nil(result.running)
  end)

  it("tells what runs before it sends, then that it is accepted", function()
    local portal = fake.new { running = true }
    local told = {}
    cancel(portal, { on_change = function(operation, target)
      table.insert(told, { operation.state, portal.count.cancel or 0, target.offer })
    end })
    assert.same({ { "running", 0, "vm" }, { "accepted", 1, "vm" } }, { told[1], told[2] })
    assert.equal("canceled", told[#told][1])
  end)

  it("tells with a 202 no id that may be the cancel's own", function()
    local cases = { { "own", nil, 200 }, { "own", nil, 503 }, { nil, nil, 503 },
      { nil, "run-1", 200 } }
    for _, case in ipairs(cases) do
      local names, id, status = case[1], case[2], case[3]
      local portal = fake.new { running = true, names = names,
        faults = { operations = status ~= 200 and { fake.http(status) } or nil } }
      local told
      cancel(portal, { on_change = function(operation)
        told = told or operation.state == "accepted" and { operation.location, operation.id }
      end })
      assert.is_string(told[1])
      assert.equal(id, told[2])
    end
  end)

  it("tells with a 202 no id of what had ended before", function()
    local portal = fake.new { history = { { id = "old", state = "canceled" } } }
    local told = {}
    cancel(portal, { on_change = function(operation) table.insert(told, operation) end })
    assert.equal("accepted", told[1].state)
    assert.matches("/operations/old", told[1].location)
    assert.is_nil(told[1].id)
  end)

  it("gives the look before one try only", function()
    local portal = fake.new { running = true,
      faults = { operations = { fake.http(503) } } }
    assert.equal("canceled", assert(cancel(portal)).outcome)
    assert.matches("^operations cancel ", asked(portal))
  end)

  it("follows the location where the look before failed", function()
    local portal = fake.new { running = true,
      faults = { operations = { fake.http(503) } } }
    local result = assert(cancel(portal))
    assert.same({ "canceled", "run-1" }, { result.outcome, result.operation.id })
  end)

  it("does not guess where it failed and the location names the cancel's own", function()
    local portal = fake.new { running = true, names = "own",
      faults = { operations = { fake.http(503) } } }
    local _, err = cancel(portal)
    assert.same({ "unverified", "accepted" }, { err.code, err.cancel })
  end)

  it("follows what ran through the list where its own location is gone", function()
    local portal = fake.new { running = true, location_gone = true, form = "none" }
    local result = assert(cancel(portal))
    assert.equal("canceled", result.outcome)
  end)

  it("cannot tell what list and location have both lost", function()
    local portal = fake.new { running = true, location_gone = true, form = "none" }
    portal.on_sleep = function()
      portal.operations_known[1].hidden = true
    end
    local _, err = cancel(portal)
    assert.same({ "unverified", "accepted", "run-1" },
      { err.code, err.cancel, err.operation.id })
  end)

  it("keeps the last 16 polls", function()
    local portal = fake.new { running = true, cancel_seconds = 600 }
    local result = assert(cancel(portal, { max_interval = 5 }))
    assert.equal(16, #result.polls)
    assert.same({ 200, "backoff" }, { result.polls[10].status, result.polls[10].reason })
    assert.is_true(result.polls[10].delay >= 4 and result.polls[10].delay <= 6)
  end)

  it("ends at the deadline with where to go on", function()
    local portal = fake.new { running = true, cancel_seconds = 1e6 }
    local _, err = cancel(portal, { deadline = 100 })
    assert.same({ "workflow", "deadline", "contoso", "vm", "run-1", "accepted" },
      { err.kind, err.code, err.publisher, err.offer, err.operation.id, err.cancel })
    assert.matches("/operations/run%-1%?", err.location)
    assert.equal(1100.0, portal.time)
  end)

  it("sends nothing after the deadline", function()
    local portal = fake.new { running = true, latency = 50 }
    local _, err = cancel(portal, { deadline = 40 })
    assert.same({ "deadline", "not_sent" }, { err.code, err.cancel })
    assert.is_nil(portal.count.cancel)
  end)

  it("passes other options to every call", function()
    local portal = fake.new { running = true }
    cancel(portal, { notification_emails = "a@x.com", timeout = 9 })
    local expected = { notification_emails = "a@x.com", timeout = 9 }
    assert.same(expected, portal.cancel_options)
    assert.same(expected, portal.poll_options)
  end)

  it("refuses impossible arguments", function()
    local portal = fake.new {}
    local function try(...)
      local given = table.pack(...)
      return function() workflow.cancel(table.unpack(given, 1, given.n)) end
    end
    assert.error_matches(try(portal.client, "", "vm"), "publisher")
    assert.error_matches(try(portal.client, "contoso"), "offer")
    assert.error_matches(try(nil, "contoso", "vm"), "client")
    assert.error_matches(try(portal.client, "contoso", "vm", { operation = 1 }),
      "option 'operation'")
  end)

  describe("with the operation that alone may be canceled", function()
    it("cancels it", function()
      local portal = fake.new { running = "mine" }
      local result = assert(cancel(portal, { operation = "mine" }))
      assert.same({ "canceled", "mine", 1 },
        { result.outcome, result.operation.id, portal.acted })
    end)

    it("cancels it where the list does not show it yet", function()
      local portal = fake.new { lag = 60 }
      portal:add { id = "mine", started = 990 }
      local result = assert(cancel(portal, { operation = "mine" }))
      assert.same({ "canceled", "mine" }, { result.outcome, result.operation.id })
    end)

    it("cancels it where only the list shows it", function()
      local portal = fake.new { running = "mine", location_gone = true }
      assert.equal("canceled", assert(cancel(portal, { operation = "mine" })).outcome)
    end)

    it("leaves a colleague's alone", function()
      local portal = fake.new { running = "theirs" }
      local result, err = cancel(portal, { operation = "mine" })
      assert.is_nil(result)
      assert.same({ "workflow", "other_operation", "theirs", "not_sent" },
        { err.kind, err.code, err.operation.id, err.cancel })
      assert.is_nil(portal.count.cancel)
    end)

    for state, word in pairs { canceled = "canceled", succeeded = "too_late",
      failed = "failed" } do
      for _, hidden in ipairs { false, true } do
        it(("tells its end, %s, and sends nothing (hidden: %s)"):format(state, hidden),
          function()
            local mine = { id = "mine", started = 1, ends_at = 2, ends_as = state,
              hidden = hidden }
            local portal = fake.new { history = { mine } }
            local result = assert(cancel(portal, { operation = "mine" }))
            assert.same({ word, "mine" }, { result.outcome, result.operation.id })
            assert.is_nil(portal.count.cancel)
          end)
      end
    end

    it("tells its end, and what a colleague runs instead", function()
      local portal = fake.new { running = "theirs", history = {
        { id = "mine", started = 1, ends_at = 2, ends_as = "canceled" } } }
      local result = assert(cancel(portal, { operation = "mine" }))
      assert.same({ "canceled", "mine", "theirs" },
        { result.outcome, result.operation.id, result.running.id })
      assert.is_nil(portal.count.cancel)
    end)

    it("goes on after a crash, whose cancel may not have arrived", function()
      local portal = fake.new { running = "mine" }
      portal.client:cancel("contoso", "vm")
      local result = assert(cancel(portal, { operation = "mine" }))
      assert.same({ "canceled", 2 }, { result.outcome, portal.count.cancel })
    end)

    it("repeats the look before until it succeeds", function()
      local broken = repeated(fake.http(503), 5)
      local portal = fake.new { running = "mine",
        faults = { operations = repeated(fake.http(503), 5), poll = broken } }
      assert.equal("canceled", assert(cancel(portal, { operation = "mine" })).outcome)
      assert.same({ 0, 1 }, { #broken, portal.count.cancel })
    end)

    it("takes a poll that broke for no sign of another's", function()
      local portal = fake.new { running = "mine", faults = { poll = { fake.lost() } } }
      local result = assert(cancel(portal, { operation = "mine" }))
      assert.same({ "canceled", "mine", 1 },
        { result.outcome, result.operation.id, portal.acted })
    end)

    it("gives the service's own answer for an id that it does not know", function()
      local portal = fake.new {}
      local result, err = cancel(portal, { operation = "typing error" })
      assert.is_nil(result)
      assert.same({ 404, "not_sent", "typing error" },
        { err.status, err.cancel, err.operation.id })
      assert.matches("/operations/typing%%20error$", err.location)
    end)
  end)

  describe("never sends blindly twice:", function()
    local function case(name, fault, posts, acted)
      it(name, function()
        local portal = fake.new { running = true, faults = { cancel = { fault } } }
        local result = assert(cancel(portal))
        assert.equal("canceled", result.outcome)
        assert.same({ posts, acted }, { portal.count.cancel, portal.acted })
      end)
    end
    case("no answer after acting", { after = fake.lost() }, 1, 1)
    case("no answer before acting", fake.lost(), 2, 1)
    case("429, which was not taken", fake.http(429), 2, 1)
    for _, status in ipairs { 408, 500, 503 } do
      case(status .. " after acting", { after = fake.http(status) }, 1, 1)
      case(status .. " before acting", fake.http(status), 2, 1)
    end
    case("a connection that was refused", fake.unsent(), 2, 1)
    case("a token endpoint that fails", { kind = "credential", code = "http_503",
      status = 503, retryable = true, sent = false }, 2, 1)
    case("a token that was rejected", fake.http(401), 2, 1)
    case("a 200 that cannot be read, after acting", { after = { kind = "protocol",
      code = "invalid_json", status = 200, sent = true } }, 1, 1)
    case("a 202 that was cut, after acting", { after = { kind = "transport", status = 202,
      code = "incomplete_answer", sent = true, retryable = true } }, 1, 1)

    it("waits as long as the refusal asks before it looks", function()
      local portal = fake.new { running = true,
        faults = { cancel = { fake.http(429, { retry_after = 40 }) } } }
      assert(cancel(portal))
      assert.is_true(portal.slept[1] >= 40 and portal.slept[1] <= 44.1)
    end)

    it("follows the location of a 202 that was cut", function()
      local portal = fake.new { running = true, list = "empty" }
      local location = portal.client:cancel("contoso", "vm").location
      portal.faults.cancel = { { kind = "transport", code = "incomplete_answer",
        status = 202, sent = true, location = location } }
      local result = assert(cancel(portal))
      assert.same({ "canceled", location }, { result.outcome, result.location })
    end)

    it("only where the document says that it can be canceled", function()
      local portal = fake.new { running = true, can_cancel = false,
        faults = { cancel = { fake.http(503) } } }
      local _, err = cancel(portal, { deadline = 600 })
      assert.same({ "deadline", "unknown", 1, "run-1" },
        { err.code, err.cancel, portal.count.cancel, err.operation.id })
      assert.equal(503, err.cause.status)
    end)

    it("not what has ended meanwhile", function()
      local portal = fake.new { running = true, faults = { cancel = { fake.http(503) } } }
      portal:plan_end(1000.1, "succeeded")
      local result = assert(cancel(portal))
      assert.same({ "too_late", 1 }, { result.outcome, portal.count.cancel })
    end)

    it("not a colleague's, when what ran has ended before it could leave", function()
      local portal = fake.new { running = true, faults = { cancel = { fake.unsent() } } }
      portal:plan_end(1000.1, "failed")
      portal:add { id = "theirs", started = 1000.2 }
      local result = assert(cancel(portal, { operation = "run-1" }))
      assert.same({ "failed", "theirs", 1 },
        { result.outcome, result.running.id, portal.count.cancel })
    end)

    it("and each only when by now a look would show the one before", function()
      local portal = fake.new { running = true,
        faults = { cancel = repeated(fake.http(503), 1000) } }
      local _, err = cancel(portal)
      local before
      for _, entry in ipairs(portal.log) do
        if entry.method == "cancel" then
          assert.is_true(not before or entry.time >= before + 120)
          before = entry.time
        end
      end
      assert.same({ "deadline", "unknown" }, { err.code, err.cancel })
      assert.is_true(portal.count.cancel > 20)
    end)

    it("sends what never left until it leaves", function()
      local portal = fake.new { running = true,
        faults = { cancel = repeated(fake.unsent(), 30) } }
      assert.equal("canceled", assert(cancel(portal)).outcome)
      assert.equal(31, portal.count.cancel)
    end)

    it("not what the list did not show before the answer was lost", function()
      local portal = fake.new { lag = 30, faults = { cancel = { fake.lost() } } }
      portal:add { id = "run-1", started = 990 }
      local _, err = cancel(portal)
      assert.same({ "unverified", "unknown", 1 },
        { err.code, err.cancel, portal.count.cancel })
    end)
  end)

  describe("ends at once, nothing taken, at", function()
    for status, fate in pairs { [302] = "unknown", [400] = "refused", [403] = "refused",
      [404] = "refused", [409] = "refused", [412] = "refused" } do
      it(tostring(status), function()
        local portal = fake.new { running = true,
          faults = { cancel = { fake.http(status) } } }
        local result, err = cancel(portal)
        assert.is_nil(result)
        assert.same({ status, fate, "contoso", "vm", "run-1" },
          { err.status, err.cancel, err.publisher, err.offer, err.operation.id })
        assert.matches("/operations/run%-1%?", err.location)
        assert.equal(1, portal.count.cancel)
      end)
    end

    it("a second 401", function()
      local portal = fake.new { running = true,
        faults = { cancel = { fake.http(401), fake.http(401) } } }
      local _, err = cancel(portal)
      assert.same({ 401, "refused", 2 }, { err.status, err.cancel, portal.count.cancel })
    end)

    for name, err in pairs {
      ["a wrong secret"] = { kind = "credential", code = "invalid_client", sent = false },
      ["a certificate that is not trusted"] = { kind = "transport", sent = false,
        code = "tls_verification", retryable = false },
      ["an insecure endpoint"] = { kind = "origin", code = "insecure", sent = false },
    } do
      it(name, function()
        local portal = fake.new { running = true, faults = { cancel = { err } } }
        local _, got = cancel(portal)
        assert.same({ err.kind, err.code, "not_sent" },
          { got.kind, got.code, got.cancel })
      end)
    end
  end)

  it("does not know what became of it when the client closed", function()
    local closed = { kind = "closed", code = "closed", sent = true }
    local portal = fake.new { running = true, faults = { cancel = { closed } } }
    local _, err = cancel(portal)
    assert.same({ "closed", "unknown", "run-1" },
      { err.kind, err.cancel, err.operation.id })
  end)

  it("ends, accepted, when the client closes while it follows", function()
    local portal = fake.new { running = true }
    portal.on_sleep = function()
      return nil, { kind = "closed", code = "closed" }
    end
    local _, err = cancel(portal)
    assert.same({ "closed", "accepted" }, { err.kind, err.cancel })
    assert.matches("/operations/run%-1%?", err.location)
  end)

  it("is right whatever is lost, half of all exchanges", function()
    math.randomseed(7)
    local results = 0
    for _ = 1, 300 do
      local portal = fake.new { running = true }
      for _, method in ipairs { "cancel", "poll", "operations" } do
        portal.faults[method] = {}
        for i = 1, 100 do
          local broken = { fake.lost(), fake.unsent(), fake.http(503), fake.http(429),
            { after = fake.lost() }, { after = fake.http(500) } }
          portal.faults[method][i] = math.random() < 0.5 and broken[math.random(#broken)]
            or false
        end
      end
      local result, err = cancel(portal, { deadline = 1e5 })
      if result then
        results = results + 1
        assert.same({ "canceled", "run-1" }, { result.outcome, result.operation.id })
      else
        assert.equal("unverified", err.code)
      end
      assert.equal(result and 1 or math.min(portal.acted, 1), portal.acted)
    end
    assert.is_true(results > 200, results)
  end)
end)
