--- What is worth a look.

local evidence = require "cpp.workflow.evidence"

local targets = {}

local LIST, PLACE = evidence.LIST, evidence.PLACE

local function has_failed(e, target)
  local try = evidence.try(e, target)
  return try.lost or try.failed == e.round
end

-- Without `operation` the look costs one try each: a cancel that a person waits for
-- must not fail for want of a list.
local function is_open_before(e, target)
  local try = evidence.try(e, target)
  return not try.lost and (e.wanted ~= nil or not try.failed)
end

--- Before the POST: the list, and the document of what runs.
---@param e cpp.workflow.evidence
---@param running cpp.workflow.seen|nil  by the list
---@return any[] targets  best first
function targets.before(e, running)
  local open = {}
  for _, target in ipairs { LIST, e.wanted or running } do
    if is_open_before(e, target) then
      open[#open + 1] = target
    end
  end
  return open
end

-- The documents of what was hit, or of what may have been and is seen running. Of
-- one without an id the 202's location is the document.
local function documents(seen, maybe)
  if seen then
    return { not seen.over and seen or nil }
  end
  local list = {}
  for _, other in ipairs(maybe) do
    if other.id and other.ran and not other.over then
      list[#list + 1] = other
    end
  end
  return list
end

-- Whether the 202's location may tell what no document does.
local function is_place_of_use(e, now, seen, has_document)
  local named = e.by_key[e.named or ""]
  if not e.place or (named and named.over) then
    return false
  end
  local is_its_own = has_document[named]
  return not is_its_own and (not seen or not next(has_document) or now >= e.back + e.lag)
end

--- After the POST.
---@param e cpp.workflow.evidence
---@param now number
---@param seen cpp.workflow.seen|nil  what was hit
---@param maybe cpp.workflow.seen[]  what may have been
---@return any[] targets  best first
function targets.after(e, now, seen, maybe)
  local open, has_document = {}, {}
  for _, other in ipairs(documents(seen, maybe)) do
    if not evidence.try(e, other).lost then
      open[#open + 1] = other
      has_document[other] = not has_failed(e, other) or nil
    end
  end
  if is_place_of_use(e, now, seen, has_document) and not evidence.try(e, PLACE).lost then
    open[#open + 1] = PLACE
  end
  if not (seen and has_document[seen]) and not evidence.try(e, LIST).lost then
    open[#open + 1] = LIST
  end
  return open
end

--- The one to look at now: the one that was looked at longest ago and not in this
--- round, for `Retry-After` may leave one look between two pauses; for the last look
--- the best.
---@param e cpp.workflow.evidence
---@param open any[]  best first
---@param is_last boolean
---@return any|nil target
function targets.pick(e, open, is_last)
  local picked
  for _, target in ipairs(open) do
    local try = evidence.try(e, target)
    if try.round ~= e.round and not (picked and is_last)
      and (not picked or try.asked < evidence.try(e, picked).asked) then
      picked = target
    end
  end
  return picked
end

return targets
