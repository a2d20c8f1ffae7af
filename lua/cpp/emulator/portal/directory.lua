--- The directory's token endpoints, with the errors that Microsoft's gives.

local assertions = require "cpp.emulator.portal.assertions"
local form = require "cpp.emulator.portal.form"
local tokens = require "cpp.emulator.portal.tokens"

local directory = {}

local FORM = "^application/x%-www%-form%-urlencoded%s*;"
local ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

-- Endpoint -> its path below the tenant, the parameter that says what a token is for, and
-- how it tells a token's life: v1 sends numbers as strings (documented by Microsoft).
local VERSIONS = {
  v1 = { path = "/oauth2/token", target = "resource", value = tokens.RESOURCE,
    wrong = { 400, "invalid_resource", 500011,
      "The resource principal was not found in the tenant." },
    expires_in = "string", expires_on = "string" },
  v2 = { path = "/oauth2/v2.0/token", target = "scope",
    value = tokens.RESOURCE .. "/.default",
    wrong = { 400, "invalid_scope", 1002012,
      "The provided value for scope is not valid. Client credential flows must have a "
      .. "scope value with /.default suffixed to the resource identifier." },
    expires_in = "number", expires_on = "none" },
}

local ids, generator

--- Takes the application's ids.
function directory.start(random, application_ids)
  generator, ids = random, application_ids
end

local function failure(status, code, number, text)
  local description = ("AADSTS%d: %s\r\nTrace ID: %s\r\nTimestamp: %s"):format(
    number, text, generator:guid(), os.date("!%Y-%m-%d %H:%M:%SZ"))
  return { status = status, document = {
    error = code, error_description = description, error_codes = { number },
  } }
end

local function refuse_missing(fields, version)
  for _, name in ipairs { "grant_type", "client_id", version.target } do
    if not fields[name] then
      return failure(400, "invalid_request", 900144,
        "The request body must contain the following parameter: '" .. name .. "'.")
    end
  end
end

local function refuse_values(fields, version)
  if fields.grant_type ~= "client_credentials" then
    return failure(400, "unsupported_grant_type", 70003,
      "The app requested an unsupported grant type.")
  elseif fields.client_id ~= ids.client_id then
    return failure(400, "unauthorized_client", 700016,
      "Application with this identifier was not found in the directory.")
  elseif fields[version.target] ~= version.value then
    return failure(unpack(version.wrong)) ---@diagnostic disable-line: deprecated
  end
end

local function refuse_secret(fields)
  if fields.client_secret ~= ids.client_secret then
    return failure(401, "invalid_client", 7000215, "Invalid client secret provided.")
  end
end

local function refuse_assertion(fields, url)
  if fields.client_assertion_type ~= ASSERTION_TYPE then
    return failure(400, "invalid_request", 900144, "The request body must contain the "
      .. "following parameter: 'client_assertion_type'.")
  end
  local number, text = assertions.refuse(fields.client_assertion, url)
  return number and failure(401, "invalid_client", number, text)
end

-- An application shows who it is by exactly one of the two.
local function refuse_credential(fields, url)
  if fields.client_assertion and not fields.client_secret then
    return refuse_assertion(fields, url)
  elseif fields.client_secret and not fields.client_assertion then
    return refuse_secret(fields)
  end
  return failure(401, "invalid_client", 7000216, "'client_assertion', 'client_secret' or "
    .. "'request' is required for the 'client_credentials' grant type, and one alone.")
end

-- v1 says more than v2.
local function grant(version)
  local answer = tokens.grant(ids.client_id, version)
  answer.ext_expires_in = answer.expires_in
  if version == VERSIONS.v1 then
    answer.resource = tokens.RESOURCE
    answer.not_before = ("%.0f"):format(ngx.time())
  end
  return { status = 200, acted = true, document = answer }
end

--- Answers a token request.
-- @param request table  as request.lua makes it; `version`: "v1" or "v2"
function directory.answer(request)
  if request.tenant ~= ids.tenant then
    return failure(400, "invalid_request", 90002, "Tenant not found.")
  elseif not ((request.content_type or ""):lower() .. ";"):find(FORM) then
    return failure(400, "invalid_request", 900144, "The request body must be a form.")
  end
  local fields = form.decode(request.body or "")
  if not fields then
    return failure(400, "invalid_request", 90014, "The request body is malformed.")
  end
  local version = VERSIONS[request.version]
  local url = request.endpoint .. "/" .. ids.tenant .. version.path
  return refuse_missing(fields, version) or refuse_values(fields, version)
    or refuse_credential(fields, url) or grant(version)
end

return directory
