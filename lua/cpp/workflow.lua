--- What a person wants of an operation: wait for its end, cancel it and be
-- sure, cancel many, and know what went wrong.
--
-- A workflow uses nothing of its client but cancel, poll, operations, sleep and
-- now, so a plain table with these five tests an hour's wait in no time.

local batch = require "cpp.workflow.batch"
local cancel_one = require "cpp.workflow.cancel"
local job = require "cpp.workflow.job"
local options = require "cpp.workflow.options"
local problems_of = require "cpp.workflow.problems"
local task = require "cpp.task"
local wait = require "cpp.workflow.wait"

local workflow = {}

---@alias cpp.workflow.on_change fun(operation: cpp.operation, target: any)
---@alias cpp.workflow.on_result
---| fun(result: cpp.workflow.result, target: cpp.workflow.target)

--- Options of every workflow. Those of a call go to each of its calls.
---@class (exact) cpp.workflow.options: cpp.options
---@field deadline? number  seconds from the call (default 3600)
---@field interval? number  seconds at which waiting begins (default 5)
---@field max_interval? number  seconds to which it backs off (default 60)
---@field on_change? cpp.workflow.on_change  called when something changed
--- Seconds for one exchange, shorter near the deadline (default: the client's).
---@field timeout? number

--- Options of `workflow.wait`.
---@class (exact) cpp.workflow.wait_options: cpp.workflow.options
--- Waits on while a person must review, which can take days (default false).
---@field through_review? boolean

--- Options of `workflow.cancel`.
---@class (exact) cpp.workflow.cancel_options: cpp.workflow.options
---@field operation? string  id: cancels only if this is what runs

--- Options of `workflow.cancel_all`.
---@class (exact) cpp.workflow.batch_options: cpp.workflow.options
---@field concurrency? integer  exchanges in flight (default 16)
---@field on_result? cpp.workflow.on_result  called once per target, when it has ended

--- One of the offers of `workflow.cancel_all`: { publisher, offer } for short.
--- Options of a call count before those of the batch.
---@class (exact) cpp.workflow.target: cpp.options
---@field publisher? string
---@field offer? string
---@field [1]? string  the publisher, for short
---@field [2]? string  the offer
---@field operation? string  id: cancels only if this is what runs

--- What a workflow remembers of a poll.
---@class cpp.workflow.poll
---@field status integer|string  HTTP status, or the error's code where none came
---@field delay number  seconds waited before it
---@field reason "at_once"|"backoff"|"retry_after"|"deadline"  why so long

--- What became of one offer.
---@class cpp.workflow.result
--- Absent in a batch, where `err` stands instead.
---@field outcome "canceled"|"nothing_to_cancel"|"too_late"|"failed"|nil
--- The one that ran; the newest one listed when there was nothing to cancel.
---@field operation cpp.operation|nil
---@field location string|nil  that operation's own
--- Runs now because somebody started another; absent: a publish may start.
---@field running cpp.operation|nil
---@field publisher string
---@field offer string
---@field polls cpp.workflow.poll[]  the last 16
---@field err cpp.error|nil  in a batch only

local function level_up(good, ...)
  if not good then
    error((...), 3)
  end
  return ...
end

local function check_client(client)
  if type(client) ~= "table" and type(client) ~= "userdata" then
    error("client expected, got " .. type(client), 0)
  end
end

local function check_subject(subject)
  if type(subject) ~= "string" and type(subject) ~= "table" then
    error("operation or location expected, got " .. type(subject), 0)
  end
end

local function check_name(value, what)
  if type(value) ~= "string" or value == "" then
    error(what .. " must be a string that is not empty", 0)
  end
end

local function new_wait(client, subject, opts)
  check_client(client)
  check_subject(subject)
  return wait.new(client, subject, opts)
end

--- Polls an operation until it has ended, or waits for a person's review.
--- A deadline is an error of kind `workflow`, code `deadline`, with `location`.
--- In a task of a run on the client, the polls, and with them `on_change` and the
--- client's token and trace functions, run in other tasks of that run.
---@param client cpp.client|table
---@param subject cpp.operation|string  an operation, or a location
---@param opts? cpp.workflow.wait_options
---@return cpp.operation|nil operation  `done`, unless it waits for review
---@return cpp.error|nil err
function workflow.wait(client, subject, opts)
  -- In a coroutine: asleep, a task keeps what stack it once needed.
  local good, self = coroutine.resume(coroutine.create(new_wait), client, subject, opts)
  if not good then
    error(self, 2)
  end
  return wait.follow(self)
end

local function new_cancel(client, target, own, calls)
  check_name(target.publisher, "publisher")
  check_name(target.offer, "offer")
  local self = job.new(client, own, calls)
  self.publisher, self.offer, self.target = target.publisher, target.offer, target
  self.wanted, self.operation = own.operation, nil
  return self
end

local function new_single(client, publisher, offer, opts)
  check_client(client)
  local target = { publisher = publisher, offer = offer }
  local own, calls = options.split(options.CANCEL, opts)
  options.check_calls(client, calls)
  return new_cancel(client, target, own, calls)
end

--- Cancels what runs on an offer and follows it to its end. A result always
--- means that what ran has ended; everything else is an error, whose `cancel`
--- says whether the cancel was `not_sent` (or refused), `accepted`, or `unknown`.
--- `on_change` is called first with the operation that runs, before anything is
--- sent: with its id as the option `operation`, the same call resumes a crashed
--- run. Codes of the workflow's own errors: `deadline`, `other_operation`,
--- `not_canceled`, `unverified`.
---@param client cpp.client|table
---@param publisher string
---@param offer string
---@param opts? cpp.workflow.cancel_options
---@return cpp.workflow.result|nil result
---@return cpp.error|nil err
function workflow.cancel(client, publisher, offer, opts)
  return cancel_one(level_up(pcall(new_single, client, publisher, offer, opts)))
end

-- {"contoso", "vm"} is short for {publisher = "contoso", offer = "vm"}.
local function split_target(target)
  local rest = options.merge(target, {})
  rest.publisher, rest.offer, rest[1], rest[2] = nil, nil, nil, nil
  local own, calls = options.split({ operation = options.CANCEL.operation }, rest)
  return own.operation, calls
end

local function new_in_batch(shared, target, own, calls)
  if type(target) ~= "table" then
    error("a target must be a table", 0)
  end
  local wanted, own_calls = split_target(target)
  options.check_calls(shared.client, own_calls)
  local publisher, offer = target.publisher or target[1], target.offer or target[2]
  local self = new_cancel(shared.client, { publisher = publisher, offer = offer },
    options.merge(own, { operation = wanted }), options.merge(calls, own_calls))
  self.target, self.batch, self.unsent = target, shared, true
  return self
end

local function new_batch(client, targets, opts)
  check_client(client)
  if type(targets) ~= "table" then
    error("targets must be an array", 0)
  end
  local own, calls = options.split(options.CANCEL_ALL, opts)
  options.check_calls(client, calls)
  local shared, jobs = batch.new(client, own.concurrency, #targets), {}
  for i, target in ipairs(targets) do
    jobs[i] = new_in_batch(shared, target, own, calls)
  end
  return jobs
end

local function cancel_in_batch(self)
  local result, err = cancel_one(self)
  self.batch:stand_aside(self)
  if err then
    result = self:fields()
    result.err = err
  end
  return result
end

-- At once: the others may take minutes more.
local function tell_result(self, result)
  if self.on_result then
    self.on_result(result, self.target)
  end
end

-- Tasks of their own, not task.map: wrong use in one of them is to be raised.
local function cancel_jobs(jobs)
  local results, left, caller = {}, #jobs, coroutine.running()
  for i, one in ipairs(jobs) do
    task.spawn(function()
      results[i] = cancel_in_batch(one)
      tell_result(one, results[i])
      left = left - 1
      if left == 0 then
        task.wake(caller)
      end
    end)
  end
  if left > 0 then
    task.park()
  end
  return results
end

--- Cancels on many offers at once, as `workflow.cancel` does on each. Every
--- cancel is sent before any exchange is spent on waiting, waits hold no
--- exchange, and one 429 slows all. In a task of a run on the same client the
--- jobs are tasks of that run; elsewhere a run is made for them.
--- `on_result` is called once for each target, as soon as it has ended, well or in
--- an error, with the very table that is returned for it. It and `on_change` may
--- call the client and sleep: the others go on meanwhile, and only the return
--- waits for that. What they raise ends the run, and with it the batch, and is
--- raised again; what was sent goes on at the service.
---@param client cpp.client|table
---@param targets cpp.workflow.target[]
---@param opts? cpp.workflow.batch_options  `deadline` counts from this call
---@return cpp.workflow.result[]  one per target, in the same order
function workflow.cancel_all(client, targets, opts)
  local jobs = level_up(pcall(new_batch, client, targets, opts))
  if task.running(client) then
    return cancel_jobs(jobs)
  end
  return task.run(client, cancel_jobs, jobs)
end

--- The error messages of an operation's steps, then of the operation itself, as
--- plain text without control characters.
---@param operation cpp.operation
---@return {step: string|nil, text: string}[]  `step` is absent for the operation's own
function workflow.problems(operation)
  return problems_of(operation)
end

return workflow
