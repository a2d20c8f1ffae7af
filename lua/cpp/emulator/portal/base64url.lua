--- Base64 with the URL-safe alphabet and without padding, as JSON Web Tokens have it.

local base64url = {}

--- @param text string  ordinary Base64, padded or not
function base64url.of_base64(text)
  return (text:gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }))
end

function base64url.encode(bytes)
  return base64url.of_base64(ngx.encode_base64(bytes))
end

--- @return string|nil  nil when it is malformed
function base64url.decode(text)
  if text:find "[^%w_-]" then
    return nil
  end
  return ngx.decode_base64((text:gsub("[-_]", { ["-"] = "+", ["_"] = "/" })))
end

return base64url
