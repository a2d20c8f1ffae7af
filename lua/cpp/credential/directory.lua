--- The directory, which takes an assertion from somebody whom it trusts and gives a
-- token.

local check = require "cpp.credential.check"
local fault = require "cpp.credential.fault"
local fields = require "cpp.credential.fields"

local directory = {}

local AUTHORITY = "https://login.microsoftonline.com"

--- What every route through it takes, and its own.
---@param ... cpp.credential.field
---@return cpp.credential.field[]
function directory.fields(...)
  return { fields.TENANT, fields.CLIENT_ID, fields.AUTHORITY, fields.RESOURCE, ... }
end

--- Where tokens are given.
---@param values table<string, string>
---@return string url
function directory.audience(values)
  return ("%s/%s/oauth2/v2.0/token"):format(values.authority or AUTHORITY, values.tenant)
end

--- Exchanges an assertion.
---@param client cpp.client|table
---@param values table<string, string>
---@param assertion string
---@return table|nil answer
---@return any err
function directory.exchange(client, values, assertion)
  return client:fetch_token {
    tenant = values.tenant, client_id = values.client_id, client_assertion = assertion,
    authority = values.authority, resource = values.resource,
  }
end

--- Asks a CI system for an assertion and exchanges it.
---@param client cpp.client|table
---@param values table<string, string>
---@param who string  the system
---@param request table  as client:fetch_json takes it
---@param field string  of its answer
---@return table|nil answer
---@return any err
function directory.exchange_from(client, values, who, request, field)
  local answer, err = client:fetch_json(request)
  if not answer then
    return fault.retell(err, ("%s gave no assertion: %s"):format(who, err.message))
  end
  local text = type(answer) == "table" and answer[field]
  if type(text) ~= "string" then
    return fault.refuse("no_assertion", ("%s gave no assertion: '%s' is missing in its "
      .. "answer"):format(who, field))
  end
  local assertion, wrong = check.bearer(text, who .. "'s assertion")
  if not assertion then
    return fault.refuse("no_assertion", wrong)
  end
  return directory.exchange(client, values, assertion)
end

return directory
