--- The line to go on with in another process, or on another day.

local text = require "cpp.cli.text"

-- A proxy may hold a password: it is left out.
local OPTIONS = { { "endpoint", "--endpoint" }, { "ca_file", "--ca-file" } }

--- "cloudpartner wait --for canceled 'https://…$…'"
---@param given cpp.cli.given
---@param location string
---@return string
return function(given, location)
  local words = { "cloudpartner wait --for canceled" }
  for _, option in ipairs(OPTIONS) do
    local value = given[option[1]]
    if value then
      words[#words + 1] = option[2] .. " " .. text.quote(value)
    end
  end
  words[#words + 1] = text.quote(text.clean(location))
  return table.concat(words, " ")
end
