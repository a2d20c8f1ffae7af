--- What is shown. Results go to stdout, everything else to stderr: on a terminal a
-- block of live lines that stands below everything that was printed, elsewhere a line
-- for each change, with the time of day, and at least one a minute.

local rows = require "cpp.cli.rows"
local system = require "cpp.system"
local text = require "cpp.text"

---@class cpp.cli.screen
---@field rows cpp.cli.row[]
---@field failure string|nil  why stdout did not take everything
---@field gone integer  rows whose results are printed
---@field above integer  rows of the terminal that were printed above the block
---@field shown string  the live lines that stand there now
---@field drawn_at number
---@field noted_at number
---@field is_stale boolean|nil  something has changed since it was drawn
local screen = {}
screen.__index = screen

local STDOUT, STDERR = 1, 2

-- A terminal may not know its own size: then it says 0.
local function known(number, variable, otherwise)
  return number > 0 and number or math.tointeger(tonumber(os.getenv(variable))) or otherwise
end

local function size_of(fd)
  local columns, height = system.size(fd)
  if columns then
    return known(columns, "COLUMNS", 80), known(height, "LINES", 24)
  end
end

-- With NO_COLOR a terminal is left alone.
local function can_be_live()
  local term = os.getenv "TERM" or ""
  return (os.getenv "NO_COLOR" or "") == "" and term ~= "" and term ~= "dumb"
    and system.size(STDERR) ~= nil
end

--- Given a clock, whether to be quiet (results alone) and timed (progress with the time of
--- day); a spec gives out, err, size (of a descriptor: columns and rows, nil where it is no
--- terminal) and live (lines may change), too.
function screen.new(given)
  local live = given.live
  if live == nil then
    live = can_be_live()
  end
  return setmetatable({
    clock = given.clock, quiet = given.quiet, timed = given.timed and not live,
    stdout = given.out or io.stdout, stderr = given.err or io.stderr,
    size = given.size or size_of, live = live and not given.quiet,
    rows = {}, gone = 0, above = 0, shown = "", drawn_at = -math.huge, noted_at = given.clock(),
  }, screen)
end

-- Lines are cut to the width. Should a width be misjudged all the same, nothing
-- wraps: a block would not be found again.
local NO_WRAP, WRAP = "\27[?7l", "\27[?7h"
-- The line is erased first: after the last column the cursor still stands on it.
local ERASE_LINE, ERASE_BELOW, UP = "\27[2K", "\27[J", "\27[A"

-- Of a terminal, which wraps what is wider, also what stood there when it became narrower.
local function rows_of(lines, columns)
  local sum = 0
  for line in lines:gmatch "([^\n]*)\n" do
    sum = sum + math.max(1, math.ceil(text.columns(line) / columns))
  end
  return sum
end

--- Takes the live lines away; the next turn brings them back. Line by line: what is
--- erased from the first one on, some terminals keep in their scrollback.
function screen:clear()
  if self.shown ~= "" then
    local taken = rows_of(self.shown, self.size(STDERR) or 80)
    self.stderr:write("\r", (UP .. ERASE_LINE):rep(taken))
    self.shown = ""
  end
end

-- Columns beside the name: enough for what matters most, a word or a bar, and a
-- time.
local BESIDE, LEAST_NAME = 24, 8

local function label_width(chosen, columns)
  local widest = 0
  for _, row in ipairs(chosen) do
    widest = math.max(widest, text.columns(row.label))
  end
  return math.min(widest, math.max(LEAST_NAME, columns - BESIDE))
end

