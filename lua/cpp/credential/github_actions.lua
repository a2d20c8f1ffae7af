--- GitHub Actions: the identity of a workflow run that has the permission
-- `id-token: write`.

local check = require "cpp.credential.check"
local directory = require "cpp.credential.directory"
local url = require "cpp.credential.url"

local URL = { name = "request_url", variable = "ACTIONS_ID_TOKEN_REQUEST_URL",
  check = check.url, ambient = true }
local TOKEN = { name = "request_token", variable = "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  check = check.bearer, ambient = true }

local AUDIENCE = "audience=" .. url.escape "api://AzureADTokenExchange"

return {
  name = "github_actions", title = "GitHub Actions",
  fields = directory.fields(URL, TOKEN),
  hints = { [URL.variable] = "the job needs the permission id-token: write" },
  fetch = function(client, values)
    return directory.exchange_from(client, values, "GitHub", {
      url = url.with(values.request_url, AUDIENCE),
      headers = { Authorization = "bearer " .. values.request_token },
    }, "value")
  end,
}
