--- What the jobs of one cancel_all share: slots for exchanges, the pause that a
-- 429 asks for, and refusals of credentials.

local fault = require "cpp.workflow.fault"
local queue = require "cpp.task.queue"
local task = require "cpp.task"

---@class cpp.workflow.batch
---@field free integer  slots
---@field unsent integer  jobs whose first try is not over
---@field not_before number  until then nobody asks
---@field refusals table<any, cpp.error>  by the token function that was refused
---@field urgent table  jobs that wait for a slot for their first try
---@field patient table  the others
local batch = {}
batch.__index = batch

---@param concurrency integer  exchanges in flight
---@param jobs integer  how many have a first try to make
---@return cpp.workflow.batch
function batch.new(concurrency, jobs)
  return setmetatable({ free = concurrency, unsent = jobs, not_before = -math.huge,
    refusals = {}, urgent = queue.new(), patient = queue.new() }, batch)
end

-- Every first try comes before any slot goes to waiting.
local function next_job(self)
  return self.urgent:pop() or (self.unsent == 0 and self.patient:pop()) or nil
end

local function hand_out(self)
  local job = self.free > 0 and next_job(self)
  while job do
    self.free, job.has_slot = self.free - 1, true
    if job.waiting then
      task.wake(job.waiting)
      job.waiting = nil
    end
    job = self.free > 0 and next_job(self)
  end
end

--- Takes a slot, unless the job has one.
---@return boolean waited  time has passed meanwhile
function batch:enter(job)
  if job.has_slot then
    return false
  end
  local waiting = job.is_first and self.urgent or self.patient
  waiting:push(job)
  hand_out(self)
  if job.has_slot then
    return false
  end
  job.waiting = coroutine.running()
  task.park()
  return true
end

--- Gives it back.
function batch:leave(job)
  if job.has_slot then
    self.free, job.has_slot = self.free + 1, false
    hand_out(self)
  end
end

--- A job whose first try is over, or that waits, keeps no other waiting.
function batch:stand_aside(job)
  self:leave(job)
  if job.is_first then
    self.unsent, job.is_first = self.unsent - 1, false
    hand_out(self)
  end
end

--- Calls a job's callback, which may take long: meanwhile the job holds no slot and
--- keeps nobody waiting.
function batch:call_back(job, callback, ...)
  local was_first = job.is_first
  self:stand_aside(job)
  callback(...)
  if was_first then
    self.unsent, job.is_first = self.unsent + 1, true
  end
end

-- The token function that a job's calls use.
local function credential_of(job)
  return job.calls.token or "the client's"
end

--- After a credential was refused once, no other job tries to log in with it.
---@return cpp.error|nil
function batch:refusal(job)
  return self.refusals[credential_of(job)]
end

-- Seconds for which a 429 holds all, at least.
local function seconds_of(job, err)
  local asked = err.retry_after
  local is_sensible = type(asked) == "number" and asked > 0 and asked < math.huge
  return is_sensible and asked or job.options.interval
end

--- Takes note of an error that concerns all.
---@param err cpp.error|table
---@param now number
function batch:heed(job, err, now)
  if err.status == 429 then
    self.not_before = math.max(self.not_before, now + seconds_of(job, err))
  elseif err.kind == "credential" and not fault.is_passing(err) then
    self.refusals[credential_of(job)] = err
  end
end

return batch
