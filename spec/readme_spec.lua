-- What README.md says: its code runs, and what it names is there.
local cpp = require "cpp"
local emulator = require "cpp.emulator"
local shell = require "cpp.emulator.shell"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

local readme = read "README.md"

-- Blocks of one language: { text =, line = } each.
local function blocks(language)
  local found, from = {}, 1
  while true do
    local first, last, text = readme:find("\n```(.-)\n```", from)
    if not first then
      return found
    end
    local kind, body = text:match "^(%l*)\n(.*)$"
    if kind == language then
      local _, lines = readme:sub(1, first):gsub("\n", "")
      table.insert(found, { text = body, line = lines + 1 })
    end
    from = last + 1
  end
end

-- The names in the first column of the table whose heading that column has.
local function column(heading)
  local names, rows = {}, readme:match("\n| " .. heading .. " |[^\n]*\n|[-| ]+|\n(.-)\n\n")
  for row in assert(rows):gmatch "[^\n]+" do
    local name, rest = row:match "^| `([%w_.]+)` |(.*)|$"
    names[name] = assert(rest, row)
  end
  return names
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

-- ---- running ----

-- Each block finds a publish on both offers. The service asks for no pause, so
-- that a workflow waits for a tenth of its interval.
local RUNNING = { running = "publish" }
local portal

local function start_over()
  portal:set("contoso/contoso-vm", RUNNING)
  portal:set("contoso/contoso-app", RUNNING)
end

local function environment()
  local values = {
    CPP_ENDPOINT = portal.endpoint, CPP_TOKEN = portal.token,
    SSL_CERT_FILE = portal.ca_file, LUA_PATH_5_4 = package.path,
    LUA_CPATH_5_4 = package.cpath,
  }
  local lines = {}
  for name, value in pairs(values) do
    table.insert(lines, ("export %s=%s\n"):format(name, shell.quote(value)))
  end
  return table.concat(lines)
end

local function run(command, text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text, "\n")
  file:close()
  local good, output = shell.run(("%stimeout 60 %s %s"):format(environment(), command, path))
  os.remove(path)
  return good, output
end

local function plain(line)
  return (line:gsub("%s+", " "):match "^ ?(.-) ?$")
end

-- What stands after --> is a line of the output, in this order.
local function assert_shows(block, output)
  local from = 1
  local lines = {}
  for line in output:gmatch "[^\n]+" do
    table.insert(lines, plain(line))
  end
  for expected in block.text:gmatch "%-%-> ([^\n]+)" do
    local at
    for i = from, #lines do
      at = at or lines[i] == plain(expected) and i
    end
    assert.is_truthy(at, ("no line '%s' in:\n%s"):format(expected, output))
    from = at + 1
  end
end

