-- Signals and the terminal, as the command has them.
local on_terminal = require "spec.support.terminal"
local shell = require "cpp.emulator.shell"
local system = require "cpp.system"

local PRELUDE = [[
  local system = require "cpp.system"
  local function status(name)
    local file <close> = io.open "/proc/self/status"
    return file:read "a":match(name .. ":%s*(%w+)")
  end
  local function kill(signal)
    io.popen(("kill -%s %s"):format(signal, status "Pid")):close()
  end
]]

-- What a process prints that runs this script. `line` is the shell's, with the process
-- for %s, or makes it of the process. The shell starts it itself: QEMU's user mode (7.2)
-- forgets what is ignored where one more program comes between.
local function child(script, line)
  local program = ("LUA_PATH_5_4=%s LUA_CPATH_5_4=%s lua5.4 -e %s 2>&1"):format(
    shell.quote(package.path), shell.quote(package.cpath), shell.quote(PRELUDE .. script))
  if type(line) ~= "function" then
    line = (line or "%s"):gsub("%%s", (program:gsub("%%", "%%%%")))
  end
  local pipe <close> = assert(io.popen(type(line) == "string" and line or line(program)))
  return (pipe:read "a":gsub("\n$", ""))
end

describe("cpp.system", function()
  it("catches nothing by being loaded", function()
    assert.equal("true", child [[
      local before = status "SigCgt"
      package.loaded["cpp.system"] = nil
      require "cpp.system"
      print(before == status "SigCgt")]])
  end)

  -- lua.c has an action of its own for SIGINT, whatever was before.
  local IGNORING = { INT = "{ %s & } <&0; wait", TERM = "trap '' TERM; %s",
    HUP = "trap '' HUP; %s" }

  for signal, number in pairs { INT = 2, TERM = 15, HUP = 1 } do
    it("notes the first signal, and that one alone: " .. signal, function()
      assert.equal(("nil\n%d\n%d"):format(number, number), child(([[
        print(assert(system.catch()) and system.caught())
        kill %q
        print(system.caught())
        kill "INT" kill "TERM" kill "HUP"
        print(system.caught())]]):format(signal)))
    end)

    it("leaves alone what was ignored: " .. signal, function()
      assert.equal("nil", child(([[
        assert(system.catch())
        kill %q
        print(system.caught())]]):format(signal), IGNORING[signal]))
    end)
  end

  it("ends the process with a signal that comes a second later", function()
    assert.equal("130", child([[
      assert(system.catch())
      kill "TERM"
      os.execute "sleep 1"
      kill "INT"
      print "never"]], "%s; echo $?"))
  end)

  it("notes a signal also when its library has been unloaded, as lua_close does", function()
    assert.equal("alive\n0", child([[
      assert(system.catch())
      local libraries = debug.getregistry()._CLIBS
      getmetatable(libraries).__gc(libraries)
      kill "TERM"
      print "alive"
      os.exit()]], "%s; echo $?"))
  end)

  it("keeps what is opened apart from a standard descriptor that is closed", function()
    assert.equal("held", child([[
      assert(system.catch())
      local good, _, code = io.stdout:write("x"):flush()
      io.stderr:write "y"
      system.wait(-1, 0)
      os.exit(good == nil and code == 9 and io.read() == nil and 7 or 1)]],
      "%s <&- >&- 2>&-; [ $? = 7 ] && echo held"))
  end)

  it("ends waits with a signal, and all those after it", function()
    assert.equal("15", child [[
      assert(system.catch())
      os.execute(("(sleep 0.1; kill -TERM %s) &"):format(status "Pid"))
      system.wait(-1)
      system.wait(-1)
      system.wait(-1, 3600)
      print(system.caught())]])
  end)

  it("ends waits in time, and when there is something to read", function()
    for _, seconds in ipairs { 0, 0.01, -1 } do
      system.wait(-1, seconds)
    end
    assert.equal("read", child([[system.wait(0); print(io.read())]], "echo read | %s"))
  end)

  it("knows no size where there is no terminal", function()
    assert.equal("0", child([[print(select("#", system.size(0)))]], "%s </dev/null"))
  end)

  it("knows a terminal's size", function()
    assert.equal("41 7\r", child([[print(table.concat({ system.size(2) }, " "))]],
      function(program)
        return on_terminal(41, 7, program)
      end))
  end)

  it("has writes fail that nobody reads", function()
    assert.equal("true\ntrue", child [[
      local function is_ignored()
        return tonumber(status "SigIgn", 16) & 1 << 12 ~= 0
      end
      print(system.ignore_sigpipe())
      print(is_ignored())]])
  end)
end)
