--- What follows from what was seen: pure functions of the evidence and the time,
-- which ask nothing and change nothing.
--
-- Lists and documents may be `lag` seconds behind, and replicas may alternate: a
-- look shows some moment between `lag` before it was asked and its answer. So what
-- it shows running may be over, and what it does not show may have begun; only an
-- end is final. "Still", "again" and "nothing" need a look asked `lag` after what
-- they are held against.

local evidence = require "cpp.workflow.evidence"
local pace = require "cpp.workflow.pace"
local targets = require "cpp.workflow.targets"
local words = require "cpp.workflow.words"

local verdict = {}

local OUTCOMES = { canceled = "canceled", succeeded = "too_late", failed = "failed" }
-- Seconds for which a look allows the POST that it is a condition of.
local FRESH = 5
local NOTHING = {}

---@class cpp.workflow.verdict
---@field outcome string|nil
---@field code string|nil  of an error of the workflow's own
---@field err cpp.error|nil  an exchange's, which ends it
---@field seen cpp.workflow.seen|nil  the operation that it is about
---@field post boolean|nil  a POST may go out
---@field start_by number|nil  and must have begun to leave by then
---@field may_publish boolean|nil
---@field running cpp.workflow.seen|nil  a publish that another would meet

-- ---- which operation the cancel may have hit ----

-- The cancel's own operation is known by its type alone. Without one, what was seen
-- before the POST is a run, and what was not may be either: nil.
local function kind(seen)
  if seen.type then
    return words.is_cancel(seen.type) and "own" or "run"
  end
  return seen.before and "run" or nil
end

-- The operation behind the 202's location, once it was seen.
local function named(e)
  local seen = e.named and e.by_key[e.named]
  return seen and seen.first and seen or nil
end

-- A cancel that arrived hit it: it ran, and what ran was being canceled.
local function is_certainly_hit(e, seen)
  if kind(seen) ~= "run" or seen.ended_before then
    return false
  elseif seen == named(e) then
    return true
  end
  local still_ran = seen.ran ~= nil and seen.ran >= e.back + e.lag
  return seen.before and seen.ran ~= nil and (seen.taken or still_ran)
end

-- By the list of rule 3: it began later, or a run would be in there.
local function is_ruled_out(e, seen)
  local late = e.late
  if not late then
    return false
  elseif seen.first > late.look then
    return true
  end
  return late.any and not late.shown[seen] and kind(seen) == nil
end

