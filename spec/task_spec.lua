local child = require "spec.support.child"
local cpp = require "cpp"
local emulator = require "cpp.emulator"
local fake = require "spec.support.fake"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

-- A to-be-closed value that notes its end.
local function noting(list, name)
  return setmetatable({}, { __close = function() table.insert(list, name) end })
end

local function client()
  return fake.new().client
end

describe("task.run", function()
  it("passes arguments and returns results, with holes", function()
    local results = table.pack(task.run(client(), function(...)
      return select("#", ...), nil, ..., nil
    end, nil, "b"))
    assert.same({ 2, nil, nil, nil, n = 4 }, results)
  end)

  it("takes no time where nothing waits", function()
    local portal = fake.new()
    task.run(portal.client, function() end)
    assert.equal(1000.0, portal.time)
    assert.same({}, portal.slept)
  end)

  it("ends when the last task has, not the first function", function()
    local portal, over = fake.new(), false
    local result = task.run(portal.client, function()
      task.spawn(function()
        task.sleep(100)
        over = true
      end)
      return "first"
    end)
    assert.same({ "first", true, 1100.0 }, { result, over, portal.time })
  end)

  it("lets sleeping tasks interleave by their times", function()
    local portal, log = fake.new(), {}
    task.run(portal.client, function()
      for _, seconds in ipairs { 30, 10, 50, 20, 40 } do
        task.spawn(function(n)
          task.sleep(n)
          table.insert(log, portal.time - 1000)
        end, seconds)
      end
    end)
    assert.same({ 10.0, 20.0, 30.0, 40.0, 50.0 }, log)
    assert.same({ 10.0, 10.0, 10.0, 10.0, 10.0 }, portal.slept)
  end)

  it("wakes sleepers of the same time in the order in which they fell asleep", function()
    local log = {}
    task.run(client(), function()
      for i = 1, 100 do
        task.spawn(function()
          task.sleep(i % 2 == 0 and 10 or 20)
          table.insert(log, i)
        end)
      end
    end)
    local expected = {}
    for first = 2, 1, -1 do
      for i = first, 100, 2 do
        table.insert(expected, i)
      end
    end
    assert.same(expected, log)
  end)

  it("keeps ten thousand timers in order", function()
    math.randomseed(1)
    local portal, last, count = fake.new(), 0, 0
    task.run(portal.client, function()
      for _ = 1, 10000 do
        task.spawn(function()
          task.sleep(math.random(1000))
          assert(portal.time >= last)
          last, count = portal.time, count + 1
        end)
      end
    end)
    assert.equal(10000, count)
  end)

  it("gives others a turn at a bare yield", function()
    local log = {}
    task.run(client(), function()
      task.spawn(function() table.insert(log, "other") end)
      coroutine.yield()
      table.insert(log, "first")
    end)
    assert.same({ "other", "first" }, log)
  end)

  for _, seconds in ipairs { -1, 0 / 0, "1", {} } do
    it("refuses to sleep " .. tostring(seconds):match "^[^:]*", function()
      local _, message = task.run(client(), pcall, task.sleep, seconds)
      assert.matches("seconds must be a number from 0", message)
    end)
  end

  it("leaves a task's own coroutines alone", function()
    local sum = task.run(client(), function()
      local total = 0
      for n in coroutine.wrap(function()
        for i = 1, 3 do
          coroutine.yield(i)
        end
      end) do
        task.sleep(1)
        total = total + n
      end
      return total
    end)
    assert.equal(6, sum)
  end)

  it("raises a task's error with its traceback and closes the others", function()
    local closed = {}
    local good, message = pcall(task.run, client(), function()
      for i = 1, 3 do
        task.spawn(function()
          local _ <close> = noting(closed, i)
          task.sleep(100)
        end)
      end
      task.spawn(function()
        local _ <close> = noting(closed, "failing")
        task.sleep(1)
        local function deep_inside() error "broken" end
        deep_inside()
      end)
      task.sleep(50)
    end)
    table.sort(closed, function(a, b) return tostring(a) < tostring(b) end)
    assert.is_false(good)
    assert.matches("broken", message)
    assert.matches("stack traceback:.*deep_inside", message)
    assert.same({ 1, 2, 3, "failing" }, closed)
  end)

  it("shows the traceback of the task that failed, whatever others raised", function()
    local _, message = pcall(task.run, client(), function()
      local function first() error("the same", 0) end
      local function second() error("the same", 0) end
      pcall(first)
      task.map({ 1 }, first)
      task.sleep(1)
      second()
    end)
    assert.matches("stack traceback:.*second", message)
    assert.not_matches("first", message)
  end)

  -- What tasks do as they are closed, a hundred so that a table of them has to grow.
  local function close_hundred(at_close)
    local one, closed, refused = client(), 0, 0
    local function cleanup()
      closed = closed + 1
      local good, message = pcall(at_close, one)
      if not good then
        assert.matches("the run has ended: it starts no task", message)
        refused = refused + 1
      end
    end
    assert.is_false(pcall(task.run, one, function()
      for _ = 1, 100 do
        task.spawn(function()
          local _ <close> = setmetatable({}, { __close = cleanup })
          task.sleep(100)
        end)
      end
      task.sleep(1)
      error "broken"
    end))
    return closed, refused
  end

  it("closes all its tasks, though each would start others as it is closed", function()
    for name, start in pairs {
      spawn = function() task.spawn(print) end,
      map = function() task.map({ 1, 2 }, print) end,
    } do
      assert.same({ name, 100, 100 }, { name, close_hundred(start) })
    end
  end)

  it("lets a task that is closed cancel offers, in a run of their own", function()
    local targets, ended = { { "contoso", "vm" } }, 0
    assert.same({ 100, 0 }, { close_hundred(function(one)
      assert.is_false(task.running())
      local result = workflow.cancel_all(one, targets, { deadline = 1 })[1]
      ended = ended + (result.outcome and 0 or 1)
    end) })
    assert.equal(100, ended)
  end)

  it("raises an error that is no string unchanged", function()
    local reason = { "reason" }
    local _, got = pcall(task.run, client(), function() error(reason) end)
    assert.equal(reason, got)
  end)

  it("warns of a failed __close, and not of the error that it raises", function()
    local output = child.output([[
      local task = require "cpp.task"
      local client = { sleep = print, now = function() return 0 end }
      print(pcall(task.run, client, function() error("raised", 0) end))
      print(pcall(task.run, client, function()
        local _ <close> = setmetatable({}, { __close = function() error("closing", 0) end })
        error("raised", 0)
      end))]])
    local warnings = {}
    for warning in output:gmatch "Lua warning: ([^\n]*)" do
      table.insert(warnings, warning)
    end
    assert.same({ "cpp.task: closing" }, warnings)
  end)

  it("leaves the client free after an error", function()
    local one = client()
    pcall(task.run, one, error, "broken")
    assert.equal(1, task.run(one, function() return 1 end))
  end)

  it("raises where a run is at work on the client", function()
    local one = client()
    assert.error_matches(function()
      task.run(one, function() task.run(one, print) end)
    end, "at work on this client already")
  end)

  it("raises when every task is parked", function()
    assert.error_matches(function() task.run(client(), task.park) end, "parked")
  end)

  it("does without a task that somebody closed", function()
    local threads = {}
    assert.equal(7, task.run(client(), function()
      task.spawn(function()
        threads[1] = coroutine.running()
        task.park()
      end)
      task.sleep(1)
      coroutine.close(threads[1])
      return 7
    end))
  end)

  it("does not wait for a task that somebody closed", function()
    local portal, thread = fake.new(), nil
    task.run(portal.client, function()
      task.spawn(function()
        thread = coroutine.running()
        task.sleep(3600)
      end)
      task.sleep(1)
      coroutine.close(thread)
    end)
    assert.equal(1001.0, portal.time)
  end)

  it("holds no more of tasks that somebody closed than of others", function()
    local threads = setmetatable({}, { __mode = "k" })
    task.run(client(), function()
      for _ = 1, 1000 do
        local thread
        task.spawn(function()
          thread = coroutine.running()
          task.park()
        end)
        task.sleep(1)
        threads[thread] = true
        coroutine.close(thread)
      end
      collectgarbage()
      local held = 0
      for _ in pairs(threads) do
        held = held + 1
      end
      assert.is_true(held < 100)
    end)
  end)

  it("closes what a task that failed held, though many others start before the end", function()
    local closed, one = {}, client()
    pcall(task.run, one, function()
      task.spawn(function()
        local _ <close> = noting(closed, "failed")
        error "broken"
      end)
      string.gsub("x", "x", function()
        pcall(task.park)
        for _ = 1, 200 do
          task.spawn(print)
        end
      end)
    end)
    assert.same({ "failed" }, closed)
  end)

  it("returns results though the first function is woken once too often", function()
    assert.equal(5, task.run(client(), function()
      local thread = coroutine.running()
      task.spawn(function()
        task.wake(thread)
        task.wake(thread)
      end)
      task.park()
      return 5
    end))
  end)

  it("closes all its tasks when its own coroutine is closed", function()
    local closed, one = {}, client()
    one.sleep = coroutine.yield -- as inside a foreign loop
    local thread = coroutine.create(function()
      task.run(one, function()
        local _ <close> = noting(closed, "task")
        task.sleep(1)
      end)
    end)
    coroutine.resume(thread)
    assert.is_true(coroutine.close(thread))
    assert.same({ "task" }, closed)
    assert.equal(1, task.run(one, function() return 1 end))
  end)
end)

