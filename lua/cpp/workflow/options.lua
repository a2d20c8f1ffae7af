--- Splits a workflow's options into its own, checked, and those of its calls, which
-- the client checks.

local nearest = require "cpp.nearest"

local options = {}

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

-- What an option takes: { type, for messages, what else must be true of it }.
local SECONDS = { "number", "a number of seconds, 0 or more",
  function(value) return value >= 0 end }
local POSITIVE = { "number", "a number of seconds above 0",
  function(value) return value > 0 end }
local COUNT = { "number", "an integer from 1",
  function(value) return math.type(value) == "integer" and value >= 1 end }
-- No URL can hold "." or ".." as a path segment.
local ID = { "string", "an operation's id",
  function(value) return value ~= "" and not value:find "^%.%.?$" end }
local FUNCTION, BOOLEAN = { "function", "a function" }, { "boolean", "a boolean" }

local PACE = { deadline = { SECONDS, 3600 }, interval = { POSITIVE, 5 },
  max_interval = { POSITIVE, 60 }, list_lag = { SECONDS, 120 }, on_change = { FUNCTION } }

-- What each workflow knows: name -> { what it takes, default }.
options.WAIT = options.merge(PACE, { through_review = { BOOLEAN, false } })
options.CANCEL = options.merge(PACE, { operation = { ID }, no_wait = { BOOLEAN, false } })
options.CANCEL_ALL = options.merge(PACE, { no_wait = { BOOLEAN, false },
  concurrency = { COUNT, 16 }, on_result = { FUNCTION } })
-- Of one offer of a batch.
options.TARGET = { operation = { ID } }

-- Those of a call, for hints. A spec holds them against the annotations.
options.CALL = {}
for name in ([[endpoint token api_version notification_emails if_match timeout
  connect_timeout headers user_agent client_request_id ca_file ca_path proxy http_version
  max_body trace]]):gmatch "%S+" do
  options.CALL[name] = true
end

-- A workflow over a dry run would wait for what never was; and when its requests
-- must begin it says itself.
local SINGLE = { dry_run = true, start_by = true }

local function check(name, value, kind)
  local of, expected, is_good = table.unpack(kind)
  if type(value) ~= of or (is_good and not is_good(value)) then
    local shown = type(value) == "number" and tostring(value):gsub(",", ".")
    error(("option '%s' must be %s, not %s"):format(name, expected,
      shown or "a " .. type(value)), 0)
  end
end

-- One that is far from all is left to the client: a plain table may know it.
local function check_name(name, known)
  if type(name) ~= "string" then
    error("options are named by strings, not by a " .. type(name), 0)
  elseif SINGLE[name] then
    error(("option '%s' is for single calls, not for a workflow"):format(name), 0)
  end
  local best = not options.CALL[name] and nearest(name, options.merge(options.CALL, known))
  if best then
    error(("unknown option '%s' (did you mean '%s'?)"):format(name, best), 0)
  end
end

-- What the newest call of a workflow was given: ten thousand waits of the same
-- options hold them once.
local newest = setmetatable({}, { __mode = "v" })

local function share(known, own)
  local last = newest[known] or own
  for name in pairs(known) do
    last = last[name] == own[name] and last or own
  end
  newest[known] = last
  return last
end

--- Makes a call that sends nothing, for what it raises at the workflow's own call, and
-- not in the middle of its work. A table that stands for a client checks nothing.
function options.rehearse(client, method, ...)
  if type(client) == "userdata" and not client:closed() then
    local good, message = pcall(client[method], client, ...)
    if not good then
      error(message, 0)
    end
  end
end

-- One for all the jobs whose calls have no options.
local NONE = {}

--- Splits `given`, or nil, into what is `known` (WAIT, CANCEL, CANCEL_ALL, TARGET), with
-- defaults, and the options of calls; neither is to be changed. Raises, naming the option,
-- where one is impossible, or misspelt.
function options.split(known, given, client)
  if given ~= nil and type(given) ~= "table" then
    error("options: table expected, got " .. type(given), 0)
  end
  local own, calls = {}, NONE
  for name, rule in pairs(known) do
    own[name] = rule[2]
  end
  for name, value in pairs(given or NONE) do
    if known[name] then
      check(name, value, known[name][1])
      own[name] = value
    else
      check_name(name, known)
      calls = options.merge(calls, { [name] = value })
    end
  end
  if calls ~= NONE then
    options.rehearse(client, "poll", "/", options.merge(calls, { dry_run = true }))
  end
  return share(known, own), calls
end

return options
