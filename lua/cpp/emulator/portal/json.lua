--- JSON as the portal writes it. lua-cjson knows neither empty arrays (before
-- 2.1.0.5) nor 60-bit integers, so both travel through it as marked strings.

local cjson = require "cjson.safe"

local json = { null = cjson.null, decode = cjson.decode }

local MARK = "\1"
local QUOTED_MARK = '"\\u0001(.-)\\u0001"'

json.empty_array = MARK .. "[]" .. MARK

--- @param digits string  an integer of any size
function json.integer(digits)
  return MARK .. digits .. MARK
end

--- @param list table  an array, empty or not
function json.array(list)
  return #list > 0 and list or json.empty_array
end

function json.encode(value)
  return (cjson.encode(value):gsub(QUOTED_MARK, "%1"))
end

return json
