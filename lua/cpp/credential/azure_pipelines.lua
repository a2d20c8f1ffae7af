--- Azure Pipelines: the identity of a service connection, to a step that has the
-- job's own access token.

local check = require "cpp.credential.check"
local directory = require "cpp.credential.directory"
local fields = require "cpp.credential.fields"
local url = require "cpp.credential.url"

-- As the tasks that take a service connection set them.
local TENANT = { name = "tenant", variable = "AZURESUBSCRIPTION_TENANT_ID",
  check = check.id }
local CLIENT_ID = { name = "client_id", variable = "AZURESUBSCRIPTION_CLIENT_ID",
  check = check.text }
local CONNECTION = { name = "service_connection",
  variable = "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", check = check.text }
local URL = { name = "request_url", variable = "SYSTEM_OIDCREQUESTURI",
  check = check.url, ambient = true }
local TOKEN = { name = "request_token", variable = "SYSTEM_ACCESSTOKEN",
  check = check.bearer, ambient = true }

return {
  name = "azure_pipelines", title = "Azure Pipelines",
  fields = { TENANT, CLIENT_ID, CONNECTION, URL, TOKEN, fields.AUTHORITY, fields.RESOURCE },
  hints = { [TOKEN.variable] = "the step needs it in its env: $(System.AccessToken)" },
  fetch = function(client, values)
    local query = "api-version=7.1&serviceConnectionId="
      .. url.escape(values.service_connection)
    return directory.exchange_from(client, values, "Azure Pipelines", {
      url = url.with(values.request_url, query), method = "POST",
      headers = {
        Authorization = "Bearer " .. values.request_token,
        -- Else a refusal is a redirect to a page where people sign in.
        ["X-TFS-FedAuthRedirect"] = "Suppress",
      },
    }, "oidcToken")
  end,
}
