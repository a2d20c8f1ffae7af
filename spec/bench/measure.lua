--- Runs the clients of the bench and takes their measure.

local shell = require "cpp.emulator.shell"

local measure = {}

--- Merges tables into a new one; later ones win.
function measure.with(...)
  local merged = {}
  for i = 1, select("#", ...) do
    for name, value in pairs((select(i, ...))) do
      merged[name] = value
    end
  end
  return merged
end

-- Clients leave the last core to nginx, where there is another one.
local CORES = select(2, shell.run [[
n=$(nproc); [ "$n" -gt 1 ] && echo "taskset -c 0-$((n - 2))"]])

-- The shell's command for a client. It sees nothing of this machine's environment:
-- proxies, certificates, Lua paths.
function measure.command_line(client, environment)
  local words = { CORES, "env -i", 'PATH="$PATH"', 'HOME="$HOME"', "LANG=C.UTF-8" }
  for _, values in ipairs { client.environment or {}, environment } do
    for name, value in pairs(values) do
      words[#words + 1] = name .. "=" .. shell.quote(tostring(value))
    end
  end
  words[#words + 1] = client.prefix
  words[#words + 1] = client.command
  return table.concat(words, " ")
end

local function run(script)
  local good, output = shell.run(script)
  if not good then
    error(("failed: %s\n%s"):format(script:gsub("BENCH_TOKEN='[^']*' ?", ""), output), 0)
  end
  return output
end

--- The numbers on the last line that a client prints.
function measure.numbers(client, environment)
  local output = run(measure.command_line(client, environment))
  local numbers = {}
  for word in output:match "([^\n]*)$":gmatch "%S+" do
    numbers[#numbers + 1] = tonumber(word)
  end
  return (assert(numbers[2] and numbers, output))
end

--- CPU and wall seconds of one poll.
function measure.time(client, environment)
  local polls, wall, cpu = table.unpack(measure.numbers(client, environment))
  return { cpu = cpu / polls, wall = wall / polls }
end

local function count_under(valgrind, pattern, client, environment)
  local checked = measure.with(client, { prefix = valgrind })
  local output = run(measure.command_line(checked, environment))
  return tonumber((output:match(pattern):gsub(",", "")))
end

local CALLGRIND = "valgrind --tool=callgrind --callgrind-out-file=/dev/null"

local function instructions(client, environment)
  return count_under(CALLGRIND, "Collected : (%d+)", client, environment)
end

local function allocations(client, environment)
  local memcheck = "valgrind --leak-check=no"
  return count_under(memcheck, "heap usage: ([%d,]+) allocs", client, environment)
end

-- What one poll adds: a run with twice as many has the same beginning and end.
local function per_poll(count, client, environment, name, number, polls)
  local once = measure.with(environment, { [name] = number })
  local twice = measure.with(environment, { [name] = 2 * number })
  return (count(client, twice) - count(client, once)) / polls
end

--- Instructions of one poll, counted by callgrind: user side, without noise.
function measure.instructions(client, environment, polls)
  return per_poll(instructions, client, environment, "BENCH_POLLS", polls, polls)
end

--- The same with many in flight, in rounds over BENCH_OPERATIONS.
function measure.round_instructions(client, environment, operations)
  local some = measure.with(environment, { BENCH_OPERATIONS = operations })
  return per_poll(instructions, client, some, "BENCH_ROUNDS", 1, operations)
end

--- Allocations of one poll.
function measure.allocations(client, environment, polls)
  return per_poll(allocations, client, environment, "BENCH_POLLS", polls, polls)
end

--- Instructions of a whole run.
measure.all_instructions = instructions

function measure.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

return measure
