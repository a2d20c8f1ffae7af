--- The service's words: how they are folded, and where a document holds them.

local fold = require "cpp.fold"

local words = {}

--- A word without case, spaces, `-` and `_`; nil for what is none.
function words.fold(word)
  local folded = type(word) == "string" and fold(word):gsub("[%s_-]", "")
  return folded and folded ~= "" and folded or nil
end

--- An operation's document, which may be an array of one; without any, an empty one.
function words.document(operation)
  local document = operation.document
  if type(document) ~= "table" then
    return {}
  end
  return type(document[1]) == "table" and document[1] or document
end

--- The folded word of a field of that document, or nil.
function words.of(operation, name)
  return words.fold(words.document(operation)[name])
end

--- Whether a `submissionType` is that of a cancel's own operation: `kind`, folded.
function words.is_cancel(kind)
  return kind ~= nil and kind:sub(1, 6) == "cancel"
end

return words
