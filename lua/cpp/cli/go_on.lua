--- The line to go on with in another process, or on another day.

local text = require "cpp.cli.text"

local go_on = {}

-- A proxy may hold a password: it is left out.
local OPTIONS = { { "endpoint", "--endpoint" }, { "ca_file", "--ca-file" } }

local function line(command, given, ...)
  local words = { command }
  for _, option in ipairs(OPTIONS) do
    local value = given[option[1]]
    if value then
      words[#words + 1] = option[2] .. " " .. text.quote(value)
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
