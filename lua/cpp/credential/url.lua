--- Which URLs a credential asks: https, or this machine, and never a link-local
-- address, where a virtual machine's metadata service is.

local cpp = require "cpp"

local url = {}

-- The engine's own rule for origins, in its words.
local function fault(origin)
  local good, made = pcall(cpp.client, { endpoint = origin })
  if good then
    return made:close()
  end
  local why = tostring(made):match "option 'endpoint':? (.*)$"
  return why and ": " .. why or error(made, 0)
end

--- Checks an origin, such as Azure's public authority. A scheme may be missing, as in
-- the names that Azure's own libraries use, and a slash may end it, as Kubernetes
-- sets it.
---@param text string
---@return string|nil origin
---@return string|nil why
function url.origin(text)
  local origin = text:gsub("/+$", "")
  if not origin:find "://" then
    origin = "https://" .. origin
  end
  local why = fault(origin)
  if why then
    return nil, why
  end
  return origin
end

--- Checks the address of a request.
---@param text string
---@return string|nil url
---@return string|nil why
function url.request(text)
  if text:find "[%c%s\x7f-\xff]" then
    return nil, " holds a character that no URL has"
  end
  local why = fault(text:match "^[^/?#]*//[^/?#]*" or text)
  if why then
    return nil, why
  end
  return text
end

--- Escapes a value of a query.
---@param text string
---@return string
function url.escape(text)
  return (text:gsub("[^%w%-._~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

--- A URL with more of a query.
---@param text string
---@param query string
---@return string
function url.with(text, query)
  return text .. (text:find("?", 1, true) and "&" or "?") .. query
end

return url
