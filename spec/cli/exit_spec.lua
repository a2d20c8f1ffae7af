local exit = require "cpp.cli.exit"

describe("the exit status of a cancel", function()
  local OUTCOMES = { canceled = 0, accepted = 0, nothing_to_cancel = 3, too_late = 4,
    failed = 5, ["something new"] = 1 }
  for outcome, status in pairs(OUTCOMES) do
    it(("is %d for %s"):format(status, outcome), function()
      assert.equal(status, exit.of_cancel { outcome = outcome })
    end)
  end

  for code, status in pairs { deadline = 6, other_operation = 1, unverified = 1 } do
    it(("is %d for the error %s"):format(status, code), function()
      assert.equal(status, exit.of_cancel { err = { code = code } })
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
      assert.equal(status, exit.of_wait(operation, nil, wanted))
    end)
  end

  it("tells the deadline from other errors", function()
    assert.same({ 6, 1 }, { exit.of_wait(nil, { code = "deadline" }),
      exit.of_wait(nil, { code = "http_404" }) })
  end)
end)

describe("the exit status of several", function()
  it("is the first that occurs of 1, 6, 4, 5, 7, 3, 0", function()
    local order = { 1, 6, 4, 5, 7, 3, 0 }
    for i, worse in ipairs(order) do
      for j = i, #order do
        assert.equal(worse, exit.worst { order[j], worse, order[j] })
      end
    end
  end)
end)
