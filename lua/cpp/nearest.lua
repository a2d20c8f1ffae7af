--- The known name that a misspelt one was meant to be.

-- Levenshtein's distance between two texts.
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local change = a:byte(i) == b:byte(j) and 0 or 1
      local above = row[j]
      row[j] = math.min(above + 1, row[j - 1] + 1, diagonal + change)
      diagonal = above
    end
  end
  return row[#b]
end

-- More changes than these make another word. A name too long to be a slip is far away.
local LIMIT, LONGEST = 3, 32

--- @param name string
-- @param known table<string, any>  its keys are the names there are
-- @return string|nil               nil: none is near; of two that are, the first by letters
return function(name, known)
  local best, least
  for candidate in pairs(#name <= LONGEST and known or {}) do
    local changes = distance(name, candidate)
    if changes <= LIMIT and (not best or changes < least
      or changes == least and candidate < best) then
      best, least = candidate, changes
    end
  end
  return best
end
