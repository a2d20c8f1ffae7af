--- What is worth a look, by an evidence: the list, the 202's location, operations.

local targets = {}

--- Before the POST, best first: the list, and the document of what is `running` by it.
-- Without `operation` each costs one try: a cancel that a person waits for must not fail
-- for want of a list.
function targets.before(e, running)
  local open = {}
  for _, target in ipairs { e.listing, e.wanted or running } do
    if not target.lost and (e.wanted or not target.err) then
      table.insert(open, target)
    end
  end
  return open
end

-- Of what may have been hit those that are seen running and have an id: of one without,
-- the 202's location is the document.
local function documents(seen, maybe)
  local open = {}
  for _, other in ipairs(seen and { seen } or maybe) do
    if not other.lost and not other.over and (seen or (other.id and other.ran)) then
      table.insert(open, other)
    end
  end
  return open
end

--- After the POST, best first: documents of what was hit (`seen`) or may have been; the
-- 202's location and the list may tell what no document does.
function targets.after(e, now, seen, maybe)
  local open, is_shown, place, named = documents(seen, maybe), {}, e.place, e.named
  for _, other in ipairs(open) do
    is_shown[other] = not (other.err and other.round == e.round)
  end
  local is_enough = seen and is_shown[seen]
  local is_of_use = place and not place.lost and not named.over and not is_shown[named]
  if is_of_use and (not is_enough or now >= e.back + e.lag) then
    table.insert(open, place)
  end
  if not is_enough and not e.listing.lost then
    table.insert(open, e.listing)
  end
  return open
end

--- The one to look at next: the one that was looked at longest ago and not in this
-- round, for `Retry-After` may leave one look between two pauses; for the last look the
-- best.
function targets.pick(e, open, is_last)
  local picked
  for _, target in ipairs(open) do
    local is_better = target.round ~= e.round
      and (not picked or (not is_last and target.asked < picked.asked))
    picked = is_better and target or picked
  end
  return picked
end

return targets
