--- What was seen of one offer: the operations, the lists, and the POSTs with their
-- fate. It writes down; `verdict` reads. A record holds, beside its pace:
--
--   lag             seconds for which a look may be behind
--   listing, place  to be looked at: the list; where the 202 said
--   named, wanted   the operation behind that; the only one that may be canceled
--   all, by_key     the operations as they were first seen; by id, or location
--   looks, round    answered looks so far; those between two pauses, or POSTs, are a round
--   list, late      the newest; the first one asked `lag` after the POST's answer
--   listed, loose   some list showed an operation; one without an id, which is no cancel's
--   cancel          "not_sent", "refused", "accepted" or "unknown"
--   sent, back      when the first POST that may have arrived was asked; when the last one
--                   was answered, and whether with a 200 (synced)
--   resting         a POST failed: a pause comes before anything else
--   enough          the service refused to be sent it once more
--   trouble         the newest exchange's error; `unclear` the POST's; `fatal` ends it all
--
-- What can be looked at has `id`, `location`; when it was `asked` last, in which `round`,
-- and the `err` of that; whether it was refused for good (`lost`); its newest `answer`.
-- An operation has, once it was seen:
--
--   first, before   the first look that shows it; whether the POST came after that
--   ran             when the newest look that shows it running was asked; ran_answered,
--                   ran_round: answered, and in which round
--   over, state     when the first look that shows its end was answered; that end;
--                   ended_before: the POST came after that
--   type            `submissionType`, folded
--   may, may_round  when the newest document that says canCancel was asked, and in which
--                   round; offered: one did before the POST
--   other, taken    when the newest one with another word was answered; whether that came
--                   after canCancel
--   doc, view       the newest document, wherever it was; what is told of it, which has
--                   changed `news` times
--
-- A list has `look` (its number), `asked`, `answered`, `round`; the sets `shown` and
-- `ended`; `any`, `loose`: it shows an operation with an id, and one without, which is no
-- cancel's; `open`: what is not done, { seen =, runs = }.

local fault = require "cpp.workflow.fault"
local words = require "cpp.words"

local evidence = {}

local FINAL = { canceled = true, succeeded = true, failed = true }

-- Below it, a look before the POST would pass for one after it where no time passes
-- between them, as with a plain table for a client.
local LEAST_LAG = 1e-6

