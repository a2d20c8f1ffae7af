--- The two streams of the command. Results go to stdout, progress to stderr; on a
-- terminal a block of live lines stands below everything that was printed.

local text = require "cpp.text"

---@class cpp.cli.console
--- Of the terminal; nil: there is none, or no live lines are wanted.
---@field size (fun(): {columns: integer, rows: integer}|nil)|nil
---@field stdout file*
---@field stderr file*
---@field shown string[]  the live lines
---@field failure string|nil  why stdout did not take everything
local console = {}
console.__index = console

--- @param given { out?: file*, err?: file*, size?: function }
---@return cpp.cli.console
function console.new(given)
  return setmetatable({
    stdout = given.out or io.stdout, stderr = given.err or io.stderr,
    size = given.size, shown = {},
  }, console)
end

-- ---- live lines ----

-- Lines are cut to the width. Should a width be misjudged all the same, nothing
-- wraps: a block would not be found again.
local NO_WRAP, WRAP = "\27[?7l", "\27[?7h"
-- The line is erased first: after the last column the cursor still stands on it.
local ERASE_LINE, ERASE_BELOW = "\27[2K", "\27[J"

-- Where the window has become narrower, the terminal has wrapped what stood there.
local function rows_taken(shown, columns)
  local sum = 0
  for _, filled in ipairs(shown) do
    sum = sum + math.max(1, math.ceil(filled / columns))
  end
  return sum
end

-- To the block's beginning; the cursor stands on the line below it.
local function to_top(self, columns)
  local rows = rows_taken(self.shown, columns)
  return rows > 0 and ("\r\27[%dA"):format(rows) or "\r"
end

--- Whether live lines can be shown.
---@return boolean
function console:is_live()
  return self.size ~= nil
end

--- Whether no live line is shown now.
---@return boolean
function console:is_clear()
  return #self.shown == 0
end

--- Takes the live lines away; the next `draw` brings them back.
function console:clear()
  if not self:is_clear() then
    local size = self.size() or { columns = 80 }
    self.stderr:write(to_top(self, size.columns), ERASE_BELOW)
    self.shown = {}
  end
end

--- Shows these lines in place of the last ones. All is one write, so that no
--- other process comes between.
---@param make fun(columns: integer, rows: integer): string[]
function console:draw(make)
  local size = self.size()
  if not size then
    return
  end
  local parts, shown = { NO_WRAP, to_top(self, size.columns) }, {}
  for i, line in ipairs(make(size.columns, size.rows - 1)) do
    line = text.fit(line, size.columns)
    shown[i] = text.columns(line)
    parts[#parts + 1] = ERASE_LINE .. line .. "\n"
  end
  parts[#parts + 1] = ERASE_BELOW .. WRAP
  self.stderr:write(table.concat(parts))
  self.shown = shown
end

-- ---- lines that stay ----

--- A line of progress, in whole: it may be one to copy.
---@param line string
function console:note(line)
  self:clear()
  self.stderr:write(line, "\n")
end

local function write_at_once(file, line)
  local good, message = file:write(line, "\n")
  if not good then
    return nil, message
  end
  return file:flush()
end

--- A line of the result. It leaves at once: another program may wait for it. A
-- failure must not end a cancel half-way; it is kept for the end, and the line goes
-- where somebody may still read it.
---@param line string
function console:print(line)
  self:clear()
  local good, message = write_at_once(self.stdout, line)
  if not good then
    self.failure = message
    self:note(line)
  end
end

return console
