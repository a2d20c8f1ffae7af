--- Entry points of the portal inside nginx's LuaJIT; nginx.conf names them.

local ffi = require "ffi"
local ledger = require "cpp.emulator.portal.ledger"
local request = require "cpp.emulator.portal.request"
local state = require "cpp.emulator.portal.state"
local tokens = require "cpp.emulator.portal.tokens"

local portal = {}

ffi.cdef [[
int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int getpid(void);
int getppid(void);
int kill(int process, int signal);
int setpgid(int pid, int group);
]]
local PR_SET_PDEATHSIG, SIGTERM = 1, 15
local TICK = 0.25 -- seconds

local parent = tonumber(os.getenv "CPP_EMULATOR_PARENT")

--- Removes the portal's folder, which is nginx's working directory.
-- The name comes from the environment so that no quoting reaches nginx.conf.
function portal.remove_folder()
  os.execute('rm -rf -- "$CPP_EMULATOR_FOLDER"')
end

-- The parent makes this file where it could not send a signal.
local function is_told_to_stop()
  local file = io.open "stop"
  return file ~= nil and file:close()
end

-- nginx's own way to end, exit_worker included.
local function end_when_orphaned_or_told()
  if ffi.C.getppid() ~= parent or is_told_to_stop() then
    ffi.C.kill(ffi.C.getpid(), SIGTERM)
  end
end

-- The kernel ends this process when its parent dies; where it does not, and for a
-- parent that died before prctl ran, a timer looks. The timer has another use: a signal
-- that arrives just before nginx sleeps in epoll_wait is noticed when it wakes. A process
-- group of its own keeps a terminal's Ctrl-C with the parent.
local function die_with_parent()
  if ffi.os == "Linux" then
    ffi.C.prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)
  end
  ffi.C.setpgid(0, 0)
  assert(ngx.timer.every(TICK, end_when_orphaned_or_told))
end

-- The parent waits for this line.
local function announce()
  io.stdout:write("ready ", tokens.standing, "\n")
  io.stdout:flush()
end

--- Runs once, when nginx listens, before its event loop.
function portal.start()
  die_with_parent()
  ledger.open "ledger.jsonl"
  state.open "journal.jsonl"
  assert(ngx.timer.at(0, announce))
end

--- Answers one request.
function portal.answer()
  state.read_journal()
  request.answer()
end

return portal
