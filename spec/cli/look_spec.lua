local service = require "spec.cli.service"

local objects, offer, run = service.objects, service.offer, service.run
local RAN = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

setup(service.start)
teardown(service.stop)
after_each(service.reset)

describe("cloudpartner poll", function()
  it("shows the operation, its steps and what went wrong", function()
    offer("poll", { blocked = true, errors = { "<i>Disk</i> too small" } })
    local list = objects(run "operations contoso poll --json".out)
    local result = run("poll " .. list[1].location)
    assert.equal(0, result.status)
    assert.matches("^contoso/poll: running, %d+ %% %(operation " ..
      list[1].operation:gsub("%-", "%%-") .. "%)\n", result.out)
    assert.matches("\n  100 %%  complete      Validate prerequisites\n", result.out)
    assert.matches("\n   %d+ %%  blocked       Provisioning\n", result.out)
    assert.matches("\n  Provisioning: Disk too small\n$", result.out)
  end)

  it("ends with 1 where the service does not answer", function()
    local result = run "poll /api/operations/nothing"
    assert.equal(1, result.status)
    assert.matches("^nothing: .*HTTP 404", result.err)
    local failure = objects(run "poll /api/operations/nothing --json".out)[1]
    assert.same({ "result", 404 }, { failure.event, failure.error.status })
  end)

  it("takes an operation by its name, and tells its steps as JSON", function()
    offer("poll-json", { id = RAN })
    local told = objects(run("poll --json contoso/poll-json/" .. RAN).out)
    assert.equal(1, #told)
    assert.same({ "result", RAN }, { told[1].event, told[1].operation })
    assert.same({ name = "Validate prerequisites", status = "complete", progress = 100 },
      told[1].steps[1])
    assert.matches("^%d+%-%d+%-%d+T%d+:%d+:%d+Z$", told[1].time)
  end)
end)

describe("cloudpartner operations", function()
  it("lists them", function()
    offer("list", { id = RAN, history = { { id = "old-1", state = "failed" } } })
    local result = run "operations contoso list"
    assert.equal(0, result.status)
    assert.matches("^" .. RAN:gsub("%-", "%%-") .. "  running      publish   "
      .. "%d+%-%d+%-%d+T%d+:%d+:%d+Z\nold%-1  failed       publish   %S+Z\n$", result.out)
  end)

  it("lists them as JSON", function()
    offer("list-json", { id = RAN })
    local item = objects(run "operations contoso list-json --json".out)[1]
    assert.same({ "operation", "contoso", "list-json", "running", "publish", RAN },
      { item.event, item.publisher, item.offer, item.state, item.kind, item.operation })
    assert.matches("^%d+%-%d+%-%d+T%d+:%d+:%d+%.%d+Z?$", item.changed_time)
  end)

  it("says so where there are none", function()
    offer("list-none", { running = false })
    assert.equal("contoso/list-none: no operations\n", run "operations contoso list-none".out)
    local told = objects(run "operations contoso list-none --json".out)
    assert.same({ 1, "result", "list-none" }, { #told, told[1].event, told[1].offer })
  end)

  it("lists those of several offers, each with its name", function()
    offer("list-1", { id = RAN })
    offer("list-2", { running = false })
    local result = run "operations contoso/list-1 contoso/list-2"
    assert.matches("^contoso/list%-1:\n" .. RAN:gsub("%-", "%%-") .. " [^\n]*\n"
      .. "contoso/list%-2: no operations\n$", result.out)
  end)
end)

describe("cloudpartner status", function()
  it("shows the offer's", function()
    offer "status"
    assert.matches("^contoso/status: running, %d+ %%\n  100 %%",
      run "status contoso status".out)
    local told = objects(run "status contoso/status --json".out)[1]
    assert.same({ "running", "complete" }, { told.state, told.steps[1].status })
  end)

  it("names the offer where it fails", function()
    offer("status-403", { foreign = true })
    local failure = objects(run "status contoso status-403 --json".out)[1]
    assert.same({ "status-403", 403 }, { failure.offer, failure.error.status })
  end)
end)
