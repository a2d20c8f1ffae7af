--- One offer: its settings, and the operations that run and ran on it. One
-- operation at a time can run on an offer (documented by Microsoft).

local operation = require "cpp.emulator.portal.operation"

local offer = {}
offer.__index = offer

function offer.new(publisher, id, random)
  return setmetatable({
    publisher = publisher, id = id, guid = random:guid(), random = random,
    settings = {}, operations = {}, looks = { list = 0, document = 0 },
  }, offer)
end

-- The settings `id` and `own_id` name one operation each, then no more.
local function take_id(self, name)
  local id = self.settings[name]
  self.settings[name] = nil
  return id or self.random:guid()
end

local function add(self, fields)
  fields.number = #self.operations + 1
  local op = operation.new(fields)
  self.operations[fields.number] = op
  return op
end

--- Starts a run of `kind` ("publish" or "golive") at a time.
-- @param emails string|nil  the notification e-mails it was started with
function offer:start(kind, time, emails)
  local settings = self.settings
  self.latest = add(self, {
    id = take_id(self, "id"), kind = kind, started = time, emails = emails,
    slot = kind == "golive" and "production" or "preview",
    duration = settings.publish_seconds, ending = settings.ending,
    signoff = kind == "publish" and settings.signoff, queued = settings.queued_seconds,
  })
  return self.latest
end

-- A run whose end lets `next` begin: what had ended before that was set does not.
local function makes_way(self, run, time)
  return run ~= nil and run ~= self.passed and run:ended(time)
end

-- Whether it is time for another publish: a list has shown the end of the last one, or
-- none did for so long.
local function is_republished(self, time)
  local run, seconds = self.latest, self.settings.republish
  return seconds and run and not run.past and run:ended(time)
    and (self.shown == run or time >= run.stop.at + seconds)
end

-- Starts what the setting `next` announces, at the moment when its turn comes, else what
-- `republish` does, now.
local function settle(self, time)
  local following = self.settings.next
  if following and makes_way(self, self.latest, time) then
    self.settings.next = nil
    self.settings.id = following.id
    self:start("publish", self.latest.stop.at, "colleague@example.com")
  elseif is_republished(self, time) then
    self:start("publish", time, "publisher@example.com")
  end
end

--- The operation that runs at a time, or nil.
function offer:current(time)
  settle(self, time)
  if self.latest and not self.latest:ended(time) then
    return self.latest
  end
end

-- An operation of the cancel's own. It gives up when the run cannot be canceled.
local function own_operation(self, run, time, seconds)
  local refused = run and not self.settings.cancelable
  return add(self, {
    id = take_id(self, "own_id"), kind = "cancel", slot = "preview", started = time,
    duration = seconds,
    ending = self.settings.own_ending or (refused and "failed" or "succeeded"),
  })
end

-- The operation before the latest: what came between are cancels.
local function before(self, latest)
  for i = latest.number - 1, 1, -1 do
    if self.operations[i].kind ~= "cancel" then
      return self.operations[i]
    end
  end
  return latest
end

-- After how many seconds a run ends by itself although its cancel was accepted, or nil.
local function seconds_too_late(self)
  local late = self.settings.too_late
  return late == true and 0 or late or nil
end

local function interrupt(self, run, time, seconds)
  run:ask_to_cancel(time, time + seconds)
  local late = seconds_too_late(self)
  if late then
    run:end_at(time + late, run.ending)
  elseif self.settings.cancelable then
    run:end_at(time + seconds, "canceled", time)
  end
end

-- How long a cancel takes: one that is answered 200 has acted, unless it is told to lie.
local function cancel_seconds(self)
  local settings = self.settings
  return settings.synchronous == true and 0 or settings.synchronous
    or settings.cancel_seconds
end

--- What a cancel would find.
-- @return "idle"|"canceling"|"running"
-- @return table|nil  the operation that runs
function offer:finds(time)
  local run = self:current(time)
  if not run then
    return "idle"
  end
  return run:is_being_canceled(time) and "canceling" or "running", run
end

