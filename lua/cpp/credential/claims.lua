--- The claims of a token that is a JSON Web Token. Nothing is verified: that is the
-- service's business.

local cjson = require "cjson"

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

-- base64url, without padding.
local function decode(text)
  local bits, count, bytes = 0, 0, {}
  for character in text:gmatch "." do
    local value = ALPHABET:find(character, 1, true) - 1
    bits, count = (bits << 6 | value) & 0xFFFF, count + 6
    if count >= 8 then
      count = count - 8
      bytes[#bytes + 1] = string.char(bits >> count & 0xFF)
    end
  end
  return table.concat(bytes)
end

--- @param token string
--- @return table|nil claims  nil where it is no JSON Web Token
return function(token)
  local payload = token:match "^[A-Za-z0-9_-]+%.([A-Za-z0-9_-]+)%.[A-Za-z0-9_-]*$"
  if not payload then
    return nil
  end
  local good, claims = pcall(cjson.decode, decode(payload))
  return good and type(claims) == "table" and claims or nil
end
