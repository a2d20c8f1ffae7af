-- Holds the workflow against a model of the service:
--   lua5.4 spec/model/run.lua [RUNS [SEED [MODULE]]]
-- Random runs from a seed, mild and harsh in turn, then those of a consistent
-- service. What fails is shrunk and printed as a story. See switches.lua for what
-- is drawn, oracle/ for what is held. The model requires nothing of lua/cpp; this
-- file hands the workflow in.

package.path = "./?.lua;" .. package.path

local play = require "spec.model.play"
local shrink = require "spec.model.shrink"
local story = require "spec.model.story"
local switches = require "spec.model.switches"

local runs = math.tointeger(tonumber(arg[1] or 200000))
local seed = math.tointeger(tonumber(arg[2] or os.time()))
local MOST_STORIES = 5

local function load_workflow(name)
  if name and name:find "%.lua$" then
    return dofile(name)
  end
  local tree = os.getenv "CPP_TREE" or "lua_modules"
  package.path = tree .. "/share/lua/5.4/?.lua;" .. package.path
  package.cpath = tree .. "/lib/lua/5.4/?.so;" .. package.cpath
  return require(name or "cpp.workflow")
end

local cancel = load_workflow(arg[3]).cancel
local count = { passed = 0, failed = 0 }
local kinds = {}

local function fails_alike(wrong)
  return function(drawn)
    return play.once(cancel, drawn) == wrong
  end
end

local function note_failure(wrong, drawn)
  count.failed = count.failed + 1
  kinds[wrong] = (kinds[wrong] or 0) + 1
  if kinds[wrong] == 1 and count.failed <= 1000 and MOST_STORIES > 0 then
    MOST_STORIES = MOST_STORIES - 1
    local small = shrink(drawn, fails_alike(wrong))
    local again, run, result, err = play.once(cancel, small)
    print(story.tell(run, again, result, err))
  end
end

local function new_share()
  return { all = 0, results = 0, unverified = 0, unknown = 0 }
end

local function note_share(share, result, err)
  share.all = share.all + 1
  if result then
    share.results = share.results + 1
    share.unknown = share.unknown + (result.may_publish == nil and 1 or 0)
  elseif err and err.code == "unverified" then
    share.unverified = share.unverified + 1
  end
end

local function one(drawn, share)
  local wrong, _, result, err = play.once(cancel, drawn)
  if wrong then
    note_failure(wrong, drawn)
  else
    count.passed = count.passed + 1
  end
  note_share(share, result, err)
end

local function percent(part, all)
  return ("%.2f %%"):format(100 * part / math.max(all, 1))
end

local function tell_share(name, share)
  print(("%s: %d runs, results %s, unverified %s, may_publish unknown in %s of results"):format(
    name, share.all, percent(share.results, share.all), percent(share.unverified, share.all),
    percent(share.unknown, share.results)))
end

print(("seed %d, %d runs"):format(seed, runs))
local mild, harsh, consistent = new_share(), new_share(), new_share()
for i = 1, runs do
  local number = seed * 1000003 + i
  if i % 2 == 0 then
    one(switches.draw(number), mild)
  else
    one(switches.draw_harsh(number), harsh)
  end
  if i % 20 == 0 then
    local drawn = switches.draw_consistent(number)
    if switches.is_told(drawn) then
      one(drawn, consistent)
    end
  end
end
tell_share("mild", mild)
tell_share("harsh", harsh)
tell_share("consistent", consistent)
for wrong, times in pairs(kinds) do
  print(("%d: %s"):format(times, wrong))
end
print(("%d passed, %d failed"):format(count.passed, count.failed))
os.exit(count.failed == 0 and count.passed > 0)
