-- Only what is known is said: states that the service really has, each of which led
-- to a wrong word once.
local cpp = require "cpp"
local fake = require "spec.support.fake"
local farm = require "spec.support.farm"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

-- A client whose answers are functions of the time since the call; an answer with a
-- kind is an error. `post(count)` answers the cancel.
local function scripted(service)
  local self = { time = 0, posts = 0, log = {} }
  local function ask(method, what, opts, answer)
    self.time = self.time + 0.1
    table.insert(self.log, { method = method, time = self.time, opts = opts, what = what })
    if type(answer) == "table" and answer.kind then
      return nil, answer
    end
    return answer
  end
  self.client = {
    now = function() return self.time end,
    sleep = function(_, seconds) self.time = self.time + seconds end,
    operations = function(_, _, _, opts)
      return ask("operations", nil, opts, service.list(self.time, self.posts))
    end,
    poll = function(_, what, opts)
      local location = type(what) == "table" and what.location or what
      local answer = service.document(location:match "[^/]+$", self.time, self.posts)
      answer.location = location
      return ask("poll", location, opts, answer)
    end,
    cancel = function(_, _, _, opts)
      self.posts = self.posts + 1
      return ask("cancel", nil, opts, service.post(self.posts))
    end,
  }
  function self.cancel(opts)
    return workflow.cancel(self.client, "contoso", "vm", opts)
  end
  return self
end

local DONE = { canceled = true, succeeded = true, failed = true }

local function item(id, state, kind)
  return { id = id, state = state, done = DONE[state] or false,
    document = { submissionType = kind or "publish" } }
end

local function document(state, word)
  return { state = state, done = DONE[state] or false,
    document = { cancellationRequestState = word } }
end

local function accepted(location)
  return function()
    return { state = "accepted", done = false, http_status = 202, location = location }
  end
end

local function gone()
  return fake.http(404)
end

local PLACE = "/api/operations/place"

