local tell = require "cpp.cli.tell"

local RAN = { id = "id-1", state = "running", done = false, location = "/api/x$1" }
local NAMELESS = { state = "running", done = false, location = "/api/x$1" }
local ENDED = { id = "id-1", state = "canceled", done = true, location = "/api/x$1" }

describe("the line to go on with", function()
  -- What was seen, whether a look was answered, the cancel's fate, the error's code; the
  -- line. Whoever cannot know is never told to wait, and nobody to repeat blindly.
  local CASES = {
    { RAN, true, "accepted", "deadline", "wait --for canceled p/o/id-1" },
    { NAMELESS, true, "accepted", "deadline", "wait --for canceled '/api/x$1'" },
    { RAN, true, "unknown", "deadline", "cancel p/o/id-1" },
    { RAN, true, "not_sent", "interrupted", "cancel p/o/id-1" },
    { RAN, true, "refused", "deadline", "cancel p/o/id-1" },
    { NAMELESS, true, "unknown", "deadline", "operations p/o" },
    { nil, true, "accepted", "deadline", "operations p/o" },
    { nil, false, "accepted", "deadline", "operations p/o" },
    { nil, true, "unknown", "interrupted", "operations p/o" },
    { nil, false, "unknown", "interrupted", "operations p/o" },
    { nil, false, "not_sent", "could_not_connect", "cancel p/o" },
    { nil, true, "not_sent", "interrupted", "operations p/o" },
    { RAN, true, "accepted", "not_canceled", "cancel p/o/id-1" },
    { RAN, true, "accepted", "unverified", "operations p/o" },
    { ENDED, true, "accepted", "interrupted", "operations p/o" },
  }
  for i, case in ipairs(CASES) do
    local seen, looked, fate, code, line = table.unpack(case, 1, 5)
    it(("is right for what is known: %d, %s %s"):format(i, fate, code), function()
      local one = tell.next_of_cancel({ publisher = "p", offer = "o", seen = seen,
        looked = looked, cancel = fate }, code)
      local lines = tell.lines_to_go_on({ one }, { command = "cancel" })
      assert.equal(1, #lines)
      assert.equal("cloudpartner " .. line, lines[1].line)
      assert.matches("^p/o: %l", lines[1].intro)
    end)
  end

  it("names what was asked for where nothing was seen", function()
    local one = tell.next_of_cancel({ publisher = "p", offer = "o", wanted = "id-2",
      looked = true, cancel = "not_sent" }, "interrupted")
    assert.equal("p/o/id-2", one.word)
  end)

  it("says whether it could look", function()
    local known = { publisher = "p", offer = "o", cancel = "accepted" }
    assert.matches("could not be looked at", tell.next_of_cancel(known).intro)
    known.looked = true
    assert.matches("nothing was seen running", tell.next_of_cancel(known).intro)
  end)

  it("is one of each sort for several, with what says which service it is", function()
    local list = {}
    for i, fate in ipairs { "accepted", "unknown", "accepted", "not_sent" } do
      list[i] = tell.next_of_cancel({ publisher = "p", offer = "o-" .. i, cancel = fate,
        seen = { id = "i", state = "running" }, looked = true }, "deadline")
    end
    local lines = tell.lines_to_go_on(list, { command = "cancel", list_lag = 0.5,
      endpoint = "https://x.example", proxy = "" })
    local options = " --endpoint https://x.example --proxy '' --list-lag 0.5 "
    assert.same({
      { intro = "2 of them: to go on elsewhere:",
        line = "cloudpartner wait --for canceled" .. options .. "p/o-1/i p/o-3/i" },
      { intro = "2 of them: to go on, a cancel goes out only if that still runs:",
        line = "cloudpartner cancel" .. options .. "p/o-2/i p/o-4/i" },
    }, lines)
  end)

  it("keeps what a wait was told to wait for", function()
    local lines = tell.lines_to_go_on({ tell.next_of_wait { publisher = "p", offer = "o",
      operation = "i" } },
      { command = "wait", wanted = "succeeded", through_review = true })
    assert.equal("cloudpartner wait --for succeeded --through-review p/o/i", lines[1].line)
  end)
end)

describe("a result", function()
  local function of(fields)
    fields.publisher, fields.offer = "p", "o"
    return tell.cancel(fields, true, "publish")
  end

  it("says whether a publish may start", function()
    assert.equal("p/o: canceled (publish id-1); a publish may start",
      of { outcome = "canceled", operation = ENDED, may_publish = true })
    assert.equal("p/o: canceled (publish id-1); do not publish, now id-2 runs",
      of { outcome = "canceled", operation = ENDED, may_publish = false,
        running = { id = "id-2" } })
    assert.equal("p/o: nothing to cancel; whether a publish may start is not known: no  list",
      of { outcome = "nothing_to_cancel", trouble = "no\n\27list" })
  end)

  it("says what was not seen with --no-wait", function()
    assert.equal("p/o: cancel accepted (publish id-1)",
      of { outcome = "accepted", operation = RAN })
    assert.equal("p/o: cancel accepted, but nothing was seen running",
      of { outcome = "accepted" })
    assert.equal("p/o: cancel accepted, but what runs could not be looked at",
      tell.cancel({ outcome = "accepted", publisher = "p", offer = "o" }, nil))
  end)

  it("has times with their zone", function()
    local item = { id = "i", state = "running", document = { submissionType = "publish" } }
    for given, shown in pairs { ["2026-11-22T17:08:21.1234567Z"] = "2026-11-22T17:08:21Z",
      ["2026-11-22T17:08:21+01:00"] = "2026-11-22T17:08:21+01:00", ["soon"] = "soon" } do
      item.document.changedTime = given
      assert.equal("i  running      publish   " .. shown, tell.item(item))
    end
  end)
end)

describe("an error", function()
  it("says what it means for the cancel", function()
    assert.same({ "no cancel was sent", "the cancel was refused with HTTP 403",
      "the cancel was refused", "the cancel was accepted",
      "whether the cancel arrived is not known" }, {
      tell.fate { cancel = "not_sent" }, tell.fate({ cancel = "refused" }, 403),
      tell.fate { cancel = "refused" }, tell.fate { cancel = "accepted" },
      tell.fate { cancel = "unknown" } })
  end)
end)

describe("what a document says", function()
  it("is read from any shape of it", function()
    local CASES = {
      { nil, false }, { {}, false }, { { 1 }, false }, { { true }, false },
      { { cancellationRequestState = "CAN_CANCEL" }, true },
      { { { cancellationRequestState = "can cancel" } }, true },
      { { cancellationRequestState = "cannotCancel" }, false },
      { { cancellationRequestState = 1 }, false },
    }
    for i, case in ipairs(CASES) do
      local operation = { state = "running", document = case[1] }
      assert.same({ i, case[2] }, { i, tell.is_cancelable(operation) })
      assert.is_nil(tell.kind(operation))
    end
  end)
end)
