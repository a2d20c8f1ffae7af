--- Holds what a workflow sent, and when it looked, against DESIGN.md's "What is
-- sent, and when" and "When it looks".

local world = require "spec.model.world"

local SLACK = 1e-6
local CLOCK = 0.01 -- seconds for which a pause may be longer, so that it is over
local WINDOW = 5 -- seconds from the look that is a condition to the POST
local TIMEOUT = 60
local SPREAD = 1.2
local RETRY_SPREAD = 1.1
local MOST_AT_ONCE = 16 -- exchanges without a pause between

local sent = {}

local function is_look(event)
  return event.kind == "list" or event.kind == "document"
end

-- Where the looks begin that come right before log[index]: since the last pause,
-- callback or POST.
local function looks_before(run, index)
  local first = index
  while first > 1 and is_look(run.log[first - 1]) do
    first = first - 1
  end
  return first
end

local function find(log, kind, first, index)
  for i = first, index - 1 do
    if log[i].kind == kind then
      return log[i]
    end
  end
end

-- The publish that a look shows running, by what the look itself says.
local function shown_running(event, id)
  for _, item in ipairs(event.shows or {}) do
    if not item.done and item.state ~= "unknown" and item.model_operation.id == id then
      return true
    end
  end
  return false
end

local function is_other_publish(item, id)
  local op = item.model_operation
  return not item.done and item.state ~= "unknown" and op.id ~= id and not op.own
    and item.id ~= nil and not op.over
end

local function shows_other(event, id)
  for _, item in ipairs(event.shows or {}) do
    if is_other_publish(item, id) then
      return true
    end
  end
  return false
end

-- ---- a POST ----

local function check_leaves(run, index, first)
  local post, look = run.log[index], run.log[index - 1]
  local start_by = type(post.opts) == "table" and post.opts.start_by
  if index == first then
    return "a cancel without a look"
  elseif not start_by or start_by > look.answered + WINDOW + SLACK then
    return "a cancel under a condition without start_by"
  end
end

-- With the option `operation`: it runs, and no other publish.
local function check_wanted(run, index, first)
  local wrong, runs = check_leaves(run, index, first), false
  for i = first, index - 1 do
    runs = runs or shown_running(run.log[i], run.operation)
    if run.log[i].kind == "list" and shows_other(run.log[i], run.operation) then
      wrong = wrong or "a cancel, and another publish was shown"
    end
  end
  if not find(run.log, "list", first, index) and not run.list_lost then
    wrong = wrong or "a cancel of a named operation without a list"
  end
  return wrong or (not runs and "a cancel, and the named operation was not shown running")
end

local function says_can_cancel(run, event)
  local op = event.shows and event.shows[1].model_operation
  local word = op and run.world:word(op, event.moment)
  return world.can_cancel(word)
end

-- A POST after one whose answer was unclear.
local function check_repeated(run, index, first, before)
  local wrong = check_leaves(run, index, first)
  for i = first, index - 1 do
    local event = run.log[i]
    local op = event.kind == "document" and event.shows and event.shows[1].model_operation
    if op and not event.shows[1].done and says_can_cancel(run, event)
      and event.asked >= before.answered + run.list_lag - SLACK
      and op.seen <= run.first_unclear.asked then
      return wrong
    end
  end
  return "a cancel is repeated blindly"
end

-- A look costs one try; what the list shows running is looked at too.
local function check_plain(run, index, first)
  local list = find(run.log, "list", first, index)
  if run.list_lost or run.list_failed then
    return nil
  elseif not list then
    return "a cancel without a list"
  end
  for _, item in ipairs(list.shows or {}) do
    if is_other_publish(item, nil) and not run.document_failed and not run.document_lost
      and not find(run.log, "document", first, index) then
      return "a cancel without a look at what runs"
    end
  end
end

local function check_told(run, index, first)
  if not run.callback_takes then
    return nil
  end
  for i = first, index - 1 do
    local event = run.log[i]
    local op = event.kind == "document" and event.shows and event.shows[1].model_operation
    if op and not event.shows[1].done and not run.told_at[op] then
      return "a cancel, and what runs was not told"
    end
  end
end

local function check_post(run, index)
  local post, first = run.log[index], looks_before(run, index)
  local before = run.last_post
  if post.asked >= run.deadline_at then
    return "a cancel at the deadline"
  elseif before and before.fate == "accepted" then
    return "a second cancel after one that was accepted"
  elseif run.first_unclear then
    return check_repeated(run, index, first, run.last_unclear)
  elseif run.operation then
    return check_wanted(run, index, first)
  end
  return check_plain(run, index, first) or check_told(run, index, first)
end

local function note_post(run, post)
  run.last_post = post
  if post.fate == "accepted" or post.fate == "unknown" then
    run.since = run.since or post.asked
  else
    run.list_failed, run.document_failed = nil, nil -- the look is made anew
  end
  if post.fate == "unknown" then
    run.first_unclear = run.first_unclear or post
    run.last_unclear = post
  end
end

