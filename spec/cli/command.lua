--- Runs `cloudpartner` as a child process, as a shell would.

local on_terminal = require "spec.support.terminal"
local shell = require "cpp.emulator.shell"

local command = {}
command.__index = command

local MAIN = "lua5.4 lua/cpp/cli/main.lua"

-- What would change the command's ways, if whoever runs the tests has set it.
local UNSET = { "CPP_ENDPOINT", "CPP_TOKEN", "SSL_CERT_FILE", "AZURE_TENANT_ID",
  "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "NO_COLOR", "COLUMNS", "LINES",
  "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" }

-- What a script of the shell begins with.
local function prelude(values)
  local all = { LUA_PATH_5_4 = package.path, LUA_CPATH_5_4 = package.cpath,
    TERM = "xterm", SHELL = "/bin/sh" }
  for name, value in pairs(values or {}) do
    all[name] = value
  end
  local lines = { "unset " .. table.concat(UNSET, " ") }
  for name, value in pairs(all) do
    table.insert(lines, ("export %s=%s"):format(name, shell.quote(value)))
  end
  return table.concat(lines, "\n") .. "\n"
end

--- The environment that makes a portal the service.
function command.of(portal)
  return { CPP_ENDPOINT = portal.endpoint, CPP_TOKEN = portal.token,
    SSL_CERT_FILE = portal.ca_file }
end

local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

--- Runs a line of a shell in which `cloudpartner` is known.
---@return table  status, out, err
function command.shell(line, values)
  local err = os.tmpname()
  local script = ('cloudpartner() { %s "$@"; }\n{ %s\n} </dev/null 2>%s'):format(
    MAIN, line, err)
  local pipe = assert(io.popen(prelude(values) .. script))
  local out = pipe:read "a"
  local _, how, status = pipe:close()
  local result = { status = how == "exit" and status or how, out = out, err = read(err) }
  os.remove(err)
  return result
end

--- Runs it to its end with these words, which the shell sees.
---@return table  status, out, err
function command.run(words, values)
  return command.shell("cloudpartner " .. words, values)
end

-- The script prints its process id first.
local function open(script, values)
  local pipe = assert(io.popen(prelude(values) .. script))
  return setmetatable({ pipe = pipe, pid = pipe:read "n", seen = pipe:read "l" }, command)
end

--- Starts it; its errors join its output, which can be read line by line. `before` is
--- what the shell does first.
function command.start(words, values, before)
  return open(("echo $$; %s exec %s %s </dev/null 2>&1"):format(before or "", MAIN, words),
    values)
end

-- /proc is its parent's, and so is the id that it has there.
local AS_INIT = "read pid rest </proc/self/stat; echo $pid; exec %s %s </dev/null 2>&1"

--- Starts it as process 1 of a world of its own.
function command.start_as_init(words, values)
  return open("unshare --pid --fork --kill-child sh -c "
    .. shell.quote(AS_INIT:format(MAIN, words)), values)
end

--- The same on a terminal of this size.
function command.start_on_terminal(columns, words, values)
  return open(on_terminal(columns, 24, ("echo $$; exec %s %s"):format(MAIN, words)), values)
end

--- Runs it on a terminal of this size.
---@return string  all that the terminal was sent
---@return integer status
function command.run_on_terminal(columns, words, values)
  local script = on_terminal(columns, 24, MAIN .. " " .. words)
  local pipe = assert(io.popen(prelude(values) .. script))
  local output = pipe:read "a"
  local _, _, status = pipe:close()
  return (output:gsub("\r\n", "\n")), status
end

--- Reads until a line matches.
---@return string  that line
function command:read_until(pattern)
  for line in self.pipe:lines() do
    self.seen = self.seen .. line .. "\n"
    if line:find(pattern) then
      return line
    end
  end
  error("never printed: " .. pattern .. "\nprinted: " .. self.seen)
end

--- Sends it a signal.
function command:send(signal)
  assert(os.execute(("kill -%s %d"):format(signal, self.pid)))
end

--- Sends it a signal and waits for its end.
---@return string out  the rest of it
---@return string how  "exit" or "signal"
---@return integer status
function command:kill(signal)
  self:send(signal)
  local rest = self.pipe:read "a"
  local _, how, status = self.pipe:close()
  return rest, how, status
end

--- Ends it, if it has not ended: a case that fails may leave it either way.
function command:__close()
  if io.type(self.pipe) == "file" then
    os.execute(("kill -KILL %d 2>/dev/null"):format(self.pid))
    self.pipe:close()
  end
end

return command