describe("README.md", function()
  setup(function()
    portal = assert(emulator.start {
      tls = true, speed = 1000,
      faults = { { on = "*", retry_after = "0", times = -1 } },
    })
  end)

  teardown(function() portal:close() end)

  before_each(start_over)

  describe("Lua", function()
    local all, shown = blocks "lua", 0

    it("blocks are there", function()
      assert.is_true(#all >= 8)
      for _, block in ipairs(all) do
        shown = shown + select(2, block.text:gsub("%-%-> ", ""))
      end
      assert.is_true(shown >= 8)
    end)

    for _, block in ipairs(all) do
      it(("of line %d runs as it says"):format(block.line), function()
        if block.text:find "cqueues%.poll" and not cpp.client():pollfd() then
          return pending "no descriptor to wait for without epoll"
        end
        local good, output = run("lua5.4", block.text)
        assert.is_true(good, output)
        assert_shows(block, output)
      end)
    end

    it("that fails, or shows something else, would be noticed", function()
      assert.is_false((run("lua5.4", "error 'x'")))
      local good, output = run("lua5.4", "print 'one'")
      assert.is_true(good, output)
      assert.has_error(function()
        assert_shows({ text = "print 'one' --> two" }, output)
      end)
    end)
  end)

  describe("shell", function()
    local all = blocks "sh"

    local function has_command(block)
      return ("\n" .. block.text):find "\ncloudpartner "
    end

    -- The script that the rockspec installs as `cloudpartner`.
    local function installed()
      local fields = {}
      assert(loadfile("cloud-partner-portal-dev-1.rockspec", "t", fields))()
      local install = fields.build.install
      return install and install.bin and install.bin.cloudpartner
    end

    -- Runs a block with that script as the command.
    local function run_with(script, block)
      local folder = os.tmpname()
      os.remove(folder)
      local line = ("#!/bin/sh\nexec lua5.4 %s \"$@\"\n"):format(shell.quote(script))
      local make = ("mkdir %s && cd %s && printf %%s %s >cloudpartner && chmod +x cloudpartner")
        :format(folder, folder, shell.quote(line))
      assert(shell.run(make))
      local good, output = run("sh -eu", ("PATH=%s:$PATH\n%s"):format(folder, block.text))
      os.execute("rm -r " .. folder)
      return good, output
    end

    it("blocks are there, two of them the command's", function()
      assert.is_true(#all >= 5)
      local count = 0
      for _, block in ipairs(all) do
        count = count + (has_command(block) and 1 or 0)
      end
      assert.is_true(count >= 2)
    end)

    for _, block in ipairs(all) do
      it(("of line %d is a shell's"):format(block.line), function()
        local good, output = run("sh -n", block.text)
        assert.is_true(good, output)
      end)

      if has_command(block) then
        it(("of line %d runs"):format(block.line), function()
          local script = installed()
          if not script and not exists "lua/cpp/cli.lua" then
            return pending "the command is not there yet"
          end
          assert.is_string(script, "the rockspec installs no cloudpartner")
          local before = portal:ledger().acted
          local good, output = run_with(script, block)
          assert.is_true(good, output)
          assert.equal(before + 1, portal:ledger().acted)
        end)
      end
    end

    it("targets of make are there", function()
      local makefile = read "Makefile"
      local targets = captures(readme, "[`\n ]make (%l+)[`\n,]")
      assert.is_true(#targets >= 3)
      for _, target in ipairs(targets) do
        assert.is_truthy(makefile:find("\n" .. target .. ":"), target)
      end
    end)
  end)

  describe("names", function()
    local types = read "types/cpp.lua"

    it("every option, with its default, and no other", function()
      local settings = read "csrc/settings.c"
      local rows = settings:match "struct option options%[%] = {\n(.-)};"
      local options = captures(rows, '{"([%w_]+)"')
      assert.is_true(#options >= 20)
      local shown, numbers = column "option", 0
      assert.same(options, keys(shown))
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

    it("every kind of error", function()
      local kinds = read "csrc/error.c":match "const kinds%[%] = {(.-)}"
      assert.same(captures(kinds, '"(%l+)"'), keys(column "`err.kind`"))
    end)

    it("functions that exist", function()
      local owners = {
        workflow = require "cpp.workflow", task = require "cpp.task",
        credential = require "cpp.credential",
        client = debug.getregistry()["cpp.client"].__index,
      }
      local count = 0
      for owner, name in readme:gmatch "[`%s(](%l+)[.:]([%l_]+)[^%w_]" do
        if owners[owner] then
          count = count + 1
          assert.is_function(owners[owner][name], owner .. "." .. name)
        elseif owner == "cpp" and not cpp[name] then
          assert.is_truthy(require("cpp." .. name))
        end
      end
      assert.is_true(count > 15)
    end)

    it("fields that are annotated", function()
      local fields = types .. read "lua/cpp/workflow.lua"
      for _, table_name in ipairs { "err", "result", "operation" } do
        local names = captures(readme, "[`%s(]" .. table_name .. "%.([%l_]+)")
        assert.is_true(#names > 1)
        for _, name in ipairs(names) do
          assert.is_truthy(fields:find("@field " .. name .. "[? ]"), name)
        end
      end
    end)

    it("files and folders that exist", function()
      local count = 0
      local function check(path)
        count = count + 1
        assert.is_true(exists(path), path)
      end
      for folder, rest in readme:gmatch "[`%s(](%.?%l+)/([%w_./]*)" do
        if exists(folder) and folder ~= "lua_modules" then
          check(folder .. "/" .. rest:gsub("%.$", ""))
        end
      end
      for name in readme:gmatch "[%s(]([%l]+%.c)%f[^%w]" do
        check("csrc/" .. name)
      end
      for target in readme:gmatch "%]%(([^)#]+)%)" do
        check(target)
      end
      assert.is_true(count > 15)
    end)

    -- By make, and gone with make clean.
    local MADE = { ["lua_modules/"] = true, ["build/"] = true, ["dist/"] = true }

    it("each folder of the tree in its map", function()
      local maps = blocks ""
      local map = maps[#maps].text
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

  it("fits a screen", function()
    for line in readme:gmatch "[^\n]+" do
      assert.is_true(utf8.len(line) <= 100, line)
    end
  end)
end)
