--- Plays a batch: several offers at once, each with a service of its own, through
-- one client; and holds the rules of a batch besides those of each offer.

local client = require "spec.model.client"
local hash = require "spec.model.hash"
local play = require "spec.model.play"
local service = require "spec.model.service"
local switches = require "spec.model.switches"

local SLACK = 1e-6
local CONCURRENCY = { 1, 2, 3, 16 }

local batch = {}

-- ---- the client of all ----

-- One client over the offers' own; counts what is in flight.
local function join(runs, clock)
  local flight = { now = 0, most = 0 }
  local function through(run, method, ...)
    flight.now = flight.now + 1
    flight.most = math.max(flight.most, flight.now)
    local answer, err = run[method](run, ...)
    flight.now = flight.now - 1
    return answer, err
  end
  local joined = { model_flight = flight }
  for _, method in ipairs { "cancel", "operations" } do
    joined[method] = function(_, publisher, offer, opts)
      return through(runs[offer], method, publisher, offer, opts)
    end
  end
  joined.poll = function(_, where, opts)
    local location = type(where) == "table" and where.location or where
    local offer = type(where) == "table" and where.offer or service.offer_of(location)
    return through(runs[offer] or runs["vm-1"], "poll", where, opts)
  end
  function joined.now() return clock.time end
  function joined.sleep(_, seconds)
    clock.time = clock.time + seconds
    return true
  end
  return joined
end

-- ---- what is drawn ----

-- The options of the call are the same for all.
local SHARED = { "deadline", "interval", "max_interval", "lag_option" }

local function draw(seed)
  local all = {}
  for i = 1, 2 + hash.integer(seed, 1) % 4 do
    all[i] = switches.draw(seed * 16 + i)
    for _, name in ipairs(SHARED) do
      all[i][name] = all[1][name]
    end
  end
  return all
end

local function new_runs(seed, clock)
  local runs = {}
  for i, drawn in ipairs(draw(seed)) do
    local run = client.new(drawn, "vm-" .. i, clock)
    run.is_batch = true
    runs[i], runs[run.offer] = run, run
  end
  return runs
end

-- ---- the call ----

local function options_of(runs, seed, targets)
  local opts = play.options(runs[1], nil)
  opts.concurrency = CONCURRENCY[hash.integer(seed, 2) % #CONCURRENCY + 1]
  local of = {}
  for i, run in ipairs(runs) do
    play.options(run, nil)
    run.operation = play.operation(run)
    targets[i] = { publisher = "contoso", offer = run.offer, operation = run.operation }
    of[targets[i]] = run
  end
  local takes = runs[1].callback_takes
  opts.on_change = takes and function(operation, target) of[target]:tell(operation) end or nil
  for _, run in ipairs(runs) do
    run.callback_takes = takes
  end
  opts.on_result = function(result, target)
    of[target]:finish()
    of[target].told_result = result
  end
  return opts
end

-- ---- the rules of a batch ----

local function is_exchange(event)
  return event.kind ~= "pause" and event.kind ~= "told"
end

-- After a 429 nobody asks until it is over.
local function check_slow(runs, from, to)
  for _, run in ipairs(runs) do
    for _, event in ipairs(run.log) do
      if is_exchange(event) and event.asked > from + SLACK
        and event.asked < math.min(to, run.deadline_at) - SLACK then
        return "a 429 does not slow the batch"
      end
    end
  end
end

local function check_429(runs)
  for _, run in ipairs(runs) do
    for _, event in ipairs(run.log) do
      if event.err and event.err.status == 429 and event.retry_after then
        local wrong = check_slow(runs, event.answered, event.answered + event.retry_after)
        if wrong then
          return wrong
        end
      end
    end
  end
end

-- When the first exchange began that waits for what a POST did; nil: none.
local function first_wait(run)
  local posted = false
  for _, event in ipairs(run.log) do
    if posted and is_exchange(event) and event.kind ~= "post" then
      return event.asked
    end
    posted = posted or event.kind == "post"
  end
end

local function first_exchange(run)
  for _, event in ipairs(run.log) do
    if is_exchange(event) then
      return event.asked
    end
  end
end

-- Every offer's first try comes before any slot goes to waiting.
local function check_order(runs)
  for _, run in ipairs(runs) do
    local waits = first_wait(run)
    for _, other in ipairs(runs) do
      local first = first_exchange(other)
      if waits and (first or math.huge) > waits + SLACK then
        return "a slot went to waiting before every first try"
      end
    end
  end
end

local function check_results(runs, results)
  for i, run in ipairs(runs) do
    local result = results[i]
    if type(result) ~= "table" or result.offer ~= run.offer then
      return "a result is not in its place"
    elseif run.told_result ~= result then
      return "a result was not told"
    end
  end
end

local function check_offers(runs, results)
  for i, run in ipairs(runs) do
    local result = results[i]
    local wrong = play.judge(run, true, not result.err and result or nil, result.err)
    if wrong then
      return wrong, run, result
    end
  end
end

local function check(runs, results, most, concurrency)
  local wrong = check_results(runs, results)
  if wrong then
    return wrong, runs[1]
  elseif most > concurrency then
    return "more exchanges are in flight than may be", runs[1]
  end
  wrong = check_429(runs) or check_order(runs)
  if wrong then
    return wrong, runs[1]
  end
  return check_offers(runs, results)
end

--- One batch of a seed.
---@param cancel_all function  the workflow under test
---@param sleep fun(seconds)   lets the others go on, in a task of it
---@return string|nil wrong
---@return table run           the offer of which it is, with its log
---@return table|nil result
---@return table[]|nil results  of all its offers
function batch.once(cancel_all, sleep, seed)
  local clock = { time = 10000.0, yield = sleep }
  local runs, targets = new_runs(seed, clock), {}
  local opts = options_of(runs, seed, targets)
  local joined = join(runs, clock)
  math.randomseed(seed)
  local good, results = pcall(cancel_all, joined, targets, opts)
  if not good then
    return "raises: " .. tostring(results), runs[1]
  end
  local wrong, run, result = check(runs, results, joined.model_flight.most, opts.concurrency)
  return wrong and "batch: " .. wrong, run or runs[1], result, results
end

return batch
