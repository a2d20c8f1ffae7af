--- The service's switches and their values: a run draws one value of each, every
-- value with the same weight. The first is the plainest: shrinking goes there.
-- Times are seconds; those of the service count from the call.

local hash = require "spec.model.hash"

local NEVER = 1e9

local switches = {}

-- What a cancel does to what it hits: ends it after a time; its document shows that
-- a cancel is under way for so long.
local function ends(after, as)
  return { after = after, as = as, word = NEVER }
end

local EFFECTS = {
  ends(30, "canceled"), ends(0, "canceled"), ends(3, "canceled"), ends(12, "canceled"),
  ends(20, "canceled"), ends(45, "canceled"), ends(60, "canceled"), ends(75, "canceled"),
  ends(90, "canceled"), ends(110, "canceled"), ends(150, "canceled"), ends(190, "canceled"),
  ends(240, "canceled"), ends(300, "canceled"), ends(400, "canceled"), ends(500, "canceled"),
  ends(600, "canceled"), ends(700, "canceled"), ends(900, "canceled"),
  ends(5, "succeeded"), ends(60, "succeeded"), ends(60, "failed"),
  { word = 50 }, -- given up
  { word = NEVER }, -- taken, and never carried out
  {}, -- answered, and forgotten
}

-- The answer to a cancel: 202, or 200; what its location names, whether by an id.
local ANSWERS = {
  { names = "run", by_id = true },
  { names = "own", by_id = true },
  { names = "run" },
  { names = "own" },
  { names = "old", by_id = true },
  {},
  { foreign = true },
  { at_once = true },
  { at_once = true, names = "run", by_id = true },
}

local FAULTS = {
  "lost_before", "lost_after", "timeout_before", "timeout_after", "unsent",
  "unsent_for_good", "no_token", "unauthorized", "http_408", "http_429",
  "http_503", "http_503_after", "cut", "junk",
}

-- Where a fault happens: at the first POST, list or document, or at the exchange
-- of that number.
local PLACES = { false, "post1", "list1", "document1", 4, 6, 8, 11, 14, 18, 22, 27, 33, 40, 50, 60 }

-- What the call names, and the seconds that `on_change` takes, where it is given.
local CALLS = {
  {}, { callback = 0 }, { callback = 1 }, { callback = 5 }, { callback = 12 },
  { callback = 40 }, { names = "run" }, { names = "run", callback = 0 },
  { names = "run", callback = 1 }, { names = "run", callback = 5 },
  { names = "run", callback = 12 }, { names = "run", callback = 40 },
  { names = "old" }, { names = "other" },
}

-- Name, then the values.
switches.list = {
  -- what there is
  { "before", { 1000, 86400, 20000, 7200, 3600, 300, 100, 4, false } },
  { "run_state", { "running", "waiting_for_publisher_review", "not_started" } },
  { "run_ends", { NEVER, 2, 15, 45, 90, 150, 300, 500, 700, 900, 1200, 2000 } },
  { "run_ends_as", { "succeeded", "failed", "canceled" } },
  { "history", { 0, 1, 2, 3 } },
  { "history_age", { 86400, 3600, 200, 20 } },
  { "history_state", { "canceled", "succeeded", "failed" } },
  { "next_starts", { NEVER, 0, 8, 60, 200, 400, 1000, 2000, 3000, 5000 } },
  { "next_gap", { 1, 30, 150, 600 } },
  { "next_lasts", { NEVER, 15, 90, 600 } },
  { "next_ends_as", { "succeeded", "failed", "canceled" } },
  -- what a cancel does, and answers
  { "effect", EFFECTS },
  { "effect_again", { "same", "at_once" } },
  { "answer", ANSWERS },
  { "refuses", { false, 2, 3, 4, 5, 6, 7, 8, 1, "idle" } },
  { "own", { "listed", "hidden", "none" } },
  { "own_type", { "cancel", "cancelSubmission", "Cancel", "cancel_operation", false } },
  { "own_ends_as", { "succeeded", "canceled" } },
  { "own_delay", { 0, 20 } },
  -- what lists and documents show
  { "lag_option", { 120, 30, 60, 200 } },
  { "list", { "whole", "bare", "no_times", "odd_times", "staged", "other_types", "spelt",
    "doubled", "versioned", "defined", "addressed", "no_types", "no_ids", "no_words",
    "empty", "refused" } },
  { "list_order", { "newest", "oldest", "none" } },
  { "list_behind", { 0, 0.05, 0.1, 0.2, 0.4, 1 } },
  { "list_replicas", { "one", "two", "many" } },
  { "document", { "object", "bare", "array", "bare_array" } },
  { "document_since", { 0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5, NEVER } },
  { "location_since", { 0, 0.02, 0.05, 0.1, 0.5, NEVER } },
  { "document_behind", { 0, 0.05, 0.1, 0.2, 0.4, 1 } },
  { "document_replicas", { "one", "two", "many" } },
  { "word", { "canCancel", "CAN_CANCEL", "can cancel", "can-cancel", false, "cannotCancel", "" } },
  { "word_after", { "cancelRequested", "", "cannotCancel" } },
  { "progress", { false, true } },
  -- the wire
  { "takes", { 0.2, 0.1, 0.5, 1, 2, 15 } },
  { "acts_at", { 0.5, 0, 1 } },
  { "held", { 0, 0.1, 0.5, 1, 3, 30 } },
  { "fault_at", PLACES },
  { "fault", FAULTS },
  { "second_fault_at", { false, "post2", "list2", "document2", 7, 9, 12, 16, 20, 25, 30, 36,
    43, 55 } },
  { "second_fault", FAULTS },
  { "fault_rate", { 0, 0.003, 0.01, 0.03 } },
  { "fault_retry_after", { false, 5, 20, 90 } },
  { "retry_after", { false, 3, 7, 60 } },
  -- the call
  { "deadline", { 3600, 7200, 6600, 6000, 5400, 5000, 4500, 4000, 3300, 3000, 2700, 2400,
    2100, 1800, 1500, 1350, 1200, 1050, 900, 750, 600, 450, 300, 60, 0 } },
  { "call", CALLS },
  { "other", { "run-1", "next-1", "nobody", "own-1" } },
  { "interval", { 5, 1, 2, 20 } },
  { "max_interval", { 60, 30, 8 } },
}

