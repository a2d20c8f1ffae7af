--- The terminal that stderr may be. Lua has no isatty; stty knows, and tells the
-- size besides.

local terminal = {}

local VARIABLE = { columns = "COLUMNS", rows = "LINES" }
local FALLBACK = { columns = 80, rows = 24 }

local function environment(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- A terminal may not know its own size: then it says 0.
local function known(number, name)
  number = tonumber(number)
  if number and number > 0 then
    return number
  end
  return math.tointeger(tonumber(environment(VARIABLE[name]))) or FALLBACK[name]
end

--- The size of the terminal that stderr is; nil where it is none.
---@return {columns: integer, rows: integer}|nil
function terminal.size()
  local pipe <close> = assert(io.popen "stty size <&2 2>/dev/null")
  local rows, columns = (pipe:read "a"):match "^(%d+) (%d+)"
  if not rows then
    return nil
  end
  return { rows = known(rows, "rows"), columns = known(columns, "columns") }
end

--- Whether stderr can show lines that change. With NO_COLOR it is left alone.
---@return boolean
function terminal.is_live()
  local term = environment "TERM"
  return environment "NO_COLOR" == nil and term ~= nil and term ~= "dumb"
    and terminal.size() ~= nil
end

return terminal
