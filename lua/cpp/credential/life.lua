--- How long a token lives, by what came with it.

-- A day that none lives: it keeps sums finite.
local LONGEST = 1e9

-- Above 0, whatever the answer holds: numbers are strings there too, and null is a
-- userdata. A token that has ended by this machine's clock is one whose life that
-- clock cannot tell.
local function seconds(value)
  local number = tonumber(value)
  return number and number > 0 and math.min(number, LONGEST) or nil
end

--- `expires_in` is preferred: it needs no clock that is right.
---@param answer table  expires_in (seconds), expires_on (seconds since 1970)
---@return number|nil seconds  nil where it is not known
return function(answer)
  local ends = tonumber(answer.expires_on)
  return seconds(answer.expires_in) or seconds(ends and ends - os.time())
end
