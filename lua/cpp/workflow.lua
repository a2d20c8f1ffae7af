--- What a person wants of an operation: wait for its end, cancel it and be
-- sure, cancel many, and know what went wrong.
--
-- A workflow uses nothing of its client but cancel, poll, operations, sleep and
-- now, so a plain table with these five tests an hour's wait in no time. What its
-- options and results hold is in types/workflow.lua.

local batch = require "cpp.workflow.batch"
local exchange = require "cpp.workflow.exchange"
local options = require "cpp.workflow.options"
local problems_of = require "cpp.workflow.problems"
local run = require "cpp.workflow.run"
local task = require "cpp.task"
local wait = require "cpp.workflow.wait"

local workflow = {}

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
  return exchange.begin({ target = subject }, client,
    options.split(options.WAIT, opts, client))
end

--- Polls an operation until it has ended, or waits for a person's review. A
--- location that is not known yet is waited for, for `list_lag` seconds.
--- A deadline is an error of kind `workflow`, code `deadline`, with `location`.
---@param client cpp.client|table
---@param subject cpp.operation|string  an operation, or a location
---@param opts? cpp.workflow.wait_options
---@return cpp.operation|nil operation  `done`, unless it waits for review
---@return cpp.error|nil err
function workflow.wait(client, subject, opts)
  return wait.follow(level_up(pcall(new_wait, client, subject, opts)))
end

local function new_cancel(client, target, own, calls)
  check_name(target.publisher, "publisher")
  check_name(target.offer, "offer")
  -- Names that no URL can hold raise before anything of a batch is sent.
  options.rehearse(client, "status", target.publisher, target.offer, { dry_run = true })
  return run.new(client, target, own, calls)
end

local function new_single(client, publisher, offer, opts)
  check_client(client)
  local own, calls = options.split(options.CANCEL, opts, client)
  return new_cancel(client, { publisher = publisher, offer = offer }, own, calls)
end

--- Cancels what runs on an offer and says what is known of it: a result means that
--- what ran has ended, and `may_publish` whether a publish may start; everything
--- else is an error, whose `cancel` says what became of the cancel. It is never
--- repeated blindly. `on_change` is called first with the operation that runs,
--- before anything is sent: with its id as the option `operation`, the same call
--- resumes a crashed run. Codes of the workflow's own errors: `deadline`,
--- `other_operation`, `not_canceled`, `unverified`.
--- With `operation` nothing else is canceled but what somebody starts within the
--- time that the service itself takes between the look and the cancel.
---@param client cpp.client|table
---@param publisher string
---@param offer string
---@param opts? cpp.workflow.cancel_options
---@return cpp.workflow.result|nil result
---@return cpp.error|nil err
function workflow.cancel(client, publisher, offer, opts)
  return run.follow(level_up(pcall(new_single, client, publisher, offer, opts)))
end

-- ---- many offers ----

-- {"contoso", "vm"} is short for {publisher = "contoso", offer = "vm"}.
local function split_target(client, target)
  if type(target) ~= "table" then
    error("a target must be a table", 0)
  end
  local rest = options.merge(target, {})
  rest.publisher, rest.offer, rest[1], rest[2] = nil, nil, nil, nil
  local own, calls = options.split(options.TARGET, rest, client)
  return { publisher = target.publisher or target[1], offer = target.offer or target[2] },
    own, calls
end

local function new_in_batch(client, target, own, calls)
  local name, of_target, own_calls = split_target(client, target)
  local self = new_cancel(client, name, options.merge(own, of_target),
    options.merge(calls, own_calls))
  self.target = target
  return self
end

local function check_array(targets)
  if type(targets) ~= "table" then
    error("targets must be an array", 0)
  end
  local count = 0
  for key in pairs(targets) do
    count = count + 1
    if math.type(key) ~= "integer" or key < 1 then
      error("targets must be an array", 0)
    end
  end
  if count ~= #targets or targets[count + 1] ~= nil then
    error("targets must be an array without holes", 0)
  end
end

-- One cancel at a time can run on an offer, and each would see the other's.
local function check_twice(jobs)
  local seen = {}
  for i, job in ipairs(jobs) do
    local name = ("%q %q"):format(job.publisher, job.offer)
    if seen[name] then
      error(("targets %d and %d are the same offer: %s/%s"):format(seen[name], i,
        job.publisher, job.offer), 0)
    end
    seen[name] = i
  end
end

local function new_batch(client, targets, opts)
  check_client(client)
  check_array(targets)
  local own, calls = options.split(options.CANCEL_ALL, opts, client)
  local jobs = {}
  for i, target in ipairs(targets) do
    jobs[i] = new_in_batch(client, target, own, calls)
  end
  check_twice(jobs)
  return jobs, own.concurrency, own.on_result
end

--- Cancels on many offers at once, as `workflow.cancel` does on each. Every first
--- try comes before any exchange is spent on waiting, waits and callbacks hold no
--- exchange, and one 429 slows all. In a task of a run on the same client the
--- jobs are tasks of that run; elsewhere a run is made for them.
--- `on_result` is called once for each target, as soon as it has ended, well or in
--- an error, with the very table that is returned for it. It and `on_change` may
--- call the client and sleep: the others go on meanwhile, and only the return
--- waits for that. What they raise ends the batch and is raised again, and closing
--- the coroutine that called ends it too: what was sent goes on at the service.
--- A hole among the targets and the same offer twice raise.
---@param client cpp.client|table
---@param targets cpp.workflow.target[]
---@param opts? cpp.workflow.batch_options  `deadline` counts from this call
---@return cpp.workflow.result[]  one per target, in the same order
function workflow.cancel_all(client, targets, opts)
  local jobs, concurrency, on_result = level_up(pcall(new_batch, client, targets, opts))
  if task.running(client) then
    return batch.follow(jobs, concurrency, on_result)
  end
  return task.run(client, batch.follow, jobs, concurrency, on_result)
end

--- The error messages of an operation's steps, then of the operation itself, as
--- plain text without control characters.
---@param operation cpp.operation
---@return {step: string|nil, text: string}[]  `step` is absent for the operation's own
function workflow.problems(operation)
  return problems_of(operation)
end

return workflow
