--- Percent-encoding, read strictly: what is malformed is refused, not guessed at.

local form = {}

--- Decodes percent escapes; nil when one is malformed.
function form.unescape(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil
  end
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- A well-formed field never holds these unescaped.
local function decode_field(text)
  if text:find "[%z\1-\32\127-\255=]" then
    return nil
  end
  return form.unescape((text:gsub("+", " ")))
end

--- Decodes application/x-www-form-urlencoded text, such as a query.
-- @return table|nil   name -> value; nil when the text is malformed
-- @return table|nil   name -> how often it occurs
function form.decode(text)
  local fields, counts = {}, {}
  for pair in text:gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=(.*)$"
    name, value = decode_field(name or pair), decode_field(value or "")
    if not name or not value then
      return nil
    end
    fields[name] = value
    counts[name] = (counts[name] or 0) + 1
  end
  return fields, counts
end

return form
