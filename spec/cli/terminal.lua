--- A terminal that remembers what stands on it and what has left it at its top: enough
-- of one for live lines. It is a stream to write to. As tmux does, it keeps in its
-- scrollback what is erased from the first line on.

local text = require "cpp.text"

local terminal = {}
terminal.__index = terminal

function terminal.new(columns, rows)
  return setmetatable({ columns = columns, rows = rows, lines = { "" }, row = 1,
    scrollback = {}, wraps = true }, terminal)
end

local function scroll(self)
  while #self.lines > self.rows do
    table.insert(self.scrollback, table.remove(self.lines, 1))
    self.row = self.row - 1
  end
end

local function erase_below(self)
  if self.row == 1 then
    table.move(self.lines, 1, #self.lines, #self.scrollback + 1, self.scrollback)
  end
  self.lines[self.row] = ""
  for row = self.row + 1, #self.lines do
    self.lines[row] = nil
  end
end

local CONTROLS = {
  A = function(self, count) self.row = math.max(1, self.row - (tonumber(count) or 1)) end,
  J = erase_below,
  K = function(self) self.lines[self.row] = "" end,
  l = function(self) self.wraps = false end,
  h = function(self) self.wraps = true end,
}

local function feed(self)
  self.row = self.row + 1
  self.lines[self.row] = self.lines[self.row] or ""
  scroll(self)
end

-- Only whole lines are written, from the first column on, of narrow characters.
local function put(self, word)
  assert(self.wraps or text.columns(word) <= self.columns, "too wide: " .. word)
  while text.columns(word) > self.columns do
    local cut = utf8.offset(word, self.columns + 1)
    self.lines[self.row] = word:sub(1, cut - 1)
    word = word:sub(cut)
    feed(self)
  end
  self.lines[self.row] = word
end

local function obey(self, bytes)
  while bytes ~= "" do
    local count, control, rest = bytes:match "^\27%[%??(%d*)(%a)(.*)$"
    local word = bytes:match "^[^\27\r\n]+"
    if control then
      CONTROLS[control](self, count)
    elseif word then
      put(self, word)
    elseif bytes:sub(1, 1) == "\n" then
      feed(self)
    end
    bytes = rest or bytes:sub(#(word or " ") + 1)
  end
end

--- What a file's `write` does.
function terminal:write(...)
  obey(self, table.concat { ... })
  return self
end

function terminal:flush()
  return self
end

--- Its window gets another size. As in tmux, the cursor keeps its row: what is wider
-- wraps, and what has no room above the cursor leaves at the top.
function terminal:resize(columns, rows)
  local lines, row = self.lines, math.min(self.row, rows)
  self.columns, self.rows, self.lines, self.row = columns, math.huge, { "" }, 1
  for i = 1, #lines - 1 do
    put(self, lines[i])
    feed(self)
  end
  self.rows = row
  scroll(self)
  self.rows = rows
end

--- What stands on it, without the empty line of the cursor.
function terminal:text()
  return table.concat(self.lines, "\n", 1, #self.lines - 1)
end

return terminal
