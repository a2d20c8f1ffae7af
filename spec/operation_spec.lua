-- The operation: states from words and steps, documents read late, one line of text.
local cjson = require "cjson"
local harness = require "spec.support.harness"

describe("an operation", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  -- Polls a portal that answers so.
  local function poll(status, body, headers)
    here:answer(status, body, headers)
    return client:poll(here.location)
  end

  -- The operation that a document, given as text, makes.
  local function read(body)
    return assert(poll(200, body))
  end

  describe("in the service's words", function()
    local words = {
      not_started = { "not started", "notStarted", "NotStarted", "neverPublished",
        "NeverPublished" },
      running = { "running", "Running", "inProgress", "in progress", "in-progress" },
      waiting_for_publisher_review = { "waitingForPublisherReview",
        "WaitingForPublisherReview", "waiting for publisher review" },
      succeeded = { "completed", "complete", "succeeded", "Succeeded", "published" },
      failed = { "failed", "Failed", "rejected" },
      canceled = { "canceled", "Canceled", "cancelled", "CANCELLED" },
      unknown = { "blocked", "waitingForApproval", "cancelRequested", "", "run", "runnings",
        ("running"):rep(50), "rünning", "running\\u0000" },
    }
    local done = { succeeded = true, failed = true, canceled = true }

    for state, spellings in pairs(words) do
      it(("%s is %s"):format(table.concat(spellings, ", "):sub(1, 80), state), function()
        for _, word in ipairs(spellings) do
          local operation = read(('{"status":"%s"}'):format(word))
          assert.same({ state, done[state] or false }, { operation.state, operation.done })
          assert.equal(cjson.decode('["' .. word .. '"]')[1], operation.status)
        end
      end)
    end
  end)

  describe("with steps", function()
    local function progress(steps)
      return read('{"status":"running","steps":' .. steps .. "}").progress
    end

    it("has their mean as progress, a whole number", function()
      assert.equal(33, progress
        '[{"progressPercentage":100},{"progressPercentage":0},{"progressPercentage":0}]')
      assert.equal("integer", math.type(progress '[{"progressPercentage":50}]'))
    end)

    it("counts one without a percentage by its state", function()
      assert.equal(50, progress '[{"status":"complete"},{"status":"inProgress"}]')
    end)

    it("holds each percentage between 0 and 100", function()
      assert.equal(50, progress
        '[{"progressPercentage":1e300},{"progressPercentage":-70}]')
    end)

    it("has no progress where there is none to tell", function()
      assert.is_nil(progress "[]")
      assert.is_nil(read('{"status":"running"}').progress)
    end)

    for _, steps in ipairs { "null", "7", '"steps"', "{}", '{"a":1}', "[null]", "[1,[],{}]",
      '[{"status":{}}]', '[{"status":null,"progressPercentage":"many"}]', "[[[]]]",
      '{"1":{"status":"failed"}}', '[{"progressPercentage":{}}]', '[false,"x"]',
    } do
      it("of any shape is read: " .. steps, function()
        local operation = read('{"status":"running","steps":' .. steps .. "}")
        assert.equal("running", operation.state)
        assert.is_truthy((operation.progress or 0) == 0)
      end)
    end

    it("waits for its publisher when it runs and the current step waits", function()
      here:set { running = "preview", publish_seconds = 600 }
      local item = assert(client:operations("contoso", "vm", { status = "running" }))[1]
      local operation = assert(client:poll(item))
      assert.same({ "waiting_for_publisher_review", "running", false },
        { operation.state, operation.status, operation.done })
      assert.is_true(operation.progress > 50 and operation.progress < 100)
    end)

    it("does not wait when another step is the current one, or when it has ended", function()
      local steps = '"steps":[{"status":"inProgress"},{"status":"waitingForPublisherReview"}]'
      assert.equal("running", read('{"status":"running",' .. steps .. "}").state)
      steps = steps:gsub("inProgress", "complete")
      assert.equal("canceled", read('{"status":"canceled",' .. steps .. "}").state)
      assert.equal("waiting_for_publisher_review",
        read('{"status":"running",' .. steps .. "}").state)
    end)
  end)

  describe("is decoded", function()
    local BODY = '{"status":"running","steps":[{"id":"live"}],"messages":[]}'

    it("on demand: the tree is nobody's field", function()
      local operation = read(BODY)
      assert.is_nil(rawget(operation, "document"))
      assert.is_nil(rawget(operation, "steps"))
      assert.same({ status = "running", steps = { { id = "live" } }, messages = {} },
        operation.document)
    end)

    it("once while somebody holds the tree", function()
      local operation = read(BODY)
      local document = operation.document
      collectgarbage()
      assert.equal(document, operation.document)
      assert.equal(document.steps, operation.steps)
      assert.equal(document.messages, operation.messages)
    end)

    it("again when nobody has held it", function()
      local operation = read(BODY)
      local watch = setmetatable({ operation.document }, { __mode = "v" })
      collectgarbage()
      collectgarbage()
      assert.is_nil(watch[1])
      assert.equal("live", operation.steps[1].id)
    end)

    it("never where it is not JSON", function()
      here:answer(202, "Cancel accepted")
      local operation = assert(client:cancel("contoso", "vm"))
      assert.equal("Cancel accepted", operation.body)
      assert.same({}, { operation.document, operation.steps, operation.messages })
    end)

    it("from the operation's text alone, so that a copy of it is as good", function()
      local operation = read(BODY)
      local copy = setmetatable({ body = operation.body }, getmetatable(operation))
      assert.equal("live", copy.steps[1].id)
    end)
  end)

  describe("as text", function()
    it("is one line: offer, state, the service's word, progress, location", function()
      local operation = read '{"status":"in progress","steps":[{"progressPercentage":41}]}'
      assert.equal("contoso/vm: running (in progress), 41 %, " .. here.location,
        tostring(operation))
    end)

    it("does without what is not known", function()
      here:set { synchronous = true }
      assert.equal("contoso/vm: canceled", tostring(assert(client:cancel("contoso", "vm"))))
      here:answer(200, "{}")
      assert.equal("operation: unknown, " .. here.endpoint .. "/api/x?api-version=1",
        tostring(assert(client:poll "/api/x?api-version=1")))
    end)

    it("holds no control characters, whatever the service said", function()
      local text = tostring(read '{"status":"a\\u001b[31m\\r\\nb\\u0000c\\u009bd"}')
      assert.is_nil(text:find "[%c]")
      assert.is_nil(text:find("\u{9b}", 1, true))
    end)
  end)
end)
