--- How the work of workflow.problems grows with a text, in instructions that
-- callgrind counts: `make valgrind`. Lua's own hooks see nothing of what a
-- pattern costs.

local shell = require "cpp.emulator.shell"

local BYTES = 4000

local SCRIPT = [[
local problems = require "cpp.workflow.problems"
local html = %q .. (%q):rep(%d)
problems { messages = { { messageHtml = html, level = "error" } } }]]

local function instructions(first, piece, bytes)
  local script = SCRIPT:format(first, piece, bytes // #piece)
  local command = ("valgrind --tool=callgrind --callgrind-out-file=/dev/null "
    .. "lua5.4 -e %s 2>&1"):format(
    shell.quote(("package.path = %q; %s"):format(package.path, script)))
  local pipe <close> = assert(io.popen(command))
  local output = pipe:read "a"
  return assert(tonumber(output:match "Collected : (%d+)"), output)
end

-- Twice as many bytes cost twice as much, the start of Lua aside: so three sizes.
local function growth(first, piece)
  local none = instructions(first, piece, 0)
  local once = instructions(first, piece, BYTES) - none
  local twice = instructions(first, piece, 2 * BYTES) - none
  return twice / once
end

describe("the work of problems grows as the text does", function()
  for name, pieces in pairs {
    ["characters"] = { "", "\u{2039}" },
    ["what opens a tag"] = { "", "<" },
    ["comments without an end"] = { "", "<!--" },
    ["tags without an end"] = { "", "</a " },
    ["spaces"] = { "", " " },
    ["what opens an entity"] = { "", "&#" },
    ["numbers without an end"] = { "", "&#1" },
    ["one long tag"] = { "<a", "b" },
    ["one long entity"] = { "&#", "1" },
    ["one long name"] = { "&", "a" },
    ["ends of comments"] = { "<!--", "-->" },
    ["bytes that are no UTF-8"] = { "", "\xFF" },
  } do
    it("with " .. name, function()
      assert.is_true(growth(pieces[1], pieces[2]) < 2.5)
    end)
  end
end)
