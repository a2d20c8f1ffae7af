--- The client that a workflow is given: five functions in virtual time, with a
-- wire that breaks as the switches say. Everything that happens goes into a log,
-- which the oracle reads.

local hash = require "spec.model.hash"
local service = require "spec.model.service"
local world = require "spec.model.world"

local HANG = 60 -- seconds of an exchange that nothing bounds
local MOST = 4000 -- exchanges: more is a loop
local KILLED = {}
local NO_OPTIONS = {}

local client = { KILLED = KILLED }
client.__index = client

---@class model.event
---@field kind string        list, document, post, pause or told
---@field asked number
---@field answered number
---@field ok boolean|nil     of an exchange: answered well
---@field err table|nil
---@field retry_after number|nil
---@field opts table|nil
---@field location string|nil   of a document
---@field shows table|nil    what an answered look showed: operations
---@field moment number|nil  as of when
---@field left boolean|nil   of a POST: it left this machine
---@field run model.operation|nil  of a POST that left: what ran when it would have arrived
---@field fate string|nil    unsent, refused, accepted or unknown

-- ---- faults ----

local GIVES_RETRY_AFTER = { http_429 = true, http_503 = true, http_503_after = true }

local function transport(code, sent, retryable)
  return { kind = "transport", code = code, message = code, sent = sent, retryable = retryable }
end

local function http(status, retry_after)
  return { kind = "http", code = "http_" .. status, message = "refused", status = status,
    sent = true, retryable = status == 408 or status == 429 or status >= 500,
    retry_after = retry_after }
end

local MAKE = {
  lost_before = function() return transport("connection_lost", true, true) end,
  lost_after = function() return transport("connection_lost", true, true), true end,
  timeout_before = function() return transport("timeout", true, true) end,
  timeout_after = function() return transport("timeout", true, true), true end,
  unsent = function() return transport("could_not_connect", false, true) end,
  unsent_for_good = function() return transport("tls_verification", false, false) end,
  no_token = function()
    return { kind = "credential", code = "timeout", message = "no token", sent = false,
      retryable = true }
  end,
  unauthorized = function() return http(401) end,
  http_408 = function() return http(408) end,
  http_429 = function(seconds) return http(429, seconds) end,
  http_503 = function(seconds) return http(503, seconds) end,
  http_503_after = function(seconds) return http(503, seconds), true end,
}

-- A whole 202, or a 200, that broke in its body; only a POST's is told apart.
local function cut(operation)
  local err = transport("incomplete_answer", true, true)
  err.status, err.location = operation.http_status, operation.location
  return err
end

local function junk()
  return { kind = "protocol", code = "invalid_json", message = "no JSON", status = 200,
    sent = true, retryable = false }
end

local function is_at(self, where, kind)
  if type(where) == "number" then
    return self.counts.all == where
  end
  return where == self.names[kind]
end

-- Faults that pass, for those that come by chance.
local PASSING = { "lost_before", "lost_after", "timeout_before", "unsent", "no_token",
  "http_408", "http_429", "http_503", "http_503_after", "unauthorized" }

local NAMES = {}
for _, kind in ipairs { "post", "list", "document" } do
  for i = 1, 2 do
    NAMES[kind .. i] = kind .. i
  end
end

