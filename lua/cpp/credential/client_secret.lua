--- A client secret: the OAuth 2.0 client credentials flow that the service documents.

local check = require "cpp.credential.check"
local fields = require "cpp.credential.fields"

local SECRET = { name = "client_secret", variable = "AZURE_CLIENT_SECRET",
  check = check.text }

return {
  name = "client_secret", title = "client secret", commits = SECRET.variable,
  group = "environmentcredential",
  fields = { fields.TENANT, fields.CLIENT_ID, SECRET, fields.AUTHORITY, fields.RESOURCE },
  fetch = function(client, values)
    return client:fetch_token(values)
  end,
}
