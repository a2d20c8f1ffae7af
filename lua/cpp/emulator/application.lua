--- The application that asks the emulated directory for tokens: its ids and secrets, its
-- certificate, and the variables in which automation has them.

local certificate = require "cpp.emulator.certificate"

local application = {}

local PIPELINES_PATH = "/contoso/offers/_apis/distributedtask/hubs/build"
  .. "/plans/5c1a7d52-0c5e-4f55-8d5a-3f2b1c0d9e8f/jobs/2b7e1516-28ae-4d2a-a6ab-f7158809cf4f"
  .. "/oidctoken"

-- What is the same in every portal. The secret holds characters that a form must encode.
local IDS = {
  tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47",
  client_id = "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f",
  client_secret = "p+q&r%2B=s t/ü€",
  object_id = "9a8b7c6d-5e4f-4031-9221-102132435465",
  github_token = "github-request-token.9f86d081884c7d65",
  pipelines_token = "pipelines-access-token.2c26b46b68ffc68f",
  service_connection = "3d5f2a61-7c8e-4b9d-8a0f-1e2d3c4b5a69",
  identity_header = "identity-header.fcde2b2edba56bf4",
  identity_client_id = "6b1c4f0e-9d2a-4c3b-8e7f-5a4b3c2d1e0f",
}

-- An assertion as a cluster projects it into a pod; the directory trusts it by its text.
local FEDERATED = "eyJhbGciOiJSUzI1NiJ9."
  .. "eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6Y29udG9zbzpvZmZlcnMifQ."
  .. "Y3BwLmVtdWxhdG9yLmZlZGVyYXRlZA"

local function write_federated(folder)
  local path = folder .. "/federated.token"
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(FEDERATED))
  return path
end

--- Makes what an application has: the certificate, if one is wanted, and the federated file.
---@param folder string  the portal's
---@param given cpp.emulator.options
---@return table|nil   what the journal tells the portal of it: `ids`, `thumbprints`
---@return string|nil  what openssl said
function application.make(folder, given)
  local self = { ids = IDS, assertions = { FEDERATED }, password = given.certificate_password }
  table.move(given.assertions or {}, 1, #(given.assertions or {}), 2, self.assertions)
  self.federated_file = write_federated(folder)
  if given.certificate then
    local path, thumbprints = certificate.identify(folder, given.certificate, self.password)
    if not path then
      return nil, thumbprints
    end
    self.certificate, self.thumbprints = path, thumbprints
  end
  return self
end

--- The fields of a portal that say how each route is used.
function application.fields(self, endpoint)
  local ids = self.ids
  return {
    tenant = ids.tenant, client_id = ids.client_id, client_secret = ids.client_secret,
    authority = endpoint, certificate = self.certificate,
    federated_file = self.federated_file,
    github = { url = endpoint .. "/actions/idtoken?api-version=2.0",
      token = ids.github_token },
    pipelines = { url = endpoint .. PIPELINES_PATH, token = ids.pipelines_token,
      service_connection = ids.service_connection },
    identity = { endpoint = endpoint .. "/msi/token", header = ids.identity_header,
      client_id = ids.identity_client_id },
  }
end

-- Route -> function(portal, password): its own variables, and whether the application is
-- named by the usual ones.
local ROUTES = {
  token = function(portal)
    return { CPP_TOKEN = portal.token }
  end,
  secret = function(portal)
    return { AZURE_CLIENT_SECRET = portal.client_secret }, true
  end,
  certificate = function(portal, password)
    return { AZURE_CLIENT_CERTIFICATE_PATH = portal.certificate,
      AZURE_CLIENT_CERTIFICATE_PASSWORD = password }, true
  end,
  workload = function(portal)
    return { AZURE_FEDERATED_TOKEN_FILE = portal.federated_file }, true
  end,
  github = function(portal)
    return { ACTIONS_ID_TOKEN_REQUEST_URL = portal.github.url,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN = portal.github.token }, true
  end,
  pipelines = function(portal)
    return {
      SYSTEM_OIDCREQUESTURI = portal.pipelines.url,
      SYSTEM_ACCESSTOKEN = portal.pipelines.token,
      AZURESUBSCRIPTION_SERVICE_CONNECTION_ID = portal.pipelines.service_connection,
      AZURESUBSCRIPTION_CLIENT_ID = portal.client_id,
      AZURESUBSCRIPTION_TENANT_ID = portal.tenant,
    }
  end,
  identity = function(portal)
    return { IDENTITY_ENDPOINT = portal.identity.endpoint,
      IDENTITY_HEADER = portal.identity.header }
  end,
}

--- The variables of the environment in which automation finds a route.
---@param portal cpp.emulator.handle
---@param route string
---@return table<string, string>|nil  nil: there is no such route
function application.environment(self, portal, route)
  local make = ROUTES[route]
  if not make then
    return nil
  end
  local variables, is_usual = make(portal, self.password)
  if is_usual then
    variables.AZURE_TENANT_ID, variables.AZURE_CLIENT_ID = portal.tenant, portal.client_id
  end
  variables.AZURE_AUTHORITY_HOST = portal.authority
  variables.CPP_ENDPOINT, variables.SSL_CERT_FILE = portal.endpoint, portal.ca_file
  return variables
end

return application
