-- The rock as users get it.
local rockspec_file = "cloud-partner-portal-dev-1.rockspec"
local library = "lua_modules/lib/lua/5.4/cpp.so"

local function shell(command)
  local pipe <close> = assert(io.popen("{ " .. command .. "\n} 2>&1"))
  local output = pipe:read "a"
  local ok = pipe:close()
  return ok == true, output
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

  it("lists every file of csrc/, in order", function()
    local sources = rockspec().build.modules.cpp.sources
    assert.same(lines "ls csrc/*.c", sources)
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

describe("cpp.so", function()
  it("exports luaopen_cpp alone", function()
    local names = lines("nm -D --defined-only --format=posix " .. library)
    assert.equal(1, #names, table.concat(names, "\n"))
    assert.matches("^luaopen_cpp T ", names[1])
  end)

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

describe("a compiler without libcurl's headers", function()
  -- Compiles with the system's include folders, each copied as links, less
  -- what is called `hidden` in them.
  local function compile(hidden)
    return shell(([[
      folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
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

  it("is told which package to install", function()
    local ok, output = compile "curl"
    assert.is_false(ok)
    assert.matches("#error .*libcurl4%-openssl%-dev", output)
  end)

  it("is the only one that fails", function()
    local ok, output = compile "no-such-header"
    assert.is_true(ok, output)
  end)
end)
