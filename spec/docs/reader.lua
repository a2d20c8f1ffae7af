--- Whoever reads the pages with two shells open: one runs the README's `cloudpartner
-- emulate`, in the other one everything else is pasted.

local shell = require "cpp.emulator.shell"

local reader = {}
reader.__index = reader

-- What a shell has where the rock is installed: the module, and the command in its path.
local SETUP = [[
set -eu
export LUA_PATH_5_4=%s LUA_CPATH_5_4=%s PATH="%s:$PATH"
]]

-- `az` as whoever is logged in has it: it knows one question, and answers with the token.
local AZ = [[
#!/bin/sh
[ "$*" = "account get-access-token --resource https://cloudpartner.azure.com --query \
accessToken --output tsv" ] && echo "$EMULATED_TOKEN"
]]

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

-- The script that the rockspec installs as `cloudpartner`.
local function installed()
  local fields = {}
  assert(loadfile("cloud-partner-portal-dev-1.rockspec", "t", fields))()
  return fields.build.install.bin.cloudpartner
end

local function write_programs(folder)
  write(folder .. "/cloudpartner",
    ("#!/bin/sh\nexec lua5.4 %s \"$@\"\n"):format(installed()))
  write(folder .. "/az", AZ)
  assert(shell.run(("chmod +x %s/*"):format(folder)))
end

--- Opens both shells. `line` is what runs in the first one.
function reader.new(line)
  local _, folder = assert(shell.run "mktemp -d")
  write_programs(folder)
  local self = setmetatable({ folder = folder, setup = SETUP:format(
    shell.quote(package.path), shell.quote(package.cpath), folder) }, reader)
  self.emulator = assert(io.popen(self.setup .. "echo $$\nexec " .. line .. " 2>&1"))
  self.pid = self.emulator:read "n"
  self.export = self.emulator:read "l" and self.emulator:read "l"
  assert(self.export and self.export:find "^export ", self.export)
  return self
end

--- Pastes text into the second shell, as input of `command`. Returns whether it went
-- well, and what it printed.
function reader:paste(command, text)
  local path = self.folder .. "/pasted"
  write(path, text .. "\n")
  return shell.run(("%s%s\nexport EMULATED_TOKEN=\"$CPP_TOKEN\"\ntimeout 60 %s %s"):format(
    self.setup, self.export, command, path))
end

function reader:close()
  os.execute(("kill %d"):format(self.pid))
  self.emulator:close()
  os.execute("rm -r " .. self.folder)
end

return reader