describe("workflow.cancel", function()
  before_each(function() math.randomseed(3) end) -- jitter

  it("sends nothing where the list shows a colleague's, and mine in no known word", function()
    local service = scripted {
      list = function() return { item("theirs", "running"), item("mine", "unknown") } end,
      document = gone, post = accepted(),
    }
    local _, err = service.cancel { operation = "mine" }
    assert.same({ "other_operation", "not_sent", 0 }, { err.code, err.cancel, service.posts })
    assert.is_true(service.time >= 120)
  end)

  it("says by when a cancel that has a condition must have begun to leave", function()
    local service = scripted {
      list = function() return { item("mine", "running") } end,
      document = function(_, _, posts)
        return document(posts == 0 and "running" or "canceled")
      end,
      post = accepted "/api/publishers/contoso/offers/vm/operations/mine",
    }
    assert(service.cancel { operation = "mine" })
    local look, post = service.log[2], service.log[3]
    assert.same({ "poll", "cancel" }, { look.method, post.method })
    assert.near(look.time + 5, post.opts.start_by, 1e-9)
  end)

  it("does not repeat what may have hit one that nobody saw", function()
    local service = scripted {
      list = function(_, posts)
        return posts == 0 and fake.http(503) or { item("theirs", "running") }
      end,
      document = function() return document("running", "canCancel") end,
      post = fake.lost,
    }
    local _, err = service.cancel()
    assert.same({ "unverified", "unknown", 1 }, { err.code, err.cancel, service.posts })
  end)

  for _, word in ipairs { "cannotCancel", "", "CAN_CANCEL" } do
    it(("takes %q for no sign that it is being canceled"):format(word), function()
      local service = scripted {
        list = function(_, posts) return { item("1", posts == 0 and "running" or "canceled") } end,
        document = function(_, _, posts)
          return document(posts == 0 and "running" or "canceled", word)
        end,
        post = accepted "/api/publishers/contoso/offers/vm/operations/1",
      }
      local result = assert(service.cancel { operation = "1" })
      assert.same({ "canceled", 1 }, { result.outcome, service.posts })
    end)
  end

  it("does not tell the end of an old one for that of a publish the list lacks", function()
    local service = scripted {
      list = function(time)
        return { item("old", "failed"), time > 5 and item("new", "running") or nil }
      end,
      document = function() return document "running" end,
      post = accepted(),
    }
    local _, err = service.cancel()
    assert.same({ "unverified", "accepted" }, { err.code, err.cancel })
  end)

  for _, broken in ipairs { 503, 403 } do
    it("says that nobody could tell what runs now, after a " .. broken, function()
      local service = scripted {
        list = function(_, posts)
          return posts == 0 and { item("1", "running") } or fake.http(broken)
        end,
        document = function(_, _, posts)
          return document(posts == 0 and "running" or "canceled")
        end,
        post = accepted "/api/publishers/contoso/offers/vm/operations/1",
      }
      local result = assert(service.cancel())
      assert.same({ "canceled" }, { result.outcome, result.may_publish, result.running })
      assert.matches("refused", result.trouble)
      assert.equal(broken == 503, service.time > 120)
    end)
  end

  it("does not take a stale look for one that runs again", function()
    local looks = 0
    local service = scripted {
      list = function()
        looks = looks + 1
        return { item("old", looks == 2 and "running" or "succeeded") }
      end,
      document = function() return document "running" end,
      post = accepted(),
    }
    local result = assert(service.cancel())
    assert.same({ "nothing_to_cancel", true }, { result.outcome, result.may_publish })
    assert.is_nil(result.operation)
  end)

  for _, kind in ipairs { "cancel", "cancelSubmission", "Cancel_Offer" } do
    it("knows the cancel's own operation as " .. kind, function()
      local service = scripted {
        list = function(time, posts)
          return { item("1", time > 30 and "canceled" or "running"),
            posts > 0 and item("own", time > 60 and "succeeded" or "running", kind) or nil }
        end,
        document = function(id, time)
          return document(id == "1" and (time > 30 and "canceled" or "running") or "running")
        end,
        post = accepted(PLACE),
      }
      local result = assert(service.cancel())
      assert.same({ "canceled", "1", true },
        { result.outcome, result.operation.id, result.may_publish })
    end)
  end

  for name, list in pairs {
    ["refused"] = function() return fake.http(404) end,
    ["empty"] = function() return {} end,
  } do
    it("does not know whose success a location shows where lists are " .. name, function()
      local service = scripted {
        list = list, post = accepted(PLACE),
        document = function(_, time) return document(time > 20 and "succeeded" or "running") end,
      }
      local _, err = service.cancel()
      assert.same({ "unverified", "accepted", PLACE },
        { err.code, err.cancel, err.location })
    end)
  end

  it("does not take yesterday's end for that of today's", function()
    local service = scripted {
      list = function(_, posts)
        return posts == 0 and fake.http(503) or { item("old", "canceled") }
      end,
      document = function() return document "canceled" end,
      post = accepted "/api/publishers/contoso/offers/vm/operations/old",
    }
    local _, err = service.cancel()
    assert.equal("unverified", err.code)
    assert.is_true(service.time >= 120)
  end)

  it("counts its patience in seconds, whatever the interval", function()
    for seed = 1, 20 do
      math.randomseed(seed)
      local portal = fake.new { lag = 30, form = "none", cancelable = false,
        history = { { id = "old", started = 1, ends_at = 2, ends_as = "succeeded" } } }
      portal:add { id = "new", started = 995 }
      local result, err = workflow.cancel(portal.client, "contoso", "vm", { interval = 1 })
      assert.is_nil(result)
      assert.equal("unverified", err.code)
    end
  end)

  describe("where a colleague starts after it", function()
    local function colleague_from(seen)
      return scripted {
        list = function(time)
          return { item("old", "succeeded"), time > seen and item("theirs", "running") or nil }
        end,
        document = function() return document "running" end,
        post = accepted(),
      }
    end

    it("does not know whether that one was hit", function()
      local _, err = colleague_from(1).cancel()
      assert.same({ "unverified", "accepted" }, { err.code, err.cancel })
    end)
  end)

  describe("raises nothing at", function()
    local function play(items, doc, post)
      local service = scripted { list = function() return items end,
        document = function() return doc or document "running" end,
        post = post or accepted() }
      local result, err = service.cancel { deadline = 400 }
      assert.is_nil(result)
      assert.is_string(err.code)
    end

    for name, one in pairs {
      ["no id"] = item(nil, "running"), ["a number for one"] = item(7, "running"),
      ["no word"] = { state = "unknown", done = false, document = {} },
    } do
      it("an item with " .. name, function() play { one } end)
    end

    for _, what in ipairs { cpp.null, 1, true } do
      it("a document of an array of " .. tostring(what), function()
        local odd = { state = "unknown", done = false, document = { what } }
        play({ item("1", "running") }, odd, function() return fake.http(503) end)
      end)
    end
  end)

  it("keeps to the Retry-After of any exchange of the round", function()
    local service = scripted {
      list = function(_, posts)
        local list = { item("1", "running") }
        list.retry_after = posts > 0 and 60 or nil
        return list
      end,
      document = function(_, _, posts)
        return posts == 1 and fake.http(503, { retry_after = 60 }) or document "running"
      end,
      post = accepted(PLACE),
    }
    service.cancel { deadline = 300 }
    local before
    for _, entry in ipairs(service.log) do
      if service.posts > 0 and before and entry.time > 1 and entry.time < 300 then
        assert.is_true(entry.time - before >= 60, entry.time)
      end
      before = entry.time > 0.4 and entry.time or nil
    end
  end)

  it("begins one exchange at the deadline and no more", function()
    for deadline = 0, 30, 3 do
      local service = scripted {
        list = function() return { item("1", "running") } end,
        document = function() return document "running" end, post = accepted(PLACE),
      }
      local _, err = service.cancel { deadline = deadline }
      assert.equal("deadline", err.code)
      local last = 0
      for _, entry in ipairs(service.log) do
        last = last + (entry.time - 0.1 >= deadline and 1 or 0)
        assert.is_true(entry.time - 0.1 < deadline or entry.method ~= "cancel")
      end
      assert.is_true(last <= 1, last)
    end
  end)

  it("says deadline, and not that a 200 was given up, where time is short", function()
    local service = scripted {
      list = function(time) return { item("1", time > 3 and "canceled" or "running") } end,
      document = function(_, time) return document(time > 3 and "canceled" or "running") end,
      post = function() return { state = "canceled", done = true, http_status = 200 } end,
    }
    local _, err = service.cancel { deadline = 2 }
    assert.same({ "deadline", "accepted" }, { err.code, err.cancel })
  end)

  it("gives a misspelt option the nearest name, for a plain table too", function()
    for name, nearest in pairs { deadlin = "deadline", operatoin = "operation",
      list_lagg = "list_lag", timout = "timeout" } do
      assert.error_matches(function() scripted({}).cancel { [name] = 1 } end,
        ("unknown option '%s' %%(did you mean '%s'%%?%%)"):format(name, nearest))
    end
  end)

  it("says of another operation that runs what became of the cancel", function()
    for _, refused in ipairs { false, true } do
      local is_over
      local service = scripted {
        list = function()
          return { not is_over and item("mine", "running") or item("other", "running") }
        end,
        document = function()
          return is_over and fake.http(403) or document("running", "canCancel")
        end,
        post = function()
          is_over = true
          return refused and fake.http(429) or fake.unsent()
        end,
      }
      local _, err = service.cancel { operation = "mine" }
      assert.same({ "other_operation", refused and "refused" or "not_sent" },
        { err.code, err.cancel })
      assert.matches(refused and "the cancel was refused" or "no cancel was sent", err.message)
    end
  end)

  it("ends with no_wait as soon as the cancel is accepted", function()
    local portal = fake.new { running = true }
    local result = assert(workflow.cancel(portal.client, "contoso", "vm", { no_wait = true }))
    assert.same({ "accepted", "accepted", "run-1", 3 },
      { result.outcome, result.cancel, result.operation.id, #portal.log })
  end)
end)

describe("workflow.cancel_all", function()
  before_each(function() math.randomseed(4) end) -- jitter

  it("sends nothing after the deadline, whatever waits for a slot", function()
    local service = farm(4, { running = true, latency = 25, cancel_seconds = 1e6 })
    local list = { { "contoso", "vm-1" }, { "contoso", "vm-2" }, { "contoso", "vm-3" },
      { "contoso", "vm-4" } }
    workflow.cancel_all(service.client, list, { deadline = 60, concurrency = 1 })
    for _, entry in ipairs(service.log) do
      assert.is_true(entry.method ~= "cancel" or entry.time < 1060, entry.time)
    end
  end)

  it("is not held up by a callback that sleeps", function()
    local service = farm(3, { running = true, latency = 1 })
    local results = workflow.cancel_all(service.client,
      { { "contoso", "vm-1" }, { "contoso", "vm-2" }, { "contoso", "vm-3" } },
      { concurrency = 1, deadline = 1e4, on_change = function(_, target)
        if target[2] == "vm-1" then
          task.sleep(1800)
        end
      end })
    local last = {}
    for _, entry in ipairs(service.log) do
      last[entry.offer] = entry.time
    end
    assert.is_true(last["vm-2"] < 1200 and last["vm-3"] < 1200)
    assert.equal("canceled", results[1].outcome)
  end)

  it("refuses a hole among the targets, and the same offer twice", function()
    local client = farm(0, {}).client
    local function try(list)
      return function() workflow.cancel_all(client, list) end
    end
    assert.error_matches(try { { "contoso", "a" }, nil, { "contoso", "b" } }, "hole")
    assert.error_matches(try { { "contoso", "a" }, { publisher = "contoso", offer = "a" } },
      "same offer")
  end)

  it("ends with the coroutine that called, and sends nothing more", function()
    local service = farm(2, { running = true, latency = 1 })
    task.run(service.client, function()
      local caller
      task.spawn(function()
        caller = coroutine.running()
        workflow.cancel_all(service.client, { { "contoso", "vm-1" }, { "contoso", "vm-2" } })
      end)
      task.sleep(0.5)
      assert(coroutine.close(caller))
    end)
    for _, entry in ipairs(service.log) do
      assert.equal("operations", entry.method)
    end
    assert.equal(2, #service.log)
  end)
end)