--- Cancels what runs. Asking again while a cancel is under way changes nothing.
-- @return table  the operation that the answer's location names
function offer:cancel(time)
  local found, run = self:finds(time)
  local seconds = cancel_seconds(self)
  if found == "running" then
    interrupt(self, run, time, seconds)
  end
  if self.settings.names == "own" or not self.latest then
    return own_operation(self, run, time, seconds)
  end
  return self.settings.names == "old" and before(self, self.latest) or self.latest
end

--- Goes live with a preview that waits for the publisher; nil when none does.
function offer:golive(time)
  local run = self:current(time)
  if run and run:waits(time) then
    run:end_at(time, "succeeded")
    return self:start("golive", time, run.emails)
  end
end

local function add_history(self, history, time)
  for _, past in ipairs(history) do
    local ended = time - past.ago
    self.latest = add(self, {
      id = past.id or self.random:guid(), kind = "publish", slot = "preview",
      started = ended - 600, duration = 600, ending = past.state, past = true,
    })
  end
end

-- A "preview" has come as far as the publisher's review and waits there.
local function change_running(self, running, time)
  local run = self:current(time)
  if run then
    run:end_at(time, run.ending, time)
  end
  if running == "publish" then
    self:start("publish", time - self.settings.elapsed, "publisher@example.com")
  elseif running == "preview" then
    self.settings.signoff = true
    self:start("publish", time - self.settings.publish_seconds, "publisher@example.com")
  end
end

-- Lets a run that nobody interferes with follow settings that changed.
local function replan(self, patch, time)
  local run = self:current(time)
  if not run or #run.cancels > 0 then
    return
  end
  run.duration = patch.publish_seconds or run.duration
  run.ending = patch.ending or run.ending
  if patch.signoff ~= nil and run.kind == "publish" then
    run.signoff = patch.signoff
  end
  run:plan()
end

-- The one announced before has its turn first, where its moment has come.
local function announce(self, following, time)
  self.passed = not self:current(time) and self.latest or nil
  self.settings.next = following
end

-- `next` comes last: it waits for what this patch starts.
local function merge(self, patch)
  for name, value in pairs(patch) do
    if name ~= "next" then
      self.settings[name] = value
    end
  end
end

--- Merges settings, at a time.
function offer:change(patch, time)
  merge(self, patch)
  if patch.history then
    add_history(self, patch.history, time)
  end
  if patch.running ~= nil then
    change_running(self, patch.running, time)
  else
    replan(self, patch, time)
  end
  if patch.next then
    announce(self, patch.next, time)
  end
end

--- The operation with this id, or nil.
function offer:find(id)
  for _, op in ipairs(self.operations) do
    if op.id == id then
      return op
    end
  end
end

-- How far behind a look is: a replica that is fresh, or one that is not, answers it.
local function lag(self, what)
  local settings, seconds = self.settings, self.settings[what .. "_lag"]
  self.looks[what] = self.looks[what] + 1
  if settings.replicas == "alternating" then
    return self.looks[what] % 2 == 0 and seconds or 0
  elseif settings.replicas == "random" then
    return self.random:number() * seconds
  end
  return seconds
end

--- The operation with this id, or this number and slot, as a look at its document shows it.
-- @return table|nil  nil: none, or it began too lately
-- @return number     the time as of which it is shown
function offer:look(id, number, slot, time)
  self:current(time)
  local seen = time - lag(self, "document")
  local op = self:find(id) or self.operations[number]
  if op and (op.started > seen or slot and slot ~= op.slot) then
    op = nil
  end
  return op, seen
end

local function listed(self, op, time)
  return op.started <= time and (op.kind ~= "cancel" or self.settings.list_own)
end

-- Those that a list as of a time holds, in their order.
local function collect(self, seen)
  local list = {}
  for _, op in ipairs(self.settings.list == "empty" and {} or self.operations) do
    if listed(self, op, seen) then
      local at = self.settings.list_order == "newest" and 1 or #list + 1
      table.insert(list, at, op)
    end
  end
  if self.settings.list_order == "shuffled" then
    self.random:shuffle(list)
  end
  return list
end

--- What the list shows at a time: an array in the order of the settings, and the
-- time as of which it is right.
function offer:list(time)
  local run = self:current(time) or self.latest
  local seen = time - lag(self, "list")
  local list = collect(self, seen)
  if run and run:ended(seen) and #list > 0 then
    self.shown = run
  end
  return list, seen
end

return offer
