--- Counts what became of runs, and tells the first failures of each kind as stories.

local batch = require "spec.model.batch"
local shrink = require "spec.model.shrink"
local story = require "spec.model.story"

local MOST_STORIES = 6

local tally = {}
tally.__index = tally

function tally.new()
  return setmetatable({ counts = {}, stories = 0 }, tally)
end

function tally:add(name, number)
  self.counts[name] = (self.counts[name] or 0) + (number or 1)
end

-- Only the first of its kind is worth the time.
local function tell(self, wrong, drawn, play)
  if self.counts["wrong\t" .. wrong] > 1 or self.stories >= MOST_STORIES then
    return
  end
  self.stories = self.stories + 1
  local small = shrink(drawn, function(smaller) return (play(smaller)) == wrong end)
  local again, run, result, err = play(small)
  print(story.tell(run, again, result, err))
end

local function share(self, group, result, err)
  self:add("share\t" .. group .. "\truns")
  if result then
    self:add("share\t" .. group .. "\tresults")
    if result.may_publish == nil then
      self:add("share\t" .. group .. "\tmay_publish unknown")
    end
  elseif err then
    self:add("share\t" .. group .. "\t" .. tostring(err.code))
  end
end

--- Plays one run and counts it.
---@param group string  mild, harsh, consistent, grid, crash or no_wait
---@param drawn table
---@param play fun(drawn: table): string|nil, table|nil, table|nil, table|nil
function tally:play(group, drawn, play)
  local wrong, run, result, err = play(drawn)
  if not run then
    return
  elseif wrong then
    self:add "failed"
    self:add("wrong\t" .. wrong)
    tell(self, wrong, drawn, play)
  else
    self:add "passed"
  end
  share(self, group, result, err)
end

--- Plays a batch and counts it.
function tally:batch(seed, cancel_all, sleep)
  local wrong, run, result, results = batch.once(cancel_all, sleep, seed)
  for _, one in ipairs(results or {}) do
    share(self, "batch", not one.err and one or nil, one.err)
  end
  if not wrong then
    return self:add "passed"
  end
  self:add "failed"
  self:add("wrong\t" .. wrong)
  if self.counts["wrong\t" .. wrong] == 1 then
    print(story.tell(run, wrong, result and result.outcome and result, result and result.err))
  end
end

--- For another process: `name TAB number` lines.
function tally:print()
  for name, number in pairs(self.counts) do
    print(("tally\t%s\t%d"):format(name, number))
  end
end

--- Adds such a line; false: it is none.
function tally:read(line)
  local name, number = line:match "^tally\t(.*)\t(%d+)$"
  if name then
    self:add(name, math.tointeger(tonumber(number)))
  end
  return name ~= nil
end

local function shares_of(self)
  local groups = {}
  for name, number in pairs(self.counts) do
    local group, what = name:match "^share\t(.-)\t(.*)$"
    if group then
      groups[group] = groups[group] or {}
      groups[group][what] = number
    end
  end
  return groups
end

--- The share of a group's runs, from 0 to 1.
function tally:share(group, what)
  local counts = shares_of(self)[group] or {}
  return (counts[what] or 0) / math.max(counts.runs or 0, 1)
end

--- For people: shares, then what is wrong and how often.
function tally:tell()
  for _, group in ipairs { "mild", "harsh", "consistent", "grid", "crash", "no_wait", "batch" } do
    print(("%-10s %8d runs: %.2f %% results, %.2f %% unverified, may_publish unknown in %.2f %%")
      :format(group, (shares_of(self)[group] or {}).runs or 0, 100 * self:share(group, "results"),
        100 * self:share(group, "unverified"), 100 * self:share(group, "may_publish unknown")))
  end
  for name, number in pairs(self.counts) do
    if name:find "^wrong" then
      print(("%d times %s"):format(number, name:sub(7)))
    end
  end
end

return tally
