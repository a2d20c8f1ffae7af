--- Four workers of examples/fleet share a queue in PostgreSQL while workers are killed
-- and the database crashes: `make fleet`. Each offer ends with the word that is true of
-- it, and the portal's ledger shows one cancel that changed anything for each that ran.
--
-- CPP_FLEET_OFFERS is their number, CPP_FLEET_SEED chooses who is killed.

local emulator = require "cpp.emulator"
local postgres = require "spec.fleet.postgres"
local shell = require "cpp.emulator.shell"

local OFFERS = tonumber(os.getenv "CPP_FLEET_OFFERS" or "40")
local SEED = tonumber(os.getenv "CPP_FLEET_SEED" or "1")
local WORKERS, LEASE, LIST_LAG = 4, 2, 2
local KILLS, PATIENCE = math.max(4, OFFERS // 20), 300

-- What offers do, and which word is true of it then.
local KINDS = {
  { outcome = "canceled", settings = { running = "publish", cancel_seconds = 3 } },
  { outcome = "canceled", settings = { running = "publish", cancel_seconds = 1,
    location = "F2" } },
  { outcome = "canceled", settings = { running = "publish", cancel_seconds = 2,
    location = "none" } },
  { outcome = "too_late", settings = { running = "publish", too_late = true } },
  { outcome = "failed", settings = { running = "publish", too_late = true,
    ending = "failed" } },
  { outcome = "nothing_to_cancel", settings = { history = { { state = "canceled" } } } },
}

local function kind_of(i)
  return KINDS[(i - 1) % #KINDS + 1]
end

local function name_of(i)
  return ("vm%03d"):format(i)
end

local function start_portal()
  local offers = {}
  for i = 1, OFFERS do
    offers["contoso/" .. name_of(i)] = kind_of(i).settings
  end
  return assert(emulator.start { offers = offers, seed = SEED })
end

local function queue_offers(database)
  local schema <close> = assert(io.open "examples/fleet/schema.sql")
  database:sql(schema:read "a")
  database:sql(("insert into stops (publisher, offer) select 'contoso', 'vm' || "
    .. "lpad(i::text, 3, '0') from generate_series(1, %d) i"):format(OFFERS))
end

-- ---- workers ----

local function start_worker(database, portal)
  local values = { LUA_PATH_5_4 = package.path, LUA_CPATH_5_4 = package.cpath,
    CPP_ENDPOINT = portal.endpoint, CPP_TOKEN = portal.token, LEASE = LEASE, BATCH = 20,
    LIST_LAG = LIST_LAG }
  local words = { "echo $$; exec env", database:environment() }
  for name, value in pairs(values) do
    table.insert(words, name .. "=" .. shell.quote(tostring(value)))
  end
  table.insert(words, ("lua5.4 examples/fleet/worker.lua >>%s/workers 2>&1"):format(
    database.folder))
  local pipe = assert(io.popen(table.concat(words, " "), "r"))
  return { pid = pipe:read "n", pipe = pipe }
end

local function runs(worker)
  local file <close> = io.open(("/proc/%d/stat"):format(worker.pid))
  return file ~= nil and file:read "a":match "^.*%) (%a)" ~= "Z"
end

local function kill(worker)
  os.execute("kill -KILL " .. worker.pid)
  worker.pipe:close()
end

-- Kills one at a time, and starts another in its place.
local function disturb(database, portal, workers)
  for n = 1, KILLS do
    os.execute "sleep 0.7"
    local i = math.random(WORKERS)
    kill(workers[i])
    workers[i] = start_worker(database, portal)
    if n == KILLS // 2 then
      database:crash()
      os.execute "sleep 0.5"
      database:run()
    end
  end
end

-- How each has ended: true, or a status.
local function finish(workers)
  local ended, deadline = {}, os.time() + PATIENCE
  for i, worker in ipairs(workers) do
    while runs(worker) and os.time() < deadline do
      os.execute "sleep 0.2"
    end
    if runs(worker) then
      kill(worker)
      ended[i] = "killed, for it did not end"
    else
      ended[i] = worker.pipe:close() or "failed"
    end
  end
  return ended
end

local function rows_of(database)
  local rows = {}
  local listed = database:sql "select offer, outcome, may_publish, error from stops"
  for offer, outcome, may, err in listed:gmatch "([^|\n]*)|([^|\n]*)|([^|\n]*)|([^\n]*)" do
    rows[offer] = { outcome = outcome, may_publish = may, err = err }
  end
  return rows
end

describe("a fleet", function()
  local portal, database, rows, ended, ledger

  setup(function()
    math.randomseed(SEED)
    portal, database = start_portal(), postgres.start()
    queue_offers(database)
    local workers, began = {}, os.time()
    for i = 1, WORKERS do
      workers[i] = start_worker(database, portal)
    end
    disturb(database, portal, workers)
    ended = finish(workers)
    rows, ledger = rows_of(database), portal:ledger()
    print(("seed %d: %d offers, %d workers, %d killed, %d s; cancels: %d, acted: %d"):format(
      SEED, OFFERS, WORKERS, KILLS, os.time() - began, ledger.cancels, ledger.acted))
  end)

  teardown(function()
    if database then
      database:__close()
    end
    if portal then
      portal:close()
    end
  end)

  it("ends", function()
    local file <close> = assert(io.open(database.folder .. "/workers"))
    assert.same({ true, true, true, true }, ended, file:read "a")
  end)

  it("has the word that is true of every offer", function()
    local wrong = {}
    for i = 1, OFFERS do
      local row = rows[name_of(i)] or {}
      if row.outcome ~= kind_of(i).outcome or row.may_publish ~= "t" then
        table.insert(wrong, ("%s: %s, may publish: %s, where %s is right; %s"):format(
          name_of(i), row.outcome, row.may_publish, kind_of(i).outcome, row.err))
      end
    end
    assert.same({}, wrong)
  end)

  it("has sent one cancel that changed anything to each that ran", function()
    local wrong = {}
    for i = 1, OFFERS do
      local counts = ledger.offers["contoso/" .. name_of(i)] or {}
      local right = kind_of(i).settings.running and 1 or 0
      if counts.acted ~= right then
        wrong[name_of(i)] = counts.acted or "never asked about"
      end
    end
    assert.same({}, wrong)
  end)
end)
