--- What follows from what was seen: pure functions of the evidence and the time,
-- which ask nothing and change nothing.
--
-- Lists and documents may be `lag` seconds behind, and replicas may alternate: a
-- look shows some moment between `lag` before it was asked and its answer. So what
-- it shows running may be over, and what it does not show may have begun; only an
-- end is final. "Still", "again" and "nothing" need a look asked `lag` after what
-- they are held against.
--
-- A verdict has an `outcome`, the `code` of an error of the workflow's own, or an
-- exchange's `err`, which ends it; `seen`, the operation that it is about; or `post`:
-- a POST may go out, and must have begun to leave by `start_by`. In the end also
-- `may_publish`, and `running`, a publish that another would meet; or what is not done
-- in the list `is_vague`.

local pace = require "cpp.workflow.pace"
local targets = require "cpp.workflow.targets"
local words = require "cpp.words"

local verdict = {}

local OUTCOMES = { canceled = "canceled", succeeded = "too_late", failed = "failed" }
-- Seconds for which a look allows the POST that it is a condition of.
local FRESH = 5

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
  return e.named and e.named.first and e.named or nil
end

-- A cancel that arrived hit it: it ran, and what ran was being canceled.
local function is_certainly_hit(e, seen)
  if kind(seen) ~= "run" or seen.ended_before then
    return false
  elseif seen == named(e) then
    return true
  end
  return seen.before and seen.ran and (seen.taken or seen.ran >= e.back + e.lag)
end

-- By the late list: it began later, or a run would be in there.
local function is_ruled_out(e, seen)
  local late = e.late
  return late and (seen.first > late.look
    or (late.any and not late.shown[seen] and kind(seen) == nil))
end

-- The one that decides of those that it has hit, if it arrived: one that goes on, else
-- the one that the 202 named; and those that it may have hit.
local function hits(e)
  local leader, maybe = nil, {}
  for _, seen in ipairs(e.all) do
    if is_certainly_hit(e, seen) then
      local is_better = not leader or (leader.over and (not seen.over or seen == named(e)))
      leader = is_better and seen or leader
    elseif kind(seen) ~= "own" and not seen.ended_before and not is_ruled_out(e, seen) then
      table.insert(maybe, seen)
    end
  end
  return leader, maybe
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

-- `lag` after the answer all that is worth a look was looked at, and does not decide.
local function unverified(e, now, seen, maybe)
  local since = e.back + e.lag
  if now < since then
    return nil
  end
  for _, target in ipairs(targets.after(e, now, seen, maybe)) do
    if target.asked < since and not e.spent then
      return nil
    end
  end
  return { code = "unverified", seen = seen or maybe[1] }
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
    return { post = true, start_by = seen.ran_answered + FRESH }
  end
  return #targets.after(e, now, seen, maybe) == 0 and unverified(e, now, seen, maybe) or nil
end

-- A 200 is the service's word that it is canceled at once. A document before it and
-- a list after it agree, and no other is known, in whatever state.
local function stopped(e, maybe)
  local list, one = e.list, maybe[1]
  local is_it = e.synced and #maybe == 1 and one.offered and one.state == "canceled" and one.ran
    and list and list.asked >= e.back and not list.loose and list.ended[one]
  return is_it and one or nil
end

-- The list shows the end of one seen before, and leaves no other.
local function ended_in_list(e, maybe)
  local one, late = maybe[1], e.late
  local is_it = late and not late.loose and #maybe == 1 and one.over and one.ran
    and one.before and late.ended[one]
  return is_it and one or nil
end

-- Whether a list leaves nothing but what it shows. An empty one proves nothing where
-- something is known to have been.
local function is_telling(e, list)
  local can_be_empty = #e.all == 0 and not e.place and e.cancel == "accepted" and not e.synced
  return not list.loose and (list.any or can_be_empty)
end

-- Nothing is left but the 202's operation: the one that ran or the cancel's own.
local function only_named(e, maybe)
  local seen = named(e)
  local is_only = #maybe == 0 or (#maybe == 1 and maybe[1] == seen)
  return seen and seen.ran and is_only and seen or nil
end

local function judge_uncertain(e, now, maybe)
  local one, late = stopped(e, maybe) or ended_in_list(e, maybe), e.late
  if one then
    return ended(one)
  elseif late and #maybe == 0 and is_telling(e, late) then
    return { outcome = "nothing_to_cancel" }
  elseif not late and not (e.listing.lost and now >= e.back + e.lag) then
    return nil
  end
  one = only_named(e, maybe)
  if one and not one.over and maybe[1] and not (e.place.lost and (not one.id or one.lost)) then
    return nil
  elseif one and one.state == "canceled" and not e.loose then
    return ended(one)
  end
  return unverified(e, now, nil, maybe)
