--- The line to go on with in another process, or on another day.

local text = require "cpp.text"

local go_on = {}

local function is_file(path)
  local file <close> = io.open(path)
  return file ~= nil
end

-- For use in another folder. Lua knows this one from the shell alone, and a program in
-- between may have changed it: then the path stays as it was given.
local function absolute(path)
  local folder = os.getenv "PWD" or ""
  local full = folder .. "/" .. path
  local is_better = path:sub(1, 1) ~= "/" and folder:sub(1, 1) == "/" and is_file(full)
  return is_better and full or path
end

-- A proxy may hold a password: it is left out.
local function options(given)
  return {
    { "--endpoint", given.endpoint },
    { "--ca-file", given.ca_file and absolute(given.ca_file) },
  }
end

local function line(command, given, ...)
  local words = { command }
  for _, option in ipairs(options(given)) do
    local name, value = table.unpack(option)
    if value then
      words[#words + 1] = name .. " " .. text.quote(value)
    end
  end
  for _, word in ipairs { ... } do
    words[#words + 1] = text.quote(text.clean(word))
  end
  return table.concat(words, " ")
end

--- "cloudpartner wait --for canceled 'https://…$…'"
---@param given cpp.cli.given
---@param location string
---@return string
function go_on.wait(given, location)
  return line("cloudpartner wait --for canceled", given, location)
end

--- "cloudpartner operations 'contoso' 'vm'": where there is nothing to wait for.
---@param given cpp.cli.given
---@param offer { publisher: string, offer: string }
---@return string
function go_on.look(given, offer)
  return line("cloudpartner operations", given, offer.publisher, offer.offer)
end

return go_on
