--- What was seen of one offer: every operation that a look showed, the newest
-- lists, and the POSTs with their fate. It writes down; `verdict` reads.

local fault = require "cpp.workflow.fault"
local words = require "cpp.workflow.words"

local evidence = {}

--- What a look asks for: the list, or the place that the 202 named; else an
--- operation of the record, whose own document it is.
evidence.LIST, evidence.PLACE = "list", "place"

local FINAL = { canceled = true, succeeded = true, failed = true }

---@class cpp.workflow.seen  one operation
---@field id string|nil  nil: it is known by the location alone, which the 202 gave
---@field location string
---@field first integer|nil  the first look that shows it, by number
---@field before boolean|nil  it was seen before the first POST that may have arrived
---@field ran number|nil  when the newest look that shows it running was asked
---@field ran_answered number|nil  and answered
---@field round integer|nil  the newest round that shows it running
---@field over number|nil  when the first look that shows its end was answered
---@field ended_before boolean|nil  and that was before that POST
---@field state string|nil  that end
---@field type string|nil  `submissionType`, folded
---@field may number|nil  when the newest document that says canCancel was asked
---@field may_round integer|nil  and in which round
---@field offered boolean|nil  a document answered before the POST says canCancel
---@field other number|nil  when the newest one with another word was answered
---@field taken boolean|nil  another word came after canCancel
---@field doc table|nil  its newest document
---@field view table  what is told of it
---@field news integer  counts what changed

---@class cpp.workflow.list  one look at the list
---@field look integer  its number
---@field asked number
---@field answered number
---@field round integer
---@field any boolean|nil  it shows an operation with an id
---@field loose boolean|nil  it shows one without, which is no cancel's
---@field shown table<cpp.workflow.seen, true>
---@field ended table<cpp.workflow.seen, true>
---@field open { seen: cpp.workflow.seen|nil, runs: boolean, view: table }[]

---@class cpp.workflow.try  the newest look at one thing
---@field asked number
---@field round integer
---@field failed integer|nil  the round in which it failed
---@field err table|nil  how
---@field lost boolean|nil  it cannot be had
---@field answer table|nil  the newest document

---@class cpp.workflow.evidence: cpp.workflow.pace
---@field publisher string
---@field offer string
---@field wanted cpp.workflow.seen|nil  the only one that may be canceled
---@field called number  when the workflow began
---@field lag number  seconds for which what is shown may be behind
---@field all cpp.workflow.seen[]  in the order in which they were seen
---@field by_key table<string, cpp.workflow.seen>
---@field tries table<any, cpp.workflow.try>
---@field looks integer  how many were answered
---@field round integer  looks between two pauses, or POSTs, are one round
---@field list cpp.workflow.list|nil  the newest
---@field late cpp.workflow.list|nil  the first asked `lag` after the POST's answer
---@field listed boolean|nil  some list showed an operation
---@field loose boolean|nil  some list showed one without an id, which is no cancel's
---@field cancel "not_sent"|"refused"|"accepted"|"unknown"
---@field sent number|nil  when the first POST that may have arrived was asked
---@field back number|nil  when the last one was answered
---@field synced boolean|nil  with a 200
---@field place string|nil  the 202's location
---@field named string|nil  the key of the operation behind it
---@field resting boolean|nil  a POST failed: a pause comes before anything else
---@field enough boolean|nil  the service refused to be sent it once more
---@field fatal cpp.error|nil
---@field trouble cpp.error|nil  what the newest exchange that failed met
---@field unclear cpp.error|nil  why it is not known what became of the POST
---@field unknown { err: cpp.error, asked: number }|nil  the wanted one's 404

