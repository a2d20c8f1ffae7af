--- Certificates, made and read with the openssl command: an authority of the emulator's
-- own for TLS, and the one by which an application signs.

local shell = require "cpp.emulator.shell"

local certificate = {}

local CONFIG = [[
[req]
distinguished_name = name
prompt = no
[name]
CN = cloudpartner emulator
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1]]

-- The authority's key goes at once: nobody signs with it again.
local SCRIPT = [[
set -e
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config openssl.cnf"
openssl req -x509 -days 30 $key -extensions authority \
  -subj "/CN=cloudpartner emulator CA" -keyout ca.key -out ca.pem
openssl req $key -keyout server.key -out server.csr
openssl x509 -req -days 30 -in server.csr -CA ca.pem -CAkey ca.key -set_serial 1 \
  -extfile openssl.cnf -extensions server -out server.pem
rm ca.key server.csr
]]

-- A key with its certificate in one file, and the password from another.
local MAKE_APPLICATION = [[
set -e
openssl req -x509 -newkey rsa:2048 -days 30 -subj "/CN=cloudpartner emulator application" \
  @ENCRYPTION@ -keyout application.key -out application.crt
cat application.crt application.key >application.pem
rm application.key application.crt
]]

-- A thumbprint is the digest of the DER; what openssl writes in Base64 is made URL-safe
-- where it is compared.
local IDENTIFY = [[
set -e
openssl x509 -in application.pem -noout -pubkey >application.pub
openssl x509 -in application.pem -outform DER -out application.der
for digest in sha1 sha256; do
  openssl dgst -$digest -binary application.der | openssl base64
done
]]

-- Runs a script in a folder; its output, or nil and what openssl said.
local function run(folder, script)
  if not shell.run "command -v openssl" then
    return nil, "the emulator needs openssl for certificates: install the package openssl"
  end
  local good, output = shell.run("cd -- " .. shell.quote(folder) .. "\n" .. script)
  if not good then
    return nil, "openssl failed: " .. output
  end
  return output
end

local function write(path, ...)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(...))
end

--- Makes ca.pem, and server.pem with server.key for localhost, 127.0.0.1 and ::1.
-- @param folder string
-- @param addresses string[]  more IP addresses that it is for
-- @return string|nil
-- @return string|nil  what openssl said
function certificate.make(folder, addresses)
  local also = {}
  for i, address in ipairs(addresses) do
    also[i] = ", IP:" .. address
  end
  write(folder .. "/openssl.cnf", CONFIG, table.concat(also), "\n")
  return run(folder, SCRIPT)
end

local function make_application(folder, password)
  local encryption = "-nodes"
  if password then
    write(folder .. "/password", password, "\n")
    encryption = "-passout file:password"
  end
  return run(folder, (MAKE_APPLICATION:gsub("@ENCRYPTION@", encryption)))
end

local function copy(path, to)
  local file <close>, message = io.open(path, "rb")
  if not file then
    return nil, message
  end
  write(to, file:read "a")
  return true
end

--- Reads the certificate of an application, made here unless its file is given, and leaves
-- its public key in application.pub.
-- @param folder string         the portal's
-- @param given string|true     its file, PEM
-- @param password string|nil   encrypts the key of one that is made here
-- @return string|nil           its file
-- @return table|string         its thumbprints, `sha1` and `sha256`, in Base64; or what
--   is wrong
function certificate.identify(folder, given, password)
  local path = folder .. "/application.pem"
  local good, message
  if given == true then
    good, message = make_application(folder, password)
  else
    good, message = copy(given, path)
  end
  local output
  if good then
    output, message = run(folder, IDENTIFY)
  end
  if not output then
    return nil, message
  end
  local sha1, sha256 = output:match "(%S+)\n(%S+)$"
  return given == true and path or given, { sha1 = sha1, sha256 = sha256 }
end

return certificate
