--- The command line.

local argparse = require "argparse"
local cpp = require "cpp"
local failure = require "cpp.cli.failure"
local help = require "cpp.cli.help"
local words = require "cpp.cli.words"

local arguments = {}

---@class cpp.cli.given  what the command line said
---@field command "cancel"|"wait"|"poll"|"operations"|"status"|"whoami"|"emulate"
---@field publisher string
---@field offers string[]
---@field offer string
---@field locations string[]
---@field location string
---@field json boolean|nil
---@field dry_run boolean|nil
---@field no_wait boolean|nil
---@field operation string|nil
---@field wanted string|nil  a state
---@field through_review boolean|nil
---@field emails string[]
---@field deadline number|nil
---@field interval number|nil
---@field list_lag number|nil
---@field concurrency integer|nil
---@field endpoint string|nil
---@field ca_file string|nil
---@field proxy string|nil
---@field trace boolean|nil
---@field tls boolean|nil
---@field speed number
---@field emulated {publisher: string, offer: string}[]

local WIDTH = 80

-- ---- values ----

local function number_from(least, word)
  return function(argument)
    local value = tonumber(argument)
    if value and value >= least and value < math.huge then
      return value
    end
    return nil, ("'%s' is not %s"):format(argument, word)
  end
end

local to_seconds = number_from(0, "a number of seconds")
local to_pace = number_from(0.001, "a number of seconds above 0")
local to_speed = number_from(0.001, "a number above 0")

local function to_count(argument)
  local value = math.tointeger(tonumber(argument))
  if value and value >= 1 then
    return value
  end
  return nil, ("'%s' is not an integer from 1"):format(argument)
end

-- The same, but its message names the option.
local function of(option, convert)
  return function(argument)
    local value, message = convert(argument)
    return value, message and ("option '%s': %s"):format(option, message)
  end
end

local function to_text(argument)
  if argument == "" then
    return nil, "an argument is empty"
  end
  return argument
end

local NO_LOCATION = "'%s' is no location: that is a URL, or a path that begins with '/'. "
  .. "`cloudpartner operations PUBLISHER OFFER --json` shows those of an offer"

-- A path without its first slash is still one of the service's.
local function to_location(argument)
  for _, pattern in ipairs { "^/", "^%a[%w+.-]*:", "^api/" } do
    if argument:find(pattern) then
      return argument
    end
  end
  return nil, NO_LOCATION:format(argument)
end

local function to_emulated(argument)
  local publisher, offer = argument:match "^([^/]+)/([^/]+)$"
  if publisher then
    return { publisher = publisher, offer = offer }
  end
  return nil, ("'%s' is not PUBLISHER/OFFER"):format(argument)
end

-- ---- what several commands take ----

-- Groups come before what is in none: own options are one to come first.
local function group_options(command, own)
  command:group("Options", table.unpack(own))
  command:group("Connection",
    command:option("--endpoint", "Where the service is."):argname "URL",
    command:option("--ca-file", "Trusted certificates, PEM."):argname "FILE",
    command:option("--proxy", 'Proxy; "" for none.'):argname "URL",
    command:flag("--trace", "Print a line about each exchange to stderr."))
end

