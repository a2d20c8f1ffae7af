--- JSON lines: one object a line, with its fields in a fixed order.

local cjson = require "cjson"
local text = require "cpp.text"

local events = {}

local ORDER = { "event", "publisher", "offer", "outcome", "state", "progress", "kind",
  "operation", "location", "running", "cancel", "problems", "error" }
local ERROR_ORDER = { "kind", "code", "message", "status", "request_id" }

-- A line may go to a terminal too: what cjson leaves as it is, is escaped here.
local function escape(character)
  return ("\\u%04x"):format(utf8.codepoint(character))
end

local function encode(value)
  if type(value) == "string" then
    value = text.repair(value)
  end
  local encoded = cjson.encode(value):gsub("\\/", "/")
  return text.replace_hidden(encoded, escape)
end

--- Encodes an object.
---@param fields table  strings, numbers, or { json = text }: encoded already
---@param order string[]  names; absent fields are left out
---@return string
function events.object(fields, order)
  local parts = {}
  for _, name in ipairs(order) do
    local value = fields[name]
    if value ~= nil then
      local encoded = type(value) == "table" and value.json or encode(value)
      parts[#parts + 1] = ("%s:%s"):format(encode(name), encoded)
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function error_of(err)
  return err and { json = events.object(err, ERROR_ORDER) }
end

local function problems_of(problems)
  local parts = {}
  for i, problem in ipairs(problems) do
    parts[i] = events.object(problem, { "step", "text" })
  end
  return #parts > 0 and { json = "[" .. table.concat(parts, ",") .. "]" } or nil
end

local function of_operation(event, operation)
  return {
    event = event, publisher = operation.publisher, offer = operation.offer,
    state = operation.state, progress = operation.progress, operation = operation.id,
    location = operation.location,
  }
end

---@alias cpp.cli.known
---| { publisher?: string, offer?: string, operation?: string, location?: string }

--- Something changed.
---@param operation cpp.operation
---@param known cpp.cli.known  what is known better than the operation knows it
---@return string
function events.change(operation, known)
  local fields = of_operation("change", operation)
  for name, value in pairs(known) do
    fields[name] = value
  end
  return events.object(fields, ORDER)
end

--- Something fails that is tried again.
---@param subject { publisher?: string, offer?: string, location?: string }
---@param failed cpp.cli.trouble
---@return string
function events.trouble(subject, failed)
  return events.object({ event = "change", publisher = subject.publisher,
    offer = subject.offer, location = subject.location, error = error_of(failed) }, ORDER)
end

--- How a cancel ended.
---@param result cpp.workflow.result
---@param problems {step: string|nil, text: string}[]
---@return string
function events.cancel(result, problems)
  local fields, err = of_operation("result", result.operation or {}), result.err
  fields.publisher, fields.offer = result.publisher, result.offer
  fields.outcome, fields.location = result.outcome, result.location
  fields.running = result.running and result.running.id
  fields.cancel, fields.error = err and err.cancel, error_of(err)
  fields.problems = problems_of(problems)
  return events.object(fields, ORDER)
end

--- What was found out about one operation.
---@param operation cpp.operation
---@param problems {step: string|nil, text: string}[]
---@return string
function events.look(operation, problems)
  local fields = of_operation("result", operation)
  fields.problems = problems_of(problems)
  return events.object(fields, ORDER)
end

--- Why nothing was.
---@param subject { publisher?: string, offer?: string, location?: string }
---@param err cpp.error  a workflow's holds the operation as last seen
---@return string
function events.failure(subject, err)
  local fields = of_operation("result", err.operation or subject)
  fields.location = err.location or fields.location
  fields.error = error_of(err)
  return events.object(fields, ORDER)
end

--- One item of an operations list.
---@param operation cpp.operation
---@param kind string|nil
---@return string
function events.item(operation, kind)
  local fields = of_operation("operation", operation)
  fields.kind = kind
  return events.object(fields, ORDER)
end

return events
