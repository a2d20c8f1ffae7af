--- Where tokens come from: callables for the option `token`.
---
--- A credential keeps one token for all clients that use it, renews it before it
--- expires or when the service rejected it, fetches one at a time however many ask,
--- and remembers a refusal for 10 seconds. It fetches through the client that asks,
--- and never shows its secret or its token. Options that are not given default to
--- variables of the environment; docs/credentials.md has the table.

local cache = require "cpp.credential.cache"
local chain = require "cpp.credential.chain"
local check = require "cpp.credential.check"
local fault = require "cpp.credential.fault"
local fields = require "cpp.credential.fields"

local credential = {}

-- ---- by name ----

local function title_of(route, values)
  local application = values.client_id
  return application and ("%s of %s"):format(route.title, application) or route.title
end

local function absences(missing)
  local words = {}
  for i, field in ipairs(missing) do
    words[i] = fields.absence(field.variable)
  end
  return table.concat(words, ", ")
end

-- A variable that is wrong is told whenever a token is asked for.
local function fetch_with(route, read)
  local invalid = read.invalid[1]
  return function(client)
    if #read.missing > 0 then
      return fault.refuse("credential_incomplete", ("%s: %s"):format(route.title,
        absences(read.missing)))
    elseif invalid then
      return fault.refuse("invalid_variable", invalid.message)
    end
    return route.fetch(client, read.values)
  end
end

-- Called as the last thing that a public function does, so that an error points at
-- whoever called that.
local function new(name, options)
  local route = require("cpp.credential." .. name)
  options = options == nil and {} or options
  local wrong = fields.misuse(route.fields, options)
  if wrong then
    error(("credential.%s: %s"):format(name, wrong), 2)
  end
  local read = fields.read(route.fields, options)
  local missing = read.missing[1]
  if missing then
    error(("credential.%s: option '%s' is missing: give it in the table, or set %s")
      :format(name, missing.name, missing.variable), 2)
  end
  local described = { name = name, title = title_of(route, read.values), passed = {} }
  return cache.new(described, fetch_with(route, read))
end

---@class (exact) cpp.credential.application  who asks, and the directory
--- The directory: its id or a domain name. Default: AZURE_TENANT_ID.
---@field tenant? string
--- The application. Default: AZURE_CLIENT_ID.
---@field client_id? string
--- Origin of the token endpoint. Default: AZURE_AUTHORITY_HOST, else
--- "https://login.microsoftonline.com".
---@field authority? string
--- What the token is for. Default: "https://cloudpartner.azure.com".
---@field resource? string

---@class (exact) cpp.credential.secret: cpp.credential.application
--- Default: AZURE_CLIENT_SECRET.
---@field client_secret? string
---@field [string] cpp.no_such_option

--- An application's tokens, by the OAuth 2.0 client credentials flow that the
--- service documents.
---@param options? cpp.credential.secret
---@return cpp.credential
function credential.client_secret(options)
  return new("client_secret", options)
end

---@class (exact) cpp.credential.certified: cpp.credential.application
--- A PEM file that holds the certificate and its key.
--- Default: AZURE_CLIENT_CERTIFICATE_PATH.
---@field path? string
--- Of the key, if that is encrypted. Default: AZURE_CLIENT_CERTIFICATE_PASSWORD.
---@field password? string
--- How the assertion is signed (default "PS256").
---@field algorithm? "PS256"|"RS256"
---@field [string] cpp.no_such_option

--- The tokens of an application that has a certificate. The command `openssl` signs;
--- the whole process waits for it, a moment at each fetch.
---@param options? cpp.credential.certified
---@return cpp.credential
function credential.certificate(options)
  return new("certificate", options)
end

---@class (exact) cpp.credential.workload: cpp.credential.application
--- The file that holds the assertion, read at each fetch.
--- Default: AZURE_FEDERATED_TOKEN_FILE.
---@field file? string
---@field [string] cpp.no_such_option

--- The tokens of a workload identity, as in Kubernetes.
---@param options? cpp.credential.workload
---@return cpp.credential
function credential.federated(options)
  return new("federated", options)
end

---@class (exact) cpp.credential.github: cpp.credential.application
--- Default: ACTIONS_ID_TOKEN_REQUEST_URL.
---@field request_url? string
--- Default: ACTIONS_ID_TOKEN_REQUEST_TOKEN.
---@field request_token? string
---@field [string] cpp.no_such_option

