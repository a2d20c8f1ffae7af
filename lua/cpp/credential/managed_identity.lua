--- A managed identity, where the host has an endpoint for it: App Service and
-- Functions.

local check = require "cpp.credential.check"
local fault = require "cpp.credential.fault"
local fields = require "cpp.credential.fields"
local url = require "cpp.credential.url"

local CLIENT_ID = { name = "client_id", variable = "AZURE_CLIENT_ID", check = check.text,
  optional = true }
local ENDPOINT = { name = "endpoint", variable = "IDENTITY_ENDPOINT",
  check = check.url, ambient = true }
local HEADER = { name = "header", variable = "IDENTITY_HEADER", check = check.text,
  ambient = true }

local RESOURCE = "https://cloudpartner.azure.com"

local function request(values)
  local query = "api-version=2019-08-01&resource="
    .. url.escape(values.resource or RESOURCE)
  if values.client_id then
    query = query .. "&client_id=" .. url.escape(values.client_id)
  end
  return { url = url.with(values.endpoint, query),
    headers = { ["X-IDENTITY-HEADER"] = values.header } }
end

local function fetch(client, values)
  local answer, err = client:fetch_json(request(values))
  if not answer then
    return fault.retell(err, "the managed identity gave no token: " .. err.message)
  elseif type(answer) ~= "table" or type(answer.access_token) ~= "string" then
    return fault.refuse("no_identity_token", "the managed identity gave no token: "
      .. "'access_token' is missing in its answer")
  end
  return answer
end

return {
  name = "managed_identity", title = "managed identity",
  group = "managedidentitycredential",
  fields = { CLIENT_ID, ENDPOINT, HEADER, fields.RESOURCE },
  fetch = fetch,
}
