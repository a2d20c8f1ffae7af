--- Text for people: cleaned of what a terminal would obey, cut to a width, and
-- quoted for a shell. What comes from the service is not to be trusted.

local text = {}

local REPLACEMENT = "\u{FFFD}"

--- Makes a text UTF-8: any other byte becomes U+FFFD.
---@param value string
---@return string
function text.repair(value)
  local parts, at = {}, 1
  local _, bad = utf8.len(value)
  while bad do
    parts[#parts + 1] = value:sub(at, bad - 1)
    at = bad + 1
    _, bad = utf8.len(value, at)
  end
  parts[#parts + 1] = value:sub(at)
  return table.concat(parts, REPLACEMENT)
end

-- UTF-8 of the C1 control characters, of what separates lines, and of what turns
-- the direction of the text round. csrc/text.c has the same set.
local HIDDEN = { "\xC2[\x80-\x9F]", "\u{61C}", "\xE2\x80[\x8E\x8F\xA8-\xAE]",
  "\xE2\x81[\xA6-\xA9]" }

--- Replaces what does things to a terminal beyond ASCII's control characters.
---@param value string  UTF-8
---@param by string|fun(character: string): string
---@return string
function text.replace_hidden(value, by)
  for _, pattern in ipairs(HIDDEN) do
    value = value:gsub(pattern, by)
  end
  return value
end

--- One line fit for a terminal, whatever a server put into it.
---@param value any  numbers are taken too; anything else but a string gives ""
---@return string
function text.clean(value)
  if type(value) == "number" then
    return tostring(value)
  elseif type(value) ~= "string" then
    return ""
  end
  return text.replace_hidden((text.repair(value):gsub("[\0-\31\127]", " ")), " ")
end

-- Characters that fill two columns of a terminal, or none; enough to keep a display in
-- shape.
local RANGES = {
  { 0x300, 0x36F, 0 }, { 0x1100, 0x115F, 2 }, { 0x200B, 0x200D, 0 }, { 0x2E80, 0xA4CF, 2 },
  { 0xAC00, 0xD7A3, 2 }, { 0xF900, 0xFAFF, 2 }, { 0xFE00, 0xFE0F, 0 }, { 0xFE30, 0xFE6F, 2 },
  { 0xFF00, 0xFF60, 2 }, { 0xFFE0, 0xFFE6, 2 }, { 0x1F300, 0x1FAFF, 2 }, { 0x20000, 0x3FFFD, 2 },
}

local function columns_of(code)
  for _, range in ipairs(code >= 0x300 and RANGES or {}) do
    if code >= range[1] and code <= range[2] then
      return range[3]
    end
  end
  return 1
end

--- How many columns of a terminal a clean text fills.
---@param value string
---@return integer
function text.columns(value)
  local sum = 0
  for _, code in utf8.codes(value) do
    sum = sum + columns_of(code)
  end
  return sum
end

-- The longest beginning of a text that fills no more columns than these.
local function head(value, columns)
  local sum = 0
  for at, code in utf8.codes(value) do
    sum = sum + columns_of(code)
    if sum > columns then
      return value:sub(1, at - 1)
    end
  end
  return value
end

-- The longest end of one.
local function tail(value, columns)
  local excess = text.columns(value) - columns
  for at, code in utf8.codes(value) do
    if excess <= 0 then
      return value:sub(at)
    end
    excess = excess - columns_of(code)
  end
  return ""
end

--- Cuts a text at its end so that it fits.
---@param value string
---@param columns integer
---@return string
function text.fit(value, columns)
  if text.columns(value) <= columns then
    return value
  end
  return head(value, columns - 1) .. "…"
end

--- Cuts a text in its middle: names of many offers differ at their ends.
---@param value string
---@param columns integer
---@return string
function text.squeeze(value, columns)
  if text.columns(value) <= columns then
    return value
  end
  local left = (columns - 1) // 2
  return head(value, left) .. "…" .. tail(value, columns - 1 - left)
end

--- Breaks a line at its spaces, so that none of its parts fills more columns; those
--- after the first are indented. A word that is wider stays whole.
---@param value string
---@param columns integer
---@return string
function text.wrap(value, columns)
  local lines, line = {}, nil
  for gap, word in value:gmatch "( *)([^ ]+)" do
    local longer = line and line .. gap .. word or gap .. word
    if line and text.columns(longer) > columns then
      lines[#lines + 1] = line
      longer = "  " .. word
    end
    line = longer
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

--- Fills a text up with spaces.
---@param value string
---@param columns integer
---@return string
function text.pad(value, columns)
  return value .. (" "):rep(columns - text.columns(value))
end

--- "7s", "1m12s", "2h05m", "12d03h"
---@param seconds number
---@return string
function text.duration(seconds)
  local whole = math.floor(seconds)
  if whole < 60 then
    return ("%ds"):format(whole)
  elseif whole < 3600 then
    return ("%dm%02ds"):format(whole // 60, whole % 60)
  elseif whole < 48 * 3600 then
    return ("%dh%02dm"):format(whole // 3600, whole // 60 % 60)
  end
  return ("%dd%02dh"):format(whole // 86400, whole // 3600 % 24)
end

--- "canceled 38, failed 2": how often each word occurs, in the order of the first ones.
---@param words string[]
---@return string
function text.tally(words)
  local order, counts = {}, {}
  for _, word in ipairs(words) do
    order[#order + 1] = not counts[word] and word or nil
    counts[word] = (counts[word] or 0) + 1
  end
  for i, word in ipairs(order) do
    order[i] = ("%s %d"):format(word, counts[word])
  end
  return table.concat(order, ", ")
end

--- A text as one word of a POSIX shell: locations hold `$`.
---@param value string
---@return string
function text.quote(value)
  return "'" .. value:gsub("'", "'\\''") .. "'"
end

--- The same, left as it is where a shell takes it for one word anyway.
---@param value string
---@return string
function text.quote_word(value)
  return value:find "^[A-Za-z0-9._/:@%%+=,-]+$" and value or text.quote(value)
end

--- Words that follow the options of a command, cleaned and quoted: behind a "--" where one
--- begins like an option.
---@param words string[]
---@return string
function text.quote_words(words)
  local parts, mark = {}, ""
  for i, word in ipairs(words) do
    parts[i] = text.quote_word(text.clean(word))
    mark = word:find "^%-" and "-- " or mark
  end
  return mark .. table.concat(parts, " ")
end

return text
