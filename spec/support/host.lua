--- Programs that embed Lua and that nobody here wrote, with a portal over TLS as their
-- service and a folder of their own for what they read and write. The scripts that they
-- run are those of docs/embedding.md.

local emulator = require "cpp.emulator"
local lfs = require "lfs"
local pages = require "spec.support.pages"
local shell = require "cpp.emulator.shell"

local host = {}
host.__index = host

--- A portal and a folder; `close` ends and removes what is left.
function host.new()
  local self = setmetatable({ started = {} }, host)
  local _
  _, self.root = assert(shell.run "pwd")
  _, self.folder = assert(shell.run 'mktemp -d "${TMPDIR:-/tmp}/cpp-hosts.XXXXXX"')
  self:write("log", "")
  self.portal = assert(emulator.start { tls = true, speed = 250 })
  return self
end

function host:close()
  for _, process in ipairs(self.started) do
    process:finish()
  end
  self.portal:close()
  os.execute("rm -rf " .. self.folder)
end

--- Whether the program is there.
function host.has(program)
  return (shell.run(("PATH=$PATH:/usr/sbin:/sbin command -v %s"):format(program)))
end

--- Sets a publish in motion on contoso/contoso-vm and vm1 to vm20; canceling takes this
-- many of the portal's seconds. With 0 no workflow waits, with 10 each does for 5 s.
function host:publish(cancel_seconds)
  for _, offer in ipairs(host.offers()) do
    self.portal:set("contoso/" .. offer, { running = "publish",
      publish_seconds = 86400, cancel_seconds = cancel_seconds })
  end
  self.acted_before = self.portal:ledger().acted
end

function host.offers()
  local offers = { "contoso-vm" }
  for i = 1, 20 do
    table.insert(offers, "vm" .. i)
  end
  return offers
end

--- How many cancels have acted since `publish`.
function host:acted()
  return self.portal:ledger().acted - self.acted_before
end

--- The block of Lua under a heading of docs/embedding.md.
function host.block(heading)
  for _, page in ipairs(pages.all()) do
    for _, block in ipairs(page.path == "docs/embedding.md" and pages.blocks(page) or {}) do
      if block.heading == heading then
        return block.text .. "\n"
      end
    end
  end
  error("no block under " .. heading)
end

--- Writes a file into the folder. Returns its path.
function host:write(name, text)
  local path = self.folder .. "/" .. name
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  return path
end

--- What a file of the folder holds; nil where there is none.
function host:read(name)
  local file <close> = io.open(self.folder .. "/" .. name)
  return file and file:read "a"
end

-- The module's folders may be given relative to this one.
local function absolute(paths, root)
  return (paths:gsub("[^;]+", function(path)
    return path:match "^/" and path or root .. "/" .. path
  end))
end

--- Shell commands that give a host the portal, the module, the folder, and what runs
-- inside it.
function host:environment()
  local values = {
    CPP_ENDPOINT = self.portal.endpoint, CPP_TOKEN = self.portal.token,
    SSL_CERT_FILE = self.portal.ca_file, HOME = self.folder, FOLDER = self.folder,
    LUA_PATH_5_4 = absolute(package.path, self.root),
    LUA_CPATH_5_4 = absolute(package.cpath, self.root),
    TWENTY = self.root .. "/spec/support/twenty.lua",
    DESCRIPTORS = self.root .. "/spec/support/descriptors.lua",
  }
  local lines = { "unset http_proxy https_proxy" }
  for name, value in pairs(values) do
    table.insert(lines, ("export %s=%s"):format(name, shell.quote(value)))
  end
  table.insert(lines, "cd $FOLDER; PATH=$FOLDER:$PATH:/usr/sbin:/sbin")
  return table.concat(lines, "\n") .. "\n"
end

-- ---- processes ----

local process = {}
process.__index = process
process.__close = function(self)
  self:finish()
end

-- The state of a process, as a letter, its parent and its session.
local function stat(pid)
  local file <close> = io.open(("/proc/%s/stat"):format(pid))
  local state, parent, session =
    (file and file:read "a" or ""):match "^.*%) (%a) (%d+) %d+ (%d+)"
  return state, tonumber(parent), tonumber(session)
end

--- Starts a program, given as a shell's command; what it prints is added to the file
-- `log`. A session of its own: Apache ends its whole process group, and what outlives its
-- parent is found.
function host:start(command)
  local script = self:environment() .. "echo $$; exec " .. command .. " >>log 2>&1 </dev/null"
  local pipe = assert(io.popen("exec setsid sh -c " .. shell.quote(script)))
  local started = setmetatable({ pipe = pipe, pid = pipe:read "n" }, process)
  started.session = select(3, stat(started.pid))
  table.insert(self.started, started)
  return started
end

-- The processes for which `fits(parent, session)` is true.
local function processes(fits)
  local found = {}
  for name in lfs.dir "/proc" do
    local state, parent, session = stat(name)
    if name:find "^%d+$" and state and state ~= "Z" and fits(parent, session) then
      table.insert(found, tonumber(name))
    end
  end
  return found
end

--- The only child of the process; nil where it has none yet.
function process:child()
  return processes(function(parent)
    return parent == self.pid
  end)[1]
end

--- Whether it has ended, or another process has.
function process:ended(pid)
  local state = stat(pid or self.pid)
  return state == nil or state == "Z" or state == "X"
end

--- How many descriptors it has, or another process of its user's.
function process:descriptors(pid)
  local _, names = assert(shell.run(("ls /proc/%d/fd"):format(pid or self.pid)))
  return select(2, names:gsub("%d+", ""))
end

function process:signal(name)
  assert(os.execute(("kill -%s %d"):format(name, self.pid)))
end

--- Ends what is left of it and of what it has started.
function process:finish()
  if not self.pipe then
    return
  end
  for _, pid in ipairs(processes(function(_, session) return session == self.session end)) do
    os.execute(("kill -KILL %d 2>/dev/null"):format(pid))
  end
  self.pipe:close()
  self.pipe = nil
end

return host
