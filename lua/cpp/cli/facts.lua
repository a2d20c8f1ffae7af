--- What a person is shown of an operation: clean text out of its document.

local text = require "cpp.text"

local facts = {}

local function object_of(operation)
  local document = operation.document
  return type(document) == "table" and (document[1] or document) or {}
end

--- What runs: "publish", say. Only items of a list tell.
---@param operation cpp.operation
---@return string|nil
function facts.kind(operation)
  local kind = text.clean(object_of(operation).submissionType)
  return kind ~= "" and kind or nil
end

--- When it last changed, as the service wrote it, to the second.
---@param operation cpp.operation
---@return string|nil
function facts.changed(operation)
  local time = text.clean(object_of(operation).changedTime)
  return time:match "^%d+%-%d+%-%d+T%d+:%d+:%d+"
end

---@class cpp.cli.step
---@field name string
---@field status string  the service's word
---@field percent integer|nil

local function percent_of(step)
  local number = tonumber(step.progressPercentage)
  return number and math.tointeger(number // 1)
end

local function read_step(step)
  local name = text.clean(step.stepName or step.id)
  return { name = name, status = text.clean(step.status), percent = percent_of(step) }
end

--- The steps of an operation, in order.
---@param operation cpp.operation
---@return cpp.cli.step[]
function facts.steps(operation)
  local list = {}
  for _, step in ipairs(operation.steps or {}) do
    if type(step) == "table" then
      list[#list + 1] = read_step(step)
    end
  end
  return list
end

local COMPLETE = { complete = true, completed = true, succeeded = true }

--- The step that an operation is at; nil where it has none, or all are complete.
---@param operation cpp.operation
---@return cpp.cli.step|nil
function facts.current_step(operation)
  for _, step in ipairs(facts.steps(operation)) do
    if not COMPLETE[step.status:lower()] then
      return step
    end
  end
end

--- Its state in words; a word that nobody knows is shown as the service wrote it.
---@param operation cpp.operation
---@return string
function facts.state(operation)
  if operation.state == "unknown" and operation.status then
    return ('"%s"'):format(text.clean(operation.status))
  end
  return (operation.state:gsub("_", " "))
end

--- "contoso/vm", or as much of it as is known.
---@param subject { publisher?: string, offer?: string, location?: string }
---@return string
function facts.name(subject)
  if subject.publisher and subject.offer then
    return text.clean(subject.publisher .. "/" .. subject.offer)
  end
  local path = text.clean(subject.location):match "^[^?]*"
  return path:match "([^/]+)/*$" or "operation"
end

return facts
