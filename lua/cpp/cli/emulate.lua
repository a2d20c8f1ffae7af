--- `cloudpartner emulate`: the portal on this machine, to try things out.

local arguments = require "cpp.cli.arguments"
local system = require "cpp.system"
local text = require "cpp.text"

local emulate = {}

local HELP = {
  name = "emulate",
  summary = "Run the portal on this machine.",
  description = [[
Starts the portal on this machine, with offers in the middle of a publish, and
prints what to paste into another shell: what makes it the service there, and a
line that cancels. It runs until Ctrl-C. Needs nginx with its Lua module.]],
  epilog = [[
Examples:
   cloudpartner emulate
   cloudpartner emulate --tls --speed 60
   cloudpartner emulate --offer contoso contoso-vm contoso-app
   cloudpartner emulate --offer contoso/contoso-vm --offer fabrikam/app

Exit statuses: 129, 130, 143 after SIGHUP, Ctrl-C, SIGTERM; 1 it cannot be
started.]],
}

local ROUTES = { "token", "secret", "certificate", "workload", "github", "pipelines",
  "identity" }

function emulate.define(parser)
  local command = parser:command(HELP)
  command:flag("--tls", "https, with a certificate of its own.")
  arguments.add_number(command, "--speed", "factor", "Seconds that pass in one (default: 10).")
    :default "10":show_default(false)
  command:option("--offer", "An offer with a publish under way; may be repeated "
    .. "(default: contoso/contoso-vm)."):argname "PUBLISHER/OFFER":args "+":count "*"
    :target "emulated":convert(arguments.to_text)
  command:flag("--republish", "Start another publish where the last one ended.")
  arguments.add_number(command, "--list-lag", "duration",
    "How far its lists are behind (default: 0).")
  command:option("--credential", "Where the token is to be found (default: token)."):choices(
    ROUTES):argname "ROUTE"
end

-- Each has a publish at its certification, for hours to come. Another one starts 20
-- seconds here after its end.
local function read_offers(given)
  local names, offers = {}, {}
  local all = #given.emulated > 0 and given.emulated or { { "contoso", "contoso-vm" } }
  for _, words in ipairs(all) do
    for _, target in ipairs(arguments.targets(words)) do
      local name = target.publisher .. "/" .. target.offer
      names[#names + 1] = name
      offers[name] = { running = "publish", elapsed = 21600, publish_seconds = 86400,
        list_lag = given.list_lag, republish = given.republish and 20 * given.speed }
    end
  end
  return names, offers
end

-- Each leads to a token, those that come first before the others; a shell may have some
-- from lines that were pasted before.
local LEADS = { "CPP_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH",
  "AZURE_FEDERATED_TOKEN_FILE", "ACTIONS_ID_TOKEN_REQUEST_URL", "SYSTEM_OIDCREQUESTURI",
  "IDENTITY_ENDPOINT" }

-- What to paste elsewhere. A token comes before all other routes.
local function print_lines(portal, route, names)
  local environment, words, others = portal:environment(route), {}, {}
  for name, value in pairs(environment) do
    words[#words + 1] = name .. "=" .. text.quote(value)
  end
  for _, name in ipairs(LEADS) do
    others[#others + 1] = not environment[name] and name or nil
  end
  table.sort(words)
  print("export " .. table.concat(words, " "))
  if route ~= "token" then
    print("unset " .. table.concat(others, " "))
  end
  print("cloudpartner cancel " .. text.quote_words(names))
  io.stdout:flush()
  io.stderr:write("The portal runs until Ctrl-C. Paste these lines elsewhere.\n")
end

--- Runs until a signal ends it, which ends a portal that is being started, too.
function emulate.run(given)
  local names, offers = read_offers(given)
  local portal <close>, message = require "cpp.emulator".start { tls = given.tls or false,
    speed = given.speed, offers = offers, certificate = given.credential == "certificate" }
  if portal then
    print_lines(portal, given.credential or "token", names)
  elseif not system.caught() then
    io.stderr:write("cloudpartner: ", text.clean(message), "\n")
    return 1
  end
  while not system.caught() do
    system.wait(-1)
  end
  return 128 + system.caught()
end

return emulate
