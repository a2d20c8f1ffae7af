--- What the words of the command line mean, and the options that several verbs take.

local tell = require "cpp.cli.tell"

local arguments = {}

--- What the command line said: the verb, what it is about, and the options by their
-- names, `--for` as wanted. A verb adds whether it is patient, and about several offers.
---@class cpp.cli.given
---@field command string
---@field words string[]
---@field [string] any

--- Wrong usage ends the command: what is raised here `main` tells, and returns the status.
function arguments.refuse(format, ...)
  error({ status = 2, message = "cloudpartner: " .. format:format(...) }, 0)
end

local refuse = arguments.refuse

local UNITS = { { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } }

-- "90", "0.5", "5m", "1h30m"
local function read_duration(word)
  local sum, rest = nil, word
  for _, unit in ipairs(UNITS) do
    local count, after = rest:match("^(%d+%.?%d*)" .. unit[1] .. "(.*)$")
    if count then
      sum, rest = (sum or 0) + tonumber(count) * unit[2], after
    end
  end
  return sum and rest == "" and sum or tonumber(word)
end

-- The least, how a word is read, and what it should be.
local KINDS = {
  duration = { 0, read_duration, "a time like 90, 0.5, 5m or 1h30m" },
  pace = { 0.001, read_duration, "a time above 0 like 90, 0.5, 5m or 1h30m" },
  factor = { 0.001, tonumber, "a number above 0" },
  count = { 1, function(word) return math.tointeger(tonumber(word)) end, "an integer from 1" },
}

--- What converts the argument of an option; its message names the option.
function arguments.to(kind, option)
  local least, read, meaning = table.unpack(KINDS[kind])
  return function(word)
    local value = read(word)
    if value and value >= least and value < math.huge then
      return value
    end
    return nil, ("option '%s': '%s' is not %s"):format(option, word, meaning)
  end
end

--- Any word but an empty one.
function arguments.to_text(argument)
  if argument == "" then
    return nil, "an argument is empty"
  end
  return argument
end

-- Whoever lists processes would see it.
local function to_proxy(argument)
  local user = (argument:match "^(.*)@" or ""):gsub("^[%w+.-]+:/+", ""):lower()
  if user:find ":" or user:find "%%3a" then
    return nil, "option '--proxy': a password does not belong on a command line; "
      .. "https_proxy may hold one"
  end
  return argument
end

-- "PUBLISHER/OFFER" or "PUBLISHER/OFFER/ID"; nil: it is neither.
local function parse_target(word)
  local publisher, offer, id = word:match "^([^/]+)/([^/]+)/?([^/]*)$"
  if publisher and word:sub(-1) ~= "/" then
    return { publisher = publisher, offer = offer, operation = id ~= "" and id or nil }
  end
end

-- Of an offer, which may follow its publisher.
local function read_target(publisher, word, with_id)
  local target = parse_target(word)
  if publisher and word:find("/", 1, true) then
    refuse("'%s' follows the publisher '%s', and is no offer's id", word, publisher)
  elseif publisher then
    return { publisher = publisher, offer = word }
  elseif not target or (target.operation and not with_id) then
    refuse("'%s' is not PUBLISHER/OFFER%s", word, with_id and " or PUBLISHER/OFFER/ID" or "")
  end
  return target
end

