-- README.md and docs/: each block of code is run as a reader would paste it, in order,
-- against the one emulator that the README starts.
local cpp = require "cpp"
local pages = require "spec.support.pages"
local reader = require "spec.docs.reader"

local blocks = {}
for _, page in ipairs(pages.all()) do
  for _, block in ipairs(pages.blocks(page)) do
    table.insert(blocks, block)
  end
end

local function plain(line)
  return (line:gsub("%s+", " "):match "^ ?(.-) ?$")
end

-- What stands after --> is a line of the output, in this order.
local function assert_shows(block, output)
  local from, lines = 1, {}
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

local function is_emulator(block)
  return block.text:find "^cloudpartner emulate "
end

local function is_command(block)
  return block.language == "sh" and not is_emulator(block)
    and ("\n" .. block.text):find "\ncloudpartner "
end

local function is_login(block)
  return block.language == "sh" and block.text:find "%(az "
end

-- One of another program that runs Lua, where spec/hosts runs it, by its heading.
local function is_host(block)
  return block.language == "lua" and block.heading
end

local here

local function load_for_host(block)
  assert(load(block.text))
  local named = ('heading = "%s"'):format(block.heading)
  for path in io.popen "ls spec/hosts/*.lua":lines() do
    local file <close> = assert(io.open(path))
    if file:read "a":find(named, 1, true) then
      return
    end
  end
  error("nothing in spec/hosts runs what is under " .. block.heading)
end

local function run_lua(block)
  if block.text:find "cqueues%.poll" and not cpp.client():pollfd() then
    return pending "no descriptor to wait for without epoll"
  end
  local good, output = here:paste("lua5.4", block.text)
  assert.is_true(good, output)
  assert_shows(block, output)
end

local function run_command(block)
  local good, output = here:paste("sh -eu", block.text)
  assert.is_true(good, output)
  if block.text:find "cloudpartner cancel" and not block.text:find "%-%-dry%-run" then
    assert.matches("contoso/contoso%-vm[^\n]*canceled", output)
  end
end

local function run_login(block)
  local good, output = here:paste("sh -eu", "given=$CPP_TOKEN CPP_TOKEN=\n" .. block.text
    .. '\ntest "$CPP_TOKEN" = "$given"\ncloudpartner status contoso contoso-vm')
  assert.is_true(good, output)
end

describe("the code of README.md and docs/", function()
  setup(function()
    local lines = {}
    for _, block in ipairs(blocks) do
      table.insert(lines, is_emulator(block) and block.text or nil)
    end
    assert.equal(1, #lines)
    here = reader.new(lines[1])
  end)

  teardown(function() here:close() end)

  for _, block in ipairs(blocks) do
    if is_host(block) then
      it("is run by spec/hosts: " .. block.name, function()
        load_for_host(block)
      end)
    elseif block.language == "lua" then
      it("runs and shows what it says: " .. block.name, function()
        run_lua(block)
      end)
    elseif block.language == "sh" then
      it("is a shell's: " .. block.name, function()
        local good, output = here:paste("sh -n", block.text)
        assert.is_true(good, output)
      end)
    end
    if is_command(block) then
      it("runs: " .. block.name, function()
        run_command(block)
      end)
    elseif is_login(block) then
      it("gets a token: " .. block.name, function()
        run_login(block)
      end)
    end
  end

  it("is there", function()
    local counts = { lua = 0, sh = 0, shown = 0, commands = 0, logins = 0 }
    local function count(what, number)
      counts[what] = (counts[what] or 0) + number
    end
    for _, block in ipairs(blocks) do
      count(block.language, 1)
      count("shown", select(2, block.text:gsub("%-%-> ", "")))
      count("commands", is_command(block) and 1 or 0)
      count("logins", is_login(block) and 1 or 0)
    end
    for what, least in pairs { lua = 10, sh = 6, shown = 12, commands = 4, logins = 1 } do
      assert.is_true(counts[what] >= least, what)
    end
  end)

  it("that fails, or shows something else, would be noticed", function()
    assert.is_false((here:paste("lua5.4", "error 'x'")))
    assert.is_false((here:paste("sh -eu", "cloudpartner no-such-command\ntrue")))
    local good, output = here:paste("lua5.4", "print 'one'")
    assert.is_true(good, output)
    assert.has_error(function()
      assert_shows({ text = "print 'one' --> two" }, output)
    end)
  end)
end)
