--- What was measured, as a table for people, as JSON and as data for the plot.

local cjson = require "cjson"

local report = {}
report.__index = report

function report.new()
  return setmetatable({ sections = {}, lines = {} }, report)
end

local function say(self, text)
  self.lines[#self.lines + 1] = text
  print(text)
end

--- A paragraph.
function report:note(text)
  say(self, text .. "\n")
end

--- A table begins.
-- @param key string  its name in the JSON
-- @param titles table  of the columns; the first one names the rows
function report:section(key, title, titles)
  self.section_rows = {}
  self.sections[key] = self.section_rows
  self.titles = titles
  say(self, "\n## " .. title .. "\n")
  say(self, "| " .. table.concat(titles, " | ") .. " |")
  say(self, "| ---" .. (" | ---:"):rep(#titles - 1) .. " |")
end

local function shown(value)
  if math.type(value) ~= "float" then
    return value == nil and "" or tostring(value)
  elseif value >= 1000 then
    return ("%.0f"):format(value)
  elseif value >= 100 then
    return ("%.1f"):format(value)
  end
  return ("%.3g"):format(value)
end

--- A row of it: one value for each column; false leaves one empty.
function report:row(...)
  local cells, fields = {}, {}
  for i, title in ipairs(self.titles) do
    local value = (select(i, ...)) or nil
    cells[i] = shown(value)
    fields[title] = value
  end
  table.insert(self.section_rows, fields)
  say(self, "| " .. table.concat(cells, " | ") .. " |")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text, "\n")
end

--- Writes bench.md and bench.json.
function report:write(folder)
  write(folder .. "/bench.md", table.concat(self.lines, "\n"))
  write(folder .. "/bench.json", cjson.encode(self.sections))
end

return report
