local cancel = require "cpp.cli.cancel"
local session = require "cpp.cli.session"
local wait = require "cpp.cli.wait"

describe("the exit status of a cancel", function()
  -- Outcome, whether one may publish, status; with --ignore-idle.
  local RESULTS = {
    { "canceled", true, 0 }, { "canceled", false, 8 }, { "canceled", nil, 8 },
    { "accepted", nil, 0 }, { "nothing_to_cancel", true, 3, 0 },
    { "nothing_to_cancel", false, 8 }, { "nothing_to_cancel", nil, 8 },
    { "too_late", true, 4 }, { "too_late", nil, 4 }, { "failed", true, 5 },
    { "failed", false, 5 }, { "something new", true, 1 },
  }
  for _, case in ipairs(RESULTS) do
    local outcome, may_publish, status, idle = table.unpack(case, 1, 4)
    it(("is %d for %s, may_publish %s"):format(status, outcome, may_publish), function()
      local result = { outcome = outcome, may_publish = may_publish }
      assert.equal(status, cancel.status(result))
      assert.equal(idle or status, cancel.status(result, true))
    end)
  end

  -- Code, what became of the cancel, status.
  local ERRORS = {
    { "deadline", "accepted", 6 }, { "deadline", "unknown", 6 },
    { "deadline", "not_sent", 1 }, { "deadline", "refused", 1 },
    { "other_operation", "not_sent", 1 }, { "unverified", "accepted", 1 },
    { "not_canceled", "accepted", 1 }, { "could_not_connect", "not_sent", 1 },
  }
  for _, case in ipairs(ERRORS) do
    local code, fate, status = table.unpack(case)
    it(("is %d for the error %s, %s"):format(status, code, fate), function()
      assert.equal(status, cancel.status { err = { code = code, cancel = fate } })
    end)
  end
end)

describe("the exit status of a wait", function()
  local WAITING = "waiting_for_publisher_review"
  -- State, what is wanted, status.
  local CASES = {
    { "succeeded", nil, 0 }, { "canceled", nil, 0 }, { "failed", nil, 5 },
    { WAITING, nil, 7 },
    { "canceled", "canceled", 0 }, { "succeeded", "canceled", 4 },
    { "failed", "canceled", 5 }, { "failed", "failed", 0 },
    { "canceled", "succeeded", 4 }, { WAITING, "succeeded", 7 }, { WAITING, WAITING, 0 },
  }
  for _, case in ipairs(CASES) do
    local state, wanted, status = table.unpack(case, 1, 3)
    it(("is %d for %s, wanted %s"):format(status, state, wanted or "any"), function()
      local operation = { state = state, done = state ~= WAITING }
      assert.equal(status, wait.status(operation, nil, wanted))
    end)
  end

  it("tells the deadline from other errors", function()
    assert.same({ 6, 1, 1 }, { wait.status(nil, { code = "deadline" }),
      wait.status(nil, { code = "http_404" }),
      wait.status(nil, { code = "deadline" }, nil, true) })
  end)
end)

describe("the exit status of several", function()
  it("is the first that occurs of 1, 6, 4, 5, 7, 8, 3, 0", function()
    local order = { 1, 6, 4, 5, 7, 8, 3, 0 }
    for i, worse in ipairs(order) do
      for j = i, #order do
        assert.equal(worse, session.worst { order[j], worse, order[j] })
      end
    end
  end)
end)
