--- The jobs of one cancel_all as tasks: their results in order, and an end for all
-- of them with the one who called.

local run = require "cpp.workflow.run"
local task = require "cpp.task"

local group = {}

-- A string gets the traceback of where it was raised; anything else passes unchanged.
local function with_traceback(message)
  return type(message) == "string" and debug.traceback(message, 2) or message
end

local function end_tasks(self)
  self.is_closed = true
  for thread in pairs(self.threads) do
    if coroutine.status(thread) == "suspended" then
      coroutine.close(thread)
    end
  end
end

local Group = { __close = end_tasks }

local function follow(job)
  local result, err = run.follow(job)
  if err then
    result = { publisher = job.publisher, offer = job.offer, operation = err.operation,
      location = err.location, cancel = err.cancel, polls = err.polls, err = err }
  end
  return result
end

-- At once: the others may take minutes more.
local function work(self, i, job)
  self.results[i] = follow(job)
  if self.on_result then
    self.on_result(self.results[i], job.target)
  end
end

local function start(self, i, job)
  local thread = coroutine.running()
  if self.is_closed then
    return
  end
  self.threads[thread] = true
  local good, message = xpcall(work, with_traceback, self, i, job)
  self.threads[thread], self.left = nil, self.left - 1
  if not good then
    self.raised = self.raised or { message }
  end
  if self.is_parked and (self.left == 0 or self.raised) then
    self.is_parked = false
    task.wake(self.caller)
  end
end

local function wait_for_all(self)
  self.caller = coroutine.running()
  if self.left > 0 and not self.raised then
    self.is_parked = true
    task.park()
  end
  if self.raised then
    error(self.raised[1], 0)
  end
end

--- Follows all jobs to their ends, in a task. What a callback raises ends all and is
--- raised again, and so does closing the coroutine that called.
---@param jobs cpp.workflow.cancel[]
---@param on_result cpp.workflow.on_result|nil
---@return cpp.workflow.result[]
function group.follow(jobs, on_result)
  local self <close> = setmetatable({ results = {}, left = #jobs, threads = {},
    on_result = on_result }, Group)
  for i, job in ipairs(jobs) do
    task.spawn(start, self, i, job)
  end
  wait_for_all(self)
  return self.results
end

return group
