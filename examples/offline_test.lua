-- How to test automation of one's own without the service:  lua5.4 offline_test.lua
local cpp = require "cpp"
local emulator = require "cpp.emulator"
local workflow = require "cpp.workflow"

-- What is tested: cancels, and says what to tell the team.
local function stop(client, publisher, offer, options)
  local result, err = workflow.cancel(client, publisher, offer, options)
  if not result then
    return "look at " .. tostring(err and err.location)
  end
  return offer .. " is stopped: " .. result.outcome
end

-- A client is five functions. Here time passes only in sleep, so an hour takes none.
local function fake_client(ends_after)
  local time, run = 0, { id = "1", state = "running", location = "the location" }
  local function look()
    run.done = time >= ends_after
    run.state = run.done and "canceled" or "running"
    return run
  end
  return {
    now = function() return time end,
    sleep = function(_, seconds) time = time + seconds end,
    operations = function() return { look() } end,
    cancel = function() return { state = "accepted", done = false } end,
    poll = look,
  }
end

assert(stop(fake_client(1800), "contoso", "vm") == "vm is stopped: canceled")
assert(stop(fake_client(7200), "contoso", "vm") == "look at the location")

-- The emulator is the service over HTTP: 100 of its seconds pass in one of ours.
local portal <close> = assert(emulator.start {
  offers = { ["contoso/vm"] = { running = "publish", too_late = true } }, speed = 100,
  faults = { { on = "cancel", drop = "after" } },  -- the first answer gets lost
})
local client <close> = cpp.client { endpoint = portal.endpoint, token = portal.token }
local options = { interval = 0.05, list_lag = 1.2 } -- seconds of ours
assert(stop(client, "contoso", "vm", options) == "vm is stopped: too_late")
assert(portal:ledger().acted == 1)
print "all well"
