-- `make bench`: runs every client beside the floor and prints how they compare.
-- lua5.4 spec/bench/run.lua [quick]

local tree = os.getenv "CPP_TREE" or "lua_modules"
package.path = ("%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;spec/bench/?.lua;%s")
  :format(tree, tree, package.path)
package.cpath = tree .. "/lib/lua/5.4/?.so;" .. package.cpath

local clients = require "clients"
local measure = require "measure"
local report = require "report"
local setup = require "setup"
local shell = require "cpp.emulator.shell"
local site = require "site"

local median, with = measure.median, measure.with

local QUICK = arg[1] == "quick"
local ROUNDS = QUICK and 2 or 5
local OUR_ROUNDS = QUICK and 2 or 15 -- our ratios to the floor are near 1
-- On a busy machine, seconds after which one round is enough.
local PATIENCE, START = 420, os.time()
local COUNTED = QUICK and 100 or 300      -- polls under callgrind
local OPERATIONS = QUICK and 400 or 2000  -- operations under callgrind
local MANY = QUICK and 2000 or 10000      -- operations in flight and asleep
local FLIGHT = 64

local PROTOCOLS = { "plain", "tls", "h2" }
local TITLES = { plain = "HTTP/1.1", tls = "TLS, HTTP/1.1", h2 = "TLS, HTTP/2" }
-- Real tokens are long, and libcurl 7.88 formats headers byte by byte.
local SHORT, LONG = ("t0k3n-"):rep(8), ("t0k3n-"):rep(250)

local COMPARED = { "client", "protocol", "CPU time", "throughput", "µs of CPU" }

local _, HERE = shell.run "pwd"
local FOLDER = HERE .. "/build/bench"
local all = clients.all(FOLDER, tree:find "^/" and tree or HERE .. "/" .. tree)
local out = report.new()

