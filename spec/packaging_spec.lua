-- The rock as users get it.
local harness = require "spec.support.harness"
local rockspec_file = "cloud-partner-portal-dev-1.rockspec"
local version = require "cpp"._VERSION
local library = "lua_modules/lib/lua/5.4/cpp.so"
local system = "lua_modules/lib/lua/5.4/cpp/system.so"

local function shell(command)
  local pipe <close> = assert(io.popen("{ " .. command .. "\n} 2>&1"))
  local output = pipe:read "a"
  local ok = pipe:close()
  return ok == true, output
end

-- Runs commands with a folder of their own, $folder, that goes with them.
local function in_folder(commands)
  return shell("folder=$(mktemp -d) && trap 'rm -rf \"$folder\"' EXIT\n" .. commands)
end

local function lines(command)
  local ok, output = shell(command)
  assert(ok, output)
  local list = {}
  for line in output:gmatch "[^\n]+" do
    table.insert(list, line)
  end
  return list
end

local function rockspec()
  local fields = {}
  assert(loadfile(rockspec_file, "t", fields))()
  return fields
end

describe("the rockspec", function()
  it("passes LuaRocks' lint", function()
    local ok, output =
      shell("luarocks --lua-version 5.4 lint " .. rockspec_file)
    assert.is_true(ok, output)
  end)

  it("lists every file of csrc/", function()
    local sources = {}
    for _, module in pairs(rockspec().build.modules) do
      table.move(module.sources, 1, #module.sources, #sources + 1, sources)
    end
    table.sort(sources)
    assert.same(lines "LC_ALL=C ls csrc/*.c", sources)
  end)

  it("has the version of its file name", function()
    local fields = rockspec()
    assert.equal(rockspec_file,
      ("%s-%s.rockspec"):format(fields.package, fields.version))
  end)
end)

describe("the installed tree", function()
  it("holds every Lua file of lua/ and no other", function()
    local function tree(root)
      return lines(("cd %s && find cpp -name '*.lua' | sort"):format(root))
    end
    assert.same(tree "lua", tree "lua_modules/share/lua/5.4")
  end)

  it("has no Lua file that hides the C module", function()
    for _, root in ipairs { "lua", "lua_modules/share/lua/5.4" } do
      assert.is_nil(io.open(root .. "/cpp.lua"))
      assert.is_nil(io.open(root .. "/cpp/init.lua"))
    end
  end)
end)

describe("a source file", function()
  local function exists(path)
    local file = io.open(path)
    return file ~= nil and file:close()
  end

  for _, path in ipairs(lines "ls csrc/*.c") do
    local name = path:match "([%w_]+)%.c$"
    it("has a spec of its own: " .. name, function()
      assert.is_true(exists("spec/" .. name .. "_spec.lua")
        or exists("spec/unit/" .. name .. ".c"))
    end)
  end
end)

describe("csrc/", function()
  -- The files that the header declares, in its order; luaopen_cpp is above all, and
  -- what the command alone loads stands apart.
  local function house()
    local header = assert(io.open "csrc/cpp.h"):read "a"
    local order = {}
    for name in header:gmatch "\n/%* %-%-%-%- ([%l_]+)%.c %-" do
      table.insert(order, name)
    end
    table.insert(order, "cpp")
    table.insert(order, "system")
    return order
  end

  -- What each object defines and needs, as nm has it.
  local function symbols()
    local output = lines [[
      incdir=$(luarocks --lua-version 5.4 config variables.LUA_INCDIR)
      folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
      for source in csrc/*.c; do
        name=${source#csrc/}
        cc -O0 -I"$incdir" -c "$source" -o "$folder/${name%.c}" || exit
      done
      cd "$folder" && nm --format=posix -g *]]
    local defined, needed, object = {}, {}, nil
    for _, line in ipairs(output) do
      local name, kind = line:match "^(%S+) (%a)"
      object = line:match "^([%l_]+):$" or object
      if kind == "U" then
        table.insert(needed, { object, name })
      elseif kind then
        defined[name] = object
      end
    end
    return defined, needed
  end

  it("is declared file by file", function()
    local order = house()
    table.sort(order)
    local names = {}
    for i, name in ipairs(order) do
      names[i] = ("csrc/%s.c"):format(name)
    end
    assert.same(lines "ls csrc/*.c", names)
  end)

  it("has no file that calls one above it", function()
    local floor, upwards, calls = {}, {}, 0
    for i, name in ipairs(house()) do
      floor[name] = i
    end
    local defined, needed = symbols()
    for _, need in ipairs(needed) do
      local object, name = table.unpack(need)
      local callee = defined[name]
      calls = calls + (callee and 1 or 0)
      if callee and floor[callee] >= floor[object] then
        table.insert(upwards, ("%s.c calls %s of %s.c"):format(object, name, callee))
      end
    end
    assert.is_true(calls > 100)
    assert.same({}, upwards)
  end)
end)

for file, name in pairs { [library] = "cpp", [system] = "cpp_system" } do
  it(file:match "5.4/(.*)" .. " exports luaopen_" .. name .. " alone", function()
    local names = lines("nm -D --defined-only --format=posix " .. file)
    assert.equal(1, #names, table.concat(names, "\n"))
    assert.matches("^luaopen_" .. name .. " T ", names[1])
  end)
end

describe("cpp.so", function()
  it("needs libcurl and at most the C library besides", function()
    local needed = {}
    for _, line in ipairs(lines("objdump -p " .. library)) do
      local name = line:match "^%s*NEEDED%s+(%w+)"
      if name and name ~= "libc" and name ~= "libm" then
        table.insert(needed, name)
      end
    end
    assert.same({ "libcurl" }, needed)
  end)
end)

describe("a part that is missing is named, with what to install:", function()
  local TREE = "env -u LUA_INIT LUA_PATH= LUA_CPATH=lua_modules/lib/lua/5.4/?.so "

  local function refused(command, pattern)
    local ok, output = in_folder(command)
    assert.is_false(ok, output)
    assert.matches(pattern, output)
  end

  -- Compiles with the system's include folders, each copied as links, less
  -- what is called `hidden` in them.
  local function compile(hidden)
    return in_folder(([[
      incdir=$(luarocks --lua-version 5.4 config variables.LUA_INCDIR)
      set -- -nostdinc
      for path in $(cc -E -v -x c /dev/null 2>&1 |
        sed -n '/^#include </,/^End/s/^ //p')
      do
        copy=$folder/$#
        mkdir "$copy" && ln -s "$path"/* "$copy" && rm -f "$copy/%s"
        set -- "$@" -isystem "$copy"
      done
      cc -fsyntax-only "$@" -I"$incdir" csrc/cpp.c]]):format(hidden))
  end

  it("libcurl's headers", function()
    local ok, output = compile "curl"
    assert.is_false(ok)
    assert.matches("#error .*libcurl4%-openssl%-dev", output)
    ok, output = compile "no-such-header"
    assert.is_true(ok, output)
  end)

  it("lua-cjson", function()
    refused(TREE .. "lua5.4 -e 'require [[cpp]]'",
      "lua%-cjson is missing: luarocks install lua%-cjson, or apt%-get install lua%-cjson")
  end)

  -- Loads the module onto a libcurl that says of itself what `line` sets.
  local function load_with(line)
    return ([[
      cc -shared -fPIC -o "$folder/other.so" -x c - -Wl,--no-as-needed -lcurl <<'END' || exit 0
      #define _GNU_SOURCE
      #include <curl/curl.h>
      #include <dlfcn.h>
      curl_version_info_data *curl_version_info(CURLversion age) {
        static curl_version_info_data info;
        curl_version_info_data *(*real)(CURLversion);
        *(void **)&real = dlsym(RTLD_NEXT, "curl_version_info");
        info = *real(age);
        info.%s;
        return &info;
      }
END
      LD_PRELOAD="$folder/other.so" lua5.4 -e '
        package.cpath = "lua_modules/lib/lua/5.4/?.so;" .. package.cpath
        require "cpp"' ]]):format(line)
  end

  it("TLS in libcurl", function()
    refused(load_with "features &= ~CURL_VERSION_SSL", "libcurl has no TLS: install libcurl4")
    assert.is_true(in_folder(load_with "features |= CURL_VERSION_SSL"))
  end)

  it("a libcurl that is new enough", function()
    refused(load_with 'version_num = 0x075000, info.version = "7.80.0"',
      "libcurl 7%.81 or newer is needed, this is 7%.80%.0")
  end)

  it("Lua 5.4, where an older one loads the library", function()
    local found = 0
    for _, lua in ipairs { "lua5.1", "lua5.2", "lua5.3", "luajit" } do
      if shell("command -v " .. lua) then
        found = found + 1
        refused(TREE .. lua .. " -e 'require [[cpp]]'",
          "cpp: Lua 5%.4 is needed, and this is an older one: install lua5%.4")
      end
    end
    if found == 0 then
      return pending "no older Lua here"
    end
  end)

  it("Lua 5.4, where another LuaRocks builds the rock", function()
    if not shell "command -v lua5.1" then
      return pending "no lua5.1 here"
    end
    local ok, output = in_folder("LUAROCKS_CONFIG=.ci/luarocks.lua " ..
      'luarocks --lua-version 5.1 make --tree "$folder" ' .. rockspec_file)
    assert.is_false(ok)
    assert.matches("Could not satisfy dependency lua >= 5%.4", output)
  end)
end)

-- As Python's ctypes loads it by itself. LOAD stands for the line that does so.
describe("a host whose liblua is its own alone", function()
  local HOST = [[
cat >"$folder/host.py" <<'END'
import ctypes, sys
lua = LOAD
lua.luaL_newstate.restype = ctypes.c_void_p
lua.lua_tolstring.restype = ctypes.c_char_p
state = ctypes.c_void_p(lua.luaL_newstate())
lua.luaL_openlibs(state)
failed = (lua.luaL_loadstring(state, sys.argv[1].encode())
          or lua.lua_pcallk(state, 0, 1, 0, ctypes.c_void_p(0), None))
print(lua.lua_tolstring(state, -1, None).decode())
sys.exit(failed)
END
python3 "$folder/host.py" ']]
  local LOCAL = 'ctypes.CDLL("liblua5.4.so.0")'

  if not shell("python3 -c 'import ctypes\n" .. LOCAL .. "'") then
    pending "needs python3 and liblua5.4.so.0"
    return
  end

  -- Runs a script in it: whether it went well, and what it returned.
  local function run(load, script)
    return in_folder(("export LUA_PATH_5_4='%s' LUA_CPATH_5_4='lua_modules/lib/lua/5.4/?.so;%s'\n")
      :format(package.path, package.cpath) .. HOST:gsub("LOAD", load) .. script .. "'")
  end

  it("is told which of Lua's symbols is missing", function()
    local ok, output = run(LOCAL, "require [[cpp]]")
    assert.is_false(ok)
    assert.matches("undefined symbol: luaL?_", output)
  end)

  it("makes calls where it has loaded it for all, as docs/embedding.md says", function()
    local here = harness.start()
    finally(function() here:close() end)
    local file <close> = assert(io.open "docs/embedding.md")
    local load = assert(file:read "a":match "`(ctypes%.CDLL%(.-%))`")
    local ok, output = run(load, ([[
      local client <close> = require [=[cpp]=].client { endpoint = %q, token = %q }
      return assert(client:poll(%q)).state]]):format(here.endpoint, here.token, here.location))
    assert.same({ true, "canceled\n" }, { ok, output })
  end)
end)

-- As the README's lines do it, in folders whose names hold a space.
describe("the rock", function()
  it("works from another folder, and goes without a trace", function()
    local ok, output = in_folder [[
      set -eu
      export LUAROCKS_CONFIG="$PWD/.ci/luarocks.lua" HOME="$folder"
      unset LUA_PATH LUA_CPATH LUA_PATH_5_4 LUA_CPATH_5_4 LUA_INIT
      mkdir "$folder/a copy"
      tar -c --exclude=./.git --exclude=./build --exclude=./dist --exclude=./lua_modules \
        --exclude='*.o' . |
        tar -x --no-same-owner -C "$folder/a copy"
      cd "$folder/a copy"
      git init -q
      git add .
      rocks="luarocks --lua-version 5.4"
      $rocks make --tree "$folder/a tree" >"$folder/log" 2>&1 || cat "$folder/log"

      cd "$folder"
      mv "a copy" "gone"
      eval "$($rocks --tree "$folder/a tree" path)"
      lua5.4 -e 'print(require "cpp"._VERSION, require "cpp.workflow" ~= nil)'
      cloudpartner --version
      cloudpartner --help | head -n 1
      ls "$($rocks --tree "$folder/a tree" show --rock-dir cloud-partner-portal)/types"

      $rocks remove --tree "$folder/a tree" cloud-partner-portal >"$folder/log" 2>&1 ||
        cat "$folder/log"
      cd "$folder/a tree"
      find . -type f
      cd ../gone
      ls cpp.so cpp/system.so csrc/cpp.o
      make clean >/dev/null
      test -z "$(git status --porcelain --ignored | grep -v "^A  ")"]]
    assert.is_true(ok, output)
    assert.equal(table.concat({
      version .. "\ttrue", "cloudpartner " .. version,
      "Usage: cloudpartner [-h] [--version] <command> ...",
      "cpp.lua", "emulator.lua", "workflow.lua", "./lib/luarocks/rocks-5.4/manifest", "cpp.so",
      "cpp/system.so", "csrc/cpp.o", "",
    }, "\n"), output)
  end)
end)
