--- One cancel from its beginning to its end: does what `verdict` asks for, writes
-- down what that showed, and tells the caller of changes.

local evidence = require "cpp.workflow.evidence"
local exchange = require "cpp.workflow.exchange"
local outcome = require "cpp.workflow.outcome"
local pace = require "cpp.workflow.pace"
local task = require "cpp.task"
local verdict = require "cpp.workflow.verdict"

local run = {}

--- A cancel of what runs at `target` begins, in a table that is returned: `own` and
-- `calls` are from options.split.
function run.new(client, target, own, calls)
  local self = exchange.begin({ publisher = target.publisher, offer = target.offer,
    target = target, on_change = own.on_change, no_wait = own.no_wait, told = {},
    polls = {} }, client, own, calls)
  evidence.begin(self, own)
  return self
end

-- A callback may take long: it holds up nobody else.
local function call_back(self, operation)
  if self.batch then
    return self.batch:call_back(self, self.on_change, operation, self.target)
  end
  self.on_change(operation, self.target)
end

-- What is told before the POST, once for each operation, a script can write down: that
-- takes time, and the look is made anew. After it a change is told; but nothing comes
-- between a look and the POST that it allows.
local function tell(self)
  local seen = self.on_change and verdict.focus(self)
  local told = seen and self.told[seen]
  if not seen or told == seen.news or (told and not self.sent)
    or (self.sent and verdict.next(self, self.client:now()) == "post") then
    return
  end
  self.told[seen] = seen.news
  call_back(self, seen.view)
  if not self.sent and not seen.over then
    evidence.rest(self)
  end
end

-- An accepted cancel is told at once: its location is what one goes on with. What it
-- names may be the cancel's own operation, or an old one, so its id is told where that is
-- known to run: one that a script writes down is always one for the option `operation`.
local function tell_accepted(self, answer, err)
  local operation = answer or { state = "accepted", done = false, changed = true,
    http_status = err.status, location = err.location }
  local named = self.named
  operation.id = named and named.before and named.ran and not named.over and named.id or nil
  operation.publisher = operation.publisher or self.publisher
  operation.offer = operation.offer or self.offer
  call_back(self, operation)
end

local STEPS = {}

-- An operation is asked for as last answered: what did not change is not decoded.
function STEPS.look(self, target)
  local method = target == self.listing and "operations" or "poll"
  local answer, err, asked, answered = exchange.ask(self, method,
    target.answer or target.location)
  if err then
    return evidence.failure(self, target, err, asked)
  end
  evidence.answer(self, target, answer, asked, answered)
  tell(self)
end

function STEPS.post(self, start_by)
  local answer, err, asked, answered = exchange.ask(self, "cancel", nil, start_by)
  evidence.post(self, answer, err, asked, answered)
  if self.batch then
    self.batch:leave(self, true)
  end
  if self.on_change and (answer or err.status == 202) then
    tell_accepted(self, answer, err)
  end
end

function STEPS.pause(self, aim)
  if exchange.pause(self, aim) then
    task.park()
  end
  evidence.rest(self)
end

-- A slot of a batch is held from the look to its POST; waiting holds none, and what
-- waits asks for one each time; but one that has not begun keeps its turn. Whether it
-- is had without waiting: else time has passed.
local function take_slot(self, step)
  local batch = self.batch
  if step == "pause" or step == "end" then
    batch:leave(self, step == "end" or pace.has_begun(self))
    return true
  elseif step == "look" and self.sent and self.has_used_slot then
    batch:leave(self)
  end
  self.has_used_slot = not batch:enter(self)
  return self.has_used_slot
end

--- To its end: returns the result, or nil and an error.
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
