--- 2,000 workflows, 64 at a time, over a wire where half of all exchanges break:
-- `make soak`. Each ends with what became of its operation, or with a deadline
-- that names its location; the portal's ledger tells the same.
--
-- The portal's clock runs 400 times as fast. CPP_SOAK_SEED chooses the faults.

local cpp = require "cpp"
local emulator = require "cpp.emulator"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

local WORKFLOWS, AT_A_TIME = 2000, 64
local SPEED, TIMEOUT = 400, 0.5
local SEED = tonumber(os.getenv "CPP_SOAK_SEED" or "1")

local BODY = '{"status":"running","messages":[],"steps":[]}'

local function cut(...)
  return table.concat({ ... }, "\r\n")
end

-- What a retry can survive. An answer that is cut says of a cancel only what
-- has happened.
local FAULTS = {
  { on = "*", drop = "before" },
  { on = "*", drop = "after" },
  { on = "*", drop = "before", reset = true },
  { on = "*", drop = "after", reset = true },
  { on = "*", status = 500, when = "after" },
  { on = "*", status = 503 },
  { on = "*", status = 503, retry_after = "0" },
  { on = "*", status = 429, retry_after = "1" },
  { on = "*", status = 408, retry_after = "Fri, 31 Dec 1999 23:59:59 GMT" },
  { on = "*", delay = SPEED * TIMEOUT * 1.5 },
  { on = "*", raw = "HTT", when = "after" },
  { on = "*", raw = cut("HTTP/1.1 200 OK", "Content-Type: applic"), when = "after" },
  { on = "*", raw = cut("HTTP/1.1 503 Unavailable", "Content-Length: 99", "", "<htm") },
  { on = "*", raw = { cut("HTTP/1.1 200 OK", "Content-Length: 45", "", ""), 0.02,
    BODY:sub(1, 20) }, when = "after" },
  { on = "*", raw = cut("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "2d", BODY,
    ""), when = "after" },
  { on = "cancel", raw = cut("HTTP/1.1 202 Accepted", "Content-Length: 9", "", "accept"),
    when = "after" },
}

-- The first that strikes counts, so that half of all exchanges go well.
local function faults()
  local each = 1 - 0.5 ^ (1 / (#FAULTS - 1))
  for i, fault in ipairs(FAULTS) do
    fault.probability, fault.times, fault.seed = each, -1, SEED * 100 + i
  end
  return FAULTS
end

local FORMS = { "F1", "F2", "F3", "F4", "none" }

local function guid(i)
  return ("%08x-0000-4000-8000-000000000000"):format(i)
end

-- Every tenth is asked for by its id and completes before the cancel takes
-- hold; on another tenth nothing runs.
local function offer(i)
  local kind = i % 10
  return {
    running = kind ~= 1 and "publish", id = guid(i), too_late = kind == 0,
    cancel_seconds = 40, synchronous = kind == 2, location = FORMS[i % #FORMS + 1],
    names = i % 3 == 0 and "own" or "canceled", list_own = i % 4 == 0,
    list_order = i % 7 == 0 and "shuffled" or "newest", document =
      i % 6 == 0 and "array" or "object", elapsed = 100,
    history = { { state = "canceled", ago = 9000 }, { ago = 7000 } },
  }
end

local EXPECTED = { [0] = "too_late", [1] = "nothing_to_cancel" }

local function run_all()
  local offers, targets = {}, {}
  for i = 1, WORKFLOWS do
    offers["contoso/vm-" .. i], targets[i] = offer(i), i
  end
  local portal <close> = assert(emulator.start { offers = offers, faults = faults(),
    speed = SPEED, seed = SEED })
  local client <close> = cpp.client { endpoint = portal.endpoint, token = portal.token,
    timeout = TIMEOUT, max_connections = AT_A_TIME }
  local start = client:now()
  local results, errors = task.run(client, task.map, targets, function(i)
    return workflow.cancel(client, "contoso", "vm-" .. i, { interval = 0.05,
      max_interval = 0.2, list_lag = 120 / SPEED, deadline = 60, timeout = TIMEOUT,
      operation = i % 10 == 0 and guid(i) or nil })
  end, AT_A_TIME)
  return results, errors or {}, portal:ledger(), client:now() - start
end

local function count_faults(ledger)
  local count = 0
  for _, entry in ipairs(ledger.entries) do
    count = count + (entry.faulted and 1 or 0)
  end
  return count
end

local function first_requests(ledger)
  local first = {}
  for _, entry in ipairs(ledger.entries) do
    first[entry.offer] = first[entry.offer] or entry
  end
  return first
end

-- The POSTs that acted, whatever came of their answers.
local function acted(ledger, i)
  local counts = ledger.offers["contoso/vm-" .. i]
  return counts and counts.acted or 0
end

describe("2,000 cancels over a wire that breaks", function()
  local results, errors, ledger, seconds = run_all()

  it("break half of all exchanges, in every way", function()
    local broken = count_faults(ledger)
    print(("%d workflows, %d exchanges, %d broken, %d cancels sent, %.0f s, seed %d"):format(
      WORKFLOWS, ledger.requests, broken, ledger.cancels, seconds, SEED))
    assert.is_true(math.abs(broken / ledger.requests - 0.5) < 0.03)
  end)

  it("end with the right outcome, a deadline, or the word that nobody can tell", function()
    local late, unverified = 0, 0
    for i = 1, WORKFLOWS do
      local err = errors[i]
      if err and err.code == "unverified" then
        unverified = unverified + 1
      elseif err then
        assert.equal("deadline", type(err) == "table" and err.code or err, "vm-" .. i)
        late = late + 1
      else
        assert.equal(EXPECTED[i % 10] or "canceled", results[i].outcome, "vm-" .. i)
        assert.is_nil(results[i].running)
      end
    end
    print(("%d deadlines, %d unverified"):format(late, unverified))
    assert.is_true(late + unverified < WORKFLOWS / 2)
  end)

  it("name the operation that ran, unless the look before the cancel broke", function()
    local first, unnamed = first_requests(ledger), 0
    for i, result in pairs(results) do
      local id = result.operation and result.operation.id
      if i % 10 ~= 1 and id ~= guid(i) then
        assert.is_nil(id, "vm-" .. i)
        assert.is_true(first["contoso/vm-" .. i].faulted, "vm-" .. i)
        unnamed = unnamed + 1
      end
    end
    print(("%d without the operation's id"):format(unnamed))
  end)

  it("act once on each offer where something ran, and never twice", function()
    for i = 1, WORKFLOWS do
      local most = i % 10 == 1 and 0 or 1
      local least = results[i] and most or 0
      assert.is_true(acted(ledger, i) >= least and acted(ledger, i) <= most, "vm-" .. i)
    end
  end)
end)
