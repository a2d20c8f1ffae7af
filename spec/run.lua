-- Runs the suite: lua5.4 spec/run.lua [busted's options] [spec files]
-- The Lua files under test are those of ./lua; the C module is the built one.
-- CPP_TREE names another LuaRocks tree to take it from than lua_modules;
-- CPP_TEST_GC=1 keeps the garbage collector at work all the time;
-- CPP_TEST_LOCALE sets a locale, as a host may.
-- It runs itself again in the environment that clean.sh makes, unless it is there.

if not os.getenv "CPP_TEST_CLEAN" then
  local words, first = {}, 0
  while arg[first - 1] do
    first = first - 1
  end
  for i = first, #arg do
    table.insert(words, "'" .. arg[i]:gsub("'", "'\\''") .. "'")
  end
  local _, how, status = os.execute("exec sh spec/clean.sh " .. table.concat(words, " "))
  os.exit(how == "signal" and 128 + status or status, true)
end

-- Busted may be a rock. What is tested may not: an installed version would
-- hide the one just built, so LuaRocks' searcher comes last.
if pcall(require, "luarocks.loader") then
  table.insert(package.searchers, table.remove(package.searchers, 1))
end

local tree = os.getenv "CPP_TREE" or "lua_modules"
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = tree .. "/lib/lua/5.4/?.so;" .. package.cpath

-- Busted's runner makes its own core and keeps it; give it this one.
local core = require "busted.core"()
package.loaded["busted.core"] = function() return core end

local passed, failed, skipped = 0, 0, 0

core.subscribe({ "test", "end" }, function(_, _, status)
  if status == "success" then
    passed = passed + 1
  elseif status == "pending" then
    skipped = skipped + 1
  end
  return nil, true
end)

local function failure()
  failed = failed + 1
  return nil, true
end
core.subscribe({ "failure" }, failure)
core.subscribe({ "error" }, failure)

local locale = os.getenv "CPP_TEST_LOCALE"
if locale then
  assert(os.setlocale(locale), "no locale " .. locale .. " here")
end

if os.getenv "CPP_TEST_GC" == "1" then
  collectgarbage("setpause", 0)
  local function collect()
    collectgarbage()
    return nil, true
  end
  for _, element in ipairs { "suite", "file", "describe", "test" } do
    core.subscribe({ element, "start" }, collect)
    core.subscribe({ element, "end" }, collect)
  end
end

-- Here and not below: after a failure the runner does not return. Flushed,
-- since a leak that is found at exit ends the process at once.
core.subscribe({ "exit" }, function()
  io.write(("%d passed, %d failed"):format(passed, failed))
  io.write(skipped > 0 and (", %d skipped\n"):format(skipped) or "\n")
  io.flush()
  os.exit(failed == 0 and passed > 0, true)
end)

require "busted.runner" { standalone = false }
