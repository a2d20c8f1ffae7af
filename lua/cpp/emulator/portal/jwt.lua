--- JSON Web Tokens that a client signed with its certificate's key.

local base64url = require "cpp.emulator.portal.base64url"
local json = require "cpp.emulator.portal.json"

local jwt = {}

-- Signing algorithm -> what openssl must be told, the header's field that names the
-- certificate, and the digest it holds.
local ALGORITHMS = {
  PS256 = { field = "x5t#S256", digest = "sha256",
    padding = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1" },
  RS256 = { field = "x5t", digest = "sha1", padding = "" },
}

local function object(part)
  local text = base64url.decode(part)
  local value = text and json.decode(text)
  return type(value) == "table" and value or nil
end

--- Takes a token apart.
-- @return table|nil  header, claims, signed (the bytes), signature; nil when it is none
function jwt.parse(text)
  local head, body, signature = text:match "^([^.]+)%.([^.]+)%.([^.]+)$"
  if not head then
    return nil
  end
  local self = { header = object(head), claims = object(body),
    signed = head .. "." .. body, signature = base64url.decode(signature) }
  return self.header and self.claims and self.signature and self or nil
end

--- Whether a token names the certificate with these thumbprints, as its algorithm does.
function jwt.names(self, thumbprints)
  local algorithm = ALGORITHMS[self.header.alg]
  local named = algorithm and self.header[algorithm.field]
  return named ~= nil and named == base64url.of_base64(thumbprints[algorithm.digest])
end

local function write(name, bytes)
  local file = assert(io.open(name, "wb"))
  assert(file:write(bytes))
  assert(file:close())
end

-- 127: the shell found no such command.
local MISSING = { [127] = true, [127 * 256] = true }

--- Whether the key in application.pub made the signature. The worker waits for openssl:
-- a few milliseconds, and os.execute, for nginx takes the exit status of a child of
-- io.popen.
function jwt.is_signed(self)
  write("assertion.signed", self.signed)
  write("assertion.signature", self.signature)
  local status, _, code = os.execute("openssl dgst -sha256 -verify application.pub "
    .. ALGORITHMS[self.header.alg].padding
    .. " -signature assertion.signature assertion.signed >/dev/null 2>&1")
  assert(not MISSING[code or status], "there is no openssl to check a signature with")
  return status == true or status == 0
end

return jwt
