--- A certificate: an assertion that its key signs. The process waits for as long as
-- `openssl` runs: a moment, at each fetch.

local assertion = require "cpp.credential.assertion"
local check = require "cpp.credential.check"
local directory = require "cpp.credential.directory"

local PATH = { name = "path", variable = "AZURE_CLIENT_CERTIFICATE_PATH",
  check = check.text }
local PASSWORD = { name = "password", variable = "AZURE_CLIENT_CERTIFICATE_PASSWORD",
  check = check.text, optional = true }
local ALGORITHM = { name = "algorithm", check = check.algorithm, optional = true }

return {
  name = "certificate", title = "certificate", commits = PATH.variable,
  group = "environmentcredential",
  fields = directory.fields(PATH, PASSWORD, ALGORITHM),
  fetch = function(client, values)
    local signed, err = assertion(values, directory.audience(values))
    if not signed then
      return nil, err
    end
    return directory.exchange(client, values, signed)
  end,
}
