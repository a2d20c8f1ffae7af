local asking = require "spec.emulator.asking"
local emulator = require "cpp.emulator"
local shell = require "cpp.emulator.shell"

local VERSION, ask, bearer = asking.VERSION, asking.ask, asking.bearer
local cancel, exists, eventually = asking.cancel, asking.exists, asking.eventually
local get, path_of, poll = asking.get, asking.path_of, asking.poll

describe("the emulator as a process", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  it("answers as soon as start returns", function()
    assert.equal(200, poll(still()).status)
  end)

  it("leaves nothing behind when it is closed, twice even", function()
    still { }
    local folder, pid = portal.folder, portal.pid
    assert.is_true(exists(folder .. "/nginx.conf"))
    portal:close()
    portal:close()
    assert.is_false(exists(folder .. "/nginx.conf"))
    assert.is_false(exists("/proc/" .. pid .. "/stat"))
  end)

  it("ends with its variable's scope", function()
    local pid
    do
      local scoped <close> = assert(emulator.start())
      pid = scoped.pid
    end
    assert.is_false(exists("/proc/" .. pid .. "/stat"))
  end)

  it("ends when it is collected", function()
    local pid = assert(emulator.start()).pid
    collectgarbage()
    collectgarbage()
    assert.is_false(exists("/proc/" .. pid .. "/stat"))
  end)

  -- Returns a pipe with the script's output.
  local function start_script(lua, script)
    return io.popen(("LUA_PATH=%s LUA_CPATH=%s exec %s -e %s"):format(
      shell.quote(package.path), shell.quote(package.cpath), lua, shell.quote(script)))
  end

  -- As a second Ctrl-C does it to the shells that end the portal.
  it("ends, folder and all, when no command can be run any more", function()
    local script = start_script("timeout 20 lua5.4", [[
      local portal = assert(require "cpp.emulator".start())
      local execute = os.execute
      function os.execute(command)
        return execute("kill -INT $$\n" .. command)
      end
      portal:close()
      print(portal.pid, portal.folder)]])
    local pid, folder = script:read("n", "l")
    assert.same({ true, "exit", 0 }, { script:close() })
    assert.is_false(exists(("/proc/%d/stat"):format(pid)))
    assert.is_false(exists(folder:match "%S.*" .. "/nginx.conf"))
  end)

  it("ends, folder and all, when its parent is killed", function()
    local script = start_script("lua5.4", [[
      local portal = assert(require "cpp.emulator".start())
      local stat <close> = io.open "/proc/self/stat"
      print(portal.pid, portal.folder)
      io.stdout:flush()
      os.execute("kill -9 " .. stat:read "n")]])
    local pid, folder = script:read("n", "l")
    local _, how, signal = script:close()
    assert.same({ "signal", 9 }, { how, signal })
    local gone = eventually(function()
      return not exists(("/proc/%d/cmdline"):format(pid))
    end)
    assert.is_true(gone)
    assert.is_false(exists(folder:match "%S.*" .. "/nginx.conf"))
  end)

  it("runs twice at once, each with its own offers and token", function()
    still()
    local other <close> = assert(emulator.start { offers = { ["fabrikam/app"] = {} } })
    assert.not_equal(portal.endpoint, other.endpoint)
    assert.equal(200, get(other, path_of "fabrikam/app" .. "status").status)
    assert.equal(403, get(portal, path_of "fabrikam/app" .. "status").status)
    assert.equal(401, ask(other, path_of "fabrikam/app" .. "status?" .. VERSION,
      "-H", bearer(portal)).status)
  end)

  it("keeps its folder to its owner", function()
    still()
    local _, mode = shell.run("stat -c %a " .. shell.quote(portal.folder))
    assert.equal("700", mode)
  end)

  it("works in a folder whose name needs quoting", function()
    local _, base = shell.run "mktemp -d"
    local name = base .. "/it's a \"folder\"; $HOME"
    os.execute("mkdir " .. shell.quote(name))
    local script = [[
      local portal <close> = assert(require "cpp.emulator".start{ tls = true })
      print(portal.folder)]]
    local good, output = shell.run(("TMPDIR=%s LUA_PATH=%s LUA_CPATH=%s lua5.4 -e %s")
      :format(shell.quote(name), shell.quote(package.path), shell.quote(package.cpath),
      shell.quote(script)))
    os.execute("rmdir " .. shell.quote(name) .. " " .. shell.quote(base))
    assert.is_true(good, output)
    assert.equal(name, output:sub(1, #name))
    assert.is_false(exists(base))
  end)

  it("writes no error log", function()
    still()
    cancel(portal)
    local file <close> = io.open(portal.folder .. "/error.log")
    assert.equal("", file:read "a")
  end)

  it("names the packages where nginx is missing", function()
    local none, message = emulator.start { nginx = "/nonexistent/nginx" }
    assert.is_nil(none)
    assert.truthy(message:find("libnginx-mod-http-lua", 1, true))
    assert.truthy(message:find("OpenResty", 1, true))
  end)

  it("names the packages where nginx has no Lua module", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write "#!/bin/sh\necho nginx version: nginx/1.22.1 --modules-path=/none\n"
    file:close()
    os.execute("chmod +x " .. name)
    local none, message = emulator.start { nginx = name }
    os.remove(name)
    assert.is_nil(none)
    assert.truthy(message:find("libnginx-mod-http-lua", 1, true))
  end)

  it("refuses to be used when closed", function()
    still():close()
    assert.error_matches(function()
      portal:ledger()
    end, "closed emulator")
  end)
end)
