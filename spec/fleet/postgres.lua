--- A PostgreSQL of one's own in a temporary folder, reached by a socket there. It
-- refuses root, so root runs it as nobody. Debian's own cluster is left alone.

local shell = require "cpp.emulator.shell"

local postgres = {}
postgres.__index = postgres

local TRIES = 100

local function sh(text)
  local good, output = shell.run(text)
  return assert(good and output, output)
end

local FIND = "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1"

-- Everything runs in the folder; `as` makes it another user's.
local MAKE = [[
folder=$(mktemp -d "${TMPDIR:-/tmp}/cpp-fleet.XXXXXX") && cd "$folder" || exit
[ "$(id -u)" -ne 0 ] || chown nobody .
%s %s/initdb -D data -U fleet -A trust --no-sync >initdb.log 2>&1 || { cat initdb.log; exit 1; }
pwd]]

local function user()
  return sh "id -u" == "0"
    and "setpriv --reuid=nobody --regid=nogroup --clear-groups" or ""
end

--- Makes a cluster and starts it.
function postgres.start()
  local self = setmetatable({ bin = sh(FIND), as = user() }, postgres)
  self.folder = sh(MAKE:format(self.as, self.bin))
  self:run()
  return self
end

--- The environment of a client, for `env`.
function postgres:environment()
  return ("PGHOST=%s PGUSER=fleet PGDATABASE=postgres"):format(self.folder)
end

--- Runs SQL with psql: rows of fields between bars, a line each.
function postgres:sql(text)
  return sh(("env %s %s/psql -X -q -A -t -v ON_ERROR_STOP=1 -c %s"):format(
    self:environment(), self.bin, shell.quote(text)))
end

local function wait_until_ready(self)
  for _ = 1, TRIES do
    if os.execute(("%s/pg_isready -q -h %s -U fleet -d postgres"):format(self.bin,
      self.folder)) then
      return
    end
    os.execute "sleep 0.1"
  end
  self:crash()
  error("no PostgreSQL: " .. sh("cat " .. self.folder .. "/log"))
end

--- Starts the server; returns when it takes connections.
function postgres:run()
  self.pipe = assert(io.popen(("echo $$; cd %s && exec %s %s/postgres -D data -k %s "
    .. "-c listen_addresses= -c fsync=off >>log 2>&1"):format(self.folder, self.as,
    self.bin, self.folder), "r"))
  self.pid = self.pipe:read "n"
  wait_until_ready(self)
end

--- Ends it at once, as a crash would.
function postgres:crash()
  os.execute("kill -QUIT " .. self.pid)
  self.pipe:close()
end

function postgres:__close()
  self:crash()
  os.execute("rm -rf -- " .. shell.quote(self.folder))
end

return postgres
