-- When a workflow looks: measured on a table client, in virtual time, with random
-- numbers from a seed.
local fake = require "spec.support.fake"
local workflow = require "cpp.workflow"

local RUNS = 300

-- Mean and 90th percentile of how late an end is noticed, and the most exchanges.
local function measure(seconds)
  local late, most, sum = {}, 0, 0
  for i = 1, RUNS do
    local portal = fake.new { running = true, latency = 0.1, form = "F1",
      cancel_seconds = seconds + math.random() }
    local result = assert(workflow.cancel(portal.client, "contoso", "vm",
      { deadline = 1e5 }))
    assert.same({ "canceled", true }, { result.outcome, result.may_publish })
    late[i] = portal.time - portal.operations_known[1].ends_at
    sum, most = sum + late[i], math.max(most, #portal.log)
  end
  table.sort(late)
  return sum / RUNS, late[RUNS * 9 // 10], most
end

describe("the end of a cancel that takes", function()
  before_each(function() math.randomseed(20) end)

  -- Seconds; at most: mean and 90th percentile of the seconds until it is noticed,
  -- exchanges.
  for _, case in ipairs { { 30, 3, 5, 14 }, { 60, 4, 7, 20 }, { 120, 7, 13, 30 },
    { 180, 10, 19, 36 }, { 600, 35, 62, 50 }, { 7200, 35, 62, 180 } } do
    local seconds, mean, high, exchanges = table.unpack(case)
    it(("%d s is noticed %d s late, %d at most in nine of ten, with %d exchanges"):format(
      seconds, mean, high, exchanges), function()
      local got_mean, got_high, got_exchanges = measure(seconds)
      assert.is_true(got_mean <= mean, got_mean)
      assert.is_true(got_high <= high, got_high)
      assert.is_true(got_exchanges <= exchanges, got_exchanges)
    end)
  end
end)

describe("a thousand waits that began together", function()
  before_each(function() math.randomseed(21) end)

  -- When each of them looks for the n-th time.
  local function times_of_look(n, answer)
    local times = {}
    for i = 1, 1000 do
      local time, looks = 0, 0
      workflow.wait({
        now = function() return time end,
        sleep = function(_, seconds) time = time + seconds end,
        poll = function()
          looks = looks + 1
          times[i] = looks == n and time or times[i]
          return { state = looks > n and "succeeded" or "running", done = looks > n,
            retry_after = looks == 1 and answer or nil }
        end,
      }, "/api/operations/1")
    end
    table.sort(times)
    return times
  end

  it("are spread over four fifths of the pause by the third look", function()
    local times = times_of_look(3)
    assert.is_true(times[1000] - times[1] >= 0.9 * 4, times[1000] - times[1])
    assert.is_true(times[1000] - times[1] <= 4)
  end)

  it("do not come back together from the same Retry-After", function()
    local times = times_of_look(2, 60)
    assert.is_true(times[1] >= 60 and times[1000] <= 66.1)
    assert.is_true(times[1000] - times[1] > 5, times[1000] - times[1])
  end)
end)