describe("task.park and task.wake", function()
  it("hand over", function()
    local log = {}
    task.run(client(), function()
      local caller = coroutine.running()
      task.spawn(function()
        task.sleep(5)
        table.insert(log, "work")
        task.wake(caller)
      end)
      task.park()
      table.insert(log, "woken")
    end)
    assert.same({ "work", "woken" }, log)
  end)
end)

-- Each calls fn from where a coroutine cannot yield.
local UNYIELDING = {
  gsub = function(fn) string.gsub("x", "x", function() fn() end) end,
  sort = function(fn)
    local done
    table.sort({ 1, 2 }, function(a, b)
      done = done or fn() or true
      return a < b
    end)
  end,
  load = function(fn) load(function() fn() end) end,
  __tostring = function(fn)
    tostring(setmetatable({}, { __tostring = function()
      fn()
      return ""
    end }))
  end,
}

describe("where a task cannot yield", function()
  for name, call in pairs(UNYIELDING) do
    it("sleeps, maps and parks, in " .. name, function()
      local portal, results, others = fake.new(), nil, 0
      task.run(portal.client, function()
        task.spawn(function()
          for _ = 1, 5 do
            task.sleep(1)
            others = others + 1
          end
        end)
        call(function()
          task.sleep(10)
          results = task.map({ 3, 1 }, function(n)
            task.sleep(n)
            return n
          end)
        end)
      end)
      assert.same({ { 3, 1 }, 5 }, { results, others })
    end)
  end

  it("ends the run by another task's error, whatever catches that on its way", function()
    local caught, after
    local _, message = pcall(task.run, client(), function()
      task.spawn(function()
        task.sleep(1)
        error "broken"
      end)
      UNYIELDING.gsub(function() caught = not pcall(task.park) end)
      task.sleep(1)
      after = true
    end)
    assert.matches("broken", message)
    assert.same({ true, nil }, { caught, after })
  end)
end)

