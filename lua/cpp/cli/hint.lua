--- What to do about an error, where the command knows more than the service says.

local jwt = require "cpp.cli.jwt"
local text = require "cpp.text"

local hint = {}

-- Only a token from the environment can be out of date: others are fetched anew.
local function expiry()
  local claims = jwt.claims(os.getenv "CPP_TOKEN" or "")
  local expires = claims and tonumber(claims.exp)
  local ago = expires and os.time() - expires
  if ago and ago > 0 and ago < math.huge then
    return ("the token in CPP_TOKEN expired %s ago; "):format(text.duration(ago))
  end
  return ""
end

local function of_unauthorized()
  return expiry() .. "`cloudpartner whoami` shows whose token it is, for which "
    .. "service, and when it expires"
end

-- An endpoint is https, or on this machine.
local function is_endpoint(origin)
  return origin:find "^https://" or origin:find "^http://127%."
    or origin:find "^http://localhost%f[:\0]"
end

local function of_foreign(location)
  local origin = text.clean(location):lower():match "^%a+://[^/?#]+"
  if origin and is_endpoint(origin) then
    return ("if the service is there, say so with --endpoint %s or in CPP_ENDPOINT; "
      .. "the token goes there then"):format(text.quote(origin))
  end
  return "--endpoint, or CPP_ENDPOINT, says where the service is"
end

---@param err cpp.error
---@param location string|nil  that was asked about
---@return string|nil
function hint.of(err, location)
  if err.status == 401 then
    return of_unauthorized()
  elseif err.code == "foreign_origin" then
    return of_foreign(location or err.location)
  end
end

return hint
