-- One of many workers that stop the offers in the table of schema.sql, until none is left:
--   CPP_TOKEN=... PGHOST=... PGDATABASE=... lua5.4 worker.lua
-- Start as many as you like, on as many machines. One that dies is taken over when its
-- lease ends: the next one goes on with the operation whose id stands in the table.
-- Also in the environment: LEASE (30 seconds), BATCH (100 offers), LIST_LAG (120 seconds).
local cpp = require "cpp"
local postgres = assert(require "luasql.postgres".postgres())
local task = require "cpp.task"
local workflow = require "cpp.workflow"

local LEASE = tonumber(os.getenv "LEASE" or 30)
local BATCH = tonumber(os.getenv "BATCH" or 100)
local LIST_LAG = tonumber(os.getenv "LIST_LAG" or 120)
local TRIES = 60 -- a second apart, while the database restarts

local connection

local function quote(value)
  if type(value) == "string" then
    return "'" .. connection:escape(value) .. "'"
  end
  return value == nil and "null" or tostring(value)
end

local function execute(text, values)
  local reason
  if not connection then
    connection, reason = postgres:connect ""
  end
  if not connection then
    return nil, reason
  end
  return connection:execute((text:gsub("%$(%d)", function(i)
    return quote(values[tonumber(i)])
  end)))
end

-- Each statement here may be carried out twice: the answer of the first may be lost.
local function query(text, ...)
  local values, reason = table.pack(...), nil
  for _ = 1, TRIES do
    local result
    result, reason = execute(text, values)
    if result then
      return result
    end
    if connection then
      connection:close()
      connection = nil
    end
    task.sleep(1)
  end
  error(reason)
end

local function fetch(...)
  local cursor = query(...)
  local rows, row = {}, cursor:fetch({}, "a")
  while row do
    rows[#rows + 1], row = row, cursor:fetch({}, "a")
  end
  cursor:close()
  return rows
end

local me = nil

local function claim()
  return fetch([[update stops set worker = $1, lease = now() + $2 * interval '1 second'
    where (publisher, offer) in (select publisher, offer from stops
      where outcome is null and lease < now() limit $3 for update skip locked)
    returning publisher, offer, operation]], me, LEASE, BATCH)
end

local function renew()
  query([[update stops set lease = now() + $2 * interval '1 second'
    where worker = $1 and outcome is null and lease > now()]], me, LEASE)
end

-- Called with what runs before the cancel leaves, which waits for it; then with the
-- accepted cancel, which may have no id, and at every change.
local function note(operation, target)
  query([[update stops set location = $4, operation = coalesce($5, operation)
    where publisher = $2 and offer = $3 and worker = $1]], me, target.publisher,
    target.offer, operation.location, operation.id)
end

-- What may end otherwise at another time is left to the next one who claims it.
local function may_pass(err)
  return err.retryable or err.kind == "workflow" and err.code == "deadline"
end

local function finish(result)
  local err = result.err
  local outcome = result.outcome or (not may_pass(err) and "error") or nil
  query([[update stops set outcome = $4, may_publish = $5, error = $6,
      lease = now() + interval '1 minute'
    where publisher = $2 and offer = $3 and worker = $1]], me, result.publisher,
    result.offer, outcome, result.may_publish, err and tostring(err))
end

local function is_all_done()
  return #fetch "select 1 from stops where outcome is null limit 1" == 0
end

local client <close> = cpp.client()
task.run(client, function()
  local done = false
  me = fetch("select gen_random_uuid() as id")[1].id
  task.spawn(function()
    while not done do
      task.sleep(LEASE / 4)
      renew()
    end
  end)
  repeat
    local targets = claim()
    if #targets > 0 then
      workflow.cancel_all(client, targets,
        { on_change = note, on_result = finish, list_lag = LIST_LAG })
    else
      done = is_all_done()
      task.sleep(done and 0 or LEASE / 4)
    end
  until done
end)