local function fault_at(self, kind)
  local drawn, counts = self.drawn, self.counts
  self.names[kind] = NAMES[kind .. counts[kind]]
  if drawn.fault_at and is_at(self, drawn.fault_at, kind) then
    return drawn.fault
  elseif drawn.second_fault_at and is_at(self, drawn.second_fault_at, kind) then
    return drawn.second_fault
  elseif hash.fraction(drawn.seed, 5000 + counts.all) < drawn.fault_rate then
    return PASSING[hash.integer(drawn.seed, 9000 + counts.all) % #PASSING + 1]
  end
end

-- ---- the log ----

-- What the oracle asks of an operation, kept while looks are answered.
local function note_shown(look, op, view)
  if view.done then
    op.over = op.over or look.answered
    op.over_known = op.over_known or (view.id and look.answered)
  elseif view.state ~= "unknown" then
    op.ran, op.ran_known = look.asked, view.id and look.asked or op.ran_known
  end
  op.seen = op.seen or look.answered
end

-- Time passes; in a batch the others go on meanwhile.
local function pass(self, seconds)
  local clock = self.clock
  if clock.yield and seconds > 0 then
    clock.yield(seconds)
  else
    clock.time = clock.time + seconds
  end
end

-- In a batch nobody tells of a pause: it shows by the time that has passed.
local function note_gap(self)
  local last = self.log[#self.log]
  local since = last and last.answered or self.called
  if self.clock.yield and self.clock.time > since then
    self.log[#self.log + 1] = { kind = "pause", asked = since, answered = self.clock.time }
  end
end

local function begin(self, kind, opts)
  local counts = self.counts
  note_gap(self)
  counts.all, counts[kind] = counts.all + 1, counts[kind] + 1
  if counts.all > MOST then
    error("it does not end", 0)
  end
  local event = { kind = kind, asked = self.clock.time, opts = opts }
  self.log[#self.log + 1] = event
  return event
end

-- ---- one exchange ----

-- Seconds that it takes, and whether that is all the time it was given.
local function duration(self, fault, opts)
  local most = self.gives_up and self.gives_up - self.clock.time or opts and opts.timeout or HANG
  self.gives_up = nil
  local takes = self.drawn.takes
  if fault == "timeout_before" or fault == "timeout_after" then
    takes = most
  elseif fault == "unsent" or fault == "no_token" then
    takes = 0.01
  end
  return math.min(takes, most), takes > most
end

local function is_killed(self)
  return self.kill_at == self.counts.all
end

local function finish(self, event, operation, err)
  event.answered, event.err, event.ok = self.clock.time, err, err == nil
  event.retry_after = (err or operation).retry_after
  return operation, err
end

-- The time at which it arrives, the error that its caller gets, and whether it
-- acts all the same.
local function go(self, event, kind)
  local fault = fault_at(self, kind)
  local takes, late = duration(self, fault, event.opts)
  local from = self.clock.time
  pass(self, takes)
  local arrives = from + takes * self.drawn.acts_at
  if fault == "cut" or fault == "junk" then
    fault = kind == "post" and fault or "lost_after"
  end
  if MAKE[fault] then
    local err, acts = MAKE[fault](GIVES_RETRY_AFTER[fault]
      and (self.drawn.fault_retry_after or nil) or nil)
    return arrives, err, acts or false
  elseif late then
    return arrives, transport("timeout", true, true), true
  end
  return arrives, nil, true, fault
end

local function look_retry_after(self)
  return self.drawn.retry_after or nil
end

local function look(self, kind, opts, answer, location)
  local event = begin(self, kind, opts)
  event.location = location
  if is_killed(self) then
    error(KILLED, 0)
  end
  local _, err = go(self, event, kind)
  event.answered = self.clock.time
  if err then
    return finish(self, event, nil, err)
  end
  local result, failure = answer(self, event, location)
  if failure then
    return finish(self, event, nil, failure)
  end
  return finish(self, event, result)
end

local function answer_list(self, event)
  if self.drawn.list == "refused" then
    return nil, http(403)
  end
  event.moment = service.list_moment(self, event.asked, event.answered)
  local items = service.list(self, event.moment)
  for _, item in ipairs(items) do
    note_shown(event, item.model_operation, item)
    local listed = item.model_operation
    listed.typed = listed.typed or item.document.submissionType ~= nil
  end
  event.shows = items
  return items
end

local function note_word(self, op, event)
  local word = op.model_operation and self.world:word(op.model_operation, event.moment)
  local one = op.model_operation
  if world.can_cancel(word) then
    one.free = math.max(one.free or -math.huge, event.asked)
    one.free_first = one.free_first or event.answered
  elseif word and one.free then
    one.taken = event.answered
  end
end

local function answer_document(self, event, location)
  local op, since = service.find(self, location)
  event.moment = service.document_moment(self, event.asked, event.answered)
  if not op or event.moment < since or event.moment < op.starts then
    return nil, http(404)
  end
  local operation = service.document(self, op, location, event.moment)
  operation.retry_after = look_retry_after(self)
  note_shown(event, op, operation)
  note_word(self, operation, event)
  event.shows = { operation }
  return operation
end

-- ---- the POST ----

-- Before it leaves it may be held up: by the token, the queue, the connection. The
-- time that it is given counts from the call.
local function hold(self, opts)
  local held = self.counts.post == 1 and self.drawn.held or 0
  local now = self.clock.time
  local gives_up, start_by = now + (opts.timeout or HANG), opts.start_by or math.huge
  if now + held > start_by and start_by <= gives_up then
    pass(self, math.max(0, start_by - now))
    return transport("not_started", false, true)
  elseif now + held >= gives_up then
    pass(self, gives_up - now)
    return transport("timeout", false, true)
  end
  pass(self, held)
  self.gives_up = gives_up
end

local function fate_of(operation, err)
  if operation or err.status == 202 then
    return "accepted"
  elseif err.sent == false or err.kind == "credential" or err.kind == "origin" then
    return "unsent"
  elseif err.status and err.status >= 400 and err.status < 500 and err.status ~= 408 then
    return "refused"
  end
  return "unknown"
end

local function send(self, event)
  local arrives, err, acts, damage = go(self, event, "post")
  event.run = self.world:running(arrives)
  if not acts then
    return nil, err
  end
  local operation, status = service.cancel(self, arrives)
  if is_killed(self) then
    error(KILLED, 0)
  elseif status then
    return nil, err or http(status)
  elseif damage == "cut" and operation.location then
    err = cut(operation)
  elseif damage and operation.http_status == 200 then
    err = junk()
  end
  operation.retry_after = look_retry_after(self)
  event.answer = operation
  return not err and operation or nil, err
end

--- The cancel call.
function client:cancel(_, _, opts)
  local event = begin(self, "post", opts)
  if is_killed(self) and not self.kill_after then
    error(KILLED, 0)
  end
  local operation
  local err = hold(self, opts or NO_OPTIONS)
  if not err then
    operation, err = send(self, event)
  end
  event.fate = fate_of(operation, err)
  self.posts[#self.posts + 1] = event
  return finish(self, event, operation, err)
end

-- ---- the other four ----

function client:operations(_, _, opts)
  return look(self, "list", opts, answer_list)
end

function client:poll(where, opts)
  local location = type(where) == "table" and where.location or where
  if type(location) ~= "string" then
    return nil, { kind = "protocol", code = "no_location", message = "no location", sent = false,
      retryable = false }
  elseif location == service.FOREIGN then
    return nil, { kind = "origin", code = "foreign_origin", message = "elsewhere", sent = false,
      retryable = false }
  end
  local operation, err = look(self, "document", opts, answer_document, location)
  if operation and type(where) == "table" then
    operation.changed = where.model_text ~= operation.model_text
  end
  return operation, err
end

function client:sleep(seconds)
  assert(type(seconds) == "number" and seconds >= 0, "it sleeps no time")
  local now = self.clock.time
  self.log[#self.log + 1] = { kind = "pause", asked = now, answered = now + seconds }
  self.clock.time = now + seconds
  return true
end

function client:now()
  return self.clock.time
end

-- ---- a run ----

local BEGIN = 10000.0

--- A client on a world.
--- @param drawn table  from switches.draw
--- @param offer? string  default "vm"
--- @param clock? table   { time =, yield = nil or fun(seconds) }, shared in a batch
function client.new(drawn, offer, clock)
  clock = clock or { time = BEGIN }
  offer = offer or "vm"
  local self = setmetatable({ drawn = drawn, clock = clock, offer = offer,
    places = service.places(offer), world = world.new(drawn, clock.time) }, client)
  return self:again()
end

--- Begins a record: of the first call, or of another after a crash.
function client:again()
  self.hit_before = {}
  for _, event in ipairs(self.log or {}) do
    if event.run then
      self.hit_before[event.run] = true
    end
  end
  self.called, self.log, self.posts = self.clock.time, {}, {}
  self.counts = { all = 0, list = 0, document = 0, post = 0 }
  self.names, self.told = {}, {}
  self.kill_at, self.named, self.time = nil, nil, nil
  for _, op in ipairs(self.world.all) do
    op.over, op.over_known, op.ran, op.ran_known, op.seen = nil, nil, nil, nil, nil
    op.typed, op.free, op.free_first, op.taken = nil, nil, nil, nil
  end
  return self
end

--- The workflow tells an operation, and that takes time.
function client:tell(operation)
  note_gap(self)
  local event = { kind = "told", asked = self.clock.time, operation = operation }
  self.log[#self.log + 1] = event
  pass(self, self.callback_takes)
  event.answered = self.clock.time
  local id = type(operation) == "table" and operation.id
  self.told[#self.told + 1] = id or nil
end

--- The workflow has said its word: what is held against it is of this time.
function client:finish()
  self.time = self.time or self.clock.time
end

--- The truth behind an operation that the workflow names.
function client:truth(operation)
  if type(operation) ~= "table" then
    return nil
  elseif operation.model_operation then
    return operation.model_operation
  end
  local id = operation.id or self.places.id_of[operation.location or ""]
  for _, op in ipairs(self.world.all) do
    if op.id == id then
      return op
    end
  end
  return operation.location == self.places.by_name and self.by_name or nil
end

return client
