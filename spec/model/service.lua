--- What the service answers, in the tables that the C module makes of it. Lists
-- and documents show a moment up to so long ago; see switches.lua.

local hash = require "spec.model.hash"

local NEVER = 1e9

local HOST = "https://cloudpartner.azure.com"
local VERSION = "?api-version=2017-10-31"

local service = { FOREIGN = "https://elsewhere.example/api/operations/1" }

local IDS = { "run-1", "old-1", "old-2", "old-3", "next-1", "next-2", "own-1", "own-2",
  "own-3", "own-4", "own-5", "own-6", "own-7", "own-8", "own-9" }

---@class model.places  the locations of an offer
---@field by_id table<string, string>  as the C module builds them from an id
---@field id_of table<string, string>  the other way, of each form
---@field by_name string               the one that names no id
---@field is_by_name table<string, true>

local function new_places(offer)
  local name = "/api/operations/contoso$" .. offer .. "$2$preview"
  local places = { by_id = {}, id_of = {}, by_name = HOST .. name .. VERSION,
    is_by_name = { [name] = true, [name .. VERSION] = true } }
  places.is_by_name[places.by_name] = true
  for _, id in ipairs(IDS) do
    local path = "/api/publishers/contoso/offers/" .. offer .. "/operations/" .. id
    places.by_id[id] = HOST .. path .. VERSION
    places.id_of[HOST .. path .. VERSION] = id
    places.id_of[path], places.id_of[path .. VERSION] = id, id
  end
  return places
end

-- Made once: a run takes a fifth of a millisecond.
local made = {}

--- The locations of an offer.
---@return model.places
function service.places(offer)
  made[offer] = made[offer] or new_places(offer)
  return made[offer]
end

--- The offer that a location is of.
function service.offer_of(location)
  return location:match "/offers/([^/]+)/" or location:match "contoso%$([^$]+)%$"
end

-- ---- moments ----

local PARTS = { one = 1, two = 2, many = 5 }

-- How much of the lag this look has: replicas take turns.
local function share(drawn, replicas, count)
  local parts = PARTS[replicas]
  if parts == 1 then
    return 1
  elseif parts == 2 then
    return count % 2
  end
  return hash.integer(drawn.seed, 1000 + count) % parts / (parts - 1)
end

-- The moment that a look shows.
local function moment(drawn, asked, answered, behind, replicas, count)
  local here = asked + (answered - asked) * drawn.acts_at
  if behind == 0 then
    return here
  end
  local lag = behind * drawn.lag_option * share(drawn, replicas, count)
  return lag == 0 and here or asked - lag
end

-- ---- lists ----

-- ISO 8601, as items carry it; kept, since the same times come again and again.
local texts = {}

