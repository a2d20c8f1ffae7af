--- Programs that run a script and end. `make hosts`; the script is that of
-- docs/embedding.md.

local harness = require "spec.support.harness"
local host = require "spec.support.host"

local SCRIPT = { heading = "neomutt, pandoc" }

-- `twice`: the first INT is for Haskell, which heeds it when the script has ended.
local PROGRAMS = {
  { program = "neomutt", command = "neomutt -n -F /dev/null -D -e 'lua-source %s'" },
  { program = "pandoc", command = "pandoc lua %s", twice = true },
}

-- Counts descriptors before and after the script.
local AROUND = [[
local count = dofile(os.getenv "DESCRIPTORS")
local before = count()
dofile(os.getenv "FOLDER" .. "/cancel.lua")
print(count() - before, "descriptors more")
]]

for _, one in ipairs(PROGRAMS) do
  describe(one.program, function()
    if not host.has(one.program) then
      pending("is not on this machine")
      return
    end

    local here

    setup(function()
      here = host.new()
      here:write("cancel.lua", host.block(SCRIPT.heading))
      here:write("around.lua", AROUND)
    end)

    teardown(function()
      here:close()
    end)

    local function start(script)
      return here:start(one.command:format("$FOLDER/" .. script))
    end

    it("runs the script of docs/embedding.md, and its descriptors stay level", function()
      here:publish(0)
      local process <close> = start "around.lua"
      harness.eventually(function()
        return process:ended()
      end)
      local log = here:read "log"
      assert.is_truthy(log:find "canceled\n", log)
      assert.is_truthy(log:find "0\tdescriptors more\n", log)
      assert.equal(1, here:acted())
    end)

    for _, name in ipairs { "INT", "TERM" } do
      it("ends at " .. name .. ", however long the cancel takes", function()
        here:publish(86400)
        local process <close> = start "cancel.lua"
        harness.eventually(function()
          return process:ended() or here:acted() == 1
        end)
        assert.is_false(process:ended(), here:read "log")
        process:signal(name)
        harness.eventually(function()
          if one.twice and name == "INT" and not process:ended() then
            process:signal(name)
          end
          return process:ended()
        end)
      end)
    end
  end)
end
