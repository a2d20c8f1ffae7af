--- The error messages of an operation as plain text. They are HTML that a
-- server wrote: nothing of it may reach a terminal as it is.

local text = require "cpp.text"

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " " }

-- Elements after which a reader expects a gap; others vanish without one.
local BREAKS = { br = true, p = true, div = true, li = true, tr = true, td = true,
  ul = true, ol = true, h1 = true, h2 = true, h3 = true }

-- In a Turkish locale `lower` leaves an I as it is.
local function gap(name)
  return BREAKS[name:lower():gsub("I", "i")] and " " or ""
end

local function character(code)
  local good = code and code <= 0x10FFFF and not (code >= 0xD800 and code <= 0xDFFF)
  return good and utf8.char(code) or ""
end

local function numeric_entity(hex, digits)
  return character(tonumber(digits, hex == "" and 10 or 16))
end

local function decode_entities(html)
  html = html:gsub("&#([xX]?)(%x+);", numeric_entity)
  return (html:gsub("&(%a+);", ENTITIES))
end

local function plain(html)
  local shown = html:gsub("<!%-%-.-%-%->", ""):gsub("</?(%a%w*)[^<>]*>", gap)
  shown = text.clean(decode_entities(shown)):gsub("\xC2\xA0", " ")
  return (shown:gsub(" +", " "):match "^ ?(.-) ?$")
end

local function text_of(message)
  if type(message) == "table" then
    message = message.messageHtml or message.message or message.text
  end
  return type(message) == "string" and plain(message) or ""
end

-- A message without a level is shown: better one too many.
local function is_error(message)
  local level = type(message) == "table" and message.level
  return type(level) ~= "string" or level:lower() == "error"
end

local function add(found, messages, step)
  for _, message in ipairs(type(messages) == "table" and messages or {}) do
    local shown = is_error(message) and text_of(message) or ""
    if shown ~= "" then
      found[#found + 1] = { step = step, text = shown }
    end
  end
end

local function name_of(step)
  local name = step.stepName or step.id
  return type(name) == "string" and plain(name) or nil
end

--- @param operation table
return function(operation)
  local found = {}
  for _, step in ipairs(operation.steps or {}) do
    if type(step) == "table" then
      add(found, step.messages, name_of(step))
    end
  end
  add(found, operation.messages)
  return found
end
