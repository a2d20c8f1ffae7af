--- Child processes that run a Lua script with the module under test and, through
-- the environment, a harness's portal as its service.

local shell = require "cpp.emulator.shell"

local child = {}
child.__index = child

local function write(script)
  local name = os.tmpname()
  local file <close> = assert(io.open(name, "w"))
  file:write(script)
  return name
end

local function environment(here)
  local portal = here and here.portal or {}
  local words = { "env", "-u", "http_proxy", "-u", "https_proxy" }
  local values = { LUA_PATH_5_4 = package.path, LUA_CPATH_5_4 = package.cpath,
    CPP_ENDPOINT = portal.endpoint, CPP_TOKEN = portal.token, SSL_CERT_FILE = portal.ca_file }
  for name, value in pairs(values) do
    table.insert(words, shell.quote(name .. "=" .. value))
  end
  return table.concat(words, " ")
end

--- Starts a script, after shell commands if there are any; its errors join its output.
function child.start(here, script, before)
  local name = write(script)
  local command = ("%s\necho $$; exec %s lua5.4 %s 2>&1"):format(before or "",
    environment(here), name)
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
function child.run(here, script, before)
  return child.start(here, script, before):finish()
end

local IGNORED = "unset CPP_ENDPOINT CPP_TOKEN SSL_CERT_FILE SSL_CERT_DIR http_proxy "
  .. "https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY; "

--- Runs a script in a Lua process of its own. The variables that the module reads are
-- those of `variables` and no others.
---@return string  what it printed, errors included, without the last newline
function child.output(script, variables)
  local words = { IGNORED .. "exec env" }
  local all = { LUA_PATH_5_4 = package.path, LUA_CPATH_5_4 = package.cpath }
  for name, value in pairs(variables or {}) do
    all[name] = value
  end
  for name, value in pairs(all) do
    table.insert(words, shell.quote(name .. "=" .. value))
  end
  table.insert(words, "lua5.4 -W -e " .. shell.quote(script) .. " 2>&1")
  local pipe <close> = assert(io.popen(table.concat(words, " ")))
  return (pipe:read("a"):gsub("\n$", ""))
end

return child
