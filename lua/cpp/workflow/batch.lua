--- What the jobs of one cancel_all share: slots for exchanges, the pace that a
-- 429 asks for, and refusals of credentials.

local queue = require "cpp.task.queue"
local task = require "cpp.task"

local batch = {}
batch.__index = batch

--- @param client table
--- @param concurrency integer  exchanges in flight
--- @param jobs integer         how many have a cancel to send
function batch.new(client, concurrency, jobs)
  return setmetatable({
    client = client, free = concurrency, unsent = jobs, resume_at = -math.huge,
    urgent = queue.new(), patient = queue.new(), refusals = {},
  }, batch)
end

-- Who gets the next slot: every cancel is sent before any slot goes to waiting.
local function next_task(self)
  return self.urgent:pop() or (self.unsent == 0 and self.patient:pop()) or nil
end

local function hand_out(self)
  local thread = self.free > 0 and next_task(self)
  while thread do
    self.free = self.free - 1
    task.wake(thread)
    thread = self.free > 0 and next_task(self)
  end
end

local function take_slot(self, urgent)
  local waiting = urgent and self.urgent or self.patient
  waiting:push((coroutine.running()))
  hand_out(self)
  task.park()
end

local function leave_slot(self)
  self.free = self.free + 1
  hand_out(self)
end

-- After a 429 nobody asks until it is over. The pause holds no slot, and the
-- last look at a job's deadline is not put off.
local function slow_down(self, job)
  local now = self.client:now()
  local left = math.min(self.resume_at, job.until_time) - now
  if left > 0 then
    local _, err = task.sleep(left)
    return err
  end
end

local function must_wait(self, job)
  local now = self.client:now()
  return now < self.resume_at and now < job.until_time
end

local function enter(self, job, urgent)
  repeat
    local err = slow_down(self, job)
    if err then
      return err
    end
    take_slot(self, urgent)
    local early = must_wait(self, job)
    if early then
      leave_slot(self)
    end
  until not early
end

-- The token function that a job's calls use.
local function credential_of(job)
  return job.calls.token or "the client's"
end

local function heed(self, job, err)
  if err.status == 429 then
    local seconds = math.max(err.retry_after or job.interval, job.interval / 10)
    self.resume_at = math.max(self.resume_at, self.client:now() + seconds)
  elseif err.kind == "credential" and not job.is_passing(err) then
    self.refusals[credential_of(job)] = err
  end
end

local function guarded(self, job, method, exchange, what)
  local refusal = self.refusals[credential_of(job)]
  if refusal then
    return nil, refusal
  end
  return exchange(job, method, what)
end

--- Passes one exchange of a job: `exchange(job, method, what)` in a slot. After
-- a credential was refused once, no other job tries to log in with it.
function batch:pass(job, method, exchange, what)
  local closed = enter(self, job, job.unsent or method == "cancel")
  if closed then
    return nil, closed
  end
  local answer, err = guarded(self, job, method, exchange, what)
  leave_slot(self)
  if err then
    heed(self, job, err)
  end
  return answer, err
end

--- A job that has sent its cancel, has ended or pauses keeps no other waiting.
function batch:stand_aside(job)
  if job.unsent then
    job.unsent = false
    self.unsent = self.unsent - 1
    hand_out(self)
  end
end

return batch
