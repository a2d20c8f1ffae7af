--- Reading an operations list, whose order nobody promises.

local lists = {}

local function field(item, name)
  local document = item.document
  local value = type(document) == "table" and document[name]
  return type(value) == "string" and value or ""
end

-- A cancel's own operation is not what a cancel cancels.
local function is_run(item)
  return field(item, "submissionType"):lower() ~= "cancel"
end

--- The newest item that `accept` accepts, or nil. `changedTime` is ISO 8601 of
-- a fixed width, so text compares as time.
function lists.newest(list, accept)
  local newest
  for _, item in ipairs(list) do
    if is_run(item) and (not accept or accept(item)) and (not newest
      or field(item, "changedTime") > field(newest, "changedTime")) then
      newest = item
    end
  end
  return newest
end

local function runs(item)
  return not item.done and item.state ~= "unknown"
end

--- What runs, or nil. One operation at a time can (documented by Microsoft); a
--- word that nobody knows counts as running where it is the newest.
---@param except? string  id of one that is known to have ended
function lists.running(list, except)
  local function is_other(item)
    return item.id ~= except
  end
  local newest = lists.newest(list, is_other)
  if newest and newest.state == "unknown" then
    return newest
  end
  return lists.newest(list, function(item)
    return is_other(item) and runs(item)
  end)
end

function lists.find(list, id)
  for _, item in ipairs(list) do
    if item.id == id then
      return item
    end
  end
end

--- What a later list is compared with: without the items, whose trees are large.
function lists.summary(list)
  local ended, newest = {}, lists.newest(list)
  for _, item in ipairs(list) do
    ended[item.id] = item.done or nil
  end
  return { ended = ended, last_state = newest and newest.state }
end

--- The newest operation that ended since the summary was made, or nil.
function lists.ended_since(list, summary)
  return lists.newest(list, function(item)
    return item.done and not summary.ended[item.id]
  end)
end

return lists
