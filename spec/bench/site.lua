--- What every client of the bench polls: an nginx on one core of this machine that
-- answers with a fixed document, over plain HTTP, TLS and HTTP/2, under a
-- certificate authority of its own.

local certificate = require "cpp.emulator.certificate"
local shell = require "cpp.emulator.shell"

local site = {}
site.__index = site

local DOCUMENT = "spec/bench/operation.json"

-- Below /api/publishers/changing/ two documents of one size take turns.
-- Paths are relative to the folder, which is nginx's working directory.
local CONFIG = [[
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  client_body_temp_path temporary; proxy_temp_path temporary;
  fastcgi_temp_path temporary; uwsgi_temp_path temporary; scgi_temp_path temporary;
  log_format connection $connection;
  access_log access.log connection buffer=64k flush=100ms;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  large_client_header_buffers 4 16k;
  open_file_cache max=10 inactive=1h;
  open_file_cache_valid 1h;
  default_type application/json;
  etag off;
  gzip off;
  add_header x-ms-request-id $request_id;
  map $connection_requests $turn { "~[02468]$" even; default odd; }
  server {
    listen 127.0.0.1:@PLAIN@ backlog=8192;
    listen 127.0.0.1:@TLS@ ssl http2 backlog=8192;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    root documents;
    location / { try_files /odd.json =404; }
    location /api/publishers/changing/ { try_files /$turn.json =404; }
  }
}
]]

-- $$ is nginx's own id after exec. It ends with this process, however that ends.
local START = [[
PATH="$PATH:/usr/sbin"
cd @FOLDER@ || exit
ulimit -S -n 16384
echo $$
exec setpriv --pdeathsig TERM taskset -c "$(($(nproc) - 1))" \
  nginx -p ./ -c nginx.conf -e stderr
]]

local READY = [[
for _ in $(seq 50); do
  curl --silent --fail --output @FOLDER@/answer http://127.0.0.1:@PLAIN@/ && exit
  kill -0 @PID@ 2>/dev/null || exit
  sleep 0.1
done
exit 1
]]

local function substitute(text, values)
  return (text:gsub("@(%u+)@", values))
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

local function write_documents(folder)
  local file <close> = assert(io.open(DOCUMENT))
  local document = file:read "a"
  write(folder .. "/documents/odd.json", document)
  write(folder .. "/documents/even.json", (document:gsub(": ?41}", ":42}")))
  return #document
end

local function try(self)
  local port = math.random(20000, 29998)
  local values = { FOLDER = shell.quote(self.folder), PLAIN = port, TLS = port + 1 }
  write(self.folder .. "/nginx.conf", substitute(CONFIG, values))
  self.pipe = shell.open(substitute(START, values))
  self.pid = self.pipe:read "n"
  values.PID = self.pid
  self.plain, self.tls = values.PLAIN, values.TLS
  return shell.run(substitute(READY, values))
end

--- Starts nginx on two free ports.
-- @param folder string  absolute; made anew
-- @return table  folder, ca_file, document (its bytes); to be closed
function site.start(folder)
  local quoted = shell.quote(folder)
  assert(shell.run(("rm -rf %s && mkdir -p %s/documents"):format(quoted, quoted)))
  assert(certificate.make(folder, {}))
  local self = setmetatable({ folder = folder, ca_file = folder .. "/ca.pem" }, site)
  self.document = write_documents(folder)
  for _ = 1, 10 do
    if try(self) then
      return self
    end
    self:__close()
  end
  error "nginx does not start"
end

--- Ends nginx.
function site:__close()
  shell.run(("kill %d"):format(self.pid))
  self.pipe:close()
end

--- The environment of a client.
-- @param protocol string  "plain", "tls" or "h2"
-- @param publisher? string  "changing" for a document that changes
function site:environment(protocol, publisher)
  local plain = protocol == "plain"
  return {
    BENCH_URL = ("%s://127.0.0.1:%d/api/publishers/%s/offers/contoso-vm/operations/"
      .. "56615b67-2185-49fe-80d2-000000000000?api-version=2017-10-31"):format(
      plain and "http" or "https", plain and self.plain or self.tls,
      publisher or "contoso"),
    BENCH_CA = not plain and self.ca_file or nil,
    NODE_EXTRA_CA_CERTS = not plain and self.ca_file or nil,
    BENCH_HTTP = protocol == "h2" and "2" or "1.1",
  }
end

--- Forgets the connections that were counted.
function site:forget()
  shell.run(("sleep 0.3; : >%s/access.log"):format(shell.quote(self.folder)))
end

--- How many connections the requests since then came on.
function site:connections()
  local _, count = shell.run(("sleep 0.3; sort -u %s/access.log | wc -l"):format(
    shell.quote(self.folder)))
  return math.tointeger(tonumber(count))
end

return site
