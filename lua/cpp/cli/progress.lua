--- How far several operations are: live lines on a terminal, elsewhere a line for
-- each change.

local lines = require "cpp.cli.lines"
local text = require "cpp.text"

---@class cpp.cli.progress
---@field console cpp.cli.console
---@field clock fun(): number
---@field rows cpp.cli.row[]
---@field gone integer  rows whose results are printed
---@field drawn_at number
---@field is_stale boolean|nil  something has changed since then
local progress = {}
progress.__index = progress

-- Seconds: lines show how long something has taken, and many changes at a time
-- are one to look at.
local EVERY, LEAST = 1, 0.1

-- Columns beside the name: enough for what matters most, a word or a bar, and a
-- time.
local BESIDE, LEAST_NAME = 24, 8

---@param console cpp.cli.console
---@param clock fun(): number  seconds
---@return cpp.cli.progress
function progress.new(console, clock)
  return setmetatable({
    console = console, clock = clock, rows = {}, gone = 0, drawn_at = -math.huge,
  }, progress)
end

--- Begins a row.
---@param label string
---@param line function  one of lines.lua
---@return cpp.cli.row
function progress:add(label, line)
  local row = { label = label, line = line, since = self.clock() }
  self.rows[#self.rows + 1] = row
  return row
end

-- Without the time, which changes always.
local function note_change(self, row)
  local known = row:line(row.label, 0)
  if row.noted ~= known then
    row.noted = known
    self.console:note(row:line(row.label, self.clock() - row.since))
  end
end

--- Shows news: what an operation tells, if one is given, and what else the caller
--- has changed in its row.
---@param row cpp.cli.row
---@param operation? cpp.operation
function progress:change(row, operation)
  if operation then
    lines.learn(row, operation)
    row.ended_at = operation.done and self.clock() or nil
  end
  if self.console:is_live() then
    self.is_stale = true
  else
    note_change(self, row)
  end
end

--- Ends a row: its result is printed.
---@param row cpp.cli.row
function progress:remove(row)
  for i, other in ipairs(self.rows) do
    if other == row then
      table.remove(self.rows, i)
      self.gone = self.gone + 1
      break
    end
  end
  self.is_stale = true
end

-- ---- live lines ----

local function label_width(rows, columns)
  local widest = 0
  for _, row in ipairs(rows) do
    widest = math.max(widest, text.columns(row.label))
  end
  return math.min(widest, math.max(LEAST_NAME, columns - BESIDE))
end

local function line_of(row, now, width, view)
  local label = text.pad(text.squeeze(row.label, width), width)
  return row:line(label, (row.ended_at or now) - row.since, view)
end

-- Where there is no room for all, those that have not ended, and a count of all that
-- there were.
local function choose(rows, gone, room)
  if #rows <= room then
    return rows
  end
  local chosen, ended = {}, gone
  for _, row in ipairs(rows) do
    if row.ended_at then
      ended = ended + 1
    elseif #chosen < room - 1 then
      chosen[#chosen + 1] = row
    end
  end
  return chosen, ("… and %d more; %d of %d have ended"):format(
    #rows - #chosen, ended, #rows + gone)
end

local function make(self, columns, room)
  local chosen, rest = choose(self.rows, self.gone, room)
  local view = { columns = columns, is_table = #chosen > 1 }
  local width, now, list = label_width(chosen, columns), self.clock(), {}
  for i, row in ipairs(chosen) do
    list[i] = line_of(row, now, width, view)
  end
  list[#list + 1] = rest
  return list
end

local function draw(self)
  self.console:draw(function(columns, room)
    return make(self, columns, room)
  end)
  self.drawn_at, self.is_stale = self.clock(), false
end

--- Draws when it is time to.
---@return number seconds  until it is time again
function progress:tick()
  if #self.rows == 0 and self.console:is_clear() then
    return LEAST
  end
  local pause = (self.is_stale or self.console:is_clear()) and LEAST or EVERY
  local left = self.drawn_at + pause - self.clock()
  if left > 0 then
    return left
  end
  draw(self)
  return EVERY
end

--- Draws when it is time to, where lines are live.
---@param seconds number|nil  how long the caller would wait
---@return number|nil  how long it may
function progress:turn(seconds)
  if not self.console:is_live() then
    return seconds
  end
  local left = self:tick()
  return math.min(seconds or left, left)
end

return progress
