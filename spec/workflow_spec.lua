local fake = require "spec.support.fake"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

-- A client whose poll gives these answers in turn, the last for ever.
local function scripted(answers)
  local self = { time = 0, slept = {}, polled = {} }
  self.client = {
    now = function() return self.time end,
    sleep = function(_, seconds)
      table.insert(self.slept, seconds)
      self.time = self.time + seconds
    end,
    poll = function(_, where, opts)
      table.insert(self.polled, { where = where, opts = opts, time = self.time })
      local answer = answers[math.min(#self.polled, #answers)]
      if answer.kind then
        return nil, answer
      end
      local copy = {}
      for name, value in pairs(answer) do
        copy[name] = value
      end
      return copy
    end,
  }
  return self
end

local LOCATION = "https://cloudpartner.azure.com/api/operations/contoso$vm$2$preview"
local RUNNING = { state = "running", done = false, location = LOCATION }
local DONE = { state = "succeeded", done = true, location = LOCATION }

describe("workflow.wait", function()
  before_each(function() math.randomseed(1) end) -- jitter

  it("polls until the operation has ended", function()
    local service = scripted { RUNNING, RUNNING, DONE }
    local operation = assert(workflow.wait(service.client, LOCATION))
    assert.equal("succeeded", operation.state)
    assert.equal(3, #service.polled)
    assert.equal(LOCATION, service.polled[1].where)
  end)

  it("goes on with the operation that the last poll gave", function()
    local service = scripted { RUNNING, DONE }
    assert(workflow.wait(service.client, "/api/operations/1"))
    assert.same({ "string", "table" },
      { type(service.polled[1].where), type(service.polled[2].where) })
  end)

  it("asks nothing about an operation that has ended", function()
    local service = scripted { RUNNING }
    assert.equal(DONE, workflow.wait(service.client, DONE))
    assert.equal(0, #service.polled)
  end)

  it("follows the location where a poll moves it", function()
    local moved = { state = "running", done = false, location = LOCATION .. "2" }
    local service = scripted { RUNNING, moved, DONE }
    assert(workflow.wait(service.client, LOCATION))
    assert.equal(LOCATION .. "2", service.polled[3].where.location)
  end)

  it("keeps the location where a poll brings none", function()
    local service = scripted { { state = "running", done = false } }
    local _, err = workflow.wait(service.client, LOCATION, { deadline = 30 })
    assert.equal(LOCATION, err.location)
    assert.equal(LOCATION, service.polled[2].where.location)
  end)

  it("does as Retry-After says", function()
    local service = scripted { { state = "running", retry_after = 17 }, DONE }
    assert(workflow.wait(service.client, LOCATION))
    assert.is_true(service.slept[1] >= 17 and service.slept[1] <= 18.71)
  end)

  it("never waits less than four fifths of the interval", function()
    local service = scripted { { state = "running", retry_after = 0 }, DONE }
    assert(workflow.wait(service.client, LOCATION, { interval = 20 }))
    assert.is_true(service.slept[1] >= 16 and service.slept[1] <= 24)
  end)

  for name, value in pairs { negative = -1, ["a NaN"] = 0 / 0, ["a text"] = "soon" } do
    it("ignores a Retry-After that is " .. name, function()
      local service = scripted { { state = "running", retry_after = value }, DONE }
      assert(workflow.wait(service.client, LOCATION))
      assert.is_true(service.slept[1] >= 4 and service.slept[1] <= 6)
    end)
  end

  it("never waits past the deadline, where it looks once more", function()
    local service = scripted { { state = "running", retry_after = 1e6 }, DONE }
    local operation = assert(workflow.wait(service.client, LOCATION, { deadline = 90 }))
    assert.is_true(operation.done)
    assert.same({ 90.0 }, service.slept)
  end)

  describe("with its backoff", function()
    local random = math.random
    before_each(function()
      math.random = function() return 0.5 end -- luacheck: ignore
    end)
    after_each(function()
      math.random = random -- luacheck: ignore
    end)

    -- The pauses after each of so many looks, the n-th of which shows a change.
    local function pauses(looks, changes, opts)
      local answers = {}
      for i = 1, looks do
        answers[i] = { state = "running", changed = i == 1 or i == changes }
      end
      answers[looks + 1] = DONE
      local service = scripted(answers)
      assert(workflow.wait(service.client, LOCATION, opts))
      return service.slept
    end

    it("waits a tenth of the time since something changed", function()
      local time = 0
      for _, seconds in ipairs(pauses(40, nil, { interval = 2, max_interval = 4 })) do
        assert.near(math.min(math.max(time / 10, 2), 4), seconds, 1e-9)
        time = time + seconds
      end
      assert.is_true(time > 40)
    end)

    it("begins again at interval when something changed", function()
      local slept = pauses(30, 30, { interval = 1, deadline = 1e4 })
      assert.is_true(slept[29] > 1.5)
      assert.near(1, slept[30], 1e-9)
    end)

    it("spreads it by a fifth either way", function()
      math.random = function() return 0 end -- luacheck: ignore
      assert.near(4, pauses(1)[1], 1e-9)
      math.random = function() return 1 end -- luacheck: ignore
      assert.near(6, pauses(1)[1], 1e-9)
    end)
  end)

  it("tells changes, and only changes", function()
    local same = { state = "running", changed = false }
    local service = scripted {
      { state = "not_started", changed = true }, same, same,
      { state = "running", changed = true }, same, DONE }
    local told = {}
    local function on_change(operation, target)
      table.insert(told, operation.state)
      assert.equal(LOCATION, target)
    end
    assert(workflow.wait(service.client, LOCATION, { on_change = on_change }))
    assert.same({ "not_started", "running", "succeeded" }, told)
  end)

  it("returns when a person must review", function()
    local service = scripted { RUNNING, { state = "waiting_for_publisher_review" } }
    local operation = assert(workflow.wait(service.client, LOCATION))
    assert.equal("waiting_for_publisher_review", operation.state)
  end)

  it("waits through a review when told to", function()
    local service = scripted { { state = "waiting_for_publisher_review" }, DONE }
    local operation = workflow.wait(service.client, LOCATION, { through_review = true })
    assert.equal("succeeded", operation.state)
  end)

  it("goes on over words that nobody knows, and shows them", function()
    local service = scripted { { state = "unknown", status = "levitating" } }
    local _, err = workflow.wait(service.client, LOCATION, { deadline = 100 })
    assert.same({ "workflow", "deadline" }, { err.kind, err.code })
    assert.equal("levitating", err.operation.status)
    assert.equal(100.0, service.time)
  end)

  for name, err in pairs {
    ["no answer"] = fake.lost(), ["no connection"] = fake.unsent(),
    ["408"] = fake.http(408), ["429"] = fake.http(429), ["503"] = fake.http(503),
    ["a token endpoint that fails"] = { kind = "credential", code = "http_503",
      status = 503, retryable = true, sent = false },
    ["a token endpoint out of reach"] = { kind = "credential", code = "timeout",
      retryable = true, sent = false },
  } do
    it("lets pass: " .. name, function()
      local service = scripted { RUNNING, err, err, DONE }
      assert(workflow.wait(service.client, LOCATION))
      assert.equal(4, #service.polled)
    end)
  end

  for name, err in pairs {
    ["400"] = fake.http(400), ["403"] = fake.http(403),
    ["a foreign location"] = { kind = "origin", code = "foreign_origin", sent = false },
    ["a certificate that is not trusted"] = { kind = "transport",
      code = "tls_verification", retryable = false, sent = false },
    ["a wrong secret"] = { kind = "credential", code = "invalid_client", status = 401,
      retryable = false, sent = false },
  } do
    it("ends, with all it knows, at " .. name, function()
      local running = { state = "running", publisher = "contoso", offer = "vm",
        location = LOCATION }
      local service = scripted { running, err }
      local operation, got = workflow.wait(service.client, LOCATION)
      assert.is_nil(operation)
      assert.equal(err.code, got.code)
      assert.same({ "contoso", "vm", LOCATION, "not_sent", "running" },
        { got.publisher, got.offer, got.location, got.cancel, got.operation.state })
      assert.equal(2, #service.polled)
    end)
  end

  it("takes a 404 for what is not shown yet, for as long as that may take", function()
    local service = scripted { fake.http(404) }
    local _, err = workflow.wait(service.client, LOCATION, { list_lag = 30 })
    assert.same({ 404, LOCATION }, { err.status, err.location })
    assert.is_true(service.time >= 30 and service.time < 40)
    service = scripted { fake.http(404), RUNNING, DONE }
    assert(workflow.wait(service.client, LOCATION))
  end)

  it("gives up where nobody ever answers, a minute after it began", function()
    local service = scripted { fake.lost() }
    local _, err = workflow.wait(service.client, LOCATION)
    assert.equal("connection_lost", err.code)
    assert.near(60, service.time, 0.01)
  end)

  it("asks once more after a 401, at once", function()
    local service = scripted { fake.http(401), RUNNING, fake.http(401), DONE }
    assert(workflow.wait(service.client, LOCATION))
    assert.equal(1, #service.slept)
  end)

  it("ends at a second 401", function()
    local service = scripted { fake.http(401) }
    local _, err = workflow.wait(service.client, LOCATION)
    assert.equal(401, err.status)
    assert.equal(2, #service.polled)
  end)

  it("tells at the deadline what it met last", function()
    local service = scripted { RUNNING, fake.http(503) }
    local _, err = workflow.wait(service.client, LOCATION, { deadline = 60.5 })
    assert.equal("deadline", err.code)
    assert.matches("^not ended after 60%.5 s; at last: ", err.message)
    assert.equal(503, err.cause.status)
    assert.equal(LOCATION, err.location)
  end)

  it("gives no exchange more time than is left, but the last", function()
    local service = scripted { { state = "running", retry_after = 50 } }
    workflow.wait(service.client, LOCATION, { deadline = 120 })
    for i, poll in ipairs(service.polled) do
      local left = 120 - poll.time
      assert.equal(i == 3 and left or nil, poll.opts.timeout)
    end
    assert.same({ 4, 120.0 }, { #service.polled, service.polled[4].time })
  end)

  it("passes other options to each poll", function()
    local service = scripted { RUNNING, DONE }
    workflow.wait(service.client, LOCATION, { timeout = 7, api_version = "2018" })
    assert.same({ timeout = 7, api_version = "2018" }, service.polled[2].opts)
  end)

  it("ends when the client is closed", function()
    local service = scripted { RUNNING }
    service.client.sleep = function()
      return nil, { kind = "closed", code = "closed", message = "the client was closed" }
    end
    local _, err = workflow.wait(service.client, LOCATION)
    assert.same({ "closed", LOCATION }, { err.kind, err.location })
  end)

  for name, value in pairs {
    deadline = -1, interval = 0, max_interval = 0 / 0, on_change = "print",
    through_review = 1, dry_run = true,
  } do
    it("refuses an impossible option: " .. name, function()
      assert.error_matches(function()
        workflow.wait({ now = os.clock }, LOCATION, { [name] = value })
      end, "option '" .. name .. "'")
    end)
  end

  it("shows a number with a point, whatever the locale", function()
    assert.error_matches(function()
      workflow.wait({ now = os.clock }, LOCATION, { interval = -0.5 })
    end, "not %-0%.5")
  end)

  it("refuses what is no location", function()
    assert.error_matches(function() workflow.wait({}, 42) end, "operation or location")
  end)
end)

describe("workflow.wait in a task", function()
  -- Waits of ten seconds each, on one operation, and the bytes that each holds.
  local function bytes_each(client, count, options)
    local bytes
    task.run(client, function()
      collectgarbage()
      local before = collectgarbage "count"
      for i = 1, count do
        task.spawn(function()
          assert(workflow.wait(client, LOCATION, options(i)))
        end)
      end
      task.sleep(1)
      collectgarbage()
      bytes = (collectgarbage "count" - before) * 1024 / count
    end)
    return bytes
  end

  local function service(polls)
    local time, answers = 0, 0
    return {
      now = function() return time end,
      sleep = function(_, seconds) time = time + seconds end,
      poll = function()
        answers = answers + 1
        return answers <= polls and RUNNING or DONE
      end,
    }
  end

  it("holds little while it sleeps, whatever a poll needed", function()
    local shared = { interval = 100 }
    local bytes = bytes_each(service(2000), 1000, function() return shared end)
    assert.is_true(bytes < 3800, bytes)
  end)

  it("shares with others what is the same, and nothing else", function()
    local one, told, polled = service(9), {}, {}
    local poll = one.poll
    function one.poll(client, where, options)
      polled[options.timeout] = (polled[options.timeout] or 0) + 1
      return poll(client, where, options)
    end
    bytes_each(one, 9, function(i)
      return { timeout = 1 + i % 3, on_change = function() told[i] = true end }
    end)
    assert.same({ 6, 6, 6 }, polled)
    assert.equal(9, #told)
  end)

  it("lets go of its client", function()
    local held = setmetatable({}, { __mode = "k" })
    do
      local one = service(5)
      held[one] = true
      bytes_each(one, 5, function() return nil end)
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(held))
  end)

  it("refuses what is impossible where it is called", function()
    local line = debug.getinfo(1, "l").currentline + 3
    local _, message = task.run(service(1), function()
      return pcall(function()
        local _ = workflow.wait(service(1), LOCATION, { deadline = -1 })
      end)
    end)
    assert.matches("workflow_spec.lua:" .. line .. ": option 'deadline'", message)
  end)

  it("raises what on_change raises", function()
    local good, message = task.run(service(9), function()
      local client = service(9)
      return task.run(client, pcall, workflow.wait, client, LOCATION,
        { on_change = function() error("oops", 0) end })
    end)
    assert.same({ false, "oops" }, { good, message })
  end)

  it("gives the same as elsewhere", function()
    for _, answers in ipairs { { RUNNING, DONE }, { fake.http(503), fake.http(403) } } do
      local one, other = scripted(answers), scripted(answers)
      math.randomseed(1)
      local here = table.pack(workflow.wait(one.client, LOCATION))
      math.randomseed(1)
      local there = table.pack(task.run(other.client, workflow.wait, other.client, LOCATION))
      assert.same(here, there)
      assert.same(one.polled, other.polled)
    end
  end)
end)

describe("workflow.problems", function()
  local function text(html)
    local message = { messageHtml = html, level = "error" }
    local found = workflow.problems { messages = { message } }
    return found[1] and found[1].text
  end

  it("gives the errors of the steps, then of the operation", function()
    assert.same(
      { { step = "Certification", text = "too small" }, { text = "it failed" } },
      workflow.problems {
        steps = { { stepName = "Certification", messages = {
          { messageHtml = "<p>too small</p>", level = "error" },
          { messageHtml = "fine", level = "info" } } }, { id = "live" } },
        messages = { { messageHtml = "it <b>failed</b>", level = "Error" } },
      })
  end)

  it("makes plain text", function()
    assert.equal('a < b & "c" d',
      text '<div>a &lt;  b<br/>&amp; &quot;c&quot;&nbsp;d</div>')
    assert.equal("é – €", text "&#233; &#x2013; &#8364;")
    assert.equal("half", text "ha<!-- not this -->lf")
    assert.equal("1 < 2", text "1 < 2")
    assert.equal("one two", text "<LI>one</LI><DIV>two</DIV>")
  end)

  it("lets nothing through that a terminal would obey", function()
    assert.equal("[31mred ]0;title", text "\27[31mred&#27;]0;title&#7;")
    assert.equal("a b", text "a&#x9b;b")
    for _, hidden in ipairs { "\u{202e}", "&#x2028;", "&#x61c;", "&#x2066;" } do
      assert.equal("txt .exe", text("txt" .. hidden .. ".exe"))
    end
    assert.is_nil(text "&#0;&#xD800;&#99999999999;")
  end)

  it("does not stumble over numbers that are no character's", function()
    for _, number in ipairs { "18446744073709551615", "xFFFFFFFFFFFFFFFFFFFF", "12ab",
      "4294967296", "x80000000" } do
      assert.equal("ab", text("a&#" .. number .. ";b"))
    end
    assert.equal("aAb", text "a&#000000000000065;b")
  end)

  it("keeps what has no end", function()
    for _, piece in ipairs { "\u{2039}", "<", "<!--", "</a", "&#", "&#1" } do
      assert.equal(piece:rep(9000), text(piece:rep(9000)))
    end
    assert.is_nil(text((" "):rep(9000)))
  end)

  for name, document in pairs {
    ["an error"] = { error = { code = "Conflict", message = "<b>busy</b>" } },
    ["an array of one"] = { { error = { code = "Conflict", message = "busy" } } },
    ["an error and a message"] = { error = { code = "Conflict" }, message = "busy" },
  } do
    it("finds the reason in the document: " .. name, function()
      local found = workflow.problems { state = "failed", document = document }
      local texts = {}
      for i, problem in ipairs(found) do
        texts[i] = problem.text
      end
      assert.equal("Conflict: busy", table.concat(texts, ": "))
    end)
  end

  it("takes a message at the top for a problem of what has failed alone", function()
    assert.same({ { text = "no disk" } },
      workflow.problems { state = "failed", document = { message = "no disk" } })
    assert.same({},
      workflow.problems { state = "running", document = { message = "soon" } })
    assert.same({ { text = "no" } }, workflow.problems { document = { error = "no" } })
  end)

  it("is empty where there is nothing", function()
    assert.same({}, workflow.problems {})
    for _, document in ipairs { 1, "x", { 1 }, { true }, { error = 7, message = {} } } do
      assert.same({}, workflow.problems { state = "failed", document = document })
    end
    assert.same({}, workflow.problems { steps = { 1, {} }, messages = "none" })
  end)
end)
