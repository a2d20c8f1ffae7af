local function lower(letter)
  return string.char(letter:byte() + 32)
end

--- Lower case of ASCII's letters alone: in some locales an I has another.
---@param text string
---@return string
return function(text)
  return (text:gsub("[A-Z]", lower))
end