local function escape(id)
  return (id:gsub("[^%w%-._~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

local function unescape(id)
  return (id:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- The form in which the service documents it; the client completes it.
local function own_location(e, id)
  return ("/api/publishers/%s/offers/%s/operations/%s"):format(
    escape(e.publisher), escape(e.offer), escape(id))
end

local function id_of(location)
  local id = location:match "/offers/[^/]+/operations/([^/?#]+)"
  return id and unescape(id)
end

local function is_id(id)
  return type(id) == "string" and id ~= ""
end

-- The operation with this id, or, where it has none, at this location.
local function known(e, id, location)
  local key = id or location
  local seen = e.by_key[key]
  if not seen then
    local is_own = location and id_of(location) == id
    seen = { id = id, location = is_own and location or own_location(e, id), news = 0 }
    e.by_key[key] = seen
  end
  return seen
end

-- Below it, a look before the POST would pass for one after it where no time passes
-- between them, as with a plain table for a client.
local LEAST_LAG = 1e-6

--- Begins a record.
---@param e table  publisher and offer; becomes the record
---@param options table  from options.split
---@param now number
function evidence.begin(e, options, now)
  e.called, e.cancel = now, "not_sent"
  e.lag = math.max(options.list_lag, LEAST_LAG)
  e.all, e.by_key, e.tries, e.round, e.looks = {}, {}, {}, 1, 0
  e.wanted = options.operation and known(e, options.operation)
end

--- What is known of the newest look at something; an empty one before the first.
---@return cpp.workflow.try
function evidence.try(e, target)
  local try = e.tries[target]
  if not try then
    try = { asked = -math.huge, round = 0 }
    e.tries[target] = try
  end
  return try
end

-- ---- one operation ----

local function read_word(e, seen, operation, asked, answered)
  local word = words.of(operation, "cancellationRequestState")
  if word == "cancancel" then
    seen.may, seen.may_round = math.max(seen.may or asked, asked), e.round
    seen.offered = seen.offered or e.sent == nil
  elseif word then
    seen.other, seen.taken = answered, seen.taken or seen.may ~= nil
  end
end

local function inherit(view, seen, e)
  view.id = view.id or seen.id
  view.publisher, view.offer = view.publisher or e.publisher, view.offer or e.offer
  view.location = view.location or seen.location
end

local function has_changed(seen, operation, is_document)
  local before = seen.view
  if not before or before.state ~= operation.state then
    return true
  elseif not is_document then
    return false
  end
  return before.progress ~= operation.progress
    or (operation.changed == true and seen.doc ~= nil)
end

-- A document tells more than an item, and an end is final.
local function choose_view(seen, operation, is_document)
  local is_better = is_document or not seen.doc or seen.doc.state ~= operation.state
  local is_stale = seen.over and not operation.done
  return is_better and not is_stale and operation or seen.view or operation
end

local function take_view(e, seen, operation, is_document)
  inherit(operation, seen, e)
  local view = choose_view(seen, operation, is_document)
  if view == operation and has_changed(seen, operation, is_document) then
    seen.news = seen.news + 1
  end
  seen.view = view
  seen.doc = is_document and operation or seen.doc
end

-- A word that nobody knows says neither that it runs nor that it has ended.
local function take_state(e, seen, operation, asked, answered)
  if operation.done then
    if not seen.over and FINAL[operation.state] then
      seen.over, seen.state, seen.ended_before = answered, operation.state, not e.sent
    end
  elseif operation.state ~= "unknown" then
    seen.ran = math.max(seen.ran or asked, asked)
    seen.ran_answered, seen.round = answered, e.round
  end
end

local function see(e, seen, operation, asked, answered, is_document)
  if not seen.first then
    seen.first, seen.before = e.looks, not e.sent
    e.all[#e.all + 1] = seen
  end
  take_state(e, seen, operation, asked, answered)
  seen.type = words.of(operation, "submissionType") or seen.type
  if is_document then
    read_word(e, seen, operation, asked, answered)
  end
  take_view(e, seen, operation, is_document)
end

-- ---- looks ----

local function note_try(e, target, asked)
  local try = evidence.try(e, target)
  try.asked, try.round, try.failed = asked, e.round, nil
  e.trouble, e.rejected, e.looks = nil, nil, e.looks + 1
end

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
    table.insert(list.open, { seen = seen, runs = item.state ~= "unknown", view = item })
  end
end

--- A list was answered.
---@param e cpp.workflow.evidence
---@param items table[]
function evidence.list(e, items, asked, answered)
  note_try(e, evidence.LIST, asked)
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

-- The id may be in the document or in the location, or nowhere.
local function behind_place(e, operation)
  local id = is_id(operation.id) and operation.id or id_of(e.place)
  e.named = id or e.place
  return known(e, id, e.place)
end

--- A document was answered.
---@param e cpp.workflow.evidence
---@param target cpp.workflow.seen|string  evidence.PLACE
---@param operation table
function evidence.document(e, target, operation, asked, answered)
  note_try(e, target, asked)
  evidence.try(e, target).answer = operation
  local seen = target == evidence.PLACE and behind_place(e, operation) or target
  if target == seen or not seen.id then
    seen.location = operation.location or seen.location
  end
  see(e, seen, operation, asked, answered, true)
end

-- A document may be missing for as long as what is shown may be behind.
local function is_to_come(e, target, err, asked)
  local since = not e.sent and e.called or e.back
  return err.status == 404 and target ~= evidence.LIST and asked < since + e.lag
end

-- The 202's location and an operation's own may be one: what else it is asked as.
local function twin_of(e, target)
  local named = e.by_key[e.named or ""]
  if not named or not named.id or id_of(e.place or "") ~= named.id then
    return nil
  elseif target == evidence.PLACE then
    return named
  end
  return target == named and evidence.PLACE or nil
end

-- The service has refused it, and will not be asked for it again.
local function lose(e, target)
  local twin = target ~= evidence.LIST and twin_of(e, target)
  evidence.try(e, target).lost = true
  if twin then
    evidence.try(e, twin).lost = true
  end
end

--- A look failed.
---@param e cpp.workflow.evidence
---@param target cpp.workflow.seen|string
---@param err cpp.error|table
function evidence.failure(e, target, err, asked)
  local try = evidence.try(e, target)
  e.trouble = err
  if fault.is_rejection(err) and not e.rejected then
    e.rejected = true -- once more, at once, with a fresh token
    return
  end
  e.rejected = nil
  try.asked, try.round, try.failed, try.err = asked, e.round, e.round, err
  if not fault.is_passing(err) and not is_to_come(e, target, err, asked) then
    lose(e, target)
  end
  if target == e.wanted and err.status == 404 then
    e.unknown = { err = err, asked = asked }
  end
end

-- ---- the POST ----

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
  e.cancel = fate == "refused" and fate or e.cancel
  for target, try in pairs(e.tries) do
    e.tries[target] = try.lost and try or nil
  end
  if not passes then
    e.fatal = err
  end
end

local function note_place(e, location)
  if type(location) == "string" then
    e.place = location
    e.named = id_of(location) or location
  end
end

-- It may have acted.
local function note_post(e, answer, err, fate, asked, answered)
  e.cancel = e.cancel == "accepted" and e.cancel or fate
  e.sent, e.back, e.since, e.late = e.sent or asked, answered, answered, nil
  e.synced = answer ~= nil and answer.done == true
  e.resting, e.unclear = err ~= nil, fate == "unknown" and err or nil
  note_place(e, (answer or err).location)
end

--- A POST went out, or did not.
---@param e cpp.workflow.evidence
---@param answer table|nil
---@param err cpp.error|table|nil
function evidence.post(e, answer, err, asked, answered)
  local fate = answer and "accepted" or fault.fate(err)
  e.trouble = err
  if fate == "not_sent" or fate == "refused" then
    note_idle_post(e, err, fate)
  else
    note_post(e, answer, err, fate, asked, answered)
  end
  e.round = e.round + 1
end

--- Time has passed: what was looked at is to be looked at again.
---@param e cpp.workflow.evidence
function evidence.rest(e)
  e.round, e.resting = e.round + 1, nil
end

return evidence
