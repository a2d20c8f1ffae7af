--- Checks what the caller gives the emulator, before it reaches nginx. Every
-- function raises an error that names the culprit.

local nearest = require "cpp.nearest"

local options = {}

--- A new offer's settings; init.lua documents them.
options.OFFER_DEFAULTS = {
  running = false, elapsed = 0, publish_seconds = 86400, queued_seconds = 0,
  signoff = false, ending = "succeeded", cancel_seconds = 120, cancelable = true,
  too_late = false, synchronous = false, location = "F1", names = "canceled",
  accepted_body = "", document = "object", running_status = 200, done_status = 200,
  cancellation_state = true, blocked = false, foreign = false, delay = 0,
  list = "normal", list_order = "newest", list_lag = 0, list_own = false, list_omits = {},
  list_limit = math.maxinteger, document_lag = 0, replicas = "same", own_type = "cancel",
  refuse_idle = false, refuse_repeated = false, moving = false, republish = false,
  errors = { "<p>The image failed <b>certification</b>: disk below 30&nbsp;GB.</p>" },
}

local function is(kind)
  return function(value)
    return type(value) == kind, "a " .. kind
  end
end

local function any_of(...)
  local words, known = { ... }, {}
  for i, word in ipairs(words) do
    known[word] = true
    words[i] = tostring(word)
  end
  return function(value)
    return known[value] or false, "one of " .. table.concat(words, ", ")
  end
end

local function seconds(value)
  local good = type(value) == "number" and value >= 0 and value < math.huge
  return good, "a finite number of seconds, 0 or more"
end

local function integer_from(least, most)
  return function(value)
    local good = math.type(value) == "integer" and value >= least and value <= most
    return good, ("an integer from %d to %d"):format(least, most)
  end
end

local function probability(value)
  return type(value) == "number" and value >= 0 and value <= 1, "a number from 0 to 1"
end

local function either(...)
  local checks = { ... }
  return function(value)
    local names = {}
    for i, check in ipairs(checks) do
      local good, name = check(value)
      if good then
        return true
      end
      names[i] = name
    end
    return false, table.concat(names, " or ")
  end
end

local function array_of(check)
  return function(value)
    local good = type(value) == "table"
    local _, name = check()
    for key, item in pairs(good and value or {}) do
      good = good and math.type(key) == "integer" and key <= #value and check(item)
    end
    return good, "an array, each item " .. name
  end
end

local string, boolean, any_table = is "string", is "boolean", is "table"
local no = any_of(false)
local states = any_of("succeeded", "failed", "canceled")
local status, refusal = integer_from(200, 599), integer_from(400, 599)
local count = integer_from(-1, math.maxinteger)

-- Raises unless each field of `given` is known and passes its check.
local function check_fields(given, known, what)
  if type(given) ~= "table" then
    error(("%s must be a table, not a %s"):format(what, type(given)), 0)
  end
  for name, value in pairs(given) do
    if not known[name] then
      local meant = nearest(tostring(name), known)
      local hint = meant and (" (did you mean '%s'?)"):format(meant) or ""
      error(("unknown name '%s' in %s%s"):format(tostring(name), what, hint), 0)
    end
    local good, expected = known[name](value)
    if not good then
      error(("'%s' in %s must be %s"):format(name, what, expected), 0)
    end
  end
end

local OFFER = {
  running = any_of("publish", "preview", false), id = string, own_id = string,
  elapsed = seconds, publish_seconds = seconds, queued_seconds = seconds,
  signoff = boolean, ending = any_of("succeeded", "failed"), errors = array_of(string),
  blocked = boolean, cancel_seconds = seconds, cancelable = boolean,
  too_late = either(boolean, seconds), synchronous = either(boolean, seconds),
  location = string, location_header = string,
  names = any_of("canceled", "own", "old"), accepted_body = string,
  document = any_of("object", "array"), words = any_table, running_status = status,
  done_status = status, cancellation_state = either(boolean, string), next = any_table,
  history = any_table, list = any_of("normal", "empty"), list_lag = seconds,
  list_order = any_of("newest", "oldest", "shuffled"), list_own = boolean,
  list_omits = array_of(any_of("id", "offerId", "offerVersion", "offerTypeId",
    "publisherId", "submissionType", "submissionState", "publishingVersion", "slot",
    "version", "changedTime", "definition")),
  list_limit = integer_from(0, math.maxinteger), document_lag = seconds,
  replicas = any_of("same", "alternating", "random"), own_type = either(no, string),
  own_ending = either(no, states),
  refuse_idle = either(no, refusal), refuse_repeated = either(no, refusal),
  moving = boolean, republish = either(no, seconds), retry_after = either(no, string),
  foreign = boolean, delay = seconds,
}
local WORDS = {
  never_published = string, not_started = string, running = string, blocked = string,
  waiting_for_publisher_review = string, succeeded = string, failed = string,
  canceled = string,
}
local PAST = { id = string, state = states, ago = seconds }
local NEXT = { id = string }