--- "contoso vm-1 vm-2", or "contoso/vm-1 fabrikam/vm-2", `with_id` also "contoso/vm-1/ID",
--- as publisher, offer and operation. Wrong usage ends the command, also the same twice,
--- which would send two cancels.
function arguments.targets(words, with_id)
  local publisher = not words[1]:find("/", 1, true) and words[1]
  local targets, seen = {}, {}
  for i = publisher and 2 or 1, #words do
    local target = read_target(publisher, words[i], with_id)
    local name = target.publisher .. "/" .. target.offer
    if seen[name] then
      refuse("offer '%s' is named twice", name)
    end
    targets[#targets + 1], seen[name] = target, true
  end
  if #targets == 0 then
    refuse("'%s' is a publisher, and its offer is missing: %s OFFER, or %s/OFFER",
      publisher, publisher, publisher)
  end
  return targets
end

local NO_LOCATION = "'%s' is no operation: that is PUBLISHER/OFFER/ID, a URL, or a path "
  .. "that begins with '/'. `cloudpartner operations PUBLISHER/OFFER` shows those of an offer"

local function segment(id)
  if id == "." or id == ".." then
    refuse("'%s' is no id", id)
  end
  return (id:gsub("[^A-Za-z0-9._~$-]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

-- A path without its first slash is still one of the service's.
local function read_location(word)
  if word:find "^/" or word:find "^%a[%w+.-]*:" or word:find "^api/" then
    return { location = word }
  end
  local subject = parse_target(word)
  if not subject or not subject.operation then
    refuse(NO_LOCATION, word)
  end
  subject.location = ("/api/publishers/%s/offers/%s/operations/%s"):format(
    segment(subject.publisher), segment(subject.offer), segment(subject.operation))
  return subject
end

--- Locations, or PUBLISHER/OFFER/ID. Wrong usage ends the command.
function arguments.locations(words)
  local subjects = {}
  for i, word in ipairs(words) do
    subjects[i] = read_location(word)
  end
  return subjects
end

function arguments.add_offers(command)
  command:argument("offer", "PUBLISHER OFFER..., or PUBLISHER/OFFER words, also of "
    .. "several publishers."):argname "<publisher/offer>":args "+":target "words"
    :convert(arguments.to_text)
end

function arguments.add_locations(command)
  command:argument("operation", "PUBLISHER/OFFER/ID, or where the service tells about an "
    .. "operation."):argname "<operation>":args "+":target "words":convert(arguments.to_text)
end

--- How the service is reached. Groups come before what is in none, so the verb's own
--- options are one to come first.
function arguments.add_connection(command, own)
  command:group("Options", table.unpack(own))
  command:group("Connection",
    command:option("--endpoint", "Where the service is."):argname "URL",
    command:option("--ca-file", "Trusted certificates, PEM."):argname "FILE",
    command:option("--proxy", 'Proxy; "" for none.'):argname "URL":convert(to_proxy),
    command:flag("--trace", "Print a line about each exchange to stderr."))
end

--- What is printed, and how the service is reached; `dry_run` is what that does, where
--- it is more than usual.
function arguments.add_output(command, own, what, dry_run)
  own[#own + 1] = command:flag("--json", "Print " .. what .. " as JSON, one object a line.")
  own[#own + 1] = command:flag("--dry-run", dry_run
    or "Send nothing; print curl lines instead.")
  arguments.add_connection(command, own)
end

--- An option whose value is a duration or a pace, in seconds, a factor or a count.
function arguments.add_number(command, name, kind, description)
  local is_time = kind == "duration" or kind == "pace"
  return command:option(name, description):argname(is_time and "TIME" or "N")
    :convert(arguments.to(kind, name))
end

--- Of verbs that take their time.
function arguments.add_pace(command, own)
  local add = arguments.add_number
  own[#own + 1] = add(command, "--deadline", "duration",
    "Give up after so long (default: 1h); 90, 0.5, 5m, 1h30m.")
  own[#own + 1] = add(command, "--interval", "pace",
    "Begin to ask at such intervals (default: 5).")
  own[#own + 1] = add(command, "--list-lag", "duration",
    "How far the service may be behind (default: 2m).")
  own[#own + 1] = command:flag("--quiet", "Print results alone, no progress.")
end

-- argparse takes every word that begins with "-" for an option, and would not name
-- the one whose number is negative.
local WITH_VALUE = { ["--deadline"] = true, ["--interval"] = true, ["--list-lag"] = true,
  ["--concurrency"] = true, ["--speed"] = true, ["--for"] = true }

local function is_option(word)
  return word == "-h" or word:find "^%-%-" ~= nil
end

local function canonical(option, word)
  local state = tell.fold(word)
  return option .. (state ~= "unknown" and state or word)
end

--- A copy in which values stand with their options, "--deadline=-1", and states have the
--- names that this module gives them.
function arguments.prepare(args)
  local list, i = {}, 1
  while i <= #args and args[i] ~= "--" do
    local word, following = args[i], args[i + 1]
    if WITH_VALUE[word] and following and not is_option(following) then
      word, i = word .. "=" .. following, i + 1
    end
    list[#list + 1] = word:gsub("^(%-%-for=)(.*)$", canonical)
    i = i + 1
  end
  return table.move(args, i, #args, #list + 1, list)
end

return arguments