local function escape(id)
  return (id:gsub("[^%w%-._~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

local function id_of(location)
  local id = location:match "/offers/[^/]+/operations/([^/?#]+)"
  return id and id:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end) or nil
end

local function is_id(id)
  return type(id) == "string" and id ~= ""
end

local function new_target(id, location)
  return { id = id, location = location, asked = -math.huge, round = 0, news = 0 }
end

-- The operation with this id, or, where it has none, at this location. The service
-- documents the form of its own one, which the client completes.
local function known(e, id, location)
  local key = id or location
  if not e.by_key[key] then
    local own = ("/api/publishers/%s/offers/%s/operations/%s"):format(escape(e.publisher),
      escape(e.offer), escape(key))
    e.by_key[key] = new_target(id, location and id_of(location) == id and location or own)
  end
  return e.by_key[key]
end

--- Begins a record, in a workflow's own table.
function evidence.begin(e, options)
  e.lag, e.cancel = math.max(options.list_lag, LEAST_LAG), "not_sent"
  e.all, e.by_key, e.listing, e.round, e.looks = {}, {}, new_target(), 1, 0
  e.wanted = options.operation and known(e, options.operation)
end

-- ---- one operation ----

local function take_word(e, seen, operation, asked, answered)
  local word = words.of(operation, "cancellationRequestState")
  if word == "cancancel" then
    seen.may, seen.may_round = math.max(seen.may or asked, asked), e.round
    seen.offered = seen.offered or not e.sent
  elseif word then
    seen.other, seen.taken = answered, seen.taken or seen.may ~= nil
  end
end

-- A document tells more than an item, and an end is final.
local function take_view(e, seen, operation, is_document)
  operation.id, operation.location = operation.id or seen.id, operation.location or seen.location
  operation.publisher = operation.publisher or e.publisher
  operation.offer = operation.offer or e.offer
  local view, doc = seen.view, seen.doc
  local is_same = view and view.state == operation.state
  if is_document then
    seen.doc = operation
    is_same = is_same and view.progress == operation.progress
      and not (operation.changed == true and doc)
  end
  local is_less = not is_document and doc and doc.state == operation.state
  if not view or not (is_less or (seen.over and not operation.done)) then
    seen.view, seen.news = operation, seen.news + (is_same and 0 or 1)
  end
end

-- A word that nobody knows says neither that it runs nor that it has ended.
local function take_state(e, seen, operation, asked, answered)
  if operation.done then
    if not seen.over and FINAL[operation.state] then
      seen.over, seen.state, seen.ended_before = answered, operation.state, not e.sent
    end
  elseif operation.state ~= "unknown" then
    seen.ran = math.max(seen.ran or asked, asked)
    seen.ran_answered, seen.ran_round = answered, e.round
  end
end

local function see(e, seen, operation, asked, answered, is_document)
  if not seen.first then
    seen.first, seen.before = e.looks, not e.sent
    table.insert(e.all, seen)
  end
  seen.type = words.of(operation, "submissionType") or seen.type
  take_state(e, seen, operation, asked, answered)
  if is_document then
    take_word(e, seen, operation, asked, answered)
  end
  take_view(e, seen, operation, is_document)
end

-- ---- looks ----

local function add_item(e, list, item)
  local is_own = words.is_cancel(words.of(item, "submissionType"))
  local seen = is_id(item.id) and known(e, item.id) or nil
  if seen then
    seen.location = item.location or seen.location
    see(e, seen, item, list.asked, list.answered, false)
    list.any, list.shown[seen] = true, true
    list.ended[seen] = item.done and FINAL[item.state] or nil
  else
    list.loose = list.loose or not is_own
  end
  if not item.done and not is_own then
    table.insert(list.open, { seen = seen, runs = item.state ~= "unknown" })
  end
end

local function add_list(e, items, asked, answered)
  local list = { look = e.looks, asked = asked, answered = answered, round = e.round,
    shown = {}, ended = {}, open = {} }
  for _, item in ipairs(items) do
    add_item(e, list, item)
  end
  e.list, e.listed = list, e.listed or list.any or list.loose
  e.loose = e.loose or list.loose
  if e.back and asked >= e.back + e.lag then
    e.late = e.late or list
  end
end

-- That of the 202's location may tell whose it is.
local function add_document(e, target, operation, asked, answered)
  local seen = target
  target.answer = operation
  if target == e.place then
    seen = known(e, is_id(operation.id) and operation.id or target.id, target.location)
    e.named = seen
  end
  if target == seen or not seen.id then
    seen.location = operation.location or seen.location
  end
  see(e, seen, operation, asked, answered, true)
end

--- A look was answered: by the list's items, or an operation.
function evidence.answer(e, target, answer, asked, answered)
  target.asked, target.round, target.err = asked, e.round, nil
  e.trouble, e.rejected, e.looks = nil, nil, e.looks + 1
  if target == e.listing then
    add_list(e, answer, asked, answered)
  else
    add_document(e, target, answer, asked, answered)
  end
end

-- A document may be missing for as long as what is shown may be behind.
local function is_to_come(e, target, err, asked)
  return err.status == 404 and target ~= e.listing and asked < (e.back or e.called) + e.lag
end

-- The service has refused it, and will not be asked for it again: not under its other
-- name either, where the 202's location is an operation's own.
local function lose(e, target)
  target.lost = true
  local place, named = e.place, e.named
  if place and place.id and place.id == named.id and (target == place or target == named) then
    place.lost, named.lost = true, true
  end
end

--- A look failed. A token that is rejected once is no answer yet.
function evidence.failure(e, target, err, asked)
  e.trouble, e.rejected = err, fault.is_rejection(err) and not e.rejected
  if e.rejected then
    return
  end
  target.asked, target.round, target.err = asked, e.round, err
  if not fault.is_passing(err) and not is_to_come(e, target, err, asked) then
    lose(e, target)
  end
end

-- ---- the POST ----

local function forget_look(target)
  if not target.lost then
    target.asked, target.round, target.err = -math.huge, 0, nil
  end
end

-- It did nothing. The look before is made anew.
local function note_idle_post(e, err, fate)
  local is_first_rejection = fault.is_rejection(err) and not e.post_rejected
  local passes = is_first_rejection or fault.is_passing(err)
  e.post_rejected = is_first_rejection
  e.resting = not is_first_rejection and err.code ~= "not_started"
  if e.sent then
    e.enough = not passes
    return
  end
  e.cancel = fate ~= "not_sent" and fate or e.cancel
  e.fatal = not passes and err or e.fatal
  forget_look(e.listing)
  for _, seen in pairs(e.by_key) do
    forget_look(seen)
  end
end

-- It may have acted.
local function note_post(e, answer, err, fate, asked, answered)
  local location = (answer or err).location
  e.cancel = e.cancel == "accepted" and e.cancel or fate
  e.sent, e.back, e.since, e.late = e.sent or asked, answered, answered, nil
  e.synced = answer ~= nil and answer.done == true
  e.resting, e.unclear = err ~= nil, fate == "unknown" and err or nil
  if type(location) == "string" then
    e.place = new_target(id_of(location), location)
    e.named = known(e, e.place.id, location)
    e.place.lost = e.named.lost
  end
end

--- A POST went out, or did not: there is an answer or an error.
function evidence.post(e, answer, err, asked, answered)
  local fate = answer and "accepted" or fault.fate(err)
  e.trouble = err
  if fate == "not_sent" or fate == "refused" or (err and (err.status or 0) // 100 == 3) then
    note_idle_post(e, err, fate)
  else
    note_post(e, answer, err, fate, asked, answered)
  end
  e.round = e.round + 1
end

--- Time has passed: what was looked at is to be looked at again.
function evidence.rest(e)
  e.round, e.resting = e.round + 1, nil
end

return evidence
