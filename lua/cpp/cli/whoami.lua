--- `cloudpartner whoami`: the token in use, as it tells of itself.

local arguments = require "cpp.cli.arguments"
local claims_of = require "cpp.credential.claims"
local session = require "cpp.cli.session"
local text = require "cpp.text"

local whoami = {}

local HELP = {
  name = "whoami",
  summary = "Show whose token is used.",
  description = [[
Shows whose token is used: where it is from, tenant, application, object id,
audience and expiry. It is read here, without asking the service, and never
shown itself. For a 403, compare the object id with the one that was added to
the publisher.]],
  epilog = [[
Examples:
   cloudpartner whoami
   cloudpartner whoami --check || az login

Exit statuses: 0 shown; 1 there is no token, or it cannot be read, or with
--check, it has expired or is for something else.]],
}

function whoami.define(parser)
  local command = parser:command(HELP)
  arguments.add_connection(command, {
    command:flag("--json", "Print one JSON object."),
    command:flag("--check", "End with 1 where the service would refuse the token."),
  })
end

local AUDIENCE = "https://cloudpartner.azure.com"

-- A claim of another kind than it should be is not shown.
local function clean(claim)
  local cleaned = text.clean(claim)
  return cleaned ~= "" and cleaned or nil
end

-- Tokens of version 2 call the application azp; those of users name them.
local function read(claims, source)
  local expires = tonumber(claims.exp)
  return {
    source = text.clean(source), expires = expires and math.tointeger(expires // 1),
    tenant = clean(claims.tid), application = clean(claims.appid or claims.azp),
    object_id = clean(claims.oid), audience = clean(claims.aud),
    user = clean(claims.upn or claims.unique_name or claims.preferred_username),
  }
end

-- os.date refuses years that do not fit.
local function describe_expiry(expires)
  local good, shown = pcall(os.date, "!%Y-%m-%d %H:%M:%S UTC", expires)
  if not expires or not good then
    return nil
  end
  local left = expires - os.time()
  return ("%s (%s)"):format(shown, left > 0 and "in " .. text.duration(left)
    or "expired " .. text.duration(-left) .. " ago")
end

local FIELDS = { { "source", "from" }, { "tenant", "tenant" },
  { "application", "application" }, { "user", "user" }, { "object_id", "object id" },
  { "audience", "audience" }, { "expiry", "expires" } }

local function print_words(self, who)
  who.expiry = describe_expiry(who.expires)
  for _, field in ipairs(FIELDS) do
    local value = who[field[1]]
    if value then
      self.screen:emit(text.pad(field[2], 13) .. value)
    end
  end
end

-- Tells why the service would refuse it, and gives whether it would.
local function tell_faults(self, who)
  local is_other = (who.audience or ""):gsub("/$", "") ~= AUDIENCE
  local is_old = who.expires ~= nil and who.expires <= os.time()
  if is_other then
    self.screen:tell(("the token is not for %s: it will be refused"):format(AUDIENCE))
  end
  if is_old then
    self.screen:tell "the token has expired: it will be refused"
  end
  return is_other or is_old
end

-- Those that somebody has begun to set up: why they are not used is what one asks. Where
-- there is no token, the error says it.
local function tell_passed_over(self)
  for _, route in ipairs(self.token:route().passed) do
    if route.begun then
      self.screen:tell(("%s is passed over: %s"):format(text.clean(route.title),
        text.clean(route.why)))
    end
  end
end

local function look(self)
  local token, err = self.token(self.client)
  if not token then
    err = self:explain(err)
    if self.given.json then
      self:emit("result", { error = err })
    end
    self:complain("cloudpartner", err)
    return 1
  end
  tell_passed_over(self)
  local claims = claims_of(token)
  if not claims then
    self.screen:tell "cloudpartner: the token is no JSON Web Token: it cannot be read"
    return 1
  end
  local who = read(claims, self.token:route().title)
  if self.given.json then
    self:emit("result", who)
  else
    print_words(self, who)
  end
  return tell_faults(self, who) and self.given.check and 1 or 0
end

--- Shows it, and never the token.
function whoami.run(given)
  return session.run(given, look)
end

return whoami
