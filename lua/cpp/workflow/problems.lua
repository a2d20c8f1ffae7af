--- The error messages of an operation as plain text. They are HTML that a
-- server wrote: nothing of it may reach a terminal as it is.

local text = require "cpp.text"

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " " }

-- Elements after which a reader expects a gap; others vanish without one.
local BREAKS = { br = true, p = true, div = true, li = true, tr = true, td = true,
  ul = true, ol = true, h1 = true, h2 = true, h3 = true }

-- In a Turkish locale `lower` leaves an I as it is. What is no tag stays.
local function gap(inner)
  local name = inner:match "^/?(%a%w*)"
  return name and (BREAKS[name:lower():gsub("I", "i")] and " " or "")
end

-- With longer ones no character begins.
local LONGEST = 8

local function character(code)
  local good = code and code <= 0x10FFFF and not (code >= 0xD800 and code <= 0xDFFF)
  return good and utf8.char(code) or ""
end

local function numeric_entity(hex, digits)
  digits = digits:gsub("^0+", "0")
  return #digits <= LONGEST and character(tonumber(digits, hex == "" and 10 or 16)) or ""
end

local function decode_entities(html)
  html = html:gsub("&#([xX]?)(%x+);", numeric_entity)
  return (html:gsub("&(%a+);", ENTITIES))
end

-- By hand: a pattern would look for the end of each one that has none.
local function remove_comments(html)
  local parts, at = {}, 1
  local from = html:find("<!--", at, true)
  local to = from and html:find("-->", from + 4, true)
  while to do
    parts[#parts + 1] = html:sub(at, from - 1)
    at = to + 3
    from = html:find("<!--", at, true)
    to = from and html:find("-->", from + 4, true)
  end
  return table.concat(parts) .. html:sub(at)
end

local function plain(html)
  local shown = remove_comments(html):gsub("<([^<>]*)>", gap)
  shown = text.clean(decode_entities(shown)):gsub("\xC2\xA0", " ")
  return (shown:gsub(" +", " "):gsub("^ ", ""):gsub(" $", ""))
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

local function add_text(found, ...)
  local parts = {}
  for _, part in ipairs { ... } do
    parts[#parts + 1] = part ~= "" and part or nil
  end
  if #parts > 0 then
    found[#found + 1] = { text = table.concat(parts, ": ") }
  end
end

-- The reason of a failure may stand at the top of the document alone.
local function add_reason(found, operation)
  local document = operation.document
  document = type(document) == "table" and (document[1] or document)
  if type(document) ~= "table" then
    return
  end
  local reason = document.error
  if type(reason) == "table" then
    add_text(found, text_of(reason.code), text_of(reason.message))
  else
    add_text(found, text_of(reason))
  end
  if operation.state == "failed" then
    add_text(found, text_of(document.message))
  end
end

--- @param operation table
return function(operation)
  local found = {}
  for _, step in ipairs(type(operation.steps) == "table" and operation.steps or {}) do
    if type(step) == "table" then
      add(found, step.messages, name_of(step))
    end
  end
  add(found, operation.messages)
  add_reason(found, operation)
  return found
end
