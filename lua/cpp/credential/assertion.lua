--- A JSON Web Token that an application signs with its certificate's key.

local cjson = require "cjson"
local fault = require "cpp.credential.fault"
local openssl = require "cpp.credential.openssl"

local LIFE = 600 -- seconds

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

local function base64url(text)
  local characters = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    for shift = 18, c and 0 or b and 6 or 12, -6 do
      local at = (bits >> shift & 63) + 1
      characters[#characters + 1] = ALPHABET:sub(at, at)
    end
  end
  return table.concat(characters)
end

-- What makes it good for one use. The system's generator, which no seed of a script's
-- repeats.
local function unique()
  local file <close>, message = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(16)
  if not bytes or #bytes < 16 then
    return fault.refuse("openssl_failed", "no random bytes: " .. tostring(message))
  end
  return base64url(bytes)
end

local function header(algorithm, thumbprint)
  local name = algorithm == "PS256" and "x5t#S256" or "x5t"
  return { alg = algorithm, typ = "JWT", [name] = base64url(thumbprint) }
end

local function claims(audience, client_id, id)
  local now = os.time()
  return { aud = audience, iss = client_id, sub = client_id, jti = id,
    nbf = now, exp = now + LIFE }
end

---@param values table<string, string>  path, password, client_id, algorithm
---@param audience string
---@return string|nil assertion
---@return cpp.error|nil err
return function(values, audience)
  local algorithm = values.algorithm or "PS256"
  local id, no_id = unique()
  if not id then
    return nil, no_id
  end
  local certificate, err = openssl.certificate(values.path, algorithm)
  if not certificate then
    return nil, err
  end
  local text = base64url(cjson.encode(header(algorithm, certificate.thumbprint))) .. "."
    .. base64url(cjson.encode(claims(audience, values.client_id, id)))
  local signature, failed = openssl.sign(values, certificate, algorithm, text)
  if not signature then
    return nil, failed
  end
  return text .. "." .. base64url(signature)
end
