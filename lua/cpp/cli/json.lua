--- JSON lines: one object a line, with its fields in a fixed order.

local cjson = require "cjson"
local text = require "cpp.text"

local json = {}

local ORDER = { "event", "time", "publisher", "offer", "outcome", "state", "progress",
  "kind", "operation", "location", "changed_time", "may_publish", "running", "trouble",
  "cancel", "steps", "problems", "curl", "source", "tenant", "application", "user", "object_id",
  "audience", "expires", "error" }

-- Objects within.
local ERROR = { "kind", "code", "message", "status", "request_id" }
local LISTS = { steps = { "name", "status", "progress" }, problems = { "step", "text" } }

-- A line may go to a terminal too: what cjson leaves as it is, is escaped here.
local function escape(character)
  return ("\\u%04x"):format(utf8.codepoint(character))
end

local function encode(value)
  if type(value) == "string" then
    value = text.repair(value)
  end
  local encoded = cjson.encode(value):gsub("\\/", "/")
  return (text.replace_hidden(encoded, escape))
end

-- Fields are strings, numbers, booleans, or { json = text }: encoded already.
local function encode_object(fields, order)
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

local function encode_list(list, order)
  local parts = {}
  for i, one in ipairs(list or {}) do
    parts[i] = encode_object(one, order)
  end
  return #parts > 0 and { json = "[" .. table.concat(parts, ",") .. "]" } or nil
end

--- One line.
---@param fields table  by their names in the line; steps, problems and error as they are
function json.line(event, fields)
  local all = { event = event, time = os.date "!%Y-%m-%dT%H:%M:%SZ" }
  for name, value in pairs(fields) do
    all[name] = value
  end
  for name, order in pairs(LISTS) do
    all[name] = encode_list(fields[name], order)
  end
  all.error = fields.error and { json = encode_object(fields.error, ERROR) }
  return encode_object(all, ORDER)
end

--- The fields that an operation tells, with those that are known better.
function json.fields(operation, known)
  local fields = {}
  if operation then
    fields = { publisher = operation.publisher, offer = operation.offer,
      state = operation.state, progress = operation.progress,
      operation = operation.id or operation.operation, location = operation.location }
  end
  for name, value in pairs(known or {}) do
    fields[name] = value
  end
  return fields
end

return json