local function text_of(time)
  local text = texts[time // 1]
  if not text then
    text = os.date("!%Y-%m-%dT%H:%M:%S.0000000Z", 1600000000 + math.floor(time))
    texts[time // 1] = text
  end
  return text
end

local WORDS = { canceled = "canceled", succeeded = "completed", failed = "failed",
  running = "running", not_started = "notStarted",
  waiting_for_publisher_review = "waitingForPublisherReview" }

local TYPES = { other_types = "Go-Live", spelt = "PUBLISH" }

local function type_of(drawn, op)
  if drawn.list == "no_types" then
    return nil
  end
  if op.own then
    return drawn.own_type or nil
  end
  return TYPES[drawn.list] or "publish"
end

-- Every second item lacks what the others have.
local function is_short(drawn, op)
  return hash.integer(drawn.seed, #op.id * 31 + op.id:byte(-1)) % 2 == 0
end

-- What items carry besides, on some lists.
local MORE = {
  staged = { slot = "staging" },
  versioned = { version = 636576975611768314, publishingVersion = 3, offerVersion = 2 },
  defined = { definition = { metadata = { emails = { "a@example.com" } } } },
  addressed = { publisherId = "contoso", offerId = "vm", offerTypeId = "virtualmachine" },
}

local function add_more(document, more)
  for name, value in pairs(more or {}) do
    document[name] = value
  end
end

local function item_of(self, op, time)
  local drawn = self.drawn
  local state, done = self.world:state(op, time)
  local word = WORDS[state]
  local id = op.id
  if drawn.list == "no_ids" and is_short(drawn, op) then
    id = nil
  elseif drawn.list == "no_words" and not done then
    state, word = "unknown", "queued"
  end
  local changed = drawn.list ~= "no_times" and text_of(done and op.ends or op.starts) or nil
  if drawn.list == "odd_times" then
    changed = done and "yesterday" or 7
  end
  local document = { id = id, submissionState = word, submissionType = type_of(drawn, op),
    changedTime = changed }
  add_more(document, MORE[drawn.list])
  return {
    id = id, state = state, done = done, status = word, changed = true,
    location = id and self.places.by_id[id], publisher = "contoso", offer = self.offer,
    model_operation = op,
    document = document,
  }
end

local function is_listed(drawn, op)
  return not op.own or drawn.own == "listed"
end

--- A list as of a moment.
function service.list(self, time)
  local items, drawn, all = {}, self.drawn, self.world.all
  if drawn.list == "empty" then
    return items
  end
  local first, last, step = #all, 1, -1
  if drawn.list_order == "oldest" then
    first, last, step = 1, #all, 1
  end
  for i = first, last, step do
    local op = all[i]
    if op.starts <= time and is_listed(drawn, op) then
      items[#items + 1] = item_of(self, op, time)
      if drawn.list == "doubled" then
        items[#items + 1] = item_of(self, op, time)
      end
    end
  end
  if drawn.list_order == "none" and #items > 1 then
    local at = hash.integer(drawn.seed, 3000 + self.counts.list) % #items + 1
    items[1], items[at] = items[at], items[1]
  end
  return items
end

function service.list_moment(self, asked, answered)
  local drawn = self.drawn
  return moment(drawn, asked, answered, drawn.list_behind, drawn.list_replicas, self.counts.list)
end

-- ---- documents ----

function service.document_moment(self, asked, answered)
  local drawn = self.drawn
  return moment(drawn, asked, answered, drawn.document_behind, drawn.document_replicas,
    self.counts.document)
end

local function find(self, id)
  for _, op in ipairs(self.world.all) do
    if op.id == id then
      return op
    end
  end
end

--- What a location leads to, and from when on; nil where it leads nowhere.
function service.find(self, location)
  local drawn = self.drawn
  local known, op, since = drawn.document_since, nil, nil
  local id = self.places.id_of[location]
  if id then
    op = find(self, id)
    since = op and op.starts
  elseif self.places.is_by_name[location] then
    op, since = self.by_name, self.by_name_since
  end
  if location == self.location then
    known = drawn.location_since
  end
  if not op or known >= NEVER then
    return nil
  end
  return op, since + drawn.lag_option * known
end

--- A document as of a moment.
function service.document(self, op, location, time)
  local drawn = self.drawn
  local state, done = self.world:state(op, time)
  local word = WORDS[state]
  local form = drawn.document
  local is_bare = form == "bare" or form == "bare_array"
  local document = { status = word, id = not is_bare and op.id or nil,
    cancellationRequestState = self.world:word(op, time) }
  local progress = drawn.progress and math.floor(time) % 101 or 0
  return {
    id = document.id or self.places.id_of[location], state = state, done = done, status = word,
    http_status = 200, location = location, changed = true, publisher = "contoso",
    offer = self.offer,
    model_operation = op, progress = progress,
    model_text = progress .. state .. (document.cancellationRequestState or ""),
    document = (form == "array" or form == "bare_array") and { document } or document,
  }
end

-- ---- cancels ----

-- A location of a publish names what was hit, or the last one where nothing was.
local function named_by(self, answer, run, own)
  if answer.names == "run" then
    return run or self.world.old
  elseif answer.names == "old" then
    return not run and self.world.old or nil
  elseif answer.names == "own" then
    return own
  end
end

local function location_of(self, answer, run, own, time)
  if answer.foreign then
    return service.FOREIGN
  end
  local named = named_by(self, answer, run, own)
  if named and answer.by_id then
    return self.places.by_id[named.id], named
  elseif named then
    self.by_name, self.by_name_since = named, time
    return self.places.by_name, named
  end
end

local function refusal(self, run)
  local drawn = self.drawn
  if drawn.refuses == "idle" and not run then
    return 409
  elseif math.type(drawn.refuses) == "integer" and self.counts.post >= drawn.refuses then
    return 403
  end
end

--- A cancel arrives: the answer, or nil and the status of a refusal.
function service.cancel(self, time)
  local status = refusal(self, self.world:running(time))
  if status then
    return nil, status
  end
  local answer = self.drawn.answer
  local run, own = self.world:cancel(time)
  local operation = { publisher = "contoso", offer = self.offer, changed = true, body = "" }
  local location, named = location_of(self, answer, run, own, time)
  if answer.at_once then
    operation.state, operation.done, operation.http_status = "canceled", true, 200
  else
    operation.state, operation.done, operation.http_status = "accepted", false, 202
    operation.location, operation.id = location, location and self.places.id_of[location]
    self.location, self.named = location, named
  end
  return operation
end

return service
