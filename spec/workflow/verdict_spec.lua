-- What follows from what was seen, by table: no client, no network, no clock.
local evidence = require "cpp.workflow.evidence"
local fake = require "spec.support.fake"
local options = require "cpp.workflow.options"
local pace = require "cpp.workflow.pace"
local verdict = require "cpp.workflow.verdict"

local DONE = { canceled = true, succeeded = true, failed = true }

-- "1 running publish", or as much of it.
local function item(text)
  local id, state, kind = text:match "^(%S+) (%S+) ?(%S*)$"
  return { id = id ~= "-" and id or nil, state = state, done = DONE[state] or false,
    document = { submissionType = kind ~= "" and kind or nil } }
end

local STEPS = {}

function STEPS.list(e, time, ...)
  local items = {}
  for i, text in ipairs { ... } do
    items[i] = item(text)
  end
  evidence.answer(e, e.listing, items, time, time)
end

function STEPS.broken(e, time, status)
  evidence.failure(e, e.listing, fake.http(status), time)
end

-- The document of an operation that was seen, or "place".
local function document(e, time, id, state, word)
  local operation = { state = state, done = DONE[state] or false,
    document = { cancellationRequestState = word } }
  evidence.answer(e, id == "place" and e.place or e.by_key[id], operation, time, time)
end
STEPS.document = document

function STEPS.taken(e, time, location)
  evidence.post(e, { state = "accepted", done = false, location = location }, nil, time, time)
end

function STEPS.at_once(e, time)
  evidence.post(e, { state = "canceled", done = true }, nil, time, time)
end

function STEPS.lost(e, time)
  evidence.post(e, nil, fake.lost(), time, time)
end

-- What comes after these steps, each { time, name, … }, at the time of the last.
local function after(steps, given)
  local e, now = { publisher = "contoso", offer = "vm" }, 0
  local own = options.split(options.CANCEL, given)
  e.no_wait = own.no_wait
  pace.begin(e, own, 0)
  evidence.begin(e, own)
  for _, step in ipairs(steps) do
    if step[1] > now then
      evidence.rest(e)
    end
    now = step[1]
    STEPS[step[2]](e, now, table.unpack(step, 3))
    pace.ask(e, now)
  end
  local what, value = verdict.next(e, now)
  if what == "end" then
    value = value.outcome or value.code or value.err.code
  elseif what == "look" then
    value = (value == e.listing and "list") or (value == e.place and "place") or value.id
  end
  return what .. (type(value) == "string" and " " .. value or ""), e
end

local OWN = "/api/operations/place"
local RUN = "/api/publishers/contoso/offers/vm/operations/1"
local SEEN = { { 0, "list", "1 running publish" }, { 0, "document", "1", "running", "canCancel" } }

