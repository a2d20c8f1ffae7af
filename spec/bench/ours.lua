-- The module, as the bench runs it: lua5.4 ours.lua MODE, one of those below.
local cpp = require "cpp"

local task = require "cpp.task"
local workflow = require "cpp.workflow"

local url = os.getenv "BENCH_URL"
local function setting(name, otherwise)
  return math.tointeger(tonumber(os.getenv("BENCH_" .. name))) or otherwise
end

local client = cpp.client {
  endpoint = url:match "^%w+://[^/]+",
  token = os.getenv "BENCH_TOKEN",
  ca_file = os.getenv "BENCH_CA",
  http_version = os.getenv "BENCH_HTTP" or "1.1",
  max_connections = 64,
}

local mode = {}

local wall, cpu

local function start_clock()
  wall, cpu = client:now(), os.clock()
end

-- What every client of the bench prints: polls, wall seconds, CPU seconds.
local function report(count)
  print(("%d %.6f %.6f"):format(count, client:now() - wall, os.clock() - cpu))
end

-- One operation over and over.
function mode.poll()
  local operation = assert(client:poll(url))
  for _ = 2, 10 do
    operation = assert(client:poll(operation))
  end
  local polls = setting("POLLS", 1)
  start_clock()
  for _ = 1, polls do
    operation = assert(client:poll(operation))
  end
  report(polls)
end

-- The operation's number stands in its URL in place of twelve zeros.
local function locations(count)
  local list = {}
  for i = 1, count do
    list[i] = url:gsub("000000000000", ("%012d"):format(i - 1))
  end
  return list
end

-- Many operations, BENCH_FLIGHT of them at a time, again and again.
function mode.map()
  local count, flight = setting("OPERATIONS", 1000), setting("FLIGHT", 64)
  local rounds = setting("ROUNDS", 1)
  local function poll(operation)
    return assert(client:poll(operation))
  end
  task.run(client, function()
    local operations = task.map(locations(count), poll, flight)
    start_clock()
    for _ = 1, rounds do
      local failed
      operations, failed = task.map(operations, poll, flight)
      assert(not failed)
    end
  end)
  report(rounds * count)
end

-- Counts every poll of the client from now on.
local function count_polls()
  local methods, polls = getmetatable(client).__index, 0
  local poll = methods.poll
  function methods.poll(...)
    polls = polls + 1
    return poll(...)
  end
  return function() return polls end
end

-- Starts a wait for each operation, so slowly that their first polls need no queue.
local function start_waits(count, interval, on_change)
  local options = { interval = interval, max_interval = interval, deadline = 86400,
    on_change = on_change }
  for i, location in ipairs(locations(count)) do
    task.spawn(workflow.wait, client, location, options)
    if i % 64 == 0 then
      task.sleep(0.02)
    end
  end
end

-- Operations in wait that are polled BENCH_RATE times a second, all together.
-- A wait sleeps half its interval in the mean.
function mode.wait()
  local count, rate = setting("OPERATIONS", 1000), setting("RATE", 4000)
  local polls = count_polls()
  task.run(client, function()
    start_waits(count, 2 * count / rate)
    task.sleep(1)
    local before = polls()
    start_clock()
    task.sleep(setting("SECONDS", 4))
    report(polls() - before)
    client:close()
  end)
end

local function peak_rss()
  local file <close> = assert(io.open "/proc/self/status")
  return tonumber(file:read "a":match "VmHWM:%s*(%d+)")
end

local function memory_in_use()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count" * 1024
end

-- Prints bytes for each of many operations that have been polled once and sleep (the
-- text of the answer included), and the process's largest size in kB.
local function report_memory(start)
  local count, polled = setting("OPERATIONS", 10000), 0
  task.run(client, function()
    assert(client:poll(url))
    local before = memory_in_use()
    start(count, function() polled = polled + 1 end)
    repeat
      task.sleep(0.1)
    until polled == count
    task.sleep(1)
    print(("%d %.1f %d"):format(count, (memory_in_use() - before) / count, peak_rss()))
    client:close()
  end)
end

-- Operations in workflow.wait.
function mode.asleep()
  report_memory(function(count, tell)
    start_waits(count, 86400, tell)
  end)
end

-- Operations in a loop of the script's own.
local function follow(operation, tell)
  repeat
    operation = client:poll(operation)
    tell()
  until not operation or operation.done or not task.sleep(80000)
end

function mode.asleep_plain()
  report_memory(function(count, tell)
    for i, location in ipairs(locations(count)) do
      task.spawn(follow, location, tell)
      if i % 64 == 0 then
        task.sleep(0.02)
      end
    end
  end)
end

-- The first answer of a fresh process.
function mode.first()
  start_clock()
  assert(client:poll(url))
  report(1)
end

-- Further connections, 16 at a time, once the first one is there.
function mode.connect()
  assert(client:poll(url))
  task.run(client, function()
    start_clock()
    local _, failed = task.map(locations(16), function(location)
      return assert(client:poll(location))
    end)
    assert(not failed)
  end)
  report(16)
end

mode[arg[1]]()
