-- What README.md and docs/ name is there, and what is there they name.
local cpp = require "cpp"
local fold = require "cpp.fold"
local options = require "cpp.workflow.options"
local pages = require "spec.support.pages"
local shell = require "cpp.emulator.shell"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

local function keys(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function captures(text, pattern)
  local found = {}
  for name in text:gmatch(pattern) do
    found[name] = true
  end
  return keys(found)
end

local all = pages.all()
local text = pages.text()
local types = read "types/cpp.lua"

describe("README.md", function()
  local readme = all[1].text

  it("is read in five minutes", function()
    local _, words = readme:gsub("%S+", "")
    assert.is_true(words <= 900, words .. " words")
  end)

  it("leads to every page of docs/", function()
    local found = {}
    for i = 2, #all do
      found[i - 1] = all[i].path
    end
    table.sort(found)
    local _, listed = shell.run "ls docs/*.md"
    assert.equal(listed, table.concat(found, "\n"))
  end)
end)

describe("README.md and docs/", function()
  -- A credential's, and the ends of names of files.
  local OTHERS = { route = true, h = true, so = true }

  it("name targets of make that are there", function()
    local makefile = read "Makefile"
    local targets = captures(text, "`make%s+(%l+)%f[^%l]")
    assert.is_true(#targets >= 10)
    for _, target in ipairs(targets) do
      assert.is_truthy(makefile:find("\n" .. target .. ":", 1, true), target)
    end
  end)

  it("name functions that exist", function()
    local owners = {
      workflow = require "cpp.workflow", task = require "cpp.task",
      credential = require "cpp.credential",
      client = debug.getregistry()["cpp.client"].__index,
    }
    local count = 0
    for owner, name in text:gmatch "[`%s(](%l+)[.:]([%l_]+)[^%w_]" do
      if OTHERS[name] then
        count = count
      elseif owners[owner] then
        count = count + 1
        assert.is_function(owners[owner][name], owner .. "." .. name)
      elseif owner == "cpp" and not cpp[name] then
        assert.is_truthy(require("cpp." .. name))
      end
    end
    assert.is_true(count > 15)
  end)

  it("name fields that are annotated", function()
    local fields = types .. read "types/workflow.lua"
    for _, table_name in ipairs { "err", "result", "operation" } do
      local names = captures(text, "[`%s(]" .. table_name .. "%.([%l_]+)")
      assert.is_true(#names > 1)
      for _, name in ipairs(names) do
        assert.is_truthy(fields:find("@field " .. name .. "[? ]"), name)
      end
    end
  end)

  it("name files and folders that exist", function()
    local count = 0
    local function check(path, from)
      count = count + 1
      assert.is_true(exists(path), from .. ": " .. path)
    end
    for _, page in ipairs(all) do
      local folder = page.path:match "^.*/" or ""
      for target in page.text:gmatch "%]%(([^)#]+)" do
        check(folder .. target, page.path)
      end
      for room, rest in page.text:gmatch "[`%s(](%.?%l+)/([%w_./-]*)" do
        if exists(room) and room ~= "lua_modules" then
          check(room .. "/" .. rest:gsub("%.$", ""), page.path)
        end
      end
      for name in page.text:gmatch "[%s(]([%l]+%.c)%f[^%w]" do
        check("csrc/" .. name, page.path)
      end
    end
    assert.is_true(count > 40)
  end)

  -- A heading as a forge makes an anchor of it.
  local function anchor_of(heading)
    return (fold(heading):gsub("[^%w _-]", ""):gsub(" ", "-"))
  end

  it("point at headings that exist", function()
    local count = 0
    for target, anchor in text:gmatch "%]%(([%w_]+%.md)#([^)]+)%)" do
      count = count + 1
      local found = {}
      for heading in read("docs/" .. target):gmatch "\n## ([^\n]+)" do
        found[anchor_of(heading)] = true
      end
      assert.is_true(found[anchor], target .. "#" .. anchor)
    end
    assert.is_true(count > 0)
  end)

  -- Tables are as wide as their rows.
  it("fit a screen", function()
    for _, page in ipairs(all) do
      for line in page.text:gmatch "[^\n]+" do
        local is_row = line:find "^|" and page.path ~= "README.md"
        assert.is_true(is_row or utf8.len(line) <= 100, line)
      end
    end
  end)
end)

describe("docs/options.md", function()
  it("has every option, with its default, and no other", function()
    local rows = read "csrc/settings.c":match "struct option options%[%] = {\n(.-)};"
    local known = captures(rows, '{"([%w_]+)"')
    assert.is_true(#known >= 20)
    local shown, numbers = pages.column("docs/options.md", "option"), 0
    assert.same(known, keys(shown))
    for name, rest in pairs(shown) do
      local number = rest:match "| (%d+) $"
      if number then
        numbers = numbers + 1
        local doc = types:match("([^@]*)\n%-%-%-@field " .. name .. "%?")
        assert.is_truthy(doc:find("Default: " .. number, 1, true), name)
      end
    end
    assert.equal(4, numbers)
  end)

  it("has every option of a workflow, with its default, and no other", function()
    local defaults = {}
    for _, known in ipairs { options.WAIT, options.CANCEL, options.CANCEL_ALL } do
      for name, rule in pairs(known) do
        defaults[name] = rule[2] == nil and "none" or tostring(rule[2])
      end
    end
    local shown = pages.column("docs/options.md", "option of a workflow")
    for name, rest in pairs(shown) do
      shown[name] = rest:match "| ([^|]-) | [^|]- $"
    end
    assert.same(defaults, shown)
  end)
end)

describe("docs/errors.md", function()
  it("has every kind of error", function()
    local kinds = read "csrc/error.c":match "const kinds%[%] = {(.-)}"
    assert.same(captures(kinds, '"(%l+)"'), keys(pages.column("docs/errors.md", "`err.kind`")))
  end)
end)

describe("docs/workflows.md", function()
  it("has every code of the workflows' own errors", function()
    local annotated = read "lua/cpp/workflow.lua":match "errors: (`deadline`.-)%.\n"
    assert.same(captures(annotated, "`([%l_]+)`"), keys(pages.column("docs/workflows.md", "code")))
  end)
end)

describe("docs/command.md", function()
  it("has every command that `cloudpartner help` lists", function()
    local setup = ("export LUA_PATH_5_4=%s LUA_CPATH_5_4=%s\n"):format(
      shell.quote(package.path), shell.quote(package.cpath))
    local good, help = shell.run(setup .. "lua5.4 lua/cpp/cli/main.lua --help")
    assert.is_true(good, help)
    local listed = captures("\n" .. help:match "Commands:\n(.-)\n\n", "   (%l+)  +%u")
    assert.same(listed, keys(pages.column("docs/command.md", "command")))
  end)

  it("has every field of a JSON line", function()
    local order = read "lua/cpp/cli/json.lua":match "local ORDER = {(.-)}"
    local rows, cells = read "docs/command.md":match "\n| field |[^\n]*\n|[-| ]+|\n(.-)\n\n", {}
    for cell in ("\n" .. rows):gmatch "\n| ([^|]+)" do
      table.insert(cells, cell)
    end
    assert.same(captures(order, '"([%l_]+)"'), captures(table.concat(cells), "`([%l_]+)`"))
  end)
end)

describe("docs/design.md", function()
  -- By make and LuaRocks, and gone with make clean.
  local MADE = { ["lua_modules/"] = true, ["build/"] = true, ["dist/"] = true,
    ["cpp/"] = true }

  it("has each folder of the tree in its map", function()
    local map
    for _, block in ipairs(pages.blocks { path = "", text = read "docs/design.md" }) do
      map = block.text
    end
    local lines = 0
    for path in map:gmatch "[^\n]+" do
      lines = lines + 1
      path = path:match "^%S+"
      assert.is_true(select(1, shell.run("ls -d " .. path)), path)
    end
    assert.equal(11, lines)
    for folder in io.popen "ls -d */":lines() do
      if not MADE[folder] then
        assert.is_truthy(("\n" .. map):find("\n" .. folder, 1, true), folder)
      end
    end
  end)
end)
