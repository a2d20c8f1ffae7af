--- nginx as a child process: finding it, configuring it, starting and ending it.

local shell = require "cpp.emulator.shell"

local server = {}
server.__index = server

local MISSING = "the emulator needs nginx with its Lua module: install the packages "
  .. "nginx and libnginx-mod-http-lua (Debian, Ubuntu); OpenResty also works"

-- Paths are relative to the portal's folder, which is nginx's working directory, so
-- that no quoting is needed. Relative Location headers must stay relative. nginx would
-- go on after an error in init_worker, and the parent would wait for ever.
local CONFIG = [[
@MODULES@
daemon off;
master_process off;
pid nginx.pid;
error_log error.log warn;
env CPP_EMULATOR_FOLDER;
env CPP_EMULATOR_PARENT;
env PATH;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path temporary; proxy_temp_path temporary;
  fastcgi_temp_path temporary; uwsgi_temp_path temporary; scgi_temp_path temporary;
  client_body_buffer_size 1m;
  client_max_body_size 1m;
  large_client_header_buffers 4 64k;
  keepalive_requests 1000000;
  keepalive_timeout 1h;
  absolute_redirect off;
  gzip on;
  gzip_types application/json;
  gzip_min_length 256;
  ssl_protocols TLSv1.2 TLSv1.3;
  lua_package_path "./?.lua;./?/init.lua;;";
  init_worker_by_lua_block {
    local started, message = pcall(function() require "cpp.emulator.portal".start() end)
    if not started then
      io.stdout:write(message, "\n")
      os.exit(1)
    end
  }
  exit_worker_by_lua_block { require "cpp.emulator.portal".remove_folder() }
  server {
    @LISTEN@
    location / { content_by_lua_block { require "cpp.emulator.portal".answer() } }
    location @reset { reset_timedout_connection on; return 444; }
  }
}
]]

-- $$ is nginx's own id after exec; $PPID is this process.
local START = [[
cd -- @FOLDER@ || exit
{ ulimit -S -n 8192 || ulimit -S -n "$(ulimit -H -n)"; } 2>/dev/null
export CPP_EMULATOR_FOLDER=@FOLDER@ CPP_EMULATOR_PARENT=$PPID
echo $$
exec @NGINX@ -p ./ -c nginx.conf @ERRORS@
]]

local FIND = [[
PATH="$PATH:/usr/sbin:/usr/local/sbin:/usr/local/openresty/nginx/sbin"
command -v nginx || command -v openresty
]]

local function exists(name)
  local file <close> = io.open(name, "r")
  return file ~= nil
end

-- The load_module lines: none when the Lua module is built in, nil when it is missing.
local function module_lines(build)
  if build:find "%-%-add%-module=%S*lua" then
    return ""
  end
  local folder = build:match "%-%-modules%-path=(%S+)" or "/usr/lib/nginx/modules"
  local lines = {}
  for i, name in ipairs { "ndk_http_module", "ngx_http_lua_module" } do
    local path = ("%s/%s.so"):format(folder, name)
    if not exists(path) then
      return nil
    end
    lines[i] = ("load_module %s;\n"):format(path)
  end
  return table.concat(lines)
end

-- Since 1.19.5, -e keeps nginx from opening the log that was compiled in.
local function error_option(build)
  local major, minor, patch = build:match "/(%d+)%.(%d+)%.(%d+)"
  local version = major and (major * 1000 + minor) * 1000 + patch or 0
  return version >= 1019005 and "-e stderr" or ""
end

--- Finds an nginx that can run the portal.
-- @param path string|nil  where it is; else it is looked for
-- @return table|nil       path, modules (lines of configuration), errors (an option)
-- @return string|nil      what to install
function server.find(path)
  local found = path
  if not path then
    local good, output = shell.run(FIND)
    found = good and output
  end
  local runs, build = shell.run((found and shell.quote(found) or "false") .. " -V")
  local modules = runs and build:find "nginx version" and module_lines(build)
  if not modules then
    return nil, MISSING
  end
  return { path = found, modules = modules, errors = error_option(build) }
end

local function substitute(template, values)
  return (template:gsub("@(%u+)@", values))
end

-- Whether the machine has the IPv6 loopback address; `localhost` may mean it.
local function has_ipv6()
  local file <close> = io.open "/proc/net/if_inet6"
  return file ~= nil and file:read "a":find(("0"):rep(31) .. "1", 1, true) ~= nil
end

local function listen_lines(port, tls, addresses)
  local options = tls and " ssl http2" or ""
  local lines = { ("listen 127.0.0.1:%d%s;"):format(port, options) }
  if has_ipv6() then
    lines[#lines + 1] = ("listen [::1]:%d%s;"):format(port, options)
  end
  for _, address in ipairs(addresses) do
    lines[#lines + 1] = ("listen %s:%d%s;"):format(address, port, options)
  end
  if tls then
    lines[#lines + 1] = "ssl_certificate server.pem; ssl_certificate_key server.key;"
  end
  return table.concat(lines, "\n    ")
end

local function write_config(folder, nginx, port, tls, addresses)
  local file <close> = assert(io.open(folder .. "/nginx.conf", "w"))
  file:write((substitute(CONFIG, {
    MODULES = nginx.modules, LISTEN = listen_lines(port, tls, addresses),
  })))
end

-- Reads nginx's output up to the line that says it is ready.
-- @return string|nil  the portal's token
-- @return string|nil  the output when it failed
local function read_ready(pipe)
  local output = {}
  for line in pipe:lines() do
    local token = line:match "^ready (%S+)$"
    if token then
      return token
    end
    output[#output + 1] = line
    if line:find "Address already in use" then
      break
    end
  end
  return nil, table.concat(output, "\n")
end

--- Starts nginx in a folder that holds the journal (and the certificate), on
-- loopback and on the addresses given.
-- @return table|nil   a server: pid, token
-- @return string|nil  nginx's message; it holds "Address already in use" when
--   another port is to be tried
function server.start(folder, nginx, port, tls, addresses)
  write_config(folder, nginx, port, tls, addresses)
  local pipe = shell.open(substitute(START, {
    FOLDER = shell.quote(folder), NGINX = shell.quote(nginx.path), ERRORS = nginx.errors,
  }))
  local pid = math.tointeger(tonumber(pipe:read "l"))
  local self = setmetatable({ pipe = pipe, pid = pid, folder = folder }, server)
  local token, output = read_ready(pipe)
  if not token then
    self:stop()
    return nil, "nginx does not start: " .. output
  end
  self.token = token
  return self
end

-- A Ctrl-C may end the shell before it has run kill. Then a file tells nginx, which
-- looks for it four times a second.
local function tell_to_stop(self)
  local file = not os.execute(("kill %d 2>/dev/null"):format(self.pid))
    and io.open(self.folder .. "/stop", "w")
  if file then
    file:close()
  end
end

--- Ends nginx and waits for its end.
function server:stop()
  if self.pid then
    tell_to_stop(self)
  end
  self.pipe:close()
end

return server
