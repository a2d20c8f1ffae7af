--- The workflow with one text of it replaced.

local mutant = {}

local PREFIX = "cpp.workflow"

local function read(module)
  local path = assert(package.searchpath(module, package.path))
  local file <close> = assert(io.open(path))
  return file:read "a", path
end

-- Text, not a pattern: it must be there exactly once.
local function replace(text, from, to)
  local first, last = text:find(from, 1, true)
  if not first then
    return nil, "its text is not there"
  elseif text:find(from, last + 1, true) then
    return nil, "its text is there twice"
  end
  return text:sub(1, first - 1) .. to .. text:sub(last + 1)
end

local function forget()
  for name in pairs(package.loaded) do
    if name:sub(1, #PREFIX) == PREFIX then
      package.loaded[name] = nil
    end
  end
end

--- @param mutation table  one of mutations.lua
--- @return table|nil workflow
--- @return string|nil reason
function mutant.load(mutation)
  local module = PREFIX .. "." .. mutation[2]
  local source, path = read(module)
  local changed, reason = replace(source, mutation[3], mutation[4])
  if not changed then
    return nil, reason
  end
  forget()
  package.preload[module] = assert(load(changed, "=" .. path))
  local workflow = require(PREFIX)
  package.preload[module] = nil
  forget()
  return workflow
end

return mutant
