--- The service's words: how they are folded, and where a document holds them.

local words = {}

-- ASCII alone: `lower` follows the locale, and a Turkish one leaves an I.
local LOWER = {}
for byte = ("A"):byte(), ("Z"):byte() do
  LOWER[string.char(byte)] = string.char(byte + 32)
end

--- A word without case, spaces, `-` and `_`; nil for what is none.
---@param word any
---@return string|nil
function words.fold(word)
  if type(word) ~= "string" then
    return nil
  end
  local folded = word:gsub("[%s_-]", ""):gsub("[A-Z]", LOWER)
  return folded ~= "" and folded or nil
end

--- The folded word of a field of an operation's document, which may be an array
-- of one.
---@param operation table
---@param name string
---@return string|nil
function words.of(operation, name)
  local document = operation.document
  if type(document) ~= "table" then
    return nil
  end
  local first = document[1]
  return words.fold((type(first) == "table" and first or document)[name])
end

--- Whether a `submissionType` is that of a cancel's own operation.
---@param kind string|nil  folded
---@return boolean
function words.is_cancel(kind)
  return kind ~= nil and kind:sub(1, 6) == "cancel"
end

return words
