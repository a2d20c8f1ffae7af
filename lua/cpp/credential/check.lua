--- What the value of an option or a variable may be. Each check takes the text and
-- the name to tell it by, and gives the value, or nil and what is wrong.

require "cpp" -- which offers cpp.bearer
local bearer = require "cpp.bearer"
local url = require "cpp.credential.url"

local check = {}

function check.text(text, name)
  if text:find "%c" then
    return nil, name .. " holds a control character"
  end
  return text
end

--- What can be one segment of a path.
function check.id(text, name)
  if text == "." or text == ".." or #text > 1024 then
    return nil, name .. " is no id"
  end
  return check.text(text, name)
end

--- An assertion, or a token of a CI system.
check.bearer = bearer

function check.origin(text, name)
  local origin, why = url.origin(text)
  return origin, why and name .. why
end

function check.url(text, name)
  local address, why = url.request(text)
  return address, why and name .. why
end

function check.algorithm(text, name)
  if text ~= "PS256" and text ~= "RS256" then
    return nil, name .. ' must be "PS256" or "RS256"'
  end
  return text
end

return check
