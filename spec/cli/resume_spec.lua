local command = require "spec.cli.command"
local service = require "spec.cli.service"

local counts, offer, run = service.counts, service.offer, service.run
local QUICK = service.QUICK
local RAN = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

setup(service.start)
teardown(service.stop)
after_each(service.reset)

describe("a run that was killed in mid-cancel", function()
  local function kill_after(pattern, name)
    service.freeze()
    local child <close> = service.start_command("cancel contoso " .. name)
    child:read_until(pattern)
    assert.same({ "signal", 9 }, { select(2, child:kill "KILL") })
  end

  it("is resumed with --operation", function()
    offer("killed-1", { id = RAN })
    kill_after("canceling", "killed-1")
    service.reset()
    local result = run("cancel contoso killed-1 --operation " .. RAN .. QUICK)
    assert.equal(0, result.status)
    assert.matches("^contoso/killed%-1: canceled", result.out)
    assert.equal(1, counts "killed-1".acted)
  end)

  it("is resumed after the end, and asks for no more than that", function()
    offer("killed-2", { id = RAN })
    kill_after("canceling", "killed-2")
    service.portal:set("*", { advance = 1000 })
    local polls = counts "killed-2".polls
    assert.equal(0, run("cancel contoso killed-2 --operation " .. RAN).status)
    assert.same({ 1, 0 }, { counts "killed-2".cancels, counts "killed-2".polls - polls })
  end)

  it("is resumed before its cancel was sent", function()
    offer("killed-3", { id = RAN })
    local fault = { on = "cancel", delay = 1e6, drop = "before" }
    service.portal:set("*", { faults = { fault } })
    kill_after("sending", "killed-3")
    service.reset()
    local result = run("cancel contoso killed-3 --operation " .. RAN .. QUICK)
    assert.equal(0, result.status)
    assert.equal(1, counts "killed-3".acted)
  end)

  it("is told that somebody else's operation runs now", function()
    offer("killed-4", { id = RAN, next = { id = "theirs" } })
    kill_after("canceling", "killed-4")
    service.portal:set("*", { advance = 1000 })
    local result = run("cancel contoso killed-4 --operation " .. RAN)
    assert.equal(8, result.status)
    assert.matches("canceled.*; do not publish, now theirs runs", result.out)
    assert.equal(1, counts "killed-4".cancels)
  end)

  for form, settings in pairs { F1 = {}, F2 = { location = "F2" } } do
    it("is waited for with the printed line alone: " .. form, function()
      local name = "line-" .. form
      offer(name, settings)
      service.freeze()
      local child <close> = service.start_command("cancel contoso " .. name)
      local line = child:read_until "^cloudpartner wait"
      child:kill "KILL"
      service.reset()
      local result = command.shell(line .. QUICK, command.of(service.portal))
      assert.equal(0, result.status)
      assert.matches(": canceled", result.out)
      assert.equal(1, counts(name).cancels)
    end)
  end

  it("is waited for where the service was an option", function()
    offer "options"
    service.freeze()
    local child <close> = command.start("cancel contoso options" .. QUICK .. "--endpoint "
      .. service.portal.endpoint, { CPP_TOKEN = service.portal.token })
    local line = child:read_until "^cloudpartner wait"
    child:kill "KILL"
    service.reset()
    local values = { CPP_TOKEN = service.portal.token }
    assert.equal(0, command.shell(line .. QUICK, values).status)
  end)
end)
