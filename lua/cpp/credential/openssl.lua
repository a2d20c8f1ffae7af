--- Signatures by the `openssl` command, which reads keys that are encrypted. The
-- passphrase goes to its stdin: no list of processes shows it, and no environment.

local fault = require "cpp.credential.fault"
local read_file = require "cpp.file" -- which cpp offers

local openssl = {}

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Of a key in PEM.
local MOST = 65536

-- Its first line names the trouble; what follows is where in its source that is. A wrong
-- passphrase may also pass for a good one, one in 256 times, whose key cannot be read then.
local function complaint(path, output, is_key)
  local line = output:match "[^\r\n]+" or "no word from it"
  if output:find "decrypt" or output:find "password"
    or (is_key and (read_file(path, MOST) or ""):find "ENCRYPTED") then
    line = line .. "; the key is encrypted, and its passphrase is missing or wrong"
  end
  return line
end

-- `is_key`: it could not read the key.
local function refuse(path, status, output, is_key)
  if status == 127 then
    return fault.refuse("openssl_not_found",
      "a certificate needs the openssl command: install openssl")
  end
  return fault.refuse("openssl_failed", ("openssl cannot use %s: %s"):format(path,
    complaint(path, output, is_key)))
end

-- openssl tells a file that is not there, or not readable, in its own way, and waits for
-- one that is a FIFO.
local function check_file(path)
  local first, message = read_file(path, 1)
  if not first then
    return fault.refuse("unreadable_file", "the certificate cannot be read: " .. message)
  end
  return true
end

-- ---- the certificate ----

local READ = [[
exec 2>&1 </dev/null
openssl x509 -in @PATH -noout -pubkey -fingerprint -@DIGEST]]

local DIGEST = { PS256 = "sha256", RS256 = "sha1" }

local KEY = "(%-%-%-%-%-BEGIN PUBLIC KEY%-%-%-%-%-.-%-%-%-%-%-END PUBLIC KEY%-%-%-%-%-)"

local function bytes_of(hex)
  return (hex:gsub("(%x%x):?", function(byte)
    return string.char(tonumber(byte, 16))
  end))
end

--- Reads the first certificate of a PEM file.
---@param path string
---@param algorithm "PS256"|"RS256"  what its thumbprint is for
---@return { thumbprint: string, key: string }|nil certificate  the public key as PEM
---@return cpp.error|nil err
function openssl.certificate(path, algorithm)
  local there, gone = check_file(path)
  if not there then
    return nil, gone
  end
  local script = READ:gsub("@(%u+)", { PATH = quote(path), DIGEST = DIGEST[algorithm] })
  local pipe <close>, message = io.popen(script, "r")
  if not pipe then
    return fault.refuse("openssl_failed", "openssl cannot be run: " .. message, true)
  end
  local output = pipe:read "a"
  local _, _, status = pipe:close()
  local hex, key = output:match "Fingerprint=([%x:]+)", output:match(KEY)
  if status ~= 0 or not hex or not key then
    return refuse(path, status, output)
  end
  return { thumbprint = bytes_of(hex), key = key }
end

-- ---- the signature ----

-- Both lines are read before anything else: whoever writes them must not meet an end
-- that has closed. openssl prints the public key that belongs to the private one.
local SIGN = [[
IFS= read -r password
IFS= read -r text
exec >@OUTPUT 2>&1
command -v openssl >/dev/null || exit 127
printf '%s\n' "$password" | openssl pkey -in @PATH -passin stdin -pubout || exit
signature=$(
  printf '%s' "$text" | {
    printf '%s\n' "$password" |
      openssl dgst -sha256 @OPTIONS -sign @PATH -passin stdin /dev/fd/3
  } 3<&0 | openssl base64 -A
)
echo "signature=$signature"]]

local OPTIONS = {
  PS256 = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32", RS256 = "",
}

local VALUE = {}
for i, character in ipairs { ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    .. "0123456789+/"):byte(1, -1) } do
  VALUE[character] = i - 1
end

local function decode(base64)
  local bits, count, bytes = 0, 0, {}
  for character in base64:gmatch "[%w+/]" do
    bits, count = (bits << 6 | VALUE[character:byte()]) & 0xFFFF, count + 6
    if count >= 8 then
      count = count - 8
      bytes[#bytes + 1] = string.char(bits >> count & 0xFF)
    end
  end
  return table.concat(bytes)
end

-- Runs a script with lines on its stdin. Its output goes through a file that only
-- this user can read: a pipe of Lua's goes one way.
local function run(script, ...)
  local named, output = pcall(os.tmpname)
  if not named then
    return nil, output
  end
  local pipe, message = io.popen(script:gsub("@OUTPUT", quote(output)), "w")
  if not pipe then
    os.remove(output)
    return nil, message
  end
  pipe:write(table.concat({ ... }, "\n"), "\n")
  local _, _, status = pipe:close()
  local file <close> = io.open(output, "rb")
  os.remove(output)
  return file and file:read "a" or "", status
end

--- Signs a text with the private key of a PEM file.
---@param values table<string, string>  path, password
---@param certificate table  as openssl.certificate gives it
---@param algorithm "PS256"|"RS256"
---@param text string  without line breaks
---@return string|nil signature
---@return cpp.error|nil err
function openssl.sign(values, certificate, algorithm, text)
  local script = SIGN:gsub("@(%u+)", { PATH = quote(values.path),
    OPTIONS = OPTIONS[algorithm] })
  local output, status = run(script, values.password or "", text)
  if not output then
    return fault.refuse("openssl_failed", "openssl cannot be run: " .. tostring(status), true)
  end
  local signature, key = output:match "\nsignature=([%w+/=]+)", output:match(KEY)
  if not signature then
    return refuse(values.path, status, output, not key)
  elseif key ~= certificate.key then
    return fault.refuse("openssl_failed", ("the first certificate in %s is not that of "
      .. "the key there"):format(values.path))
  end
  return decode(signature)
end

return openssl