-- The switches at which the service is as API.md has it, without lag and fault,
-- nobody else publishes, and a cancel is taken or comes too late.
switches.consistent = {
  before = { 1000, 86400, 300, false },
  run_state = { "running", "waiting_for_publisher_review" },
  run_ends = { NEVER, 45, 500 },
  run_ends_as = { "succeeded", "failed" },
  history = { 0, 1, 2, 3 },
  history_age = { 86400, 3600 },
  history_state = { "canceled", "succeeded", "failed" },
  effect = EFFECTS,
  answer = { ANSWERS[1], ANSWERS[2], ANSWERS[3], ANSWERS[4], ANSWERS[6], ANSWERS[8] },
  own = { "listed", "none" },
  list = { "whole", "bare", "spelt" },
  list_order = { "newest", "oldest", "none" },
  document = { "object", "bare", "array" },
  word = { "canCancel", "CAN_CANCEL", "can cancel" },
  takes = { 0.2, 0.1, 1 },
  call = { CALLS[1], CALLS[2] },
}

-- Switches that every run draws.
local ALWAYS = { deadline = true, call = true, before = true, run_ends = true, answer = true }

-- In a mild run one switch in four is drawn, and the others stay where the service
-- is plain; in a harsh one all are.
local MILD = 5

local integer = hash.integer

local function draw(seed, odds)
  local drawn = { seed = seed }
  for i, switch in ipairs(switches.list) do
    local name, values = switch[1], switch[2]
    local is_drawn = ALWAYS[name] or integer(seed, -1000 - i) % odds == 0
    drawn[name] = values[is_drawn and integer(seed, -i) % #values + 1 or 1]
  end
  return drawn
end

-- The small combinations that are all run.
switches.grid = {
  { "before", { 1000, 4, false } },
  { "run_ends", { NEVER, 2, 45 } },
  { "next_starts", { NEVER, 0, 60 } },
  { "history", { 1 } },
  { "effect", { EFFECTS[1], { word = 50 }, {} } },
  { "answer", { ANSWERS[1], ANSWERS[2], ANSWERS[4], ANSWERS[6], ANSWERS[8] } },
  { "call", { CALLS[1], CALLS[8] } },
  { "fault_at", { "post1" } },
  { "fault", { false, "lost_before", "lost_after", "http_429" } },
  { "list", { "whole", "no_types", "empty" } },
  { "list_behind", { 0, 1 } },
  { "document_behind", { 0, 1 } },
}

--- How many combinations the grid has.
function switches.grid_size()
  local size = 1
  for _, switch in ipairs(switches.grid) do
    size = size * #switch[2]
  end
  return size
end

--- The combination of a number, from 0.
function switches.draw_grid(number)
  local drawn = { seed = number }
  for _, switch in ipairs(switches.list) do
    drawn[switch[1]] = switch[2][1]
  end
  for _, switch in ipairs(switches.grid) do
    local values = switch[2]
    drawn[switch[1]] = values[number % #values + 1]
    number = number // #values
  end
  return drawn
end

--- The values of a seed: of the mix in which most runs end in a result.
function switches.draw(seed)
  return draw(seed, MILD)
end

--- The same where everything is odd at once.
function switches.draw_harsh(seed)
  return draw(seed, 1)
end

--- The same of a service without lag and fault.
function switches.draw_consistent(seed)
  local drawn = { seed = seed }
  for i, switch in ipairs(switches.list) do
    local values = switches.consistent[switch[1]] or { switch[2][1] }
    drawn[switch[1]] = values[integer(seed, -i) % #values + 1]
  end
  return drawn
end

-- A consistent service either has something to cancel or has a history; an
-- empty list after a 200 proves nothing.
function switches.is_told(drawn)
  return (drawn.before or drawn.history > 0) and drawn.effect.as ~= nil
end

return switches