end

local function judge(e, now)
  local seen, maybe = hits(e)
  if not seen then
    return judge_uncertain(e, now, maybe)
  elseif not seen.over then
    return judge_running(e, now, seen, maybe)
  end
  return seen.ran and ended(seen) or unverified(e, now, seen, maybe)
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
  local wanted, since = e.wanted, e.called + e.lag
  local is_missing = wanted.lost and wanted.err.status == 404 and not wanted.first
  return is_missing
    and ((e.listing.lost and now >= since) or (e.list and e.list.asked >= since))
end

-- Only the operation that `operation` names may be canceled, and while it runs.
local function guard(e, now)
  local wanted = e.wanted
  if not wanted then
    return { post = true }
  elseif wanted.over then
    return ended(wanted)
  end
  local other, ran = other_running(e, wanted), wanted.ran_answered
  if other and e.list.asked >= (ran or e.called) + e.lag then
    return { code = "other_operation", seen = other }
  elseif not other and is_unknown(e, now) then
    return { err = wanted.err }
  elseif e.listing.lost and wanted.lost then
    return { err = e.trouble }
  end
  local is_fresh = wanted.ran_round == e.round and now <= ran + FRESH
  return { post = is_fresh and not other and e.listing.asked > -math.huge
    and not words.is_cancel(wanted.type), start_by = ran and ran + FRESH }
end

-- ---- whether a publish may start ----

-- When the end was seen, or that there was nothing to cancel.
local function end_time(e, v)
  return v.seen and v.seen.over or e.late.answered
end

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

-- Adds to a verdict whether a publish may start: true, false, or nil where it is not
-- known. Whether that is the last word: the document of what runs may know better, and
-- a list may come in time.
local function add_publishable(e, v)
  local list = e.list
  if list and list.round == e.round and can_tell(e, list, v.seen) then
    v.running, v.is_vague = others(list)
    if v.running then
      v.may_publish = false
      return v.running.lost or v.running.round == e.round
    elseif not v.is_vague then
      v.may_publish = true
      return true
    end
  end
  return e.listing.lost or e.listing.asked >= end_time(e, v) + e.lag
end

-- ---- what comes next ----

-- A verdict that ends the workflow, or nil.
local function conclusion(e, v)
  if e.no_wait and e.cancel == "accepted" then
    return { outcome = "accepted" }
  elseif v.code or v.err then
    return v
  elseif v.outcome then
    return (add_publishable(e, v) or e.spent) and v or nil
  end
  return e.spent and { code = "deadline" } or nil
end

-- What is worth a look, best first.
local function worthwhile(e, now, v)
  if v.outcome then
    return { v.running or e.listing }
  elseif not e.sent then
    return targets.before(e, other_running(e, e.wanted))
  end
  return targets.after(e, now, hits(e))
end

-- A POST goes out when the look before is complete, or when the service asks not to be
-- looked at.
local function may_post(e, now, v, target, is_held)
  if not v.post or e.resting or now >= e.until_time or pace.holds_post(e, now) then
    return false
  end
  return e.sent or not target or (is_held and e.listing.round == e.round)
end

-- When a look can decide at last what it cannot yet.
local function aim_of(e, v)
  if v.outcome then
    return end_time(e, v) + e.lag
  elseif e.sent then
    return not hits(e) and e.back + e.lag or nil
  end
  return e.wanted and (e.wanted.ran_answered or e.called) + e.lag
end

--- What comes next: "look", and what at; "post", and by when; "pause", and what for (the
-- time of a look that can decide); or "end", and the verdict.
function verdict.next(e, now)
  if e.fatal then
    return "end", { err = e.fatal }
  end
  local v = (e.sent and judge or guard)(e, now) or {}
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

--- The operation that the workflow is about, as far as that is known: what runs before
-- the POST; after it what it hit, or what was seen before and may have been. Never the
-- cancel's own.
function verdict.focus(e)
  if not e.sent then
    return e.wanted and e.wanted.first and e.wanted or other_running(e)
  end
  local focus, maybe = hits(e)
  for _, seen in ipairs(maybe) do
    focus = focus or seen.before and seen or nil
  end
  return focus
end

return verdict
