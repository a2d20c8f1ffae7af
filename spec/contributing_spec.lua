-- What CONTRIBUTING.md, `make help` and the forge's workflow say is there.
local shell = require "cpp.emulator.shell"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function exists(path)
  return (shell.run("ls -d " .. path))
end

-- The names that a pattern finds, sorted, each once.
local function names(text, pattern)
  local found, list = {}, {}
  for name in text:gmatch(pattern) do
    if not found[name] then
      found[name] = true
      table.insert(list, name)
    end
  end
  table.sort(list)
  return list
end

local makefile = read "Makefile"

-- Those that a user calls.
local function targets()
  local list = table.concat(names(makefile, "\n%.PHONY:([^\n]*)"))
  return names(list:gsub("packages%-%l+", ""), "%l+")
end

describe("CONTRIBUTING.md", function()
  local text = read "CONTRIBUTING.md"

  it("shows a case that passes", function()
    local good, folder = shell.run "mktemp -d"
    assert(good, folder)
    local path = folder .. "/gone_spec.lua"
    local file = assert(io.open(path, "w"))
    file:write(text:match "```lua\n(.-)```")
    file:close()
    local ran, output = shell.run("lua5.4 spec/run.lua " .. path)
    os.execute("rm -r " .. folder)
    assert.is_true(ran, output)
    assert.matches("1 passed, 0 failed", output)
  end)

  it("names files and folders that exist", function()
    local paths = names(text, "`([%l._]+/[%w_./]*)`")
    assert.is_true(#paths >= 15)
    for _, path in ipairs(paths) do
      local made = path == "lua_modules/" or path == "dist/" or path == "spec/gone_spec.lua"
      assert.is_true(made or exists(path), path)
    end
  end)

  it("names targets of make", function()
    local list = " " .. table.concat(targets(), " ") .. " "
    for _, name in ipairs(names(text, "`make%s+(%l+)")) do
      assert.is_truthy(list:find(" " .. name .. " ", 1, true), name)
    end
  end)
end)

describe("make help", function()
  it("has a line for each target, and for no other", function()
    local good, output = shell.run "make -s help"
    assert.is_true(good, output)
    assert.same(targets(), names("\n" .. output, "\n(%l+)  +%S"))
  end)
end)

describe("the forge's workflow", function()
  it("runs make check and make matrix", function()
    local workflow = read ".github/workflows/check.yml"
    assert.matches("target: %[check, matrix%]", workflow)
    assert.matches("make %${{ matrix%.target }}", workflow)
  end)
end)
