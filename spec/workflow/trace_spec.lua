-- What a workflow adds to the trace events of its exchanges.
local cpp = require "cpp"
local emulator = require "cpp.emulator"
local fake = require "spec.support.fake"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

describe("a trace event", function()
  local portal, events

  setup(function()
    portal = assert(emulator.start {
      speed = 1000, offers = { ["contoso/vm"] = { running = "publish" } },
    })
  end)
  teardown(function() portal:close() end)

  before_each(function()
    portal:set("*", { faults = {} })
    portal:set("contoso/vm", { running = "publish" })
    events = {}
  end)

  local function record(event)
    table.insert(events, event)
  end

  local function new_client(trace)
    return cpp.client { endpoint = portal.endpoint, token = portal.token, trace = trace }
  end

  local function kind_of(event)
    return event.method == "POST" and "cancel"
      or event.url:find "/submissions/" and "operations" or "poll"
  end

  local function assert_counted(list)
    local counts = {}
    for _, event in ipairs(list) do
      local kind = kind_of(event)
      counts[kind] = (counts[kind] or 0) + 1
      assert.equal(counts[kind], event.attempt)
      if event.reason ~= "deadline" then -- which may have passed already
        assert.equal(event.reason == "at_once", event.delay == 0)
      end
    end
    return counts
  end

  it("counts the exchanges of each kind, and says what was waited for", function()
    local client <close> = new_client(record)
    local result = assert(workflow.cancel(client, "contoso", "vm",
      { interval = 0.02, max_interval = 0.02 }))
    local counts = assert_counted(events)
    assert.equal(1, counts.cancel)
    assert.is_true(counts.poll > 1 and counts.operations > 1)
    local last = #events - #result.polls
    for i, poll in ipairs(result.polls) do
      local event = events[last + i]
      assert.same(poll, { status = event.status, delay = event.delay, reason = event.reason })
    end
  end)

  it("does so for a function of the workflow's own, in a task too", function()
    portal:set("*", { faults = { { on = "poll", status = 503, retry_after = "0", times = 1 } } })
    local client <close> = new_client(error)
    local list = assert(client:operations("contoso", "vm", { trace = function() end }))
    local options = { trace = record, deadline = 0.2, interval = 0.05 }
    local _, err = task.run(client, workflow.wait, client, list[1], options)
    assert.equal("deadline", err.code)
    assert_counted(events)
    assert.same({ 503, "at_once" }, { events[1].status, events[1].reason })
    assert.same({ 200, "backoff" }, { events[2].status, events[2].reason })
    assert.is_true(events[2].delay >= 0.04 and events[2].delay <= 0.06)
    assert.equal("deadline", events[#events].reason)
  end)

  it("tells the second exchange after a 401 as one that did not wait", function()
    portal:set("*", { faults = { { on = "poll", status = 401, skip = 1, times = 1 } } })
    local client <close> = new_client(record)
    workflow.wait(client, client:operations("contoso", "vm")[1],
      { deadline = 0.1, interval = 0.05 })
    assert.is_nil(events[1].attempt)
    assert.same({ 200, 1, "at_once" },
      { events[2].status, events[2].attempt, events[2].reason })
    assert.same({ 401, 2 }, { events[3].status, events[3].attempt })
    assert.not_equal("at_once", events[3].reason)
    assert.same({ 200, 3, "at_once" },
      { events[4].status, events[4].attempt, events[4].reason })
  end)

  it("leaves it to the call to refuse what is no function", function()
    local client <close> = new_client()
    assert.error_matches(function()
      workflow.wait(client, "/api/operations/1", { trace = "print" })
    end, "option 'trace'")
  end)

  it("costs nothing where nobody is told: the polls share their options", function()
    local service, given = fake.new { running = true }, {}
    service:plan_end(1050, "succeeded")
    local poll = service.client.poll
    function service.client.poll(client, what, options)
      given[options] = true
      return poll(client, what, options)
    end
    local list = service.client:operations("contoso", "vm")
    assert(workflow.wait(service.client, list[1], { timeout = 70 }))
    assert.is_nil(next(given, next(given)))
    assert.is_true(service.count.poll > 1)
  end)
end)
