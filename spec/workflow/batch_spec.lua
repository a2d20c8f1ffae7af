local fake = require "spec.support.fake"
local farm = require "spec.support.farm"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

describe("workflow.cancel_all", function()
  before_each(function() math.randomseed(1) end) -- jitter

  local function targets(n)
    local list = {}
    for i = 1, n do
      list[i] = { "contoso", "vm-" .. i }
    end
    return list
  end

  it("gives one result per target, in order", function()
    local service = farm(5, { running = true })
    service.portals["vm-2"].too_late = true
    service.portals["vm-4"].faults.cancel = { fake.http(403) }
    local results = workflow.cancel_all(service.client, targets(5))
    local words = {}
    for i, result in ipairs(results) do
      words[i] = result.outcome or result.err.code
      assert.equal("vm-" .. i, result.offer)
    end
    assert.same({ "canceled", "too_late", "canceled", "http_403", "canceled" }, words)
    assert.is_nil(results[4].outcome)
    assert.equal("refused", results[4].err.cancel)
  end)

  it("takes no targets for what they are", function()
    assert.same({}, workflow.cancel_all(farm(0, {}).client, {}))
  end)

  it("sends every cancel before the first ends", function()
    local service = farm(40, { running = true, latency = 1, cancel_seconds = 60 })
    local results = workflow.cancel_all(service.client, targets(40), { concurrency = 4 })
    local last_cancel, first_wait, sent = 0, math.huge, {}
    for i, entry in ipairs(service.log) do
      if entry.method == "cancel" then
        last_cancel, sent[entry.offer] = i, true
      elseif sent[entry.offer] then
        first_wait = math.min(first_wait, i)
      end
    end
    assert.equal(40, #results)
    assert.is_true(last_cancel < first_wait)
    assert.is_true(service.log[last_cancel].time < 1060)
  end)

  it("bounds the exchanges in flight, and waits hold none", function()
    local service = farm(40, { running = true, latency = 1, cancel_seconds = 60 })
    workflow.cancel_all(service.client, targets(40), { concurrency = 4 })
    assert.equal(4, service.most_in_flight)
  end)

  it("slows all down after one 429", function()
    local service = farm(20, { running = true, latency = 1 })
    service.portals["vm-1"].faults.operations = { fake.http(429, { retry_after = 100 }) }
    workflow.cancel_all(service.client, targets(20), { concurrency = 2 })
    local late
    for _, entry in ipairs(service.log) do
      late = late or (entry.time > 1001 and entry.time)
    end
    assert.is_true(late >= 1101 and late <= 1101.1, late)
  end)

  -- vm-1 has waited long enough half a millisecond after the 429 is over, half a
  -- millisecond before vm-3 asks again whether it may begin.
  it("begins with every offer before it waits for one, after a 429 too", function()
    local service, first = farm(3, { latency = 1 }), {}
    service.portals["vm-2"].faults.operations = { fake.http(429, { retry_after = 119.0005 }) }
    workflow.cancel_all(service.client, targets(3),
      { concurrency = 1, interval = 1000, list_lag = 120 })
    for i = 1, 6 do
      first[i] = service.log[i].offer .. " " .. service.log[i].method
    end
    assert.same({ "vm-1 operations", "vm-1 cancel", "vm-2 operations", "vm-3 operations",
      "vm-3 cancel", "vm-1 poll" }, first)
    assert.is_true(math.abs(service.log[4].time - 1122) < 0.01)
  end)

  it("does not log in again with a refused credential", function()
    local logins = 0
    local service = farm(0, {})
    local function refuse()
      logins = logins + 1
      task.sleep(1)
      return nil, { kind = "credential", code = "invalid_client", sent = false }
    end
    service.client.cancel, service.client.poll = refuse, refuse
    service.client.operations = refuse
    local results = workflow.cancel_all(service.client, targets(2000),
      { concurrency = 1 })
    assert.equal(2000, #results)
    assert.equal("invalid_client", results[2000].err.code)
    assert.equal("vm-2000", results[2000].err.offer)
    assert.equal(1, logins)
  end)

  it("tells a target's own table", function()
    local service = farm(2, { running = true })
    local list, told = targets(2), {}
    workflow.cancel_all(service.client, list, { on_change = function(_, target)
      told[target] = true
    end })
    assert.is_true(told[list[1]] and told[list[2]])
  end)

  describe("on_result", function()
    -- One that takes long, one that is refused, one that was too late.
    local function three()
      local service = farm(3, { running = true })
      service.portals["vm-1"].cancel_seconds = 1000
      service.portals["vm-2"].faults.cancel = { fake.http(403) }
      service.portals["vm-3"].too_late = true
      return service
    end

    it("is called with each result as soon as that offer has ended", function()
      local service, told = three(), {}
      workflow.cancel_all(service.client, targets(3), { on_result = function(result)
        local is_early = service.time < 2000
        table.insert(told, { result.offer, result.outcome or result.err.code, is_early })
      end })
      assert.same({ { "vm-2", "http_403", true }, { "vm-3", "too_late", true },
        { "vm-1", "canceled", false } }, told)
    end)

    it("is given the returned tables, each once, with the targets' own", function()
      local service, list, told = three(), targets(3), {}
      local results = workflow.cancel_all(service.client, list,
        { on_result = function(result, target)
          assert.is_nil(told[target])
          told[target] = result
        end })
      for i, target in ipairs(list) do
        assert.equal(results[i], told[target])
      end
    end)

    it("may wait, holds no exchange then, and is waited for", function()
      local service, told = three(), {}
      workflow.cancel_all(service.client, targets(3),
        { concurrency = 1, on_result = function(result)
          if result.err then
            task.sleep(5000)
          end
          table.insert(told, result.offer)
        end })
      assert.same({ "vm-3", "vm-1", "vm-2" }, told)
    end)
  end)

  it("takes a target's own options", function()
    local service = farm(1, { running = true })
    workflow.cancel_all(service.client, { { publisher = "contoso", offer = "vm-1",
      operation = "run-1", if_match = "*" } }, { timeout = 8 })
    local options = service.portals["vm-1"].cancel_options
    assert.same({ if_match = "*", timeout = 8, start_by = 1005.0 }, options)
  end)

  it("uses the run that it is called in", function()
    local service = farm(3, { running = true })
    local ticks = 0
    local results = task.run(service.client, function()
      local over
      task.spawn(function()
        repeat
          ticks = ticks + 1
          task.sleep(10)
        until over
      end)
      local all = workflow.cancel_all(service.client, targets(3))
      over = true
      return all
    end)
    assert.equal("canceled", results[3].outcome)
    assert.is_true(ticks > 5)
  end)

  it("sends nothing more once a callback has closed the coroutine that called", function()
    local service = farm(2, { running = true })
    task.run(service.client, function()
      local caller
      task.spawn(function()
        caller = coroutine.running()
        workflow.cancel_all(service.client, targets(2), { on_change = function()
          coroutine.close(caller)
        end })
      end)
      task.sleep(100)
      assert.equal("dead", coroutine.status(caller))
    end)
    for i = 1, 2 do
      assert.equal(0, service.portals["vm-" .. i].acted)
    end
  end)

  it("ends with the task of one of its cancels, and raises", function()
    local service = farm(2, { running = true, cancel_seconds = 1e6 })
    local good, message = pcall(task.run, service.client, function()
      local other
      workflow.cancel_all(service.client, targets(2), { on_change = function(operation)
        if operation.state ~= "accepted" then
          return
        elseif other then
          coroutine.close(other)
        end
        other = coroutine.running()
      end })
    end)
    assert.is_false(good)
    assert.matches("the task was closed", message)
    assert.is_true(service.time < 1100)
  end)

  it("counts the deadline from its own beginning", function()
    local service = farm(10, { running = true, latency = 1, cancel_seconds = 1e6 })
    local results = workflow.cancel_all(service.client, targets(10),
      { deadline = 200, concurrency = 1 })
    for _, result in ipairs(results) do
      assert.equal("deadline", result.err.code)
    end
    assert.is_true(service.time < 1225)
  end)

  it("refuses impossible targets and options", function()
    local client = farm(0, {}).client
    local function try(list, opts)
      return function() workflow.cancel_all(client, list, opts) end
    end
    assert.error_matches(try "all", "targets")
    assert.error_matches(try { "vm" }, "target")
    assert.error_matches(try { { "contoso" } }, "offer")
    assert.error_matches(try({}, { concurrency = 0 }), "concurrency")
    assert.error_matches(try({}, { on_result = "print" }), "on_result")
    assert.error_matches(try { { "contoso", "vm", operation = 1 } }, "operation")
  end)

  for _, name in ipairs { "on_change", "on_result" } do
    it("raises what " .. name .. " raises", function()
      local service = farm(2, { running = true })
      assert.error_matches(function()
        workflow.cancel_all(service.client, targets(2), { [name] = function()
          error "no paper"
        end })
      end, "no paper")
    end)

    it("raises what " .. name .. " raises unchanged, where it is no string", function()
      local service, reason = farm(2, { running = true }), nil
      local function callback()
        error(reason)
      end
      for _, value in ipairs { 5, false, { "no paper" } } do
        reason = value
        assert.same({ false, value }, { pcall(workflow.cancel_all, service.client,
          targets(2), { [name] = callback }) })
      end
    end)
  end
end)