--- The tokens of an application that trusts a workflow run in GitHub Actions, which
--- needs the permission `id-token: write`.
---@param options? cpp.credential.github
---@return cpp.credential
function credential.github_actions(options)
  return new("github_actions", options)
end

---@class (exact) cpp.credential.pipelines
--- Default: AZURESUBSCRIPTION_TENANT_ID.
---@field tenant? string
--- Default: AZURESUBSCRIPTION_CLIENT_ID.
---@field client_id? string
--- Id of the service connection. Default: AZURESUBSCRIPTION_SERVICE_CONNECTION_ID.
---@field service_connection? string
--- Default: SYSTEM_OIDCREQUESTURI.
---@field request_url? string
--- The job's access token. Default: SYSTEM_ACCESSTOKEN.
---@field request_token? string
--- Origin of the token endpoint. Default: AZURE_AUTHORITY_HOST, else
--- "https://login.microsoftonline.com".
---@field authority? string
--- What the token is for. Default: "https://cloudpartner.azure.com".
---@field resource? string
---@field [string] cpp.no_such_option

--- The tokens of a service connection in Azure Pipelines.
---@param options? cpp.credential.pipelines
---@return cpp.credential
function credential.azure_pipelines(options)
  return new("azure_pipelines", options)
end

---@class (exact) cpp.credential.identity
--- Of an identity that is assigned by a user. Default: AZURE_CLIENT_ID, else the
--- host's own identity.
---@field client_id? string
--- https, or on this machine. Default: IDENTITY_ENDPOINT.
---@field endpoint? string
--- Default: IDENTITY_HEADER.
---@field header? string
--- What the token is for. Default: "https://cloudpartner.azure.com".
---@field resource? string
---@field [string] cpp.no_such_option

--- The tokens of a managed identity, in App Service and Functions.
---@param options? cpp.credential.identity
---@return cpp.credential
function credential.managed_identity(options)
  return new("managed_identity", options)
end

--- The tokens of whoever is logged in with `az login`. The whole process waits for
--- as long as `az` runs: about a second, once an hour, and no longer than the client's
--- timeout.
---@return cpp.credential
function credential.azure_cli()
  return new("azure_cli")
end

-- ---- the environment ----

local FIXED = { name = "token", title = "CPP_TOKEN", passed = {} }

local function from_text(text)
  return cache.new(FIXED, function()
    local token, wrong = check.bearer(text, "CPP_TOKEN")
    if not token then
      return fault.refuse("invalid_token", wrong)
    end
    return { access_token = token, expires_in = math.huge }
  end, true)
end

-- Nothing is left to take.
local function none(choice)
  return function()
    if choice.wrong then
      return fault.refuse("invalid_variable", choice.wrong)
    end
    return fault.refuse("no_credential", "the environment holds no credential"
      .. chain.excuse(choice))
  end
end

-- Where az, the last of all, has nothing, what was passed over may be what was meant.
local function with_excuse(fetch, choice)
  return function(client)
    local answer, err = fetch(client)
    local excuse = chain.excuse(choice)
    if not answer and excuse ~= "" and not err.retryable then
      return fault.retell(err, err.message .. excuse)
    end
    return answer, err
  end
end

--- What the environment holds: CPP_TOKEN; an application's secret, certificate or
--- federated token; the identity of GitHub Actions, of Azure Pipelines or of the host;
--- the Azure CLI. AZURE_TOKEN_CREDENTIALS narrows that down. It never raises: what is
--- wrong with the environment is told when a token is asked for.
---@return cpp.credential
function credential.environment()
  local text = os.getenv "CPP_TOKEN"
  if text and text ~= "" then
    return from_text(text)
  end
  local choice = chain.choose()
  table.insert(choice.passed, 1, { name = "token", title = "CPP_TOKEN", begun = false,
    why = fields.absence "CPP_TOKEN" })
  local route = choice.route
  if not route then
    return cache.new({ title = "none", passed = choice.passed }, none(choice))
  end
  local title = title_of(route, choice.read.values)
  local fetch = fetch_with(route, choice.read)
  return cache.new({ name = route.name, title = title, passed = choice.passed },
    route.name == "azure_cli" and with_excuse(fetch, choice) or fetch)
end

return credential