local function add_output(command, own, what)
  local json = command:flag("--json", "Print " .. what .. " as JSON, one object a line.")
  local dry_run = command:flag("--dry-run", "Send nothing; print curl lines instead.")
  command:mutex(json, dry_run)
  table.move({ json, dry_run }, 1, 2, #own + 1, own)
  group_options(command, own)
end

local function add_pace(command, own)
  own[#own + 1] = command:option("--deadline", "Give up waiting after so long "
    .. "(default: 3600)."):argname "SECONDS":convert(of("--deadline", to_seconds))
  own[#own + 1] = command:option("--interval", "Begin to ask at such intervals "
    .. "(default: 5)."):argname "SECONDS":convert(of("--interval", to_pace))
  own[#own + 1] = command:option("--list-lag", "What the service shows may be so old "
    .. "(default: 120)."):argname "SECONDS":convert(of("--list-lag", to_seconds))
end

local function new_command(parser, name, summary, description, epilog)
  local command = parser:command(name):summary(summary)
  command:description(description):epilog(epilog)
  return command
end

local function add_offer(command)
  command:argument("publisher", "The publisher's id."):convert(to_text)
  command:argument("offer", "The offer's id."):convert(to_text)
end

-- ---- the commands ----

local function add_cancel(parser)
  local command = new_command(parser, "cancel", "Cancel what runs on offers.",
    help.CANCEL, help.CANCEL_EPILOG)
  command:argument("publisher", "The publisher's id."):convert(to_text)
  command:argument("offer", "Ids of offers."):args "+":target "offers":convert(to_text)
  local own = {
    command:option("--operation", "Cancel only if this is what runs; one offer only. "
      .. "The same call again resumes a run that crashed."):argname "ID":convert(to_text),
    command:option("--email", "Address that the service notifies; may be repeated.")
      :argname "ADDRESS":count "*":target "emails",
    command:flag("--no-wait", "End as soon as the service has taken the cancel."),
    command:option("--concurrency", "Exchanges at a time (default: 16).")
      :argname "N":convert(of("--concurrency", to_count)),
  }
  add_pace(command, own)
  add_output(command, own, "changes and results")
end

local STATES = { "canceled", "succeeded", "failed", "waiting_for_publisher_review" }

local function add_wait(parser)
  local command = new_command(parser, "wait", "Follow operations to their ends.",
    help.WAIT, help.WAIT_EPILOG)
  command:argument("location", "Where the service tells about an operation.")
    :args "+":target "locations":convert(to_location)
  local own = {
    command:option("--for", "The state that is wanted: canceled, succeeded, failed or "
      .. "waiting_for_publisher_review, or the service's word for one."):target "wanted"
      :argname "STATE":choices(STATES),
    command:flag("--through-review", "Wait on while a person must review; "
      .. "--for canceled does so."),
  }
  add_pace(command, own)
  add_output(command, own, "changes and results")
end

local function add_poll(parser)
  local command = new_command(parser, "poll", "Ask once about an operation.",
    help.POLL, help.POLL_EPILOG)
  command:argument("location", "Where the service tells about it."):convert(to_location)
  add_output(command, {}, "the result")
end

local function add_operations(parser)
  local command = new_command(parser, "operations", "List the operations of an offer.",
    help.OPERATIONS, help.OPERATIONS_EPILOG)
  add_offer(command)
  add_output(command, {}, "the operations")
end

local function add_status(parser)
  local command = new_command(parser, "status", "Ask once about an offer.",
    help.STATUS, help.STATUS_EPILOG)
  add_offer(command)
  add_output(command, {}, "the result")
end

local function add_whoami(parser)
  local command = new_command(parser, "whoami", "Show whose token is used.",
    help.WHOAMI, help.WHOAMI_EPILOG)
  group_options(command, { command:flag("--json", "Print one JSON object.") })
end

local function add_emulate(parser)
  local command = new_command(parser, "emulate", "Run the portal on this machine.",
    help.EMULATE, help.EMULATE_EPILOG)
  command:flag("--tls", "https, with a certificate of its own.")
  command:option("--speed", "Seconds that pass in one (default: 10)."):argname "N"
    :default "10":show_default(false):convert(of("--speed", to_speed))
  command:option("--offer", "An offer with a publish under way; may be repeated "
    .. "(default: contoso/contoso-vm)."):argname "PUBLISHER/OFFER":count "*"
    :target "emulated":convert(to_emulated)
end

-- ---- parsing ----

-- argparse would end the process, with the status 1.
local function refuse(parser, message)
  failure.raise(2, ("%s\n\nError: %s"):format(parser:get_usage(), message))
end

local function new_parser()
  local parser = argparse("cloudpartner", help.MAIN, help.MAIN_EPILOG)
    :help_max_width(WIDTH):usage_max_width(WIDTH):command_target "command"
    :help_description_margin(26)
  parser.error = refuse
  parser:flag("--version", "Show the version."):action(function()
    print("cloudpartner " .. cpp._VERSION)
    os.exit(0)
  end)
  for _, add in ipairs { add_cancel, add_wait, add_poll, add_operations, add_status,
    add_whoami, add_emulate } do
    add(parser)
  end
  parser:add_complete_command { name = "completion",
    summary = "Print a script that completes in a shell.", description = help.COMPLETION }
  return parser
end

-- Twice the same would send two cancels.
local function check_offers(given)
  local seen = {}
  for _, offer in ipairs(given.offers or {}) do
    if seen[offer] then
      failure.raise(2, ("cloudpartner: offer '%s' is named twice"):format(offer))
    end
    seen[offer] = true
  end
  if given.operation and #given.offers > 1 then
    failure.raise(2, "cloudpartner: option '--operation' is for one offer")
  end
end

--- Reads the command line. Wrong usage raises a failure of status 2; `--help`,
--- `--version` and `completion` print and end the process.
---@param args string[]
---@return cpp.cli.given
function arguments.parse(args)
  local parser = new_parser()
  local given = parser:parse(words.prepare(args))
  check_offers(given)
  return given
end

return arguments
