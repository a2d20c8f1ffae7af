--- Which route the environment means.

local fields = require "cpp.credential.fields"
local fold = require "cpp.fold"

local chain = {}

local ROUTES = {}
for i, name in ipairs { "client_secret", "certificate", "federated", "github_actions",
  "azure_pipelines", "managed_identity", "azure_cli" } do
  ROUTES[i] = require("cpp.credential." .. name)
end

-- ---- AZURE_TOKEN_CREDENTIALS ----

local NARROWED = "AZURE_TOKEN_CREDENTIALS"

local function is_cli(route)
  return route.name == "azure_cli"
end

local ALLOWS = {
  prod = function(route) return not is_cli(route) end,
  dev = is_cli,
}
for _, route in ipairs(ROUTES) do
  local group = route.group
  if group then
    ALLOWS[group] = function(other) return other.group == group end
  end
end

local NAMES = "prod, dev, EnvironmentCredential, WorkloadIdentityCredential, "
  .. "ManagedIdentityCredential or AzureCLICredential"

-- @return function|nil  whether a route may be taken
-- @return string        as it was said, or what is wrong with it
local function wish()
  local text = (os.getenv(NARROWED) or ""):match "^%s*(.-)%s*$"
  local allows = ALLOWS[fold(text)]
  if text == "" then
    return function() return true end, ""
  elseif not allows then
    return nil, ("%s is '%s': it takes %s"):format(NARROWED, text, NAMES)
  end
  return allows, text
end

-- ---- one route ----

-- Some of what it takes is set: whoever set it may ask why it was not taken.
local function is_begun(route)
  for _, field in ipairs(route.fields) do
    if field.variable and not field.optional and os.getenv(field.variable) then
      return true
    end
  end
  return false
end

local function hinted(route, variable)
  local hint = route.hints and route.hints[variable]
  return fields.absence(variable) .. (hint and (" (%s)"):format(hint) or "")
end

-- What somebody set with his own hand for this route, and wrongly, is an error; what
-- the host set is not this route's.
local function misfit(read)
  for _, one in ipairs(read.invalid) do
    if one.field.ambient then
      return one.message
    end
  end
end

-- Why it is passed over; nil where it is taken.
local function reason(route, read)
  if route.commits then
    return not os.getenv(route.commits) and fields.absence(route.commits) or nil
  end
  local missing = read.missing[1]
  return missing and hinted(route, missing.variable) or misfit(read)
end

local function passed(route, why)
  return { name = route.name, title = route.title, why = why, begun = is_begun(route) }
end

-- ---- the chain ----

---@class cpp.credential.choice
---@field route table|nil  the one to take
---@field read cpp.credential.read|nil  what the environment has for it
---@field passed cpp.credential.passed[]
---@field wrong string|nil  why none can be taken

--- Looks at the environment, and asks nobody.
---@return cpp.credential.choice
function chain.choose()
  local allows, said = wish()
  local choice = { passed = {}, wrong = not allows and said or nil }
  for _, route in ipairs(allows and ROUTES or {}) do
    local read = fields.read(route.fields, {})
    local why = not allows(route) and ("%s is %s"):format(NARROWED, said)
      or reason(route, read)
    if not why then
      choice.route, choice.read = route, read
      break
    end
    table.insert(choice.passed, passed(route, why))
  end
  return choice
end

--- What was passed over although some of it is set, as the end of a message.
---@param choice cpp.credential.choice
---@return string
function chain.excuse(choice)
  local words = {}
  for _, one in ipairs(choice.passed) do
    if one.begun then
      table.insert(words, ("%s: %s"):format(one.title, one.why))
    end
  end
  return #words > 0 and "; passed over: " .. table.concat(words, ", ") or ""
end

return chain
