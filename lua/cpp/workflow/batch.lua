--- The jobs of one cancel_all: tasks that share slots for exchanges, the pause that a
-- 429 asks for and refusals of credentials, and that end with the one who called.

local fault = require "cpp.workflow.fault"
local pace = require "cpp.workflow.pace"
local queue = require "cpp.task.queue"
local run = require "cpp.workflow.run"
local task = require "cpp.task"
local traceback = require "cpp.task.run".traceback

-- `free` slots; `untried` jobs, whose first try is not over; the jobs that wait for a slot:
-- `urgent` for their first try, `patient` the others; `not_before`, until then nobody asks;
-- `refusals` by the token option, or the batch for the client's own credential; the tasks
-- as `threads`, as many `left`.
local batch = {}
batch.__index = batch

-- Every first try comes before any slot goes to waiting.
local function next_job(self)
  return self.free > 0 and (self.urgent:pop()
    or (self.untried == 0 and self.patient:pop())) or nil
end

local function hand_out(self)
  for job in next_job, self do
    self.free, job.has_slot = self.free - 1, true
    if job.waiting then
      task.wake(job.waiting)
      job.waiting = nil
    end
  end
end

--- Takes a slot, unless the job has one. Whether time has passed meanwhile. A job that
-- itself closed the coroutine that called, in a callback or trace, ends here.
function batch:enter(job)
  if self.is_over then
    error "the batch was closed"
  end
  if not job.has_slot then
    local line = job.is_first and self.urgent or self.patient
    line:push(job)
    hand_out(self)
  end
  if job.has_slot then
    return false
  end
  job.waiting = coroutine.running()
  task.park()
  return true
end

--- Gives it back. A job that `has_tried`, for the first time, keeps no other waiting.
function batch:leave(job, has_tried)
  if job.has_slot then
    self.free, job.has_slot = self.free + 1, false
  end
  if has_tried and job.is_first then
    self.untried, job.is_first = self.untried - 1, false
  end
  hand_out(self)
end

--- Calls a job's callback, which may take long: meanwhile the job holds no slot and
--- keeps nobody waiting.
function batch:call_back(job, callback, ...)
  local was_first = job.is_first
  self:leave(job, true)
  callback(...)
  if was_first then
    self.untried, job.is_first = self.untried + 1, true
  end
end

--- After a credential was refused once, no other job tries to log in with it.
function batch:refusal(job)
  return self.refusals[job.calls.token or self]
end

--- Takes note of an error that was met now.
function batch:heed(job, err, now)
  if err.status == 429 then
    local seconds = pace.asked_seconds(err) or job.options.interval
    self.not_before = math.max(self.not_before, now + seconds)
  elseif err.kind == "credential" and not fault.is_passing(err) then
    self.refusals[job.calls.token or self] = err
  end
end

local function work(self, i, job)
  local result, err = run.follow(job)
  if err then
    result = { publisher = job.publisher, offer = job.offer, operation = err.operation,
      location = err.location, cancel = err.cancel, polls = err.polls, err = err }
  end
  self.results[i] = result
  if self.on_result then
    self.on_result(result, job.target) -- at once: the others may take minutes more
  end
end

-- The end of a job's task, also where somebody else closed it.
local Turn = {}

function Turn:__close()
  local all = self.batch
  all.threads[coroutine.running()], all.left = nil, all.left - 1
  if not all.is_over and (all.left == 0 or not self.good) then
    all.is_over, all.raised = true, not self.good and { self.message }
    task.wake(all.caller)
  end
end

local function start(self, i, job)
  if self.is_over then
    return
  end
  local turn <close> = setmetatable({ batch = self, message = "the task was closed" }, Turn)
  self.threads[coroutine.running()] = true
  turn.good, turn.message = xpcall(work, traceback, self, i, job)
end

-- Ends what still goes on, and what has not begun.
function batch:__close()
  self.is_over = true
  for thread in pairs(self.threads) do
    if coroutine.status(thread) == "suspended" then
      coroutine.close(thread)
    end
  end
end

--- Follows all jobs, from run.new, to their ends, in a task; `own` is from options.split.
--- What a callback raises ends all and is raised again, a string with its traceback.
--- Closing the coroutine that called ends all too; closing one of a job's raises here.
---@return cpp.workflow.result[]
function batch.follow(jobs, own)
  local self <close> = setmetatable({ free = own.concurrency, untried = #jobs,
    urgent = queue.new(), patient = queue.new(), not_before = -math.huge, refusals = {},
    on_result = own.on_result, caller = coroutine.running(), threads = {}, left = #jobs,
    results = {} }, batch)
  for i, job in ipairs(jobs) do
    job.batch, job.is_first = self, true
    task.spawn(start, self, i, job)
  end
  if #jobs > 0 then
    task.park()
  end
  if self.raised then
    error(self.raised[1], 0)
  end
  return self.results
end

return batch