describe("outside of a run", function()
  for _, name in ipairs { "spawn", "sleep", "map", "park" } do
    it("task." .. name .. " raises", function()
      assert.error_matches(function() task[name]({}, print) end, "in a task of task.run")
    end)
  end

  it("task.wake raises for what is no task", function()
    for _, value in ipairs { false, coroutine.create(print), "x" } do
      local good, message = pcall(function()
        task.wake(value)
      end)
      assert.is_false(good)
      assert.matches("^[^\n]*task_spec%.lua:%d+: task%.wake: a task expected$", message)
    end
  end)

  it("task.running is false", function()
    local one = client()
    assert.is_false(task.running())
    task.run(one, function()
      assert.is_true(task.running())
      assert.is_true(task.running(one))
      assert.is_false(task.running(client()))
      assert.is_false(coroutine.wrap(task.running)())
    end)
  end)
end)

describe("task.map", function()
  local function map(list, fn, concurrency)
    local portal = fake.new()
    local results, errors = task.run(portal.client, function()
      return task.map(list, fn, concurrency)
    end)
    return results, errors, portal.time - 1000
  end

  it("gives results in the order of the list", function()
    local results, errors = map({ 3, 1, 2 }, function(n, i)
      task.sleep(n)
      return n * 10 + i
    end)
    assert.same({ 31, 12, 23 }, results)
    assert.is_nil(errors)
  end)

  it("keeps to its concurrency", function()
    local list, running, most = {}, 0, 0
    for i = 1, 20 do
      list[i] = i
    end
    local _, _, time = map(list, function()
      running = running + 1
      most = math.max(most, running)
      task.sleep(10)
      running = running - 1
    end, 4)
    assert.same({ 4, 50.0 }, { most, time })
  end)

  it("runs sixteen at a time unless told otherwise", function()
    local list = {}
    for i = 1, 17 do
      list[i] = i
    end
    local _, _, time = map(list, function() task.sleep(10) end)
    assert.equal(20.0, time)
  end)

  it("collects what was raised, with its traceback, and goes on", function()
    local results, errors = map({ 1, 2, 3 }, function(n)
      task.sleep(1)
      return n ~= 2 and n or error "not two"
    end, 1)
    assert.same({ 1, nil, 3 }, results)
    assert.matches("not two.*stack traceback", errors[2])
  end)

  it("returns though somebody closed one of its workers", function()
    local threads = {}
    local results, errors = task.run(client(), function()
      task.spawn(function()
        task.sleep(5)
        coroutine.close(threads[2])
      end)
      return task.map({ 1, 2, 3, 4 }, function(n)
        threads[n] = coroutine.running()
        task.sleep(10)
        return n
      end, 2)
    end)
    assert.same({ 1, nil, 3, 4 }, results)
    assert.same({ [2] = "the task was closed" }, errors)
  end)

  it("collects what was returned after nil", function()
    local reason = { kind = "http" }
    local results, errors = map({ 1, 2 }, function(n)
      if n == 1 then
        return nil, reason
      end
      return false
    end)
    assert.same({ nil, false }, results)
    assert.equal(reason, errors[1])
    assert.is_nil(errors[2])
  end)

  it("takes an empty list for what it is", function()
    assert.same({}, (map({}, print)))
  end)

  it("refuses an impossible concurrency", function()
    for _, concurrency in ipairs { 0, -1, 1.5, "2" } do
      local _, message = pcall(map, { 1 }, print, concurrency)
      assert.matches("concurrency must be", message)
    end
  end)
end)

