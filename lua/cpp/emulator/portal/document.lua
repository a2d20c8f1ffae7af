--- The service's documents, with the fields that Microsoft documents and public
-- clients read.

local clock = require "cpp.emulator.portal.clock"
local json = require "cpp.emulator.portal.json"

local document = {}

local OPERATION_WORDS = {
  not_started = "not started", running = "running", succeeded = "completed",
  failed = "failed", canceled = "canceled",
}
local STEP_WORDS = {
  not_started = "notStarted", running = "inProgress", succeeded = "complete",
  failed = "failed", canceled = "canceled", blocked = "blocked",
  waiting_for_publisher_review = "waitingForPublisherReview",
}
local OFFER_WORDS = {
  never_published = "neverPublished", not_started = "notStarted", running = "running",
  waiting_for_publisher_review = "waitingForPublisherReview", succeeded = "succeeded",
  failed = "failed", canceled = "canceled",
}

local function word(offer, words, state)
  return offer.settings.words[state] or words[state]
end

local function message(html, level, time)
  return { messageHtml = html, level = level, timestamp = clock.iso(time) }
end

local function step_messages(offer, op, state, time)
  local list = {}
  if state == "failed" or state == "blocked" then
    for i, html in ipairs(offer.settings.errors) do
      list[i] = message(html, "error", op:changed(time))
    end
  elseif state == "running" then
    list[1] = message("<p>This step is <b>in progress</b>.</p>", "info", op.started)
  end
  return json.array(list)
end

-- Where progress moves at every look, no two of a hundred show the same.
local function percent(offer, op, at)
  if offer.settings.moving and at.state == "running" then
    op.looks = (op.looks or -1) + 1
    return op.looks % 100
  end
  return at.percent
end

local function step(offer, op, at, time)
  local state = at.state
  if offer.settings.blocked and state == "running" then
    state = "blocked"
  end
  return {
    id = at.id, stepName = at.name, description = at.name .. " of the offer",
    estimatedTimeFrame = "< 1 hour", status = word(offer, STEP_WORDS, state),
    messages = step_messages(offer, op, state, time), progressPercentage = percent(offer, op, at),
  }
end

local function steps(offer, op, time)
  local list = {}
  if op.kind ~= "cancel" then
    for i, at in ipairs(op:steps(time)) do
      list[i] = step(offer, op, at, time)
    end
  end
  return json.array(list)
end

-- `true` shows what the service is known to show, false nothing, a string itself.
local function cancellation_state(offer, op, time)
  local shown = offer.settings.cancellation_state
  if shown ~= true or op:ended(time) or op.kind == "cancel" then
    return type(shown) == "string" and shown or nil
  end
  return op:is_being_canceled(time) and "cancelRequested" or "canCancel"
end

-- Only offers that were not migrated show the addresses.
local function shown_emails(offer, op)
  local form = offer.settings.location
  return (form == "F2" or form == "F4") and op.emails or nil
end

local function operation_messages(op, time)
  local list = {}
  if op.kind == "cancel" and op:state(time) == "failed" then
    list[1] = message("<p>The operation cannot be canceled any more.</p>", "error", time)
  elseif op.kind ~= "cancel" and op:state(time) == "failed" then
    list[1] = message("<p>The offer failed to publish.</p>", "error", op:changed(time))
  end
  return json.array(list)
end

--- The word for an operation's state.
function document.state_word(offer, op, time)
  return word(offer, OPERATION_WORDS, op:state(time))
end

--- The document of an operation: an object, or an array of one.
function document.operation(offer, op, time)
  local fields = {
    status = document.state_word(offer, op, time),
    messages = operation_messages(op, time),
    publishingVersion = op.number, offerVersion = op.number,
    cancellationRequestState = cancellation_state(offer, op, time),
    steps = steps(offer, op, time), previewLinks = json.empty_array,
    liveLinks = json.empty_array, notificationEmails = shown_emails(offer, op),
  }
  return offer.settings.document == "array" and { fields } or fields
end

local function emails(text)
  local list = {}
  for address in (text or ""):gmatch "[^,]+" do
    list[#list + 1] = address
  end
  return json.array(list)
end

-- A publish's type is its kind.
local function submission_type(offer, op)
  if op.kind == "cancel" then
    return offer.settings.own_type or nil
  end
  return op.kind
end

--- An item of the operations list.
function document.item(offer, op, time)
  local changed = op:changed(time)
  local item = {
    id = op.id, offerId = offer.id, offerVersion = op.number,
    offerTypeId = "microsoft-azure-virtualmachines", publisherId = offer.publisher,
    submissionType = submission_type(offer, op), slot = op.slot,
    publishingVersion = op.number,
    submissionState = document.state_word(offer, op, time),
    version = json.integer(clock.ticks(changed)), changedTime = clock.iso(changed),
    definition = { displayText = offer.id, metadata = { emails = emails(op.emails) } },
  }
  for _, name in ipairs(offer.settings.list_omits) do
    item[name] = nil
  end
  return item
end

local function offer_state(offer, time)
  local latest = offer.latest
  if not latest then
    return "never_published"
  end
  return latest:waits(time) and "waiting_for_publisher_review" or latest:state(time)
end

--- The document of an offer's status.
function document.status(offer, time)
  local latest = offer.latest
  return {
    status = word(offer, OFFER_WORDS, offer_state(offer, time)),
    messages = latest and operation_messages(latest, time) or json.empty_array,
    steps = latest and steps(offer, latest, time) or json.empty_array,
    previewLinks = json.empty_array, liveLinks = json.empty_array,
    notificationEmails = latest and shown_emails(offer, latest),
  }
end

--- The ETag of an offer; the service's hold percent escapes.
function document.etag(offer, time)
  local changed = offer.latest and offer.latest:changed(time) or 0
  return "W/\"datetime'" .. clock.iso(changed):gsub(":", "%%3A") .. "'\""
end

return document
