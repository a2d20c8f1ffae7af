--- A certificate authority of the emulator's own, made with the openssl command.

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

--- Makes ca.pem, and server.pem with server.key for localhost, 127.0.0.1 and ::1.
-- @param folder string
-- @param addresses string[]  more IP addresses that it is for
-- @return true|nil
-- @return string|nil  what openssl said
function certificate.make(folder, addresses)
  if not shell.run "command -v openssl" then
    return nil, "the emulator needs openssl for TLS: install the package openssl"
  end
  local file = assert(io.open(folder .. "/openssl.cnf", "w"))
  file:write(CONFIG)
  for _, address in ipairs(addresses) do
    file:write(", IP:", address)
  end
  file:write("\n"):close()
  local good, output = shell.run("cd -- " .. shell.quote(folder) .. "\n" .. SCRIPT)
  if not good then
    return nil, "openssl failed: " .. output
  end
  return true
end

return certificate
