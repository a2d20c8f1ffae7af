--- Client assertions, by which an application shows the directory who it is: its own,
-- signed with its certificate's key, and those of an issuer that the directory trusts.

local base64url = require "cpp.emulator.portal.base64url"
local clock = require "cpp.emulator.portal.clock"
local json = require "cpp.emulator.portal.json"
local jwt = require "cpp.emulator.portal.jwt"

local assertions = {}

local AUDIENCE = "api://AzureADTokenExchange"

local known = {} -- assertion -> { expires = real seconds, audience = string }
local used = {}  -- jti -> true
local ids, thumbprints, generator
local seconds

--- Takes the application's ids, and its certificate's thumbprints if it has one.
function assertions.start(random, application_ids, certificate)
  generator, ids, thumbprints = random, application_ids, certificate
end

-- Those that were trusted and are no more have expired; those that were handed out stay.
local function trust(list)
  for _, assertion in pairs(known) do
    if assertion.expires == math.huge then
      assertion.expires = 0
    end
  end
  for _, text in ipairs(list) do
    known[text] = { expires = math.huge, audience = AUDIENCE }
  end
end

--- Applies the portal-wide settings that concern assertions.
function assertions.change(patch)
  seconds = patch.assertion_seconds or seconds
  if patch.assertions then
    trust(patch.assertions)
  end
end

--- Hands out an assertion. Nobody checks the issuer's signature, for the directory knows
-- it by its text.
function assertions.issue(issuer, subject, audience)
  local now = math.floor(clock.real())
  local claims = { iss = issuer, sub = subject, aud = audience, iat = now, nbf = now,
    exp = now + seconds, jti = generator:guid() }
  local text = base64url.encode '{"typ":"JWT","alg":"RS256"}' .. "."
    .. base64url.encode(json.encode(claims)) .. "." .. base64url.encode(generator:guid())
  known[text] = { expires = now + seconds, audience = audience }
  return text
end

local EXPIRED = "Client assertion is not within its valid time range."

local function refuse_known(assertion)
  if clock.real() >= assertion.expires then
    return 700024, EXPIRED
  elseif assertion.audience ~= AUDIENCE then
    return 700212, "No matching federated identity record found for presented assertion "
      .. "audience '" .. assertion.audience .. "'."
  end
end

local function refuse_signature(token)
  if not thumbprints or not jwt.names(token, thumbprints) then
    return 700027, "The certificate with identifier used to sign the client assertion is "
      .. "not registered on application. [Reason - The key was not found.]"
  elseif not jwt.is_signed(token) then
    return 700027, "Client assertion failed signature validation. "
      .. "[Reason - The key was found, but it did not make the signature.]"
  end
end

local function is_current(claims)
  local now, from, to = clock.real(), claims.nbf, claims.exp
  return type(from) == "number" and type(to) == "number" and from <= now and now < to
end

local function refuse_claims(claims, url)
  if claims.aud ~= url then
    return 700023, "Client assertion audience claim does not match Realm issuer."
  elseif claims.iss ~= ids.client_id or claims.sub ~= ids.client_id then
    return 700021, "Client assertion application identifier doesn't match 'client_id' "
      .. "parameter."
  elseif not is_current(claims) then
    return 700024, EXPIRED
  elseif type(claims.jti) ~= "string" or claims.jti == "" or used[claims.jti] then
    return 50013, "Assertion is invalid: its jti is missing or was used before."
  end
end

-- A token of the application's own says so in either claim; all others are an issuer's.
local function is_own(claims)
  return claims.iss == ids.client_id or claims.sub == ids.client_id
end

local function refuse_own(token, url)
  local number, text = refuse_signature(token)
  if not number then
    number, text = refuse_claims(token.claims, url)
  end
  if not number then
    used[token.claims.jti] = true
  end
  return number, text
end

--- Why an assertion is refused, as number and text of the directory's error, or nil.
-- @param url string  what is asked, which its audience must be
function assertions.refuse(text, url)
  if known[text] then
    return refuse_known(known[text])
  end
  local token = jwt.parse(text)
  if not token then
    return 50027, "JWT token is invalid or malformed."
  elseif is_own(token.claims) then
    return refuse_own(token, url)
  end
  return 700213, "No matching federated identity record found for presented assertion "
    .. "subject '" .. tostring(token.claims.sub) .. "'."
end

return assertions
