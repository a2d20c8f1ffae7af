--- One cancel from its beginning to its end: does what `verdict` asks for, writes
-- down what that showed, and tells the caller of changes.

local evidence = require "cpp.workflow.evidence"
local exchange = require "cpp.workflow.exchange"
local outcome = require "cpp.workflow.outcome"
local pace = require "cpp.workflow.pace"
local verdict = require "cpp.workflow.verdict"

local run = {}

---@class cpp.workflow.cancel: cpp.workflow.evidence, cpp.workflow.job
---@field on_change cpp.workflow.on_change|nil
---@field no_wait boolean
---@field target table  what on_change is told of
---@field told table<cpp.workflow.seen, integer>  which news were told

--- A cancel begins now.
---@param client table
---@param target table  publisher and offer
---@param own table  from options.split
---@param calls table
---@return cpp.workflow.cancel
function run.new(client, target, own, calls)
  local self = { publisher = target.publisher, offer = target.offer, target = target,
    on_change = own.on_change, no_wait = own.no_wait, told = {}, polls = {} }
  local now = client:now()
  pace.begin(self, own, now)
  evidence.begin(self, own, now)
  exchange.equip(self, client, calls)
  return self
end

-- ---- telling ----

-- A callback may take long: it holds up nobody else.
local function call_back(self, operation)
  if self.batch then
    return self.batch:call_back(self, self.on_change, operation, self.target)
  end
  self.on_change(operation, self.target)
end

-- Once for each operation before the POST, so that a script can write its id down,
-- and after it whenever something changed.
local function is_news(self, seen)
  local told = self.told[seen]
  return told == nil or (self.sent ~= nil and told ~= seen.news)
end

-- Nothing comes between a look and the POST that it allows: what changed is told
-- after that.
local function is_repeated_next(self)
  return self.sent ~= nil and verdict.next(self, self.client:now()) == "post"
end

-- Time passes with that: before the POST the look is made anew.
local function tell(self)
  local seen = self.on_change and verdict.focus(self)
  if not seen or not is_news(self, seen) or is_repeated_next(self) then
    return
  end
  self.told[seen] = seen.news
  call_back(self, seen.view)
  if not self.sent and not seen.over then
    evidence.rest(self)
  end
end

-- An accepted cancel is told at once: its location is what one goes on with. What it
-- names may be the cancel's own operation, so its id is told where that is known to run:
-- one that a script writes down is always one for the option `operation`.
local function tell_accepted(self, answer, err)
  local operation = answer or { state = "accepted", done = false, changed = true,
    http_status = err.status, location = err.location }
  local named = self.by_key[self.named or ""]
  operation.id = named and named.before and named.id or nil
  operation.publisher = operation.publisher or self.publisher
  operation.offer = operation.offer or self.offer
  call_back(self, operation)
end

-- ---- steps ----

-- The operation as last answered, for an answer that did not change is not decoded.
local function where(self, target)
  local answer = evidence.try(self, target).answer
  return answer or (target == evidence.PLACE and self.place) or target.location
end

local function look(self, target)
  local is_list = target == evidence.LIST
  local answer, err, asked, answered = exchange.ask(self,
    is_list and "operations" or "poll", not is_list and where(self, target) or nil)
  if err then
    return evidence.failure(self, target, err, asked)
  elseif is_list then
    evidence.list(self, answer, asked, answered)
  else
    evidence.document(self, target, answer, asked, answered)
  end
  tell(self)
end

local function post(self, start_by)
  local answer, err, asked, answered = exchange.ask(self, "cancel", nil, start_by)
  evidence.post(self, answer, err, asked, answered)
  if self.batch then
    self.batch:stand_aside(self)
  end
  if self.on_change and (answer or err.status == 202) then
    tell_accepted(self, answer, err)
  end
end

local function pause(self, aim)
  exchange.pause(self, aim)
  evidence.rest(self)
end

local STEPS = { look = look, post = post, pause = pause }

-- ---- slots of a batch ----

-- A slot is held from the look to its POST; waiting holds none, and what waits asks
-- for one each time. Whether it is had without waiting: else time has passed.
local function take_slot(self, step)
  local batch = self.batch
  if step == "pause" or step == "end" then
    batch:stand_aside(self)
    return true
  elseif step == "look" and self.sent and self.has_used_slot then
    batch:leave(self)
  end
  local waited = batch:enter(self)
  self.has_used_slot = not waited
  return not waited
end

--- To its end.
---@param self cpp.workflow.cancel
---@return cpp.workflow.result|nil result
---@return cpp.error|nil err
function run.follow(self)
  while true do
    local step, value = verdict.next(self, self.client:now())
    if not self.batch or take_slot(self, step) then
      if step == "end" then
        return outcome.of(self, value)
      end
      STEPS[step](self, value)
    end
  end
end

return run
