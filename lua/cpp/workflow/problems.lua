--- The error messages of an operation as plain text; the service writes HTML.

local plain = require "cpp.html"
local words = require "cpp.words"

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
    found[#found + 1] = { step = step ~= "" and step or nil, text = shown }
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
      add_messages(found, step.messages, text_of(step.stepName or step.id))
    end
  end
  add_messages(found, operation.messages)
  add_reason(found, operation)
  return found
end
