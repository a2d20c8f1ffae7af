--- What the bench needs besides Debian's packages: its C programs, undici, and
-- Debian's own certificate store with the bench's authority in it.

local shell = require "cpp.emulator.shell"

local setup = {}

-- undici 6 is the last that runs on Debian's Node.
local BUILD = [[
set -e
cd spec/bench
flags="-std=c99 -O2 -Wall -Wextra -Wshadow -isystem $(
  luarocks --lua-version 5.4 config variables.LUA_INCDIR)"
cc $flags -o @FOLDER@/floor floor.c program.c -lcurl -llua5.4
cc $flags -o @FOLDER@/multi multi.c program.c -lcurl
cc $flags -fPIC -shared -o @FOLDER@/load.so load.c -lcurl
cd @FOLDER@
[ -d node_modules/undici ] || npm install --silent --no-audit --no-fund undici@6
]]

-- A namespace in which /etc/ssl/certs knows the bench's authority too.
local STORE = [[
set -e
cd @FOLDER@
rm -rf certs
cp -a /etc/ssl/certs certs
cp @CA@ certs/bench.pem
ln -sf bench.pem certs/"$(openssl x509 -noout -hash -in @CA@)".0
cat @CA@ >>certs/ca-certificates.crt
unshare --map-root-user --mount mount --bind certs /etc/ssl/certs
]]

local function substitute(text, values)
  return (text:gsub("@(%u+)@", values))
end

local function run(script)
  local good, output = shell.run(script)
  if not good then
    error(output, 0)
  end
end

--- Builds and installs into a folder.
function setup.build(folder)
  run("mkdir -p " .. shell.quote(folder))
  run(substitute(BUILD, { FOLDER = shell.quote(folder) }))
end

--- Makes the store. Returns what a command has to begin with to see it as Debian's
-- own; nil where this machine allows no namespaces.
function setup.store(folder, ca_file)
  local good = shell.run(substitute(STORE, {
    FOLDER = shell.quote(folder), CA = shell.quote(ca_file),
  }))
  local bind = ("mount --bind %s/certs /etc/ssl/certs && exec \"$@\""):format(
    shell.quote(folder))
  return good and "unshare --map-root-user --mount sh -c " .. shell.quote(bind) .. " sh"
end

return setup
