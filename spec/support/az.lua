--- An `az` that a case writes, first in PATH of what this process runs.

local shell = require "cpp.emulator.shell"

local az = {}
az.__index = az

local popen = io.popen

local function prefix(folder)
  return ("PATH=%s:$PATH; export PATH\n"):format(shell.quote(folder))
end

--- To be closed, which takes it away again. Until `is` is called there is none.
function az.new()
  local _, folder = assert(shell.run 'mktemp -d "${TMPDIR:-/tmp}/cpp-az.XXXXXX"')
  local self = setmetatable({ folder = folder, count = 0 }, az)
  io.popen = function(script, mode) -- luacheck: ignore
    self.last = script
    return popen(prefix(folder) .. script, mode)
  end
  return self
end

--- What it is: a script of the shell. Each run of it is counted.
function az:is(script)
  local name = self.folder .. "/az"
  local file <close> = assert(io.open(name, "w"))
  file:write(("#!/bin/sh\necho run >>%s/runs\n%s\n"):format(self.folder, script))
  file:close()
  assert(os.execute("chmod +x " .. name))
end

--- How often it has run.
function az:runs()
  local file <close> = io.open(self.folder .. "/runs")
  local _, count = (file and file:read "a" or ""):gsub("run\n", "")
  return count
end

--- Counts anew.
function az:forget()
  os.remove(self.folder .. "/runs")
end

function az:close()
  io.popen = popen -- luacheck: ignore
  os.execute("rm -rf " .. self.folder)
end

return az
