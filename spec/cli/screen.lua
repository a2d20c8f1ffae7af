--- A terminal that remembers what stands on it: enough of one for live lines. It
-- is a stream to write to. It never scrolls, and what is wider than it raises.

local text = require "cpp.text"

local screen = {}
screen.__index = screen

function screen.new(columns)
  local self = { columns = columns, lines = { "" }, row = 1, wraps = true }
  return setmetatable(self, screen)
end

local function erase_below(self)
  self.lines[self.row] = ""
  for row = self.row + 1, #self.lines do
    self.lines[row] = nil
  end
end

local CONTROLS = {
  A = function(self, count) self.row = self.row - tonumber(count) end,
  J = erase_below,
  K = function(self) self.lines[self.row] = "" end,
  l = function(self) self.wraps = false end,
  h = function(self) self.wraps = true end,
}

local function feed(self)
  self.row = self.row + 1
  self.lines[self.row] = self.lines[self.row] or ""
end

-- Only whole lines are written, from the first column on.
local function put(self, word)
  assert(self.wraps or text.columns(word) <= self.columns, "too wide: " .. word)
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
function screen:write(...)
  obey(self, table.concat { ... })
  return self
end

function screen:flush()
  return self
end

--- What stands on it, without the empty line of the cursor.
function screen:text()
  return table.concat(self.lines, "\n", 1, #self.lines - 1)
end

return screen
