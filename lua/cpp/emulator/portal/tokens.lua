--- Bearer tokens: issuing them, and which are good.

local base64url = require "cpp.emulator.portal.base64url"
local clock = require "cpp.emulator.portal.clock"
local json = require "cpp.emulator.portal.json"

local tokens = { standing = nil, RESOURCE = "https://cloudpartner.azure.com" }

local settings = {}
local issued = {} -- token -> { expires = real seconds, calls = integer }
local ids, generator

-- What a token without an end says in seconds: three years, for a client whose clock
-- has 32 bits knows no date after 2038.
local FAR = 1e8

-- Shaped like those of Microsoft's directory: a JSON Web Token, whose claims a client
-- may show.
local function new_token(client_id, lifetime)
  local now = math.floor(clock.real())
  local expires = now + math.min(lifetime, FAR)
  local claims = {
    aud = tokens.RESOURCE, iss = "https://sts.windows.net/" .. ids.tenant .. "/",
    iat = now, nbf = now, exp = expires, appid = client_id,
    tid = ids.tenant, oid = ids.object_id, ver = "1.0", jti = generator:guid(),
  }
  local token = base64url.encode '{"typ":"JWT","alg":"none"}' .. "."
    .. base64url.encode(json.encode(claims)) .. "." .. base64url.encode(generator:guid())
  issued[token] = { expires = now + lifetime, calls = 0 }
  return token, expires
end

--- Takes the application's ids and makes the token that never expires.
function tokens.start(random, application_ids)
  generator, ids = random, application_ids
  tokens.standing = new_token(ids.client_id, math.huge)
end

local function reset_calls()
  for _, token in pairs(issued) do
    token.calls = 0
  end
end

--- Applies the portal-wide settings that concern tokens.
function tokens.change(patch)
  for _, name in ipairs { "token_seconds", "token_calls", "expires_in", "expires_on" } do
    settings[name] = patch[name] or settings[name]
  end
  if patch.token_calls then
    reset_calls()
  end
  if patch.revoke then
    issued = {}
  end
end

-- Why a known token is refused, or nil.
local function worn_out(token)
  token.calls = token.calls + 1
  local limit = settings.token_calls
  if clock.real() >= token.expires or (limit >= 0 and token.calls > limit) then
    return "The access token has expired."
  end
end

--- The token of an Authorization header, or nil.
-- @param header string|nil
function tokens.bearer(header)
  local scheme, value = tostring(header):match "^(%a+) +(%S+)$"
  return scheme and scheme:lower() == "bearer" and value or nil
end

--- Why an Authorization header is refused, or nil when it is good.
-- @param header string|nil
function tokens.refuse(header)
  local value = tokens.bearer(header)
  if not value then
    return "Authorization has been denied for this request."
  elseif not issued[value] then
    return "The access token is invalid."
  end
  return worn_out(issued[value])
end

local SHAPES = {
  string = function(number)
    return ("%.0f"):format(number)
  end,
  number = function(number)
    return number
  end,
  fraction = function(number)
    return number + 0.5
  end,
  null = function()
    return json.null
  end,
  none = function() end,
}

local function shaped(name, usual, number)
  local shape = settings[name]
  return SHAPES[shape == "usual" and usual or shape](number)
end

--- Issues a token.
-- @param client_id string  whom it is for
-- @param usual table       the route's own shapes of `expires_in` and `expires_on`
-- @return table            the fields that all answers with a token have
function tokens.grant(client_id, usual)
  local lifetime = settings.token_seconds
  local token, expires = new_token(client_id, lifetime)
  return {
    token_type = "Bearer", access_token = token,
    expires_in = shaped("expires_in", usual.expires_in, lifetime),
    expires_on = shaped("expires_on", usual.expires_on, expires),
  }
end

return tokens
