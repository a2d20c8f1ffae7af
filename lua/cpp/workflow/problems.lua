--- The error messages of an operation as plain text. They are HTML that a
-- server wrote: nothing of it may reach a terminal as it is.

local text = require "cpp.text"
local words = require "cpp.workflow.words"

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " " }

-- Elements after which a reader expects a gap; others vanish without one.
local BREAKS = { br = true, p = true, div = true, li = true, tr = true, td = true,
  ul = true, ol = true, h1 = true, h2 = true, h3 = true }

-- With longer ones no character begins.
local LONGEST = 8

-- What is no tag stays.
local function gap(inner)
  local name = inner:match "^/?(%a%w*)"
  return name and (BREAKS[words.fold(name)] and " " or "")
end

local function numeric_entity(hex, digits)
  digits = digits:gsub("^0+", "0")
  local code = #digits <= LONGEST and tonumber(digits, hex == "" and 10 or 16)
  local good = code and code <= 0x10FFFF and (code < 0xD800 or code > 0xDFFF)
  return good and utf8.char(code) or ""
end

local function decode_entities(html)
  html = html:gsub("&#([xX]?)(%x+);", numeric_entity)
  return (html:gsub("&(%a+);", ENTITIES))
end

-- Up to the last end: behind it the pattern would look for one from each beginning.
local function remove_comments(html)
  local head, tail = html:match "^(.*%-%->)(.*)$"
  return head and head:gsub("<!%-%-.-%-%->", "") .. tail or html
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
  local level = type(message) == "table" and words.fold(message.level)
  return not level or level == "error"
end

local function add(found, shown, step)
  if shown ~= "" then
    found[#found + 1] = { step = step, text = shown }
  end
end

local function each(array)
  return ipairs(type(array) == "table" and array or {})
end

local function add_messages(found, messages, step)
  for _, message in each(messages) do
    add(found, is_error(message) and text_of(message) or "", step)
  end
end

local function name_of(step)
  local name = step.stepName or step.id
  return type(name) == "string" and plain(name) or nil
end

-- The reason of a failure may stand at the top of the document alone.
local function add_reason(found, operation)
  local document = words.document(operation)
  local reason = document.error
  reason = type(reason) == "table" and reason or { message = reason }
  local code, message = text_of(reason.code), text_of(reason.message)
  local joint = code ~= "" and message ~= "" and ": " or ""
  add(found, code .. joint .. message)
  if operation.state == "failed" then
    add(found, text_of(document.message))
  end
end

--- @param operation table
return function(operation)
  local found = {}
  for _, step in each(operation.steps) do
    if type(step) == "table" then
      add_messages(found, step.messages, name_of(step))
    end
  end
  add_messages(found, operation.messages)
  add_reason(found, operation)
  return found
end
