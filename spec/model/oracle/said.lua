--- Holds what a workflow said against what happened: rules 1 to 4 of DESIGN.md's
-- section Workflows, and what a result or an error must carry.

local OUTCOMES = { canceled = "canceled", too_late = "succeeded", failed = "failed" }
local CODES = { deadline = true, other_operation = true, not_canceled = true, unverified = true }
local SILENCE = 60
local SLACK = 1e-6

local said = {}

-- ---- what the record shows ----

-- The POSTs that the service may have taken.
local function taken_of(run)
  local taken = {}
  for _, post in ipairs(run.posts) do
    if post.fate == "accepted" or post.fate == "unknown" then
      taken[#taken + 1] = post
    end
  end
  return taken
end

local function is_passing(err)
  local status = err.status
  if status then
    return status == 408 or status == 429 or status >= 500
  end
  return (err.kind == "transport" or err.kind == "credential") and err.retryable == true
end

local function last_list(run)
  for i = #run.log, 1, -1 do
    local event = run.log[i]
    if event.kind == "list" and event.ok then
      return event
    end
  end
end

local function shows(list, op)
  for _, item in ipairs(list.shows) do
    if item.model_operation == op then
      return item
    end
  end
end

-- Whether a list was asked for so late that it tells what ran at the cancel; one
-- that shows the end of `op`, if that is given.
local function has_late_list(run, back, op)
  for _, event in ipairs(run.log) do
    if event.kind == "list" and event.ok and event.asked >= back + run.list_lag - SLACK then
      local item = op and shows(event, op)
      if not op or (item and item.done) then
        return true
      end
    end
  end
  return false
end

local function is_hit(taken, op)
  for _, post in ipairs(taken) do
    if post.run == op then
      return true
    end
  end
  return false
end

-- Nothing but empty lists, and an accepted cancel that names nothing.
local function is_blind(run, taken)
  if run.drawn.list ~= "empty" or #taken > 1 or taken[1].fate ~= "accepted" then
    return false
  end
  for _, op in ipairs(run.world.all) do
    if op.seen then
      return false
    end
  end
  local answer = taken[1].answer
  return answer.http_status == 202 and not answer.location
end

-- ---- the outcomes that name an operation ----

-- What is known at all: it ran, and its end was seen.
local function check_end(run, result, op)
  if OUTCOMES[result.outcome] ~= op.ends_as or run.time < op.ends then
    return "its end is another"
  elseif result.operation.state ~= op.ends_as or not result.operation.done then
    return "the operation told is not its end"
  elseif not op.over then
    return "its end was not seen"
  end
end

-- The 202's operation, seen under way and then canceled, whichever it is, where
-- nothing else could be seen.
local function is_canceled_place(run, result, op, taken)
  for _, post in ipairs(taken) do
    if post.run and post.run ~= op and post.run.seen then
      return false
    end
  end
  return op == run.named and result.outcome == "canceled"
    and run.time >= taken[#taken].answered + run.list_lag - SLACK
end

-- The service's own word, which a document before and a list after agree with.
local function is_stopped_at_once(run, op, post)
  local list = last_list(run)
  local item = list and shows(list, op)
  return post.answer ~= nil and post.answer.http_status == 200 and op.free_first ~= nil
    and op.free_first <= post.asked and op.ends_as == "canceled"
    and item ~= nil and item.done and list.asked >= post.answered
end

-- The location of the 202 names it, and it is known to be a publish: that is what
-- the service says of its cancel.
local function is_named_publish(run, op, taken)
  return op == run.named and (op.typed or op.seen <= taken[1].asked)
end

-- Seen before the cancel, which hit nothing that was seen but it.
local function is_left_alone(op, taken, what)
  for _, post in ipairs(taken) do
    local hit = post.run
    if hit and hit ~= op and (what == "nothing" or hit.seen) then
      return false
    end
  end
  return op.seen <= taken[1].asked
end

-- It ended between the look and the cancel, which hit nothing: a list shows its end,
-- and leaves no other. After a 200 rule 1 asks for no wait, and so what lags by more
-- than the age of the last one can hide the one that was hit. And the word of a
-- document may change for the cancel of a call that crashed.
local function is_excused(run, op, taken)
  local last = taken[#taken]
  return (op.taken and run.hit_before[op])
    or (is_left_alone(op, taken, "nothing") and has_late_list(run, last.answered, op))
    or (is_left_alone(op, taken, "nothing seen") and is_stopped_at_once(run, op, last))
end

-- By its document's words, the 202's location or a 200; all else takes list_lag.
local function is_early(run, op, taken)
  local last = taken[#taken]
  return run.time < last.answered + run.list_lag - SLACK and not op.taken
    and not is_named_publish(run, op, taken) and not is_stopped_at_once(run, op, last)
end

local function check_run(run, op, taken)
  if not is_hit(taken, op) and not is_named_publish(run, op, taken)
    and not is_excused(run, op, taken) then
    return "the cancel did not hit it"
  elseif op.over_known and op.over_known <= taken[1].asked then
    return "it was seen ended before the cancel"
  elseif is_early(run, op, taken) then
    return "it was said before it could be known"
  end
end

-- The operation that is named has ended before a cancel: its end is the outcome.
local function check_without_post(run, op)
  if run.operation ~= op.id then
    return "no cancel was sent, and nobody asked for this operation"
  end
end

-- One of an earlier call, which no list gives a type.
local function is_like_a_run(op, taken)
  return op.starts < taken[1].asked and op.seen <= taken[1].asked and not op.typed
end

local function check_named_outcome(run, result, taken)
  local op = run:truth(result.operation)
  if not op then
    return "no operation is told"
  end
  local wrong = check_end(run, result, op)
  if wrong then
    return wrong
  elseif #taken == 0 then
    return check_without_post(run, op)
  elseif not op.ran then
    return "it was never seen running"
  elseif is_canceled_place(run, result, op, taken) then
    return nil
  elseif op.own and not is_like_a_run(op, taken) then
    return "it is a cancel's own"
  elseif op.own then
    return nil
  end
  return check_run(run, op, taken)
end

-- ---- nothing_to_cancel ----

local function check_nothing(run, result, taken)
  if #taken == 0 then
    return "nothing was sent"
  elseif not has_late_list(run, taken[#taken].answered) then
    return "no list could tell"
  elseif result.operation then
    return "an operation is told"
  end
  for _, post in ipairs(taken) do
    if post.run and not is_blind(run, taken) then
      return "a publish ran when the cancel came"
    end
  end
end

-- ---- may_publish ----

-- What the list showed running, less what is known to have ended.
local function still_running(run, list, except)
  for _, one in ipairs(run.world.runs) do
    if one ~= except and one.starts <= list.moment and list.moment < one.ends
      and not (one.over and one.over <= run.time) then
      return one
    end
  end
end

-- An item that may be a publish that runs. What is known to have ended and, by its
-- type, the cancel's own do not count.
local function is_vague(item)
  local kind = item.document.submissionType
  return not item.done and not item.model_operation.over
    and not (kind and kind:lower():find "^cancel")
    and (item.id == nil or item.state == "unknown" or kind == nil)
end

local function has_vague(list)
  for _, item in ipairs(list.shows) do
    if is_vague(item) then
      return true
    end
  end
  return false
end

local function check_may(run, list, op, taken)
  if not list then
    return "a publish may start, and no list said so"
  elseif not op and is_blind(run, taken) then
    return nil
  elseif still_running(run, list, op) then
    return "a publish may start, and one ran"
  elseif op and not op.own and list.moment < op.ends and not shows(list, op) then
    return "a publish may start, by a list of before the end"
  elseif has_vague(list) then
    return "a publish may start, and the list is vague"
  elseif run.drawn.list == "empty" then
    return "a publish may start, by a list that is always empty"
  end
end

local function check_may_not(run, result, list, op)
  local other = run:truth(result.running)
  if not other then
    return "another is said to run, and not which"
  elseif other == op or other.own then
    return "what is said to run is no other publish"
  elseif not list or not shows(list, other) or shows(list, other).done then
    return "what is said to run is not listed as running"
  elseif other.over then
    return "what is said to run was seen ended"
  end
end

-- Whether the last list said it: shows the end, and all else ended.
local function list_tells(list, op)
  local item = op and list and shows(list, op)
  if not item or not item.done or item.id == nil then
    return false
  end
  for _, one in ipairs(list.shows) do
    if not one.done and not (one.id and one.model_operation.over_known) then
      return false
    end
  end
  return true
end

-- It is refused, or a fresh token is rejected too.
local function is_list_lost(run)
  local rejected
  for _, event in ipairs(run.log) do
    local err = event.kind == "list" and event.err
    if err and not is_passing(err) and (err.status ~= 401 or rejected) then
      return true
    elseif event.kind == "list" then
      rejected = err and err.status == 401
    end
  end
  return false
end

-- Nothing was asked since.
local function is_newest(run, list)
  for i = #run.log, 1, -1 do
    local event = run.log[i]
    if event == list then
      return true
    elseif event.kind ~= "told" then
      return false
    end
  end
end

local function check_unknown(run, result, list, op)
  if not result.trouble then
    return "may_publish is unknown, and nothing says why"
  elseif result.running then
    return "may_publish is unknown, and one is said to run"
  elseif list_tells(list, op) and is_newest(run, list) then
    return "may_publish is unknown, and the list had told"
  end
  local since = op and op.over
  if since and run.time < math.min(since + run.list_lag, run.deadline_at) - SLACK
    and not is_list_lost(run) then
    return "may_publish is given up too early"
  end
end

local function check_may_publish(run, result, taken)
  local list = last_list(run)
  local op = result.operation and run:truth(result.operation)
  if result.may_publish == true then
    return check_may(run, list, op, taken) or (result.running and "may publish, and one runs")
  elseif result.may_publish == false then
    return check_may_not(run, result, list, op)
  end
  return check_unknown(run, result, list, op)
end

-- ---- what every answer carries ----

local function cancel_word(run)
  local word = "not_sent"
  for _, post in ipairs(run.posts) do
    if post.fate == "accepted" then
      return "accepted"
    elseif post.fate == "unknown" then
      word = "unknown"
    elseif post.fate == "refused" and word == "not_sent" then
      word = "refused"
    end
  end
  return word
end

local function check_fields(run, answer)
  if answer.cancel ~= cancel_word(run) then
    return ("cancel is told as %s, not %s"):format(tostring(answer.cancel), cancel_word(run))
  elseif answer.publisher ~= "contoso" or answer.offer ~= run.offer then
    return "the offer is not told"
  end
end

local function check_location(run, result)
  local op = result.operation and run:truth(result.operation)
  local id = op and run.places.id_of[result.location or ""]
  if op and result.location ~= run.places.by_name and id ~= op.id then
    return "the location is not that of the operation"
  end
end

-- ---- errors ----

local function check_deadline(run)
  if run.time < run.deadline_at - SLACK then
    return "it is not the deadline yet"
  end
end

local function check_other(run, err, taken)
  local other = run:truth(err.operation)
  local wanted = run:truth { id = run.operation }
  local says_nothing = tostring(err.message):find("no cancel was sent", 1, true)
  if #taken > 0 or (says_nothing and cancel_word(run) ~= "not_sent") then
    return "other_operation, and a cancel was sent"
  elseif not run.operation then
    return "other_operation, and none was asked for"
  elseif not other or other.own or other == wanted then
    return "other_operation is no other publish"
  end
  local list = last_list(run)
  local since = math.max(run.called, wanted and wanted.ran_known or 0) + run.list_lag
  local item = list and shows(list, other)
  if not item or item.done or list.asked < since - SLACK then
    return "other_operation, and no list of so late shows it"
  end
end

-- What the 202 named has ended, and may be the cancel's own.
local function is_given_up(run, op, taken)
  local named = run.named
  return named and named ~= op and named.over and not (named.typed and not named.own)
    and named.seen > taken[1].asked and op.ran >= named.over + run.list_lag - SLACK
end

local function check_not_canceled(run, err, taken)
  local op = run:truth(err.operation)
  if #taken == 0 or not op or op.own or not is_hit(taken, op) then
    return "not_canceled, of what the cancel did not hit"
  elseif not op.ran or op.ran < taken[#taken].answered + run.list_lag - SLACK then
    return "not_canceled too early"
  elseif op.over_known then
    return "not_canceled, and its end was seen"
  elseif op.by_cancel and not is_given_up(run, op, taken) then
    return "not_canceled, and it was"
  end
end

local function check_unverified(run, taken)
  if #taken == 0 then
    return "unverified, and nothing was sent"
  elseif run.time < taken[#taken].answered + run.list_lag - SLACK then
    return "unverified too early"
  end
end

-- Seconds since the first exchange began, where none was ever answered.
local function silence(run)
  local first
  for _, event in ipairs(run.log) do
    if event.ok or (event.err and event.err.status) then
      return nil
    elseif event.err then
      first = first or event.asked
    end
  end
  return first and run.time - first
end

-- It ends with the error of an exchange that cannot pass, or after a long silence.
local function check_exchange_error(run, err)
  local found
  for _, event in ipairs(run.log) do
    local one = event.err
    found = found or (one and one.code == err.code and one.status == err.status
      and one.kind == err.kind and one)
  end
  if not found and run.is_batch and err.kind == "credential" then
    return nil -- refused once, it is refused to all
  elseif not found then
    return "an error that no exchange had"
  end
  local seconds = silence(run)
  if is_passing(found) and not (seconds and seconds >= SILENCE - SLACK) then
    return "it gave up on what passes"
  end
end

local function check_error(run, err, taken)
  if err.kind ~= "workflow" then
    return check_exchange_error(run, err)
  elseif not CODES[err.code] then
    return "no such code: " .. tostring(err.code)
  elseif err.code == "deadline" then
    return check_deadline(run)
  elseif err.code == "other_operation" then
    return check_other(run, err, taken)
  elseif err.code == "not_canceled" then
    return check_not_canceled(run, err, taken)
  end
  return check_unverified(run, taken)
end

-- ---- all of it ----

-- With no_wait nothing comes after the cancel that is accepted, but a callback.
local function check_accepted(run, result)
  local last
  for _, event in ipairs(run.log) do
    last = event.kind ~= "told" and event or last
  end
  if not run.no_wait then
    return "accepted: it was to be followed"
  elseif last.kind ~= "post" or last.fate ~= "accepted" then
    return "accepted: it was not, or something came after it"
  elseif result.operation and run:truth(result.operation).own then
    return "accepted: the operation told is the cancel's own"
  end
  return check_fields(run, result) or check_location(run, result)
end

local function check_result(run, result, taken)
  local wrong
  if result.outcome == "nothing_to_cancel" then
    wrong = check_nothing(run, result, taken)
  elseif OUTCOMES[result.outcome] then
    wrong = check_named_outcome(run, result, taken)
  else
    wrong = "no such outcome"
  end
  if wrong then
    return result.outcome .. ": " .. wrong
  end
  return check_may_publish(run, result, taken) or check_fields(run, result)
    or check_location(run, result)
end

--- What is wrong with what was said; nil: nothing.
---@param run table  a client, after its workflow: time, list_lag, deadline_at, operation
---@param result table|nil
---@param err table|nil
---@return string|nil
function said.check(run, result, err)
  local taken = taken_of(run)
  if result and result.outcome == "accepted" then
    return check_accepted(run, result)
  elseif run.no_wait and cancel_word(run) == "accepted" then
    return "accepted, and it is not told"
  elseif result then
    return check_result(run, result, taken)
  elseif type(err) ~= "table" then
    return "neither a result nor an error"
  end
  local wrong = check_error(run, err, taken)
  return wrong and tostring(err.code) .. ": " .. wrong or check_fields(run, err)
end

return said