local function with(...)
  local steps = { table.unpack(SEEN) }
  for _, step in ipairs { ... } do
    steps[#steps + 1] = step
  end
  return steps
end

-- What comes next; why; after what; options.
local CASES = {
  { "look list", "the look comes first", {} },
  { "look 1", "the document of what runs belongs to it", { SEEN[1] } },
  { "post", "then the POST goes out", SEEN },
  { "post", "a list that fails costs one try", { { 0, "broken", 503 } } },
  { "post", "nothing running is no reason not to send", { { 0, "list" } } },
  { "pause", "with operation the list alone must not fail",
    { { 0, "broken", 503 }, { 0, "document", "1", "unknown" } }, { operation = "1" } },
  { "end canceled", "the named one has ended", { { 0, "list", "1 canceled publish" } },
    { operation = "1" } },
  { "end other_operation", "another runs list_lag after the call",
    { { 121, "list", "2 running publish" } }, { operation = "1" } },
  { "look 1", "not before", { { 119, "list", "2 running publish" } }, { operation = "1" } },
  { "look list", "the 202 names the publish: its end is the outcome",
    with({ 1, "taken", RUN }, { 9, "document", "1", "canceled" }) },
  { "end canceled", "and a list tells what runs now",
    with({ 1, "taken", RUN }, { 9, "document", "1", "canceled" },
      { 9, "list", "1 canceled publish" }) },
  { "end too_late", "it completed",
    with({ 1, "taken", RUN }, { 9, "document", "1", "succeeded" },
      { 9, "list", "1 succeeded publish" }) },
  { "look 1", "what was seen ended may have started again: look",
    with({ 1, "taken", RUN }, { 9, "list", "1 running publish" }) },
  { "look place", "an end that nobody knows to be the cancel's is none",
    with({ 1, "taken", OWN }, { 9, "list", "1 canceled publish" }) },
  { "end canceled", "its document said another word",
    with({ 1, "taken", OWN }, { 5, "document", "1", "running", "asked" },
      { 9, "document", "1", "canceled" }, { 9, "list", "1 canceled publish" }) },
  { "look place", "a word where canCancel never was says nothing",
    { SEEN[1], { 0, "document", "1", "running" }, { 1, "taken", OWN },
      { 5, "document", "1", "running", "asked" }, { 9, "document", "1", "canceled" } } },
  { "end canceled", "it ran list_lag after the answer",
    with({ 1, "taken", OWN }, { 121, "document", "1", "running" },
      { 140, "document", "1", "canceled" }, { 140, "list", "1 canceled publish" }) },
  { "end canceled", "a list of list_lag after the answer shows its end and no other",
    with({ 1, "taken" }, { 121, "list", "1 canceled publish" }) },
  { "end unverified", "or another too",
    with({ 1, "taken" }, { 121, "list", "1 canceled publish", "2 canceled publish" }) },
  { "end unverified", "or one without an id",
    with({ 1, "taken" }, { 121, "list", "1 canceled publish", "- canceled publish" }) },
  { "end canceled", "but a cancel's own, whatever its id",
    with({ 1, "taken" }, { 121, "list", "1 canceled publish", "- succeeded cancelOffer" }) },
  { "end canceled", "a 200 with a document before and a list after",
    with({ 1, "at_once" }, { 1, "list", "1 canceled publish" }) },
  { "pause", "not where another runs",
    with({ 1, "at_once" }, { 1, "list", "1 canceled publish", "2 running publish" },
      { 1, "document", "2", "running" }) },
  { "end deadline", "nor where another is in a state that nobody knows",
    with({ 1, "at_once" }, { 2, "list", "1 canceled publish", "2 unknown publish" }),
    { deadline = 2 } },
  { "end nothing_to_cancel", "a late list shows what had ended before",
    { { 0, "list", "1 failed publish" }, { 1, "taken" }, { 121, "list", "1 failed publish" } } },
  { "pause", "an early one proves nothing",
    { { 0, "list", "1 failed publish" }, { 1, "taken" }, { 119, "list", "1 failed publish" } } },
  { "end nothing_to_cancel", "an empty one, where nothing at all is known",
    { { 0, "list" }, { 1, "taken" }, { 121, "list" } } },
  { "end unverified", "not after a 200", { { 0, "list" }, { 1, "at_once" }, { 121, "list" } } },
  { "end unverified", "nor where the POST's fate is not known",
    { { 0, "list" }, { 1, "lost" }, { 121, "list" } } },
  { "end unverified", "nor what was first seen after the POST and has ended",
    { { 0, "list" }, { 1, "taken" }, { 9, "list", "1 succeeded publish" },
      { 121, "list", "1 succeeded publish" } } },
  { "end not_canceled", "canCancel, list_lag after the answer",
    with({ 1, "taken" }, { 121, "document", "1", "running", "canCancel" }) },
  { "look 1", "the cancel's own has ended, but not long enough ago",
    with({ 1, "taken", OWN }, { 9, "document", "place", "failed" }) },
  { "end not_canceled", "and then it is",
    with({ 1, "taken", OWN }, { 9, "document", "place", "failed" },
      { 130, "document", "1", "running" }) },
  { "pause", "a lost POST is not repeated at once", with({ 1, "lost" }) },
  { "look place", "the 202 is asked about even where lists are refused",
    { { 0, "broken", 403 }, { 1, "taken", OWN } } },
  { "post", "but where canCancel is said list_lag after it",
    with({ 1, "lost" }, { 121, "document", "1", "running", "canCancel" }) },
  { "end accepted", "with no_wait, whatever else is known",
    { { 0, "broken", 403 }, { 1, "taken" }, { 2, "broken", 403 } },
    { no_wait = true, list_lag = 0.5 } },
  { "end deadline", "the look at the deadline was the last", { { 60, "list" } },
    { deadline = 60 } },
}

describe("what comes next:", function()
  for _, case in ipairs(CASES) do
    local expected, why, steps, given = table.unpack(case)
    it(("%s (%s)"):format(why, expected), function()
      assert.equal(expected, (after(steps, given)))
    end)
  end

  it("the same from the same, however often it is asked", function()
    local _, e = after(with({ 1, "taken" }, { 121, "list", "1 canceled publish" }))
    local _, one = verdict.next(e, 121)
    local _, other = verdict.next(e, 121)
    assert.same({ "canceled", true, "canceled", true },
      { one.outcome, one.may_publish, other.outcome, other.may_publish })
  end)
end)

-- The last look of a cancel that has ended; may_publish, and what runs.
local LISTS = {
  { true, nil, { "1 canceled publish" } },
  { true, nil, { "1 canceled publish", "0 failed publish" } },
  { true, nil, { "1 canceled publish", "2 running cancel" } },
  { false, "2", { "1 canceled publish", "2 running publish" } },
  { nil, nil, { "1 canceled publish", "2 running" } },
  { nil, nil, { "1 canceled publish", "- running publish" } },
  { nil, nil, { "1 canceled publish", "2 unknown publish" } },
  { nil, nil, { "0 failed publish" } },
}

describe("whether a publish may start:", function()
  for _, case in ipairs(LISTS) do
    local may, running = case[1], case[2]
    it(("%s after %s"):format(may, table.concat(case[3], ", ")), function()
      local steps = with({ 1, "taken", RUN }, { 9, "document", "1", "canceled" },
        { 10, "list", table.unpack(case[3]) })
      local _, e = after(steps, { deadline = 10 })
      local what, v = verdict.next(e, 10)
      assert.same({ "end", "canceled", may }, { what, v.outcome, v.may_publish })
      assert.equal(running, v.running and v.running.id)
    end)
  end
end)

describe("a location that was refused", function()
  it("is not asked again under its operation's own name, nor the other way round", function()
    for _, refused in ipairs { "own before", "own", "place" } do
      local e = { publisher = "contoso", offer = "vm" }
      local defaults = options.split(options.CANCEL)
      pace.begin(e, defaults, 0)
      evidence.begin(e, defaults)
      STEPS.list(e, 0, "1 running")
      local own = e.by_key["1"]
      if refused == "own before" then
        evidence.failure(e, own, fake.http(403), 0)
      end
      STEPS.taken(e, 1, own.location)
      if refused ~= "own before" then
        evidence.failure(e, refused == "own" and own or e.place, fake.http(403), 2)
      end
      assert.same({ refused, true, true }, { refused, own.lost, e.place.lost })
    end
  end)
end)
