--- What a person is shown of an operation: clean text out of its document.

require "cpp" -- has cpp.state
local text = require "cpp.text"

local facts = {}

--- The state that the service means by a word, else "unknown".
---@type fun(word: string): string
facts.fold = require "cpp.state"

local function field(operation, name)
  local document = operation.document
  local object = type(document) == "table" and (document[1] or document) or {}
  local value = text.clean(object[name])
  return value ~= "" and value or nil
end

--- What runs: "publish", say. Only items of a list tell.
function facts.kind(operation)
  return field(operation, "submissionType")
end

--- When it last changed, as the service wrote it.
function facts.changed(operation)
  return field(operation, "changedTime")
end

--- Whether the service says that a cancel could still be sent.
function facts.is_cancelable(operation)
  local word = field(operation, "cancellationRequestState") or ""
  return word:gsub("[ _-]", ""):lower() == "cancancel"
end

---@class cpp.cli.step
---@field name string
---@field status string  the service's word
---@field progress integer|nil

--- The steps of an operation, in order.
---@return cpp.cli.step[]
function facts.steps(operation)
  local list = {}
  for _, step in ipairs(operation.steps or {}) do
    if type(step) == "table" then
      local progress = tonumber(step.progressPercentage)
      list[#list + 1] = { name = text.clean(step.stepName or step.id),
        status = text.clean(step.status), progress = progress and math.tointeger(progress // 1) }
    end
  end
  return list
end

--- Its state in words; a word that nobody knows is shown as the service wrote it.
function facts.state(operation)
  if operation.state == "unknown" and operation.status then
    return ('"%s"'):format(text.clean(operation.status))
  end
  return (operation.state:gsub("_", " "))
end

---@alias cpp.cli.subject  what the command is asked about
---| { publisher?: string, offer?: string, operation?: string, location?: string }

--- "contoso/vm", or as much of it as is known.
function facts.name(subject)
  if subject.publisher and subject.offer then
    return text.clean(subject.publisher .. "/" .. subject.offer)
  end
  local path = text.clean(subject.location):match "^[^?]*"
  return path:match "([^/]+)/*$" or "operation"
end

return facts
