--- `cloudpartner whoami`: the token in use, as it tells of itself.

local credential = require "cpp.credential"
local events = require "cpp.cli.events"
local jwt = require "cpp.cli.jwt"
local text = require "cpp.text"

local AUDIENCE = "https://cloudpartner.azure.com"

-- Tokens of version 2 call the application azp; those of users name them.
local function read(claims)
  return {
    tenant = claims.tid, application = claims.appid or claims.azp,
    object_id = claims.oid, audience = claims.aud, expires = tonumber(claims.exp),
    user = claims.upn or claims.unique_name or claims.preferred_username,
  }
end

-- A claim of another kind than it should be is not shown.
local function clean(who)
  for name, value in pairs(who) do
    local cleaned = text.clean(value)
    who[name] = cleaned ~= "" and cleaned or nil
  end
  return who
end

-- os.date refuses years that do not fit.
local function date(seconds)
  local whole = math.tointeger(seconds // 1)
  local good, shown = pcall(os.date, "!%Y-%m-%d %H:%M:%S UTC", whole)
  return whole and good and shown or nil
end

local function describe_expiry(seconds)
  local shown = seconds and date(seconds)
  if not shown then
    return nil
  end
  local left = seconds - os.time()
  return ("%s (%s)"):format(shown, left > 0 and "in " .. text.duration(left)
    or "expired " .. text.duration(-left) .. " ago")
end

local FIELDS = { { "tenant", "tenant" }, { "application", "application" },
  { "user", "user" }, { "object_id", "object id" }, { "audience", "audience" },
  { "expiry", "expires" } }

local function print_words(session, who)
  for _, field in ipairs(FIELDS) do
    local name, title = field[1], field[2]
    if who[name] then
      session.console:print(text.pad(title, 13) .. who[name])
    end
  end
end

local ORDER = { "event", "tenant", "application", "user", "object_id", "audience",
  "expires" }

local function print_json(session, who, expires)
  who.event, who.expires = "result", expires and math.tointeger(expires // 1)
  session.console:print(events.object(who, ORDER))
end

-- A token for another service is the usual reason of a 401.
local function warn_of_audience(session, who)
  if who.audience and who.audience:gsub("/$", "") ~= AUDIENCE then
    session.console:note(("the token is not for %s: it will be refused"):format(AUDIENCE))
  end
end

--- Shows it, and never the token.
---@param session cpp.cli.session
---@return integer status
return function(session)
  local token, err = session:run(function()
    return credential.environment()(session.client)
  end)
  if not token then
    session:complain("cloudpartner", err)
    return 1
  end
  local claims = jwt.claims(token)
  if not claims then
    session.console:note "cloudpartner: the token is no JSON Web Token: it cannot be read"
    return 1
  end
  local who = read(claims)
  local expires = who.expires
  who.expiry, who.expires = describe_expiry(expires), nil
  clean(who)
  if session.given.json then
    print_json(session, who, expires)
  else
    print_words(session, who)
  end
  warn_of_audience(session, who)
  return 0
end