-- Those it has hit, if it arrived; and those it may have hit.
local function hits(e)
  local certain, maybe = {}, {}
  for _, seen in ipairs(e.all) do
    if is_certainly_hit(e, seen) then
      certain[#certain + 1] = seen
    elseif kind(seen) ~= "own" and not seen.ended_before
      and not is_ruled_out(e, seen) then
      maybe[#maybe + 1] = seen
    end
  end
  return certain, maybe
end

-- The one that decides: one that goes on, else the one that the 202 named.
local function leading(e, certain)
  local leader = certain[1]
  for _, seen in ipairs(certain) do
    if not seen.over then
      return seen
    elseif seen == named(e) then
      leader = seen
    end
  end
  return leader
end

-- ---- after the POST ----

local function ended(seen)
  return { outcome = OUTCOMES[seen.state], seen = seen }
end

-- By now every look would show that it is being canceled.
local function may_be_canceled(e, seen)
  local since = math.max(e.back, seen.other or e.back)
  return seen.may ~= nil and seen.may >= since + e.lag
end

-- The cancel's own operation has ended, and the run goes on.
local function outlives_own(e, seen)
  local own = named(e)
  return own ~= nil and own ~= seen and kind(own) ~= "run" and own.over ~= nil
    and seen.ran ~= nil and seen.ran >= own.over + e.lag
end

-- Whether all that is worth a look was looked at since it can decide.
local function is_exhausted(e, now, seen, maybe)
  for _, target in ipairs(targets.after(e, now, seen, maybe)) do
    if evidence.try(e, target).asked < e.back + e.lag then
      return pace.is_spent(e)
    end
  end
  return true
end

local function unverified(e, now, seen, maybe)
  if now >= e.back + e.lag and is_exhausted(e, now, seen, maybe) then
    return { code = "unverified", seen = seen or maybe[1] }
  end
end

-- It was hit and goes on. A cancel is never repeated blindly: only at what was seen
-- before, still runs and, as its document says in this round, may be canceled.
local function judge_running(e, now, seen, maybe)
  if e.cancel == "accepted" then
    if may_be_canceled(e, seen) or outlives_own(e, seen) then
      return { code = "not_canceled", seen = seen }
    end
  elseif not e.enough and seen.before and may_be_canceled(e, seen)
    and seen.may_round == e.round then
    return { post = true, seen = seen, start_by = seen.ran_answered + FRESH }
  end
  if #targets.after(e, now, seen, maybe) == 0 then
    return unverified(e, now, seen, maybe)
  end
end

local function judge_certain(e, now, seen, maybe)
  if not seen.over then
    return judge_running(e, now, seen, maybe)
  elseif seen.ran then
    return ended(seen)
  end
  return unverified(e, now, seen, maybe)
end

-- The only one of these that has ended; nil where another has too, or goes on.
local function only_ended(maybe)
  local one
  for _, seen in ipairs(maybe) do
    if (seen.over and one) or (seen.ran and not seen.over) then
      return nil
    end
    one = seen.over and seen or one
  end
  return one
end

-- A 200 is the service's word that it is canceled at once. A document before it and
-- a list after it agree.
local function stopped(e, maybe)
  local one, list = e.synced and only_ended(maybe), e.list
  local is_it = one and one.offered and one.state == "canceled" and one.ran
    and list and list.asked >= e.back and not list.loose and list.ended[one]
  return is_it and one or nil
end

-- Whether an empty list proves anything: not where something is known to have been.
local function can_be_empty(e)
  return #e.all == 0 and not e.place and e.cancel == "accepted" and not e.synced
end

-- Whether a list leaves nothing but what it shows.
local function is_telling(e, list)
  return not list.loose and (list.any or can_be_empty(e))
end

-- The list shows the end of one seen before, and leaves no other.
local function ended_in_list(e, maybe)
  local one, late = maybe[1], e.late
  local is_it = late and not late.loose and #maybe == 1 and one.over and one.ran
    and one.before and late.ended[one]
  return is_it and one or nil
end

-- The 202's, seen under way and then canceled, is the one that ran or the cancel's
-- own: either way something was canceled, where nothing else could be seen.
local function canceled_place(e, maybe)
  local seen = named(e)
  local is_it = seen and seen.over and seen.ran and seen.state == "canceled"
    and not e.loose and (#maybe == 0 or (#maybe == 1 and maybe[1] == seen))
  return is_it and seen or nil
end

-- Nothing else is left but the 202's, which goes on and can be looked at.
local function goes_on(e, maybe)
  local seen = maybe[1]
  local is_it = #maybe == 1 and seen == named(e) and seen.ran and not seen.over
  return is_it and not (evidence.try(e, evidence.PLACE).lost
    and (not seen.id or evidence.try(e, seen).lost))
end

local function judge_uncertain(e, now, maybe)
  local one, late = stopped(e, maybe) or ended_in_list(e, maybe), e.late
  if one then
    return ended(one)
  elseif late and #maybe == 0 and is_telling(e, late) then
    return { outcome = "nothing_to_cancel" }
  end
  local is_list_done = late or (evidence.try(e, evidence.LIST).lost and now >= e.back + e.lag)
  if not is_list_done or goes_on(e, maybe) then
    return nil
  end
  one = canceled_place(e, maybe)
  return one and ended(one) or unverified(e, now, nil, maybe)
end

local function judge(e, now)
  local certain, maybe = hits(e)
  local seen = leading(e, certain)
  if seen then
    return judge_certain(e, now, seen, maybe)
  end
  return judge_uncertain(e, now, maybe)
end

-- ---- before the POST ----

-- A publish that the newest list shows running, and that is not known to have ended.
local function other_running(e, except)
  for _, entry in ipairs(e.list and e.list.open or {}) do
    local seen = entry.seen
    if seen and seen ~= except and entry.runs and not seen.over
      and not words.is_cancel(seen.type) then
      return seen
    end
  end
end

-- Neither its document nor a list knows it, and by now they would.
local function is_unknown(e, now)
  local unknown, list = e.unknown, evidence.try(e, evidence.LIST)
  local since = e.called + e.lag
  if not unknown or unknown.asked < since or e.wanted.first then
    return false
  end
  return (list.lost and now >= since) or (e.list ~= nil and e.list.asked >= since)
end

local function is_other_certain(e, wanted)
  local since = math.max(e.called, wanted.ran_answered or e.called)
  return e.list.asked >= since + e.lag
end

-- Nothing can be seen at all.
local function is_blind(e)
  return evidence.try(e, evidence.LIST).lost and evidence.try(e, e.wanted).lost
end

local function may_post_at(e, wanted, now)
  local is_fresh = wanted.round == e.round and not wanted.over
    and now <= wanted.ran_answered + FRESH
  return is_fresh and evidence.try(e, evidence.LIST).asked > -math.huge
    and not words.is_cancel(wanted.type)
end

local function guard_wanted(e, now)
  local wanted = e.wanted
  if wanted.over then
    return ended(wanted)
  end
  local other = other_running(e, wanted)
  if other and is_other_certain(e, wanted) then
    return { code = "other_operation", seen = other }
  elseif not other and is_unknown(e, now) then
    return { err = e.unknown.err }
  elseif is_blind(e) then
    return { err = e.trouble }
  end
  local may = not other and may_post_at(e, wanted, now)
  return { post = may, start_by = may and wanted.ran_answered + FRESH or nil }
end

local function guard(e, now)
  if e.wanted then
    return guard_wanted(e, now)
  end
  return { post = true }
end

-- ---- whether a publish may start ----

-- Whether the newest list was made when that operation had ended.
local function can_tell(e, list, seen)
  if not seen then
    return list.asked >= e.back + e.lag and is_telling(e, list)
  end
  return list.ended[seen] or (list.asked >= seen.over + e.lag and e.listed)
end

-- A publish that the list shows running; and whether something there may be one.
local function others(list)
  local running, is_vague
  for _, entry in ipairs(list.open) do
    local seen = entry.seen
    local has_ended = seen and (seen.over or words.is_cancel(seen.type))
    if seen and not has_ended and seen.type and entry.runs then
      running = running or seen
    elseif not has_ended then
      is_vague = true
    end
  end
  return running, is_vague
end

-- Its own document may know better.
local function is_looked_at(e, seen)
  local try = evidence.try(e, seen)
  return try.lost or try.round == e.round or pace.is_spent(e)
end

-- Whether nobody could tell in time.
local function is_patience_over(e, seen)
  local list = evidence.try(e, evidence.LIST)
  local since = seen and seen.over or e.late.answered
  return list.lost or list.asked >= since + e.lag
end

-- true, false, or nil where it is not known; what runs; whether that is the last word.
local function publishable(e, seen)
  local list = e.list
  if list and list.round == e.round and can_tell(e, list, seen) then
    local running, is_vague = others(list)
    if running then
      return false, running, is_looked_at(e, running)
    elseif not is_vague then
      return true, nil, true
    end
  end
  return nil, nil, is_patience_over(e, seen)
end

-- ---- what comes next ----

local function conclude(e, v)
  local may, running, is_settled = publishable(e, v.seen)
  v.may_publish, v.running = may, running
  return (is_settled or pace.is_spent(e)) and v or nil
end

-- A verdict that ends the workflow, or nil.
local function conclusion(e, v)
  if v.code or v.err then
    return v
  elseif e.no_wait and e.cancel == "accepted" then
    return { outcome = "accepted" }
  elseif v.outcome then
    return conclude(e, v)
  end
  return pace.is_spent(e) and { code = "deadline" } or nil
end

-- What is worth a look, best first.
local function worthwhile(e, now, v)
  if v.outcome then
    return { v.running or evidence.LIST }
  elseif not e.sent then
    return targets.before(e, other_running(e, e.wanted))
  end
  local certain, maybe = hits(e)
  return targets.after(e, now, leading(e, certain), maybe)
end

-- Whether the look before is complete: then, or where the service asks not to be
-- looked at, the POST that it allows goes out.
local function is_looked(e, target, is_held)
  local list = evidence.try(e, evidence.LIST)
  return not target or (is_held and list.round == e.round)
end

local function may_post(e, now, v, target, is_held)
  if not v.post or e.resting or now >= e.until_time or pace.holds_post(e, now) then
    return false
  end
  return e.sent ~= nil or is_looked(e, target, is_held)
end

-- When a look can decide at last what it cannot yet.
local function aim_of(e, v)
  if v.outcome then
    return (v.seen and v.seen.over or e.late.answered) + e.lag
  elseif e.sent then
    return not leading(e, hits(e)) and e.back + e.lag or nil
  elseif e.wanted then
    return math.max(e.called, e.wanted.ran_answered or e.called) + e.lag
  end
end

--- What comes next: "look", what at; "post", by when; "pause", what for (the time
--- of a look that can decide); or "end", the verdict.
---@param e cpp.workflow.evidence
---@param now number
---@return "look"|"post"|"pause"|"end" step
---@return any value
function verdict.next(e, now)
  if e.fatal then
    return "end", { err = e.fatal }
  end
  local v = (e.sent and judge or guard)(e, now) or NOTHING
  local last = conclusion(e, v)
  if last then
    return "end", last
  end
  local is_early, is_held = now < e.until_time, pace.holds_look(e, now)
  local target = targets.pick(e, worthwhile(e, now, v), not is_early)
  if may_post(e, now, v, target, is_held) then
    return "post", v.start_by
  elseif is_early and (e.resting or is_held or not target) then
    return "pause", aim_of(e, v)
  elseif target then
    return "look", target
  end
  return "end", { code = "deadline" }
end

-- What was seen before the POST, and may have been hit.
local function known_before(maybe)
  for _, seen in ipairs(maybe) do
    if seen.before then
      return seen
    end
  end
end

--- Whether a list that could tell whether a publish may start shows something that
-- is not done, and not what it is.
---@param e cpp.workflow.evidence
---@param seen cpp.workflow.seen|nil  the operation that has ended
---@return boolean
function verdict.is_vague(e, seen)
  local list = e.list
  return list and can_tell(e, list, seen) and select(2, others(list)) or false
end

--- The operation that the workflow is about, as far as that is known: what runs
--- before the POST, what it hit after it. Never the cancel's own.
---@param e cpp.workflow.evidence
---@return cpp.workflow.seen|nil
function verdict.focus(e)
  if not e.sent then
    return e.wanted and e.wanted.first and e.wanted or other_running(e)
  end
  local certain, maybe = hits(e)
  return leading(e, certain) or known_before(maybe)
end

return verdict