-- After an answer that no repetition betters.
local function check_after(before, event)
  local status = before.err and before.err.status
  if before.kind ~= event.kind or not status or status < 400 or status >= 500
    or status == 408 or status == 429 or status == 404 then
    return nil
  elseif event.kind == "document" and event.location ~= before.location then
    return nil
  elseif status == 401 then
    event.is_renewed = true
    return before.is_renewed and "a rejected token is sent again and again" or nil
  end
  return "a refused exchange is repeated"
end

-- ---- when it looks ----

local function is_final(err)
  local status = err.status
  if status then
    return status < 500 and status ~= 401 and status ~= 408 and status ~= 429
  end
  return err.retryable == false
end

local function holds_until(run, event)
  local seconds = event.retry_after
  if not seconds then
    return
  end
  run.no_look_before = math.max(run.no_look_before, event.answered + seconds)
  run.may_rest_until = math.max(run.may_rest_until, event.answered + seconds * RETRY_SPREAD)
  if not event.ok then
    run.no_post_before = math.max(run.no_post_before, event.answered + seconds)
  end
end

local function check_hold(run, event)
  local from = event.kind == "post" and run.no_post_before or run.no_look_before
  if event.asked < math.min(from, run.deadline_at) - SLACK then
    return "Retry-After is not kept to"
  end
end

local function check_pause(run, event)
  local since = run.since or run.called
  local tenth = math.min(math.max((event.asked - since) / 10, run.interval),
    math.max(run.max_interval, run.interval))
  local most = math.max(tenth * SPREAD, run.may_rest_until - event.asked)
  if run.is_batch then
    return nil -- it waits for slots too, and for what others were asked
  elseif event.answered > run.deadline_at + SLACK then
    return "a pause beyond the deadline"
  elseif event.answered - event.asked > most + CLOCK then
    return "a pause that is too long"
  end
end

-- The bounds at and after the deadline, and of one moment.
local function check_bounds(run, event, state)
  state.at_once = state.at_once + 1
  if event.asked >= run.deadline_at then
    state.late = state.late + 1
  end
  if state.late > 1 then
    return "more than one exchange at or after the deadline"
  elseif not (run.is_batch and state.late > 0)
    and event.answered > math.max(run.deadline_at, state.told_until) + TIMEOUT + SLACK then
    return "an exchange outlives the deadline by too much"
  elseif state.at_once > MOST_AT_ONCE then
    return "exchanges without a pause"
  end
end

-- What failed had its try; a list that is refused is not asked again.
local function note_failed(run, event)
  local err = event.err
  if event.kind == "document" and err then
    run.document_failed = true
    run.document_lost = run.document_lost or is_final(err)
  elseif event.kind == "list" and err then
    run.list_failed = true
    run.list_lost = run.list_lost or is_final(err) or (err.status == 401 and run.list_rejected)
  end
  if event.kind == "list" then
    run.list_rejected = err and err.status == 401
  end
end

local function check_exchange(run, index, state)
  local event = run.log[index]
  local wrong = check_bounds(run, event, state) or check_hold(run, event)
  if event.kind == "post" then
    wrong = wrong or check_post(run, index)
    note_post(run, event)
  elseif event.kind == "list" and type(event.opts) == "table" and event.opts.status then
    wrong = wrong or "a list with a filter"
  end
  local key = event.location or event.kind
  local before = state.before[key]
  wrong = wrong or (before and check_after(before, event))
  state.before[key] = event
  holds_until(run, event)
  note_failed(run, event)
  return wrong
end

local function check_silence(run, state, event)
  if not state.first then
    state.first = event.asked
  elseif not state.heard and event.asked > state.first + 60 + SLACK
    and run.log[#run.log] ~= nil and state.last_failed >= state.first + 60 then
    return "it asks on after a minute of silence"
  end
end

-- The id of an accepted cancel's is that of what was seen running before it.
local function note_told(run, event)
  local told = event.operation
  local op = run:truth(told)
  if told.state == "accepted" and told.id and not (op and run.told_at[op] and not op.own) then
    return "an id is told that only the 202 gave"
  elseif op then
    if run.told_at[op] and not run.last_post then
      return "an operation is told twice before the cancel"
    end
    run.told_at[op] = event.asked
  end
end

--- What is wrong with what was sent, and when; nil: nothing.
---@param run table  a client, after its workflow
---@return string|nil
function sent.check(run)
  run.no_look_before, run.no_post_before, run.since = -math.huge, -math.huge, nil
  run.may_rest_until, run.list_lost, run.list_failed = -math.huge, nil, nil
  run.document_failed, run.document_lost, run.list_rejected = nil, nil, nil
  run.last_post, run.first_unclear, run.last_unclear, run.told_at = nil, nil, nil, {}
  local state = { late = 0, at_once = 0, before = {}, last_failed = -math.huge,
    told_until = -math.huge }
  for index, event in ipairs(run.log) do
    local wrong
    if event.kind == "pause" then
      wrong, state.at_once = check_pause(run, event), 0
    elseif event.kind == "told" then
      wrong, state.at_once, state.told_until = note_told(run, event), 0, event.answered
    else
      wrong = check_silence(run, state, event) or check_exchange(run, index, state)
      state.heard = state.heard or event.ok or (event.err and event.err.status) or false
      state.last_failed = event.answered
    end
    if wrong then
      return wrong
    end
  end
end

return sent
