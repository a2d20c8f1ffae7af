--- Splits a workflow's options into its own, checked, and those of its calls,
-- which the client checks.

local nearest = require "cpp.nearest"

local options = {}

local function is_seconds(value)
  return type(value) == "number" and value >= 0, "a number of seconds, 0 or more"
end

local function is_positive(value)
  return type(value) == "number" and value > 0, "a number of seconds above 0"
end

local function is_function(value)
  return type(value) == "function", "a function"
end

-- No URL can hold "." or ".." as a path segment.
local function is_id(value)
  return type(value) == "string" and value ~= "" and not value:find "^%.%.?$",
    "an operation's id"
end

local function is_boolean(value)
  return type(value) == "boolean", "a boolean"
end

local function is_count(value)
  return math.type(value) == "integer" and value >= 1, "an integer from 1"
end

local PACE = {
  deadline = { is_seconds, 3600 },
  interval = { is_positive, 5 },
  max_interval = { is_positive, 60 },
  list_lag = { is_seconds, 120 },
  on_change = { is_function },
}

local function with(base, fields)
  for name, rule in pairs(base) do
    fields[name] = rule
  end
  return fields
end

-- What each workflow knows: name -> { check, default }.
options.WAIT = with(PACE, { through_review = { is_boolean, false } })
options.CANCEL = with(PACE, { operation = { is_id }, no_wait = { is_boolean, false } })
options.CANCEL_ALL = with(PACE, { no_wait = { is_boolean, false },
  concurrency = { is_count, 16 }, on_result = { is_function } })
-- Of one offer of a batch.
options.TARGET = { operation = { is_id } }

-- Those of a call, for hints. A spec holds them against the annotations.
options.CALL = { "endpoint", "token", "api_version", "notification_emails", "if_match",
  "timeout", "connect_timeout", "headers", "user_agent", "client_request_id", "ca_file",
  "ca_path", "proxy", "http_version", "max_body", "trace" }

-- A workflow over a dry run would wait for what never was; and when its requests
-- must begin it says itself.
local SINGLE = { dry_run = true, start_by = true }

local function check(name, value, rule)
  local good, expected = rule[1](value)
  if not good then
    local shown = "a " .. type(value)
    if type(value) == "number" then
      shown = tostring(value):gsub(",", ".")
    end
    error(("option '%s' must be %s, not %s"):format(name, expected, shown), 0)
  end
end

-- ---- misspelt names ----

local CALL = {}
for _, name in ipairs(options.CALL) do
  CALL[name] = true
end

-- One that is far from all is left to the client: a plain table may know it.
local function check_name(name, known)
  if type(name) ~= "string" then
    error("options are named by strings, not by a " .. type(name), 0)
  elseif SINGLE[name] then
    error(("option '%s' is for single calls, not for a workflow"):format(name), 0)
  end
  local best = not CALL[name] and nearest(name, options.merge(CALL, known))
  if best then
    error(("unknown option '%s' (did you mean '%s'?)"):format(name, best), 0)
  end
end

-- ---- splitting ----

local function defaults(known)
  local own = {}
  for name, rule in pairs(known) do
    own[name] = rule[2]
  end
  return own
end

-- One for all the jobs whose calls have no options.
local NONE = {}

--- Raises, naming the option, where one of the workflow's own is impossible, or
--- where one is misspelt.
---@param known table  options.WAIT, CANCEL, CANCEL_ALL or TARGET
---@param given table|nil
---@return table own  with defaults
---@return table calls  the rest, not to be changed
function options.split(known, given)
  if given ~= nil and type(given) ~= "table" then
    error("options: table expected, got " .. type(given), 0)
  end
  local own, calls = defaults(known), NONE
  for name, value in pairs(given or {}) do
    if known[name] then
      check(name, value, known[name])
      own[name] = value
    else
      check_name(name, known)
      calls = calls ~= NONE and calls or {}
      calls[name] = value
    end
  end
  return own, calls
end

-- A call that sends nothing, for what it raises.
local function rehearse(client, method, ...)
  if type(client) ~= "userdata" or client:closed() then
    return
  end
  local good, message = pcall(client[method], client, ...)
  if not good then
    error(message, 0)
  end
end

--- Raises, naming the option, where one of those of its calls is impossible: at the
--- workflow's own call, and not in the middle of its work. A table that stands for a
--- client checks nothing.
---@param client cpp.client|table
---@param calls table  from options.split
function options.check_calls(client, calls)
  if next(calls) ~= nil then
    rehearse(client, "poll", "/", options.merge(calls, { dry_run = true }))
  end
end

--- Raises where no URL can hold these names: before anything of a batch is sent.
---@param client cpp.client|table
---@param publisher string
---@param offer string
function options.check_names(client, publisher, offer)
  rehearse(client, "status", publisher, offer, { dry_run = true })
end

--- A copy of `base` with what `over` says instead.
function options.merge(base, over)
  local merged = {}
  for name, value in pairs(base) do
    merged[name] = value
  end
  for name, value in pairs(over) do
    merged[name] = value
  end
  return merged
end

return options