local function count_ended(self)
  local ended = self.gone
  for _, row in ipairs(self.rows) do
    ended = ended + (row.ended_at and 1 or 0)
  end
  return ("%d of %d have ended"):format(ended, #self.rows + self.gone)
end

-- Where there is no room for all, those that have not ended, and a count of all that
-- there were.
local function choose(self, room)
  if #self.rows <= room then
    return self.rows
  end
  local chosen = {}
  for _, row in ipairs(self.rows) do
    chosen[#chosen + 1] = not row.ended_at and #chosen < room - 1 and row or nil
  end
  return chosen, ("… and %d more; %s"):format(#self.rows - #chosen, count_ended(self))
end

-- tmux, for one, keeps the cursor's row as it wraps what stands there again: what has no
-- room above it leaves at the top, where nobody can take it away, and so does what is
-- above the cursor in a window that is made lower. So lines are no wider than most
-- windows, for one that is made half as wide wraps each once; they fill half a screen, of
-- the usual height at most; and above them are as many rows: what was printed, else
-- empty ones.
local WIDTH, HEIGHT = 80, 24

local function make_lines(self, columns, height)
  local chosen, rest = choose(self, math.max(1, (math.min(height, HEIGHT) - 1) // 2))
  local view = { columns = columns, is_table = #chosen > 1 }
  local width, now, lines = label_width(chosen, columns), self.clock(), {}
  for i, row in ipairs(chosen) do
    local label = text.pad(text.squeeze(row.label, width), width)
    lines[i] = row:line(label, (row.ended_at or now) - row.since, view)
  end
  lines[#lines + 1] = rest
  for _ = self.above + 1, #lines do
    table.insert(lines, 1, "")
  end
  return lines
end

-- All is one write, so that no other process comes between.
local function draw_lines(self, columns, height)
  local taken = rows_of(self.shown, columns)
  self.above = math.max(0, self.above + rows_of(self.shown, math.huge) - taken)
  columns = math.min(columns, WIDTH)
  local lines = make_lines(self, columns, height)
  for i, line in ipairs(lines) do
    lines[i] = text.fit(line, columns) .. "\n"
  end
  self.shown = table.concat(lines)
  self.stderr:write(table.concat { NO_WRAP, "\r", UP:rep(taken), ERASE_LINE,
    table.concat(lines, ERASE_LINE), ERASE_BELOW, WRAP })
end

local function draw(self)
  local columns, height = self.size(STDERR)
  if columns and #self.rows > 0 then
    draw_lines(self, columns, height)
  elseif columns then
    self:clear()
  end
  self.drawn_at, self.is_stale = self.clock(), false
end

-- Writes a line that stays, and that stands above the block where it is on the same
-- terminal.
local function write(self, fd, line)
  self:clear()
  local columns, file = self.size(fd), fd == STDOUT and self.stdout or self.stderr
  self.above = self.above + (columns and rows_of(text.repair(line) .. "\n", columns) or 0)
  local good, message = file:write(line, "\n")
  if good then
    return file:flush()
  end
  return good, message
end

local function wrapped(self, fd, line)
  local columns = self.size(fd)
  return columns and text.wrap(line, columns) or line
end

--- A line to copy: it stays whole.
function screen:paste(line)
  write(self, STDERR, line)
  self.noted_at = self.clock()
end

--- A line that must be told, whoever wants results alone.
function screen:tell(line)
  local time = self.timed and os.date "!%H:%M:%SZ " or ""
  self:paste(wrapped(self, STDERR, time .. line))
end

--- A line of progress.
function screen:note(line)
  if not self.quiet then
    self:tell(line)
  end
end

--- A line of the result as another program reads it. It leaves at once: somebody may
--- wait for it. A failure must not end a cancel half-way; it is kept for the end, and
--- the line goes where somebody may still read it.
function screen:emit(line)
  local good, message = write(self, STDOUT, line)
  if not good then
    self.failure = message
    self:paste(line)
  end
end

--- A line of the result for a person.
function screen:print(line)
  self:emit(wrapped(self, STDOUT, line))
end

--- Begins a row, which `row` becomes if it is given, and gives it.
function screen:add(label, line, row)
  row = row or {}
  row.label, row.line, row.since = label, line, self.clock()
  self.rows[#self.rows + 1] = row
  return row
end

local function note_row(self, row)
  self:note(row:line(row.label, (row.ended_at or self.clock()) - row.since))
end

-- Without the time, which changes always.
local function note_change(self, row)
  local line = row:line(row.label, 0)
  if row.noted ~= line then
    row.noted = line
    note_row(self, row)
  end
end

--- Shows news: what an operation tells, if one is given, and what else the caller
--- has changed in its row.
function screen:change(row, operation)
  if operation then
    rows.learn(row, operation)
    row.ended_at = operation.done and self.clock() or nil
  end
  if self.live then
    self.is_stale = true
  else
    note_change(self, row)
  end
end

--- Ends a row: its result is to be printed.
function screen:remove(row)
  for i, other in ipairs(self.rows) do
    if other == row then
      table.remove(self.rows, i)
      self.gone = self.gone + 1
      break
    end
  end
  self.is_stale = true
end

-- Seconds: lines show how long something has taken, and many changes at a time are
-- one to look at.
local EVERY, LEAST = 1, 0.1

local function tick(self)
  if #self.rows == 0 and self.shown == "" then
    return EVERY
  end
  local pause = (self.is_stale or self.shown == "") and LEAST or EVERY
  local left = self.drawn_at + pause - self.clock()
  if left > 0 then
    return left
  end
  draw(self)
  return EVERY
end

-- "12 of 40 have ended; canceling 25, looking 3"
local function sum_up(self)
  local words = {}
  for _, row in ipairs(self.rows) do
    local word = row.line == rows.wait and "waiting" or rows.word(row)
    words[#words + 1] = not row.ended_at and word or nil
  end
  return count_ended(self) .. "; " .. text.tally(words)
end

-- Seconds after which whoever reads a log takes silence for death.
local SILENCE = 60

local function pulse(self)
  if self.quiet or #self.rows == 0 then
    return math.huge
  end
  local left = self.noted_at + SILENCE - self.clock()
  if left > 0 then
    return left
  elseif #self.rows == 1 then
    note_row(self, self.rows[1])
  else
    self:note(sum_up(self))
  end
  return SILENCE
end

--- Shows what it is time to show, and gives the seconds until it is time again.
function screen:turn()
  return (self.live and tick or pulse)(self)
end

return screen
