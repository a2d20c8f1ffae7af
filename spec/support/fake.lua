--- The service and its client as one plain table of five functions, in virtual
-- time: an hour's wait takes none. What a test sets on it is in `fake.new`.

local task = require "cpp.task"

local fake = {}
fake.__index = fake

local VERSION = "?api-version=2017-10-31"
local HOST = "https://cloudpartner.azure.com"

-- ---- errors, as the C module makes them ----

function fake.http(status, fields)
  local err = { kind = "http", code = "http_" .. status, status = status, sent = true,
    message = "refused", retryable = status == 429 or status >= 500 }
  for name, value in pairs(fields or {}) do
    err[name] = value
  end
  return err
end

function fake.lost()
  return { kind = "transport", code = "connection_lost", sent = true, retryable = true,
    message = "no answer" }
end

function fake.unsent()
  return { kind = "transport", code = "could_not_connect", sent = false,
    retryable = true, message = "nobody there" }
end

-- ---- the service ----

local function state_of(op, time)
  return op.ends_at and time >= op.ends_at and op.ends_as or op.state or "running"
end

local function is_final(state)
  return state == "succeeded" or state == "failed" or state == "canceled"
end

local function iso(time)
  return ("2020-01-01T%02d:%02d:%09.6f0Z"):format(
    time // 3600, time // 60 % 60, time % 60)
end

local function path(self, id)
  return ("%s/api/publishers/%s/offers/%s/operations/%s%s"):format(HOST, self.publisher,
    self.offer, id, VERSION)
end

-- The pollable forms of a location, and those that lead nowhere.
local FORMS = {
  F1 = path,
  F2 = function(_, id)
    return HOST .. "/api/operations/contoso$" .. id .. "$2$preview" .. VERSION
  end,
  F3 = path,
  F4 = function(_, id)
    return HOST .. "/api/operations/contoso$vm$" .. id .. "$preview" .. VERSION
  end,
  foreign = function() return "https://evil.example/api/operations/1" end,
  gone = function() return HOST .. "/api/operations/gone" .. VERSION end,
  none = function() end,
}

local function changed_time(op, time)
  return op.ends_at and time >= op.ends_at and op.ends_at or op.started or 0
end

local function view(self, op, time)
  local state = state_of(op, time)
  local word = op.asked and "cancelRequested"
    or self.can_cancel ~= false and "canCancel" or nil
  return {
    id = op.id, state = state, done = is_final(state), http_status = 200,
    document = { changedTime = iso(changed_time(op, time)), submissionType = op.kind,
      cancellationRequestState = word },
  }
end

local function current(self)
  for _, op in ipairs(self.operations_known) do
    if op.kind == "publish" and op.started <= self.time
      and not is_final(state_of(op, self.time)) then
      return op
    end
  end
end

local function add(self, op)
  op.kind, op.started = op.kind or "publish", op.started or 0
  table.insert(self.operations_known, op)
  return op
end

local function next_id(self)
  self.ids = self.ids + 1
  return "own-" .. self.ids
end

-- What a cancel does: the run ends after `cancel_seconds`, or not at all.
local function act(self)
  local run = current(self)
  self.acted = self.acted + 1
  if run and not run.asked then
    run.asked = true
    local seconds = self.synchronous and 0 or self.cancel_seconds
    if self.too_late then
      run.ends_at, run.ends_as = self.time, "succeeded"
    elseif self.cancelable ~= false then
      run.ends_at, run.ends_as = self.time + seconds, "canceled"
    end
  end
  return run
end

local function answer_cancel(self)
  local run = act(self)
  if self.synchronous then
    return { state = "canceled", done = true, http_status = 200, changed = true }
  end
  local named = run or self.last
  if self.names == "own" or not named then
    named = add(self, { id = next_id(self), kind = "cancel", started = self.time,
      ends_at = self.time + self.cancel_seconds,
      ends_as = self.cancelable == false and "failed" or "succeeded" })
  end
  local location = FORMS[self.form](self, named.id)
  return { state = "accepted", done = false, http_status = 202, changed = true,
    location = location, id = location and location:match "/offers/[^/]+/operations/([^/?]+)" }
end

local function find_by_location(self, location)
  if location:sub(1, 1) == "/" then
    location = HOST .. location .. VERSION
  end
  for _, op in ipairs(self.operations_known) do
    for _, form in ipairs { "F1", "F2", "F4" } do
      if FORMS[form](self, op.id) == location then
        return op
      end
    end
  end
end

local function answer_poll(self, where)
  local location = type(where) == "table" and where.location or where
  if location:sub(1, #HOST) ~= HOST and location:sub(1, 1) ~= "/" then
    return nil, { kind = "origin", code = "foreign_origin", sent = false }
  end
  local op = find_by_location(self, location)
  if not op or self.location_gone then
    return nil, fake.http(404)
  end
  local operation = view(self, op, self.time)
  operation.location = location
  operation.progress = self.time // 30
  return operation
end

local function answer_operations(self)
  local list, seen = {}, self.time - self.lag
  for _, op in ipairs(self.list == "empty" and {} or self.operations_known) do
    if op.kind == "publish" and op.started <= seen and not op.hidden then
      local item = view(self, op, seen)
      item.document.cancellationRequestState = nil
      if op.stale then
        item.state, item.done = "running", false
      end
      item.location = path(self, op.id)
      item.publisher, item.offer = self.publisher, self.offer
      table.insert(list, self.order == "newest" and 1 or #list + 1, item)
    end
  end
  return list
end

-- ---- the client ----

local function spend(self, seconds)
  if task.running(self.client) then
    return task.sleep(seconds)
  end
  self.time = self.time + seconds
end

-- A fault is an error, or { after = error }: the service acts, then fails.
local function take_fault(self, method)
  local faults = self.faults[method]
  return faults and table.remove(faults, 1)
end

local function exchange(self, method, answer, ...)
  self.count[method] = (self.count[method] or 0) + 1
  self.in_flight = self.in_flight + 1
  self.most_in_flight = math.max(self.most_in_flight, self.in_flight)
  table.insert(self.log, { method = method, time = self.time, what = (...) })
  spend(self, self.latency)
  self.in_flight = self.in_flight - 1
  local fault = take_fault(self, method)
  if fault and fault.after then
    answer(self, ...)
    return nil, fault.after
  elseif fault then
    return nil, fault
  end
  return answer(self, ...)
end

--- @param given table  any of the fields below
--   running: the id of a publish that runs, begun at 0; true for "run-1"
function fake.new(given)
  local self = setmetatable({
    publisher = "contoso", offer = "vm", time = 1000.0, latency = 0, lag = 0,
    cancel_seconds = 60, form = "F1", names = "ran", list = "normal", order = "newest",
    faults = {}, count = {}, log = {}, acted = 0, ids = 0, in_flight = 0,
    most_in_flight = 0, operations_known = {}, slept = {},
  }, fake)
  for name, value in pairs(given or {}) do
    self[name] = value
  end
  if self.running then
    self.last = add(self, { id = self.running == true and "run-1" or self.running })
  end
  for _, op in ipairs(self.history or {}) do
    self.last = add(self, op)
  end
  self.client = self:make_client()
  return self
end

function fake:add(op)
  return add(self, op)
end

--- When and how the operation that runs ends by itself.
function fake:plan_end(time, state)
  local op = self.operations_known[1]
  op.ends_at, op.ends_as = time, state
end

function fake:make_client()
  return {
    cancel = function(_, publisher, offer, opts)
      self.cancel_options = opts
      return exchange(self, "cancel", answer_cancel, publisher, offer)
    end,
    poll = function(_, where, opts)
      self.poll_options = opts
      return exchange(self, "poll", answer_poll, where)
    end,
    operations = function(_, publisher, offer)
      return exchange(self, "operations", answer_operations, publisher, offer)
    end,
    sleep = function(_, seconds)
      table.insert(self.slept, seconds)
      self.time = self.time + seconds
      if self.on_sleep then
        return self.on_sleep(self)
      end
    end,
    now = function() return self.time end,
  }
end

return fake
