--- The pages that a reader of this project reads, README.md first, and what is in them.

local pages = {}

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

--- In the order in which README.md names them: { path =, text = } each.
function pages.all()
  local readme, seen = { path = "README.md", text = read "README.md" }, {}
  local list = { readme }
  for path in readme.text:gmatch "%((docs/[%w_]+%.md)%)" do
    if not seen[path] then
      seen[path] = true
      table.insert(list, { path = path, text = read(path) })
    end
  end
  return list
end

--- The text of all of them.
function pages.text()
  local texts = {}
  for i, page in ipairs(pages.all()) do
    texts[i] = page.text
  end
  return table.concat(texts, "\n")
end

-- The heading that a place of a text is under, where it is one within a section.
local function subheading(text, place)
  local level, heading = text:sub(1, place):match "^.*\n(##+) ([^\n]+)"
  return level == "###" and heading or nil
end

--- A page's blocks of code, in order: { language =, text =, name = } each, and with the
-- `heading` that they are under, where it is one within a section.
function pages.blocks(page)
  local found, from = {}, 1
  while true do
    local first, last, block = page.text:find("\n```(.-)\n```", from)
    if not first then
      return found
    end
    local language, text = block:match "^(%l*)\n(.*)$"
    local _, lines = page.text:sub(1, first):gsub("\n", "")
    table.insert(found, { language = language, text = text,
      heading = subheading(page.text, first),
      name = ("%s, line %d"):format(page.path, lines + 1) })
    from = last + 1
  end
end

--- The first columns of a table, by their first row's name in the page of that path:
-- name -> the rest of its row.
function pages.column(path, heading)
  local names = {}
  local rows = read(path):match("\n| " .. heading .. " |[^\n]*\n|[-:| ]+|\n(.-)\n\n")
  for row in assert(rows, heading):gmatch "[^\n]+" do
    local name, rest = row:match "^| `([%w_.]+)` |(.*)|$"
    names[name] = assert(rest, row)
  end
  return names
end

return pages
