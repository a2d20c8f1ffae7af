--- Bearer tokens: which are good, and the endpoint that issues them.

local clock = require "cpp.emulator.portal.clock"
local form = require "cpp.emulator.portal.form"
local json = require "cpp.emulator.portal.json"

local tokens = { standing = nil }

local RESOURCE = "https://cloudpartner.azure.com"
local FORM = "^application/x%-www%-form%-urlencoded"

local settings = {}
local issued = {} -- token -> { expires = real seconds, calls = integer }
local generator

local function base64url(text)
  return (ngx.encode_base64(text, true):gsub("+", "-"):gsub("/", "_"))
end

-- Shaped like Azure AD's: a JSON Web Token, whose claims a client may show.
local function new_token(lifetime)
  local now = math.floor(clock.real())
  local expires = now + math.min(lifetime, 1e9)
  local claims = {
    aud = RESOURCE, iss = "https://sts.windows.net/" .. settings.tenant .. "/",
    iat = now, nbf = now, exp = expires, appid = settings.client_id,
    tid = settings.tenant, oid = settings.object_id, ver = "1.0", jti = generator:guid(),
  }
  local token = base64url '{"typ":"JWT","alg":"none"}' .. "."
    .. base64url(json.encode(claims)) .. "." .. base64url(generator:guid())
  issued[token] = { expires = now + lifetime, calls = 0 }
  return token, expires
end

--- Takes the portal's start options and makes the token that never expires.
function tokens.start(random, options)
  generator = random
  for _, name in ipairs { "tenant", "client_id", "client_secret", "object_id" } do
    settings[name] = options[name]
  end
  tokens.standing = new_token(math.huge)
end

local function reset_calls()
  for _, token in pairs(issued) do
    token.calls = 0
  end
end

--- Applies the portal-wide settings that concern tokens.
function tokens.change(patch)
  settings.token_seconds = patch.token_seconds or settings.token_seconds
  if patch.token_calls then
    settings.token_calls = patch.token_calls
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

--- Why an Authorization header is refused, or nil when it is good.
-- @param header string|nil
function tokens.refuse(header)
  local value = type(header) == "string" and header:match "^[Bb]earer +(%S+)$"
  if not value then
    return "Authorization has been denied for this request."
  elseif not issued[value] then
    return "The access token is invalid."
  end
  return worn_out(issued[value])
end

local function failure(status, code, number, text)
  local description = ("AADSTS%d: %s\r\nTrace ID: %s\r\nTimestamp: %s"):format(
    number, text, generator:guid(), os.date("!%Y-%m-%d %H:%M:%SZ"))
  return { status = status, document = {
    error = code, error_description = description, error_codes = { number },
  } }
end

-- The checks of the token endpoint: field, expected value, answer when it differs.
local function checks()
  return {
    { "grant_type", "client_credentials", 400, "unsupported_grant_type", 70003,
      "The app requested an unsupported grant type." },
    { "client_id", settings.client_id, 400, "unauthorized_client", 700016,
      "Application with this identifier was not found in the directory." },
    { "client_secret", settings.client_secret, 401, "invalid_client", 7000215,
      "Invalid client secret provided." },
    { "resource", RESOURCE, 400, "invalid_resource", 500011,
      "The resource principal was not found in the tenant." },
  }
end

local function refuse_form(fields)
  for _, check in ipairs(checks()) do
    local name, expected = check[1], check[2]
    if not fields[name] then
      return failure(400, "invalid_request", 900144,
        "The request body must contain the following parameter: '" .. name .. "'.")
    elseif fields[name] ~= expected then
      return failure(unpack(check, 3, 6)) ---@diagnostic disable-line: deprecated
    end
  end
end

-- The service sends its numbers as strings (documented by Microsoft).
local function grant()
  local lifetime = settings.token_seconds
  local token, expires = new_token(lifetime)
  return { status = 200, acted = true, document = {
    token_type = "Bearer", access_token = token, resource = RESOURCE,
    expires_in = tostring(lifetime), ext_expires_in = tostring(lifetime),
    expires_on = ("%.0f"):format(expires), not_before = ("%.0f"):format(ngx.time()),
  } }
end

--- Answers a token request.
-- @param request table  as request.lua makes it
function tokens.endpoint(request)
  if request.tenant ~= settings.tenant then
    return failure(400, "invalid_request", 90002, "Tenant not found.")
  elseif not (request.content_type or ""):find(FORM) then
    return failure(400, "invalid_request", 900144, "The request body must be a form.")
  end
  local fields = form.decode(request.body or "")
  if not fields then
    return failure(400, "invalid_request", 90014, "The request body is malformed.")
  end
  return refuse_form(fields) or grant()
end

return tokens
