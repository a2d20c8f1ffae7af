--- Where automation gets what it shows or asks with, beside the directory: the assertions
-- of GitHub Actions and Azure Pipelines, and a managed identity's token.

local assertions = require "cpp.emulator.portal.assertions"
local tokens = require "cpp.emulator.portal.tokens"

local issuers = {}

local VERSION, IDENTITY_VERSION = "7.1", "2019-08-01"
local EXCHANGE = "api://AzureADTokenExchange"

local ids
local has_system_identity

--- Takes the application's ids.
function issuers.start(application_ids)
  ids = application_ids
end

--- Applies the portal-wide settings that concern managed identities.
function issuers.change(patch)
  if patch.system_identity ~= nil then
    has_system_identity = patch.system_identity
  end
end

-- GitHub's endpoint runs on the same ground as that of Azure DevOps.
local function refuse(status, kind, text)
  return { status = status, document = { ["$id"] = "1", message = text, typeKey = kind } }
end

local function unauthorized()
  return refuse(401, "UnauthorizedRequestException",
    "TF400813: The user '' is not authorized to access this resource.")
end

--- GitHub hands out an assertion for any audience; the repository is its own default.
function issuers.github(request)
  if tokens.bearer(request.authorization) ~= ids.github_token then
    return unauthorized()
  end
  local value = assertions.issue("https://token.actions.githubusercontent.com",
    "repo:contoso/offers:ref:refs/heads/main",
    request.query and request.query.audience or "https://github.com/contoso")
  return { status = 200, acted = true, document = { count = #value, value = value } }
end

-- Whoever does not ask for a status is sent to sign in, as a browser is.
local function not_signed_in(request)
  if request.x_tfs_fedauthredirect == "Suppress" then
    return unauthorized()
  end
  return { status = 302, body = "", headers = { Location = "/_signin?realm=dev.azure.com" } }
end

--- Pipelines hand out an assertion of a service connection.
function issuers.pipelines(request)
  local query = request.query or {}
  if tokens.bearer(request.authorization) ~= ids.pipelines_token then
    return not_signed_in(request)
  elseif query["api-version"] ~= VERSION then
    return refuse(400, "VssVersionNotSpecifiedException",
      "No api-version was supplied for the \"POST\" request, or one that is not known.")
  elseif query.serviceConnectionId ~= ids.service_connection then
    return refuse(404, "ServiceEndpointNotFoundException",
      "The service connection does not exist, or the pipeline may not use it.")
  end
  local value = assertions.issue("https://vstoken.dev.azure.com/" .. ids.object_id,
    "sc://contoso/offers/connection", EXCHANGE)
  return { status = 200, acted = true, document = { oidcToken = value } }
end

local function identity_failure(status, text)
  return { status = status, document = { statusCode = status, message = text } }
end

local NO_IDENTITY = "No User Assigned or Delegated Managed Identity found for specified "
  .. "ClientId/ResourceId/PrincipalId."

-- Which identity is meant: the user-assigned one, or the host's own.
local function find_identity(client_id)
  if client_id == ids.identity_client_id or (not client_id and has_system_identity) then
    return client_id or ids.object_id
  end
end

--- A managed identity, as App Service and Functions have it.
function issuers.identity(request)
  local query = request.query or {}
  local identity = find_identity(query.client_id)
  if request.x_identity_header ~= ids.identity_header then
    return identity_failure(401, "The header X-IDENTITY-HEADER is missing or wrong.")
  elseif query["api-version"] ~= IDENTITY_VERSION then
    return identity_failure(400, "The api-version is not supported.")
  elseif not identity then
    return identity_failure(400, NO_IDENTITY)
  elseif query.resource ~= tokens.RESOURCE then
    return identity_failure(400, "AADSTS500011: The resource principal was not found in "
      .. "the tenant.")
  end
  local answer = tokens.grant(identity, { expires_in = "none", expires_on = "string" })
  answer.resource, answer.client_id = tokens.RESOURCE, identity
  return { status = 200, acted = true, document = answer }
end

return issuers
