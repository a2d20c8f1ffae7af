--- Child processes that run a Lua script with the module under test and, through
-- the environment, a bench's portal as its service.

local shell = require "cpp.emulator.shell"

local child = {}
child.__index = child

local function write(script)
  local name = os.tmpname()
  local file <close> = assert(io.open(name, "w"))
  file:write(script)
  return name
end

local function environment(bench)
  local portal = bench and bench.portal or {}
  local words = { "env", "-u", "http_proxy", "-u", "https_proxy" }
  local values = { LUA_PATH_5_4 = package.path, LUA_CPATH_5_4 = package.cpath,
    CPP_ENDPOINT = portal.endpoint, CPP_TOKEN = portal.token, SSL_CERT_FILE = portal.ca_file }
  for name, value in pairs(values) do
    table.insert(words, shell.quote(name .. "=" .. value))
  end
  return table.concat(words, " ")
end

--- Starts a script, after shell commands if there are any; its errors join its output.
function child.start(bench, script, before)
  local name = write(script)
  local command = ("%s\necho $$; exec %s lua5.4 %s 2>&1"):format(before or "",
    environment(bench), name)
  local pipe = assert(io.popen(command, "r"))
  return setmetatable({ pipe = pipe, pid = pipe:read "n", script = name }, child)
end

--- Whether the process sleeps in the kernel.
function child:sleeps()
  local file <close> = io.open(("/proc/%d/stat"):format(self.pid))
  return file and file:read "a":match "^.*%) (%a)" == "S"
end

function child:interrupt()
  assert(os.execute(("kill -INT %d"):format(self.pid)))
end

--- Waits for the end. Returns the output, and how and with which status it ended.
function child:finish()
  local output = self.pipe:read "a":gsub("^\n", "")
  local _, how, status = self.pipe:close()
  os.remove(self.script)
  return output, how, status
end

--- Runs a script to its end.
function child.run(bench, script, before)
  return child.start(bench, script, before):finish()
end

return child
