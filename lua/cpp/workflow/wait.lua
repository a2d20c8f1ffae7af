--- Follows one operation to its end.

local job = require "cpp.workflow.job"
local options = require "cpp.workflow.options"
local task = require "cpp.task"

local wait = {}

-- Without a person the review never ends.
local function is_enough(self, operation)
  return operation.done or (not self.through_review
    and operation.state == "waiting_for_publisher_review")
end

local function look(self)
  local operation, err = self:ask("poll", self.operation or self.location)
  if not operation then
    return nil, err
  end
  operation.location = operation.location or self.location
  if is_enough(self, self:see(operation)) then
    return operation
  end
end

-- What the newest waits have in common, as long as there are any: ten thousand
-- with one client and the same options hold them once.
local newest = setmetatable({}, { __mode = "v" })

local function has_all(fields, others)
  for name, value in pairs(others) do
    if not rawequal(fields[name], value) then
      return false
    end
  end
  return true
end

local function kind_of(client, own, calls)
  local kind = newest.kind
  if kind and rawequal(kind.client, client) and has_all(kind, own)
    and has_all(kind.calls, calls) and has_all(calls, kind.calls) then
    return kind
  end
  options.check_calls(client, calls)
  kind = job.kind(client, own, calls)
  kind.step, newest.kind = look, kind
  return kind
end

--- A wait begins now.
---@param subject table|string  an operation or a location
---@param opts table|nil  checked here
---@return cpp.job
function wait.new(client, subject, opts)
  local own, calls = options.split(options.WAIT, opts)
  local on_change = own.on_change
  own.on_change = nil -- callers like to give each its own
  local self = job.start(kind_of(client, own, calls))
  self.on_change, self.target = on_change, subject
  return self
end

--- To the end. A task only parks here, with little on its stack: see task.rounds.
---@param self cpp.job
---@return table|nil operation
---@return table|nil err
function wait.follow(self)
  local subject = self.target
  if type(subject) == "string" then
    self.location = subject
  elseif is_enough(self, subject) then
    return subject
  else
    self.operation, self.location = subject, subject.location
  end
  if task.running(self.client) then
    return task.rounds(self)
  end
  return self:repeat_until_deadline(look)
end

return wait
