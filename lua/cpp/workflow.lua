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

local function check_type(what, value, one, other)
  if type(value) ~= one and type(value) ~= other then
    error(("%s expected, got %s"):format(what, type(value)), 0)
  end
end

local function new_wait(client, subject, opts)
  check_type("client", client, "table", "userdata")
  check_type("operation or location", subject, "string", "table")
  options.rehearse(client, "poll", subject, { dry_run = true })
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
  for _, name in ipairs { "publisher", "offer" } do
    if type(target[name]) ~= "string" or target[name] == "" then
      error(name .. " must be a string that is not empty", 0)
    end
  end
  -- Names that no URL can hold raise before anything of a batch is sent.
  options.rehearse(client, "status", target.publisher, target.offer, { dry_run = true })
  return run.new(client, target, own, calls)
end

local function new_single(client, publisher, offer, opts)
  check_type("client", client, "table", "userdata")
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
local function new_in_batch(client, target, own, calls)
  if type(target) ~= "table" then
    error("a target must be a table", 0)
  end
  local publisher, offer = target.publisher or target[1], target.offer or target[2]
  local rest = options.merge(target, {})
  rest.publisher, rest.offer, rest[1], rest[2] = nil, nil, nil, nil
  local own_of_it, calls_of_it = options.split(options.TARGET, rest, client)
  local self = new_cancel(client, { publisher = publisher, offer = offer },
    options.merge(own, own_of_it), options.merge(calls, calls_of_it))
  self.target = target
  return self
end

local function check_array(targets)
  local count, is_array = 0, type(targets) == "table"
  for _ in pairs(is_array and targets or {}) do
    count = count + 1
    is_array = is_array and targets[count] ~= nil
  end
  if not is_array then
    error("targets must be an array without holes", 0)
  end
end

-- The same offer twice raises: each cancel would see the other's.
local function new_batch(client, targets, opts)
  check_type("client", client, "table", "userdata")
  check_array(targets)
  local own, calls = options.split(options.CANCEL_ALL, opts, client)
  local jobs, index = {}, {}
  for i, target in ipairs(targets) do
    jobs[i] = new_in_batch(client, target, own, calls)
    local name = ("%q/%q"):format(jobs[i].publisher, jobs[i].offer)
    if index[name] then
      error(("targets %d and %d are the same offer: %s"):format(index[name], i, name), 0)
    end
    index[name] = i
  end
  return jobs, own
end

--- Cancels on many offers at once, as `workflow.cancel` does on each. Every first
--- try comes before any exchange is spent on waiting, waits and callbacks hold no
--- exchange, and one 429 slows all. In a task of a run on the same client the
--- jobs are tasks of that run; elsewhere a run is made for them, and raises where
--- another one is at work on the client (`task.run`).
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
  local jobs, own = level_up(pcall(new_batch, client, targets, opts))
  if task.running(client) then
    return batch.follow(jobs, own)
  end
  return task.run(client, batch.follow, jobs, own)
end

--- The error messages of an operation's steps, then of the operation itself, as
--- plain text without control characters.
---@param operation cpp.operation
---@return {step: string|nil, text: string}[]  `step` is absent for the operation's own
function workflow.problems(operation)
  if type(operation) ~= "table" then
    error("workflow.problems: an operation expected, got " .. type(operation), 2)
  end
  return problems_of(operation)
end

return workflow
