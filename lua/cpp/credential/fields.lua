--- What a route takes: options by name, and the variables that stand in for them.

local check = require "cpp.credential.check"

local fields = {}

---@class cpp.credential.field
---@field name string  of the option
---@field variable string|nil
---@field check fun(text: string, name: string): string|nil, string|nil
---@field optional boolean|nil
---@field ambient boolean|nil  set by the host, whether this route is wanted or not

--- The application, as the directory knows it.
fields.TENANT = { name = "tenant", variable = "AZURE_TENANT_ID", check = check.id }
fields.CLIENT_ID = { name = "client_id", variable = "AZURE_CLIENT_ID", check = check.text }

--- The directory, and what the token is for: where they are not given, the engine
--- knows.
fields.AUTHORITY = { name = "authority", variable = "AZURE_AUTHORITY_HOST",
  check = check.origin, optional = true }
fields.RESOURCE = { name = "resource", check = check.text, optional = true }

--- Names the options that are wrong; nil where none is.
---@param list cpp.credential.field[]
---@param given any
---@return string|nil message
function fields.misuse(list, given)
  if type(given) ~= "table" then
    return "a table of options expected, got " .. type(given)
  end
  local known = {}
  for _, field in ipairs(list) do
    known[field.name] = field
  end
  for name, value in pairs(given) do
    local field = known[name]
    if not field then
      return ("unknown option '%s'"):format(tostring(name))
    elseif type(value) ~= "string" or value == "" then
      return ("option '%s' must be a string that is not empty"):format(name)
    end
    local _, wrong = field.check(value, ("option '%s'"):format(name))
    if wrong then
      return wrong
    end
  end
end

local function from_environment(field)
  local text = field.variable and os.getenv(field.variable)
  if not text or text == "" then
    return nil
  end
  return field.check(text, field.variable)
end

---@class cpp.credential.read
---@field values table<string, string>
---@field missing cpp.credential.field[]  neither given nor set
---@field invalid { field: cpp.credential.field, message: string }[]  set, and wrong

--- Reads the options, which are right, and the environment.
---@param list cpp.credential.field[]
---@param given table<string, string>
---@return cpp.credential.read
function fields.read(list, given)
  local read = { values = {}, missing = {}, invalid = {} }
  for _, field in ipairs(list) do
    local value, wrong
    if given[field.name] then
      value = field.check(given[field.name], field.name)
    else
      value, wrong = from_environment(field)
    end
    read.values[field.name] = value
    if wrong then
      table.insert(read.invalid, { field = field, message = wrong })
    elseif not value and not field.optional then
      table.insert(read.missing, field)
    end
  end
  return read
end

--- Says of a variable what keeps it from being used: "X is not set", "X is empty".
---@param variable string
---@return string
function fields.absence(variable)
  return variable .. (os.getenv(variable) and " is empty" or " is not set")
end

return fields