local function polls_of(row, protocol)
  local polls = protocol ~= "plain" and row.tls_polls or row[3]
  return QUICK and math.max(1, polls // 4) or polls
end

-- Runs a client beside another, several times. Returns medians: the ratios of CPU
-- time and of throughput, and the client's microseconds of CPU for one poll.
local function beside(rounds, client, environment, other, other_environment)
  local cpu, throughput, own = {}, {}, {}
  for round = 1, os.time() - START < PATIENCE and rounds or 1 do
    local base = measure.time(other, other_environment)
    local time = measure.time(client, environment)
    cpu[round] = time.cpu / base.cpu
    throughput[round] = base.wall / time.wall
    own[round] = time.cpu * 1e6
  end
  return median(cpu), median(throughput), median(own)
end

local function counted_rows(here, protocol, token, label)
  local base = with(here:environment(protocol), { BENCH_TOKEN = token })
  local changing = with(here:environment(protocol, "changing"), { BENCH_TOKEN = token })
  local function count(name, environment)
    return measure.instructions(all[name], environment, COUNTED)
  end
  local floor, decoded = count("floor", base), count("floor_decode", base)
  local same, changed = count("poll", base), count("poll", changing)
  local where = TITLES[protocol] .. label
  out:row(where .. ", unchanged", floor, same, same / floor)
  out:row(where .. ", changed (floor decodes)", decoded, changed, changed / decoded)
end

local function instructions(here)
  out:section("instructions", "Instructions of one poll (callgrind, user side)",
    { "poll", "floor", "ours", "ratio" })
  counted_rows(here, "plain", SHORT, "")
  counted_rows(here, "plain", LONG, ", token of 1,500")
  counted_rows(here, "tls", SHORT, "")
  counted_rows(here, "h2", SHORT, "")
  local environment = with(here:environment "plain", { BENCH_TOKEN = SHORT })
  out:section("allocations", "Allocations of one unchanged poll (valgrind)",
    { "poll", "floor", "ours", "more" })
  local floor = measure.allocations(all.floor, environment, 100)
  local ours = measure.allocations(all.poll, environment, 100)
  out:row("HTTP/1.1", floor, ours, ours - floor)
end

local function single_row(here, protocol, row, label, token, publisher)
  local environment = with(here:environment(protocol, publisher),
    { BENCH_TOKEN = token, BENCH_POLLS = polls_of(row, protocol) })
  local floor = with(here:environment(protocol),
    { BENCH_TOKEN = token, BENCH_POLLS = QUICK and 1000 or 2000 })
  out:row(row[2] .. label, TITLES[protocol],
    beside(row[1] == "poll" and OUR_ROUNDS or ROUNDS, all[row[1]], environment, all.floor,
      floor))
end

local function single(here)
  out:section("single", "One operation, one poll after the other, beside the floor",
    COMPARED)
  for _, protocol in ipairs(PROTOCOLS) do
    for _, row in ipairs(clients.SINGLE) do
      if protocol ~= "h2" or row.h2 then
        single_row(here, protocol, row, row[1] == "poll" and ", unchanged" or "", SHORT)
      end
      if row[1] == "poll" then
        single_row(here, protocol, row, ", changed", SHORT, "changing")
        single_row(here, protocol, row, ", unchanged, token of 1,500", LONG)
      end
    end
  end
end

local function counted_many(here, environment)
  local multi = measure.round_instructions(all.multi, environment, OPERATIONS)
  local map = measure.round_instructions(all.map, environment, OPERATIONS)
  here:forget()
  measure.numbers(all.map, with(environment, { BENCH_OPERATIONS = MANY }))
  local ours = here:connections()
  here:forget()
  measure.numbers(all.multi, with(environment, { BENCH_OPERATIONS = MANY }))
  return multi, map, map / multi, ours, here:connections()
end

local function many(here)
  local function environment(protocol)
    return with(here:environment(protocol),
      { BENCH_TOKEN = SHORT, BENCH_FLIGHT = FLIGHT })
  end
  out:section("many_instructions", ("%d in flight: instructions of one poll, connections")
    :format(FLIGHT), { "protocol", "curl_multi", "ours", "ratio", "our connections",
      "curl_multi's connections" })
  for _, protocol in ipairs(PROTOCOLS) do
    out:row(TITLES[protocol], counted_many(here, environment(protocol)))
  end
  out:section("many", ("%d operations, %d in flight, beside a bare curl_multi program")
    :format(MANY, FLIGHT), COMPARED)
  for _, protocol in ipairs(PROTOCOLS) do
    for _, row in ipairs(clients.MANY) do
      if protocol ~= "h2" or row.h2 then
        local given = with(environment(protocol),
          { BENCH_OPERATIONS = MANY, BENCH_POLLS = polls_of(row, protocol) })
        out:row(row[2], TITLES[protocol], beside(row[1] == "map" and OUR_ROUNDS or ROUNDS,
          all[row[1]], given, all.multi, given))
      end
    end
  end
end

local function waiting(here)
  local environment = with(here:environment "plain",
    { BENCH_TOKEN = SHORT, BENCH_SECONDS = QUICK and 1 or 3 })
  out:section("waiting", "Operations in workflow.wait, 4,000 polls a second in all",
    { "operations", "µs of CPU for a poll", "polls a second" })
  local times, sizes = {}, { 1, 10, 100, 1000, 10000 }
  for _ = 1, QUICK and 1 or 3 do
    for _, size in ipairs(sizes) do
      local time = measure.time(all.wait, with(environment, { BENCH_OPERATIONS = size }))
      times[size] = times[size] or { cpu = {}, wall = {} }
      table.insert(times[size].cpu, time.cpu * 1e6)
      table.insert(times[size].wall, 1 / time.wall)
    end
  end
  for _, size in ipairs(sizes) do
    out:row(size, median(times[size].cpu), median(times[size].wall))
  end
  environment.BENCH_OPERATIONS = MANY
  out:section("asleep", ("Memory of one operation asleep, of %d; its answer of %d bytes "
    .. "included"):format(MANY, here.document), { "in", "bytes", "peak RSS, MB" })
  for _, row in ipairs { { "asleep", "workflow.wait" }, { "asleep_plain", "a loop" } } do
    local _, bytes, size = table.unpack(measure.numbers(all[row[1]], environment))
    out:row(row[2], bytes, size / 1000)
  end
end

-- Milliseconds of a whole process.
local function lifetime(clock, script)
  local before = clock()
  assert(shell.run(script))
  return (clock() - before) * 1000
end

local function first_answer(here)
  local store = setup.store(FOLDER, here.ca_file)
  if not store then
    return out:note "No namespaces here: the first answer over TLS was not measured."
  end
  local environment = with(here:environment "tls", { BENCH_TOKEN = SHORT })
  environment.BENCH_CA = nil
  local first = with(all.first, { prefix = store })
  local connect = with(all.connect, { prefix = store })
  local curl = { prefix = store, command = "curl --silent --fail --output /dev/null "
    .. shell.quote(environment.BENCH_URL) }
  local client <close> = require "cpp".client()
  local function clock() return client:now() end
  local ratios, ours, theirs, further = {}, {}, {}, {}
  for i = 1, QUICK and 5 or 21 do
    theirs[i] = lifetime(clock, measure.command_line(curl, environment))
    ours[i] = lifetime(clock, measure.command_line(first, environment))
    ratios[i] = ours[i] / theirs[i]
    further[i] = measure.time(connect, environment).cpu * 1000
  end
  out:section("first", "First answer of a fresh process over TLS, Debian's CA store",
    { "ms", "curl command", "ours", "ratio" })
  out:row("the whole process", median(theirs), median(ours), median(ratios))
  out:row("CPU of a further connection", false, median(further))
end

local function loading(here)
  out:section("loading", "Instructions of loading",
    { "what", "Lua, libcurl, lua-cjson", "require \"cpp\"", "ratio" })
  local load = measure.all_instructions(all.load, {})
  local require_cpp = measure.all_instructions(all.require, {})
  out:row("a process that loads and ends", load, require_cpp, require_cpp / load)
  first_answer(here)
end

local function plot()
  local data <close> = assert(io.open(FOLDER .. "/bench.dat", "w"))
  local by_client, order = {}, {}
  for _, row in ipairs(out.sections.single) do
    local name = row.client:gsub("%*", "")
    if not name:find "token" then
      if not by_client[name] then
        by_client[name] = {}
        order[#order + 1] = name
      end
      by_client[name][row.protocol] = row["CPU time"]
    end
  end
  for _, name in ipairs(order) do
    data:write(('"%s"'):format(name))
    for _, protocol in ipairs(PROTOCOLS) do
      data:write(" ", by_client[name][TITLES[protocol]] or "NaN")
    end
    data:write "\n"
  end
  data:close()
  local good, message = shell.run(("gnuplot -e %s spec/bench/plot.gp"):format(
    shell.quote(("folder = '%s'"):format(FOLDER))))
  assert(good, message)
end

local function main()
  setup.build(FOLDER)
  local here <close> = site.start(FOLDER .. "/site")
  out:note(clients.MISSING)
  out:note "The floor is a bare libcurl program; ratios are medians of runs side by side."
  instructions(here)
  single(here)
  many(here)
  waiting(here)
  loading(here)
  out:write(FOLDER)
  plot()
  print(("\n%s/bench.md, bench.json, bench.svg"):format(FOLDER))
end

main()
