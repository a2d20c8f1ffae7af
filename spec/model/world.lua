--- What really happens on one offer: publishes one after the other, cancels, and
-- the operations that cancels are themselves. Nobody looks here but the service
-- and the oracle.

local NEVER = 1e9

-- Seconds that a cancel's own operation takes where nothing runs.
local SHORT = 3

local world = {}
world.__index = world

---@class model.operation
---@field id string
---@field own boolean         a cancel's own; else a publish
---@field starts number
---@field ends number
---@field ends_as string      canceled, succeeded or failed
---@field word_from number    from when to when its document says that a cancel
---@field word_to number      is under way
---@field by_cancel boolean|nil  it ends by one of ours
---@field follows model.operation|nil  of an own: what it cancels

local function add(self, op)
  op.word_from, op.word_to = NEVER, NEVER
  self.all[#self.all + 1] = op
  return op
end

local function add_run(self, id, starts, ends, ends_as)
  local run = add(self, { id = id, own = false, starts = starts, ends = ends, ends_as = ends_as })
  self.runs[#self.runs + 1] = run
  return run
end

local function add_history(self, drawn, before)
  for i = 1, drawn.history do
    local ends = before - drawn.history_age - (drawn.history - i) * 1000
    self.old = add_run(self, "old-" .. i, ends - 300, ends, drawn.history_state)
  end
end

-- The publishes of others: each begins when it may, one after the other.
local function add_next(self, drawn)
  if drawn.next_starts >= NEVER then
    return
  end
  self.later = {
    add_run(self, "next-1", 0, 0, drawn.next_ends_as),
    add_run(self, "next-2", 0, 0, "succeeded"),
  }
  self.later[1].nominal, self.later[1].lasts = self.called + drawn.next_starts, drawn.next_lasts
  self.later[2].nominal, self.later[2].lasts = 0, 200
end

-- After `now`: what has begun stays as it is.
local function plan_next(self, now)
  local before = self.mine and self.mine.ends or -NEVER
  for _, run in ipairs(self.later or {}) do
    if run.starts == 0 or run.starts > now then
      run.starts = math.max(run.nominal, before + self.drawn.next_gap)
      run.ends = run.starts + run.lasts
    end
    before = run.ends
  end
end

--- @param drawn table   from switches.draw
--- @param called number when the workflow is called
function world.new(drawn, called)
  local self = setmetatable({ drawn = drawn, called = called, all = {}, runs = {}, owns = {} },
    world)
  local starts = called - (drawn.before or 0)
  add_history(self, drawn, starts)
  if drawn.before then
    self.mine = add_run(self, "run-1", starts, called + drawn.run_ends, drawn.run_ends_as)
  end
  add_next(self, drawn)
  plan_next(self, -NEVER)
  return self
end

--- The publish that runs at a time, or nil.
function world:running(time)
  for _, run in ipairs(self.runs) do
    if run.starts <= time and time < run.ends then
      return run
    end
  end
end

local function end_by(run, time, state)
  if time < run.ends then
    run.ends, run.ends_as, run.by_cancel = time, state, state == "canceled" or nil
  end
end

local function apply(run, time, effect)
  if time >= run.word_from and time < run.word_to then
    return -- one is under way
  end
  if effect.word then
    run.word_from, run.word_to = time, time + effect.word
  end
  if effect.as then
    end_by(run, time + effect.after, effect.as)
  end
end

-- A cancel's own operation ends with what it cancels, or when it is given up.
local function plan_own(self, own)
  local run, delay = own.follows, self.drawn.own_delay
  if not run then
    own.ends, own.ends_as = own.starts + SHORT, "succeeded"
  elseif run.ends_as == "canceled" and run.by_cancel then
    own.ends, own.ends_as = run.ends + delay, self.drawn.own_ends_as
  elseif own.effect.as == nil then
    own.ends = math.min(run.ends, own.starts + math.min(own.effect.word or SHORT, NEVER)) + delay
    own.ends_as = "failed"
  else
    own.ends, own.ends_as = run.ends + delay, "failed"
  end
end

local function add_own(self, time, run, effect)
  local own = add(self, { id = "own-" .. #self.owns + 1, own = true, starts = time,
    ends = NEVER, ends_as = "succeeded", follows = run, effect = effect })
  self.owns[#self.owns + 1] = own
  return own
end

--- A cancel arrives: cancels what runs, in the way of the switches.
--- @return model.operation|nil run  what it hit
--- @return model.operation|nil own
function world:cancel(time)
  local drawn, run = self.drawn, self:running(time)
  local effect = drawn.effect
  if #self.owns > 0 and drawn.effect_again == "at_once" then
    effect = { after = 0, as = "canceled", word = NEVER }
  end
  if run then
    apply(run, time, effect)
  end
  local own = add_own(self, time, run, effect)
  for _, one in ipairs(self.owns) do
    plan_own(self, one)
  end
  plan_next(self, time)
  return run, own
end

--- Its state at a time, and whether that is an end.
function world:state(op, time)
  if time >= op.ends then
    return op.ends_as, true
  end
  return op.own and "running" or self.drawn.run_state, false
end

--- Its document's cancellationRequestState at a time, or nil.
function world:word(op, time)
  local word = self.drawn.word
  if op.own or not word or time >= op.ends then
    return nil
  elseif word == "cannotCancel" or word == "" then -- says nothing at any time
    return word
  elseif time >= op.word_from and time < op.word_to then
    return self.drawn.word_after
  end
  return word
end

local CAN_CANCEL = { canCancel = true, CAN_CANCEL = true, ["can cancel"] = true,
  ["can-cancel"] = true }

--- Whether a word of a document says that no cancel is under way.
function world.can_cancel(word)
  return CAN_CANCEL[word] or false
end

--- A time between `from` and `to` at which no publish ran but `except`; nil: none.
function world:idle_between(from, to, except)
  local at = from
  repeat
    local run = self:running(at)
    if not run or run == except then
      return at
    end
    at = run.ends
  until at > to
end

return world
