-- The sweeps over one wire, run by the program made of host.c: each call is made with
-- its first allocation failing, then its second, until it is made with none.

package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path

local host, argument = ...

local cjson = require "cjson"
local cpp = require "cpp"
local ledger = require "spec.oom.ledger"

io.stdout:setvbuf "line"
host.keep(assert(package.searchpath("cjson", package.cpath)))

local world = cjson.decode(argument)
local seen = ledger.open(world.ledger)
local calls = require "spec.oom.calls"(world, host)
local only = os.getenv "OOM_ONLY"

local LOCATION = "/api/publishers/contoso/offers/vm/operations/"
  .. "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

-- An allocator, and how it fails. Lua itself tries again after a collection.
local SWEEPS = {
  { "lua", "once" }, { "lua", "twice" }, { "lua", "onward" },
  { "libcurl", "once" }, { "libcurl", "onward" },
  { "module", "once" }, { "module", "onward" },
}

local passed, failed, number = 0, 0, 0
local points = { lua = 0, libcurl = 0, module = 0 }

local function new_client(call)
  local options = { endpoint = world.endpoint, token = world.token, timeout = 5,
    ca_file = world.ca_file, http_version = world.http_version }
  for name, value in pairs(call.options or {}) do
    options[name] = value
  end
  return cpp.client(options)
end

-- ---- the verdict on one run ----

local function is_memory(message)
  return type(message) == "string"
    and (message:find "not enough memory" or message:find "out of memory")
end

local function check_error(err)
  assert(type(err) == "table", "no error but " .. tostring(err))
  for _, name in ipairs { "kind", "code", "message" } do
    assert(type(err[name]) == "string", "an error without " .. name)
  end
  assert(err.code ~= "timeout", tostring(err))
  assert(err.code ~= "out_of_memory" or err.retryable, "memory is not for ever: "
    .. tostring(err))
  return tostring(err)
end

-- The HTTP status of a call that is one exchange; nil: it is none, or had no answer.
local function status_of(result, err)
  local answer = result or err
  return type(answer) == "table" and (answer.http_status or answer.status) or nil
end

-- Another refusal than that of the untouched call is one of what was not asked.
local function check_status(call, err)
  local refused = call.status and err.status and err.status >= 400
  assert(not refused or err.status == call.status, "asked for something else: "
    .. tostring(err))
end

-- What reached the service is in the outcome, and what the outcome says happened did.
local function check_cancels(id, raised, result, err)
  local sent = seen:sent(id)
  if #sent > 1 then
    error("sent " .. #sent .. " times")
  elseif #sent == 1 and not raised and not result then
    local told = err.sent or (err.cancel and err.cancel ~= "not_sent")
    assert(told, "lost: " .. tostring(err))
  elseif #sent == 0 and err then
    assert(not err.cancel or err.cancel ~= "accepted", "never sent: " .. tostring(err))
  end
  if #sent == 1 and sent[1].status == 202 and not raised and not result
    and err.status == 202 and err.code ~= "out_of_memory" then
    assert(err.location, "no location: " .. tostring(err))
  end
end

local function check_outcome(call, value, id, good, result, err)
  if not good then
    assert(is_memory(result), "raised " .. tostring(result))
    return check_cancels(id, true)
  end
  if result then
    call.expect(result, err, value)
  else
    check_error(err)
    check_status(call, err)
  end
  check_cancels(id, false, result, err)
end

-- The same client completes a good call.
local function check_client(call, client)
  if call.ends then
    client = new_client {}
  end
  client:wait(nil)
  local operation, err = (call.again or client.poll)(client, LOCATION)
  assert(operation and operation.state == "canceled", "the client is poisoned: "
    .. tostring(err))
  client:close()
end

local function report(call, sweep, n, message)
  failed = failed + 1
  print(("%s, %s %s %d: %s"):format(call.name, sweep[1], sweep[2], n, message))
end

-- Makes the call with the n-th allocation failing. Returns how many it made.
local function point(call, sweep, n)
  number = number + 1
  local id = "oom-" .. number
  local client = new_client(call)
  local value = call.before and call.before(client)
  collectgarbage()
  local outcome = table.pack(host.attempt(sweep[1], sweep[2], n, call.run, client, id,
    value))
  local untouched = outcome[1] < n
  local good, message = pcall(function()
    if untouched then
      assert(outcome[2], outcome[3])
      call.expect(outcome[3], outcome[4], value)
      call.status = status_of(outcome[3], outcome[4])
    end
    check_outcome(call, value, id, table.unpack(outcome, 2, 4))
    check_client(call, client)
  end)
  client:close()
  if not good then
    report(call, sweep, n, message)
  elseif not untouched then
    passed = passed + 1
  end
  if not untouched then
    points[sweep[1]] = points[sweep[1]] + 1
  end
  return outcome[1]
end

-- The points lie evenly over the call where they are not all of them.
local function stride(call, sweep)
  local most = math.min(call.most or math.huge, world.most or math.huge)
  if most == math.huge or most == 0 then
    return 1
  end
  return math.max(1, point(call, sweep, math.maxinteger) // most)
end

local function run(call, sweep)
  local step = stride(call, sweep)
  local n = 1
  while point(call, sweep, n) >= n do
    n = n + step
  end
  collectgarbage()
  collectgarbage()
  if host.leaks() then
    report(call, sweep, n, "a leak")
  end
end

for _, call in ipairs(calls) do
  if not only or call.name:find(only) then
    local start, before = os.time(), passed + failed
    for _, sweep in ipairs(SWEEPS) do
      run(call, sweep)
    end
    if os.getenv "OOM_VERBOSE" then
      print(call.name, passed + failed - before, os.time() - start .. " s")
    end
  end
end
print(("points failed: Lua %d, libcurl %d, module %d"):format(points.lua, points.libcurl,
  points.module))
print(("%d passed, %d failed"):format(passed, failed))
return failed == 0
