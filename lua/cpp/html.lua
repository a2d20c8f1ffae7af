--- HTML that a server wrote as plain text: nothing of it may reach a terminal as it is.

local fold = require "cpp.fold"
local text = require "cpp.text"

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " " }

-- Elements after which a reader expects a gap; others vanish without one.
local BREAKS = { br = true, p = true, div = true, li = true, tr = true, td = true,
  ul = true, ol = true, h1 = true, h2 = true, h3 = true }

-- What is no tag stays.
local function gap(inner)
  local name = inner:match "^/?(%a%w*)"
  return name and (BREAKS[fold(name)] and " " or "")
end

-- What is no character's number vanishes; none has more than seven digits.
local function numeric_entity(hex, digits)
  digits = digits:gsub("^0+(%x)", "%1")
  local code = #digits <= 7 and tonumber(digits, hex == "" and 10 or 16)
  local good = code and code <= 0x10FFFF and (code < 0xD800 or code > 0xDFFF)
  return good and utf8.char(code) or ""
end

-- Up to the last end: behind it the pattern would look for one from each beginning.
local function remove_comments(html)
  local head, tail = html:match "^(.*%-%->)(.*)$"
  return head and head:gsub("<!%-%-.-%-%->", "") .. tail or html
end

--- @param html string
-- @return string  one line, without control characters
return function(html)
  local shown = remove_comments(html):gsub("<([^<>]*)>", gap)
  shown = shown:gsub("&#([xX]?)(%x+);", numeric_entity):gsub("&(%a+);", ENTITIES)
  shown = text.clean(shown):gsub("\xC2\xA0", " ")
  return (shown:gsub(" +", " "):gsub("^ ", ""):gsub(" $", ""))
end