local function copy(fields)
  local result = {}
  for name, value in pairs(fields) do
    result[name] = value
  end
  return result
end

-- Earlier operations, which ended an hour apart unless they say otherwise.
local function history(given, what)
  local result = {}
  for i, past in ipairs(given) do
    check_fields(past, PAST, ("history[%d] of %s"):format(i, what))
    local ago = past.ago or (#given + 1 - i) * 3600
    result[i] = { id = past.id, state = past.state or "succeeded", ago = ago }
  end
  return result
end

--- Checks an offer's settings.
-- @param name string     "publisher/offer", for messages
-- @param settings table
-- @return table          a copy, ready for the portal
function options.offer(name, settings)
  local what = ("offer '%s'"):format(name)
  if not name:find "^[^/]+/[^/]+$" then
    error(("%s must be named \"publisher/offer\""):format(what), 0)
  end
  check_fields(settings, OFFER, what)
  check_fields(settings.words or {}, WORDS, "words of " .. what)
  check_fields(settings.next or {}, NEXT, "next of " .. what)
  local result = copy(settings)
  result.history = settings.history and history(settings.history, what)
  return result
end

local FAULT = {
  on = any_of("cancel", "publish", "golive", "poll", "operations", "status", "token",
    "github", "pipelines", "identity", "*"),
  offer = string, skip = integer_from(0, math.maxinteger), times = count,
  probability = probability, seed = integer_from(0, 2 ^ 31 | 0),
  drop = any_of("before", "after"), reset = boolean, when = any_of("before", "after"),
  status = status,
  retry_after = string, headers = any_table, body = string, delay = seconds,
  raw = either(string, array_of(either(string, seconds))), early = boolean,
}

local function fault(given, i)
  local what = ("faults[%d]"):format(i)
  check_fields(given, FAULT, what)
  if not given.on then
    error(what .. " lacks 'on', the call it strikes", 0)
  end
  local result = copy(given)
  result.skip, result.times = given.skip or 0, given.times or 1
  result.probability = given.probability or 1
  result.raw = type(given.raw) == "string" and { given.raw } or given.raw
  return result
end

local life = integer_from(1, 2 ^ 31 | 0)
local shape = any_of("usual", "string", "number", "fraction", "null", "none")

local PORTAL = {
  faults = array_of(any_table), speed = seconds, advance = seconds,
  token_seconds = life, token_calls = count, revoke = boolean,
  assertions = array_of(string), assertion_seconds = life, expires_in = shape,
  expires_on = shape, system_identity = boolean, byte_order_mark = boolean,
}

--- Checks portal-wide settings.
-- @return table  a copy, ready for the portal
function options.portal(settings)
  check_fields(settings, PORTAL, "the portal's settings")
  local result = copy(settings)
  result.faults = settings.faults and {}
  for i, given in ipairs(settings.faults or {}) do
    result.faults[i] = fault(given, i)
  end
  return result
end

local START = {
  tls = boolean, offers = any_table, seed = integer_from(0, 2 ^ 31 | 0), nginx = string,
  addresses = array_of(string), certificate = either(boolean, string),
  certificate_password = string, assertions = PORTAL.assertions,
}

-- Portal-wide settings that a start may bring, with what they are otherwise.
local START_DEFAULTS = {
  faults = {}, speed = 1, token_seconds = 3599, token_calls = -1, assertion_seconds = 300,
  expires_in = "usual", expires_on = "usual", system_identity = true,
  byte_order_mark = false,
}
for name in pairs(START_DEFAULTS) do
  START[name] = PORTAL[name]
end

--- Checks the options of `emulator.start`.
-- @return table  the portal-wide settings to start with
function options.start(given)
  check_fields(given, START, "the emulator's options")
  if given.certificate_password and given.certificate ~= true then
    error("'certificate_password' is for 'certificate = true'", 0)
  end
  local portal = {}
  for name, value in pairs(START_DEFAULTS) do
    portal[name] = value
    if given[name] ~= nil then
      portal[name] = given[name]
    end
  end
  return options.portal(portal)
end

return options
