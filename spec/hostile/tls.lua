--- One nginx with a certificate of every kind, each on a loopback address of its own.

local shell = require "cpp.emulator.shell"

local tls = {}
tls.__index = tls

-- root and stranger are authorities; middle is signed by root; person, by root too, is
-- no authority.
local CONFIG = [[
[ca]
default_ca = any
[any]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = policy
[policy]
commonName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
]]

local PRELUDE = [[
set -e
touch index.txt
from() { date -u -d "$1" +%Y%m%d%H%M%SZ; }
key() { openssl genpkey "$@" 2>/dev/null; }
root() {
  key -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key
  openssl req -x509 -new -config openssl.cnf -key $1.key -days 30 -subj "/CN=$1" \
    -extensions root -out $1.pem
}
# signed NAME ISSUER FROM TO EXTENSIONS [KEY OPTIONS]
signed() {
  name=$1 issuer=$2 start=$(from "$3") end=$(from "$4") extensions=$5
  shift 5
  [ $# -gt 0 ] || set -- -algorithm EC -pkeyopt ec_paramgen_curve:P-256
  key "$@" -out $name.key
  openssl req -new -config openssl.cnf -key $name.key -subj "/CN=$name" -out $name.csr
  printf "$extensions" >$name.ext
  case $issuer in
    self) by="-selfsign -keyfile $name.key" ;;
    *) by="-cert $issuer.pem -keyfile $issuer.key" ;;
  esac
  openssl ca -batch -notext -config openssl.cnf $by -startdate $start -enddate $end \
    -in $name.csr -extfile $name.ext -out $name.pem 2>>errors
}
root root
root stranger
signed middle root yesterday "30 days" "basicConstraints = critical, CA:TRUE\n"
signed person root yesterday "30 days" "basicConstraints = critical, CA:FALSE\n"
]]

-- What each server has; absent: a good leaf of root, sent alone.
local SERVERS = {
  { "good" },
  { "chained", issuer = "middle", chain = { "middle" } },
  { "rooted", chain = { "root" } },
  { "expired", from = "10 days ago", to = "1 day ago" },
  { "early", from = "2 days", to = "9 days" },
  { "elsewhere", san = "IP:127.0.9.9, DNS:cloudpartner.azure.com" },
  { "selfsigned", issuer = "self" },
  { "unknown", issuer = "stranger" },
  { "unknown_chain", issuer = "stranger", chain = { "stranger" } },
  { "unchained", issuer = "middle" },
  { "impostor", issuer = "person", chain = { "person" } },
  { "client", usage = "clientAuth" },
  { "weak", key = "-algorithm RSA -pkeyopt rsa_keygen_bits:1024" },
  { "tls1", protocols = "TLSv1" },
  { "tls11", protocols = "TLSv1.1" },
  { "tls12", protocols = "TLSv1.2" },
  { "tls13", protocols = "TLSv1.3" },
  { "plain", plain = true },
  { "hasty", more = "keepalive_timeout 100ms;" },
  { "hasty2", listen = "http2", more = "keepalive_timeout 100ms;" },
  { "brief2", listen = "http2", more = "keepalive_requests 3;" },
}

local SIGNED = 'signed %s %s "%s" "%s" "subjectAltName = %s\\nextendedKeyUsage = %s\\n" %s\n'
  .. "cat %s.pem %s >%s.chain\n"

local function certificate(server, address)
  local chain = {}
  for _, name in ipairs(server.chain or {}) do
    table.insert(chain, name .. ".pem")
  end
  local name = server[1]
  return SIGNED:format(name, server.issuer or "root", server.from or "1 day ago",
    server.to or "30 days", server.san or "IP:" .. address, server.usage or "serverAuth",
    server.key or "", name, table.concat(chain, " "), name)
end

local NGINX = [[
master_process off;
pid nginx.pid;
error_log error.log crit;
events {}
http {
  access_log off;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5;
%s
}
]]

local SECURE = [[
server {
  listen %s:%d ssl %s;
  ssl_certificate %s.chain;
  ssl_certificate_key %s.key;
  ssl_protocols %s;
  ssl_ciphers DEFAULT@SECLEVEL=0;
  %s
  location / { return 200 '{"status":"canceled"}'; }
}
]]

local PLAIN = "server { listen %s:%d; location / { return 200 '{}'; } }\n"

-- It ends with the input of its shell. It listens before it goes into the background.
local RUN = [[
cd %s || exit
PATH="$PATH:/usr/sbin:/usr/local/sbin:/usr/local/openresty/nginx/sbin"
command -v nginx >/dev/null || alias nginx=openresty
nginx -p ./ -c nginx.conf </dev/null >start 2>&1 && echo ready >ready || cat start >ready
cat >/dev/null
kill "$(cat nginx.pid)"
]]

local function write(name, text)
  local file <close> = assert(io.open(name, "w"))
  file:write(text)
end

local function server_block(server, address, port)
  if server.plain then
    return PLAIN:format(address, port)
  end
  return SECURE:format(address, port, server.listen or "", server[1], server[1],
    server.protocols or "TLSv1.2 TLSv1.3", server.more or "")
end

-- Makes the certificates and nginx's configuration.
local function prepare(self, port, more)
  local script, blocks = { PRELUDE }, {}
  local servers = table.move(SERVERS, 1, #SERVERS, 1, {})
  for i, server in ipairs(table.move(more, 1, #more, #servers + 1, servers)) do
    local address = "127.0.1." .. i
    self.endpoints[server[1]] = ("https://%s:%d"):format(address, port)
    table.insert(script, certificate(server, address))
    table.insert(blocks, server_block(server, address, port))
  end
  table.insert(script, "mkfifo ready; mkdir hashed bare; cp root.pem hashed; "
    .. "cp root.pem bare; openssl rehash hashed")
  write(self.folder .. "/openssl.cnf", CONFIG)
  write(self.folder .. "/nginx.conf", NGINX:format(table.concat(blocks)))
  local good, output = shell.run("cd " .. self.folder .. "\n" .. table.concat(script))
  assert(good, output)
end

--- Starts the servers, and `more` of them, on a port; `endpoints` has each one's by name,
-- `folder` the authorities: root.pem, stranger.pem, and root's in hashed/ and, without
-- links, bare/.
function tls.start(port, more)
  local good, folder = shell.run "mktemp -d"
  assert(good, folder)
  local self = setmetatable({ folder = folder, endpoints = {} }, tls)
  prepare(self, port, more or {})
  self.input = assert(io.popen("unset LD_PRELOAD\n" .. RUN:format(folder), "w"))
  local answer <close> = assert(io.open(folder .. "/ready"))
  local text = answer:read "a"
  assert(text == "ready\n", text)
  return self
end

function tls:close()
  self.input:close()
  shell.run("rm -r " .. self.folder)
end

return tls
