--- JSON lines: one object a line, with its fields in a fixed order.

local cjson = require "cjson"
local text = require "cpp.text"

local json = {}

local ORDER = { "event", "time", "publisher", "offer", "outcome", "state", "progress",
  "kind", "operation", "location", "changed_time", "may_publish", "running", "trouble",
  "cancel", "steps", "problems", "curl", "source", "tenant", "application", "user",
  "object_id", "audience", "expires", "error" }

-- Of the objects within.
local ERROR = { "kind", "code", "message", "status", "request_id" }
local LISTS = { steps = { "name", "status", "progress" }, problems = { "step", "text" } }

-- A line may go to a terminal too: what cjson leaves as it is, is escaped here.
local function encode_plain(value)
  value = type(value) == "string" and text.repair(value) or value
  local encoded = cjson.encode(value):gsub("\\/", "/")
  return (text.replace_hidden(encoded, function(character)
    return ("\\u%04x"):format(utf8.codepoint(character))
  end))
end

local encode_object

-- nil: an empty one is not told.
local function encode_list(list, order)
  local parts = {}
  for i, one in ipairs(list) do
    parts[i] = encode_object(one, order)
  end
  return #parts > 0 and "[" .. table.concat(parts, ",") .. "]" or nil
end

local function encode_field(name, value)
  if name == "error" then
    return encode_object(value, ERROR)
  elseif LISTS[name] then
    return encode_list(value, LISTS[name])
  end
  return encode_plain(value)
end

function encode_object(fields, order)
  local parts = {}
  for _, name in ipairs(order) do
    local value = fields[name]
    local encoded = value ~= nil and encode_field(name, value)
    parts[#parts + 1] = encoded and ('"%s":%s'):format(name, encoded) or nil
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- One line.
---@param event string
---@param known table  what it tells, by the names of the fields; steps, problems and error
--- as they are
---@param operation cpp.operation|cpp.cli.subject|nil  tells what `known` does not
function json.line(event, known, operation)
  local about = operation or {}
  local fields = { event = event, time = os.date "!%Y-%m-%dT%H:%M:%SZ",
    publisher = about.publisher, offer = about.offer, state = about.state,
    progress = about.progress, operation = about.id or about.operation,
    location = about.location }
  for name, value in pairs(known) do
    fields[name] = value
  end
  return encode_object(fields, ORDER)
end

return json
