--- What is made of the command line's words before argparse sees them.

local words = {}

-- argparse takes every word that begins with "-" for an option, and would not name
-- the one whose number is negative.
local WITH_VALUE = { ["--deadline"] = true, ["--interval"] = true,
  ["--concurrency"] = true, ["--speed"] = true, ["--for"] = true }

local function is_option(word)
  return word == "-h" or word:find "^%-%-" ~= nil
end

-- "--deadline -1" becomes "--deadline=-1".
local function join(args)
  local list, i = {}, 1
  while i <= #args and args[i] ~= "--" do
    local word, following = args[i], args[i + 1]
    if WITH_VALUE[word] and following and not is_option(following) then
      word, i = word .. "=" .. following, i + 1
    end
    list[#list + 1] = word
    i = i + 1
  end
  return table.move(args, i, #args, #list + 1, list)
end

-- Folded, what the service and its portal call the states that one can wait for.
local STATES = {
  canceled = "canceled", cancelled = "canceled",
  succeeded = "succeeded", complete = "succeeded", completed = "succeeded",
  published = "succeeded",
  failed = "failed", rejected = "failed",
  waitingforpublisherreview = "waiting_for_publisher_review",
}

local function canonical(state)
  return STATES[(state:lower():gsub("[ _-]", ""))] or state
end

--- A copy in which values stand with their options, and states have the names that
--- this module gives them.
---@param args string[]
---@return string[]
function words.prepare(args)
  local list = join(args)
  for i, word in ipairs(list) do
    if word == "--" then
      break
    end
    list[i] = word:gsub("^(%-%-for=)(.*)$", function(option, state)
      return option .. canonical(state)
    end)
  end
  return list
end

return words