describe("on the real client", function()
  local portal

  setup(function()
    portal = assert(emulator.start {
      offers = { ["contoso/vm"] = { running = "publish" } },
    })
  end)
  teardown(function() portal:close() end)

  local function new_client(options)
    local settings = { endpoint = portal.endpoint, token = portal.token }
    for name, value in pairs(options or {}) do
      settings[name] = value
    end
    return cpp.client(settings)
  end

  it("sleeps side by side", function()
    local one <close> = new_client()
    local began = one:now()
    task.run(one, function()
      for _ = 1, 100 do
        task.spawn(task.sleep, 0.05)
        task.spawn(one.sleep, one, 0.05)
      end
    end)
    local seconds = one:now() - began
    assert.is_true(seconds >= 0.05 and seconds < 5)
  end)

  it("sleeps without a call of the client", function()
    local one <close> = new_client()
    task.run(one, function()
      task.spawn(task.sleep, 0.05)
      coroutine.yield()
      assert.is_nil(one:timeout())
      local methods = getmetatable(one).__index
      local sleep = methods.sleep
      local _ <close> = setmetatable({}, { __close = function() methods.sleep = sleep end })
      methods.sleep = error
      task.sleep(0.05)
    end)
  end)

  it("ends sleeps when the client closes, in a foreign loop too", function()
    local cqueues = require "cqueues"
    local other <close> = new_client()
    local listed = other:operations("contoso", "vm")[1]
    for _, from_outside in ipairs { true, false } do
      local loop, one = cqueues.new(), new_client { wait = cqueues.poll }
      local began, ended = one:now(), 0
      loop:wrap(function()
        task.run(one, function()
          for _ = 1, 3 do
            task.spawn(function()
              assert.equal("closed", select(2, task.sleep(60)).kind)
              ended = ended + 1
            end)
          end
          task.spawn(function()
            local _, err = workflow.wait(one, listed, { interval = 60 })
            assert.equal("closed", err.kind)
            ended = ended + 1
          end)
          task.sleep(0.05)
          if not from_outside then
            one:close()
          end
        end)
      end)
      loop:wrap(function()
        cqueues.sleep(0.2)
        one:close()
      end)
      assert(loop:loop())
      assert.equal(4, ended)
      assert.is_true(one:now() - began < 10)
    end
  end)

  it("ends a wait's exchange when its task is closed", function()
    portal:set("*", { faults = { { on = "poll", delay = 5, times = -1 } } })
    local one <close> = new_client()
    local began = one:now()
    task.run(one, function()
      local thread
      task.spawn(function()
        thread = coroutine.running()
        workflow.wait(one, "/api/operations/1")
      end)
      task.sleep(0.1)
      assert.is_true(coroutine.close(thread))
    end)
    portal:set("*", { faults = {} })
    assert.is_true(one:now() - began < 4)
    assert.equal(1, #one:operations("contoso", "vm"))
  end)

  it("spends one resume on each completion", function()
    local one <close> = new_client { max_connections = 8 }
    local resume, resumes = coroutine.resume, 0
    local list = {}
    for i = 1, 200 do
      list[i] = i
    end
    local results = task.run(one, function()
      coroutine.resume = function(...) -- luacheck: ignore
        resumes = resumes + 1
        return resume(...)
      end
      local _ <close> = setmetatable({}, { __close = function()
        coroutine.resume = resume -- luacheck: ignore
      end })
      return (task.map(list, function()
        return one:operations("contoso", "vm")
      end, 200))
    end)
    assert.equal(200, #results)
    -- One to start each, one for its answer, one for the caller of map.
    assert.equal(401, resumes)
  end)

  it("gives the wait function back, whatever happens", function()
    local function foreign() end
    local one <close> = new_client { wait = foreign }
    task.run(one, function() assert.not_equal(foreign, one:wait()) end)
    assert.equal(foreign, one:wait())
    pcall(task.run, one, error)
    assert.equal(foreign, one:wait())
  end)

  it("leaves the client free where Ctrl-C strikes before the first task", function()
    local function foreign() end
    local one <close> = new_client { wait = foreign }
    local has_begun, strikes = false, 0
    repeat
      local count = strikes + 1
      pcall(function()
        debug.sethook(function()
          debug.sethook()
          strikes = count
          error "interrupted!"
        end, "", count)
        task.run(one, function() has_begun = true end)
      end)
      debug.sethook()
      assert.equal(foreign, one:wait())
    until has_begun or strikes < count
    assert.equal(1, task.run(one, function() return 1 end))
    assert.is_true(strikes > 10)
  end)

  it("idles through a foreign wait function", function()
    local calls, one = 0, nil
    one = new_client { wait = function(which, seconds, request)
      calls = calls + 1
      assert(which == one and request == nil)
      one:step(seconds or 1)
    end }
    local list = task.run(one, function()
      task.sleep(0.01)
      return one:operations("contoso", "vm")
    end)
    one:close()
    assert.equal(1, #list)
    assert.is_true(calls >= 2)
  end)

  it("hands other coroutines to the wait function before it", function()
    local one <close> = new_client()
    local list, error_ = task.run(one, function()
      return coroutine.wrap(function()
        return one:operations("contoso", "vm")
      end)()
    end)
    assert.is_nil(error_)
    assert.equal(1, #list)
  end)

  it("ends what is in flight when a task fails", function()
    portal:set("*", { faults = { { on = "poll", delay = 5, times = -1 } } })
    local one <close> = new_client()
    local began, ended = one:now(), {}
    assert.error_matches(function()
      task.run(one, function()
        task.spawn(function()
          local _ <close> = noting(ended, "poll")
          one:poll "/api/operations/1"
        end)
        task.sleep(0.05)
        error "enough"
      end)
    end, "enough")
    portal:set("*", { faults = {} })
    assert.same({ "poll" }, ended)
    assert.is_true(one:now() - began < 4)
    assert.equal(1, #one:operations("contoso", "vm"))
  end)

  it("ends everything in progress when the client closes", function()
    local one = new_client()
    local kinds = {}
    local began = one:now()
    local function note(name, fn, ...)
      task.spawn(function(...)
        local _, err = fn(...)
        kinds[name] = err.kind
        assert(name ~= "wait" or err.location:find "/operations/")
      end, ...)
    end
    task.run(one, function()
      local listed = one:operations("contoso", "vm")[1]
      note("sleep", one.sleep, one, 60)
      note("task.sleep", task.sleep, 60)
      note("wait", workflow.wait, one, listed, { interval = 60 })
      task.sleep(0.1)
      one:close()
      kinds.late = select(2, task.sleep(1)).kind
    end)
    assert.same({ sleep = "closed", ["task.sleep"] = "closed", wait = "closed",
      late = "closed" }, kinds)
    assert.is_true(one:now() - began < 10)
  end)

  it("lets on_change close the client", function()
    local one = new_client()
    local _, err = workflow.cancel(one, "contoso", "vm", { on_change = function()
      one:close()
    end })
    assert.same({ "closed", "not_sent" }, { err.kind, err.cancel })
    assert.matches("/operations/", err.location)
  end)

  it("blocks where it cannot yield", function()
    local one <close> = new_client()
    local listed, mapped
    task.run(one, function()
      UNYIELDING.gsub(function()
        listed = one:operations("contoso", "vm")
        one:sleep(0.01)
        mapped = task.map({ 1, 2 }, function() return one:operations("contoso", "vm") end)
      end)
    end)
    assert.same({ 1, 2 }, { #listed, #mapped })
  end)

  it("is woken at once by a task of another run", function()
    local cqueues = require "cqueues"
    local loop, parked = cqueues.new(), nil
    local began = cqueues.monotime()
    local function run(fn)
      loop:wrap(function()
        local one <close> = new_client { wait = cqueues.poll }
        task.run(one, fn)
        cqueues.cancel(one:pollfd())
      end)
    end
    run(function()
      parked = coroutine.running()
      local thread = parked
      task.spawn(function()
        task.sleep(30)
      end)
      task.park()
      assert.equal(thread, parked)
      error "woken"
    end)
    run(function()
      task.sleep(0.05)
      task.wake(parked)
    end)
    assert.error_matches(function() assert(loop:loop()) end, "woken")
    assert.is_true(cqueues.monotime() - began < 10)
  end)

  it("lets two runs on two clients go side by side in one loop", function()
    local cqueues = require "cqueues"
    local loop, log = cqueues.new(), {}
    for i = 1, 2 do
      loop:wrap(function()
        local one <close> = new_client { wait = cqueues.poll }
        task.run(one, function()
          for _ = 1, 3 do
            task.sleep(0.02 * i)
            assert(one:operations("contoso", "vm"))
            log[#log + 1] = i
          end
        end)
        cqueues.cancel(one:pollfd()) -- before the descriptor closes
      end)
    end
    assert(loop:loop())
    table.sort(log)
    assert.same({ 1, 1, 1, 2, 2, 2 }, log)
  end)
end)
