local service = require "spec.cli.service"

local location_of, objects = service.location_of, service.objects
local offer, run = service.offer, service.run
local QUICK = service.QUICK
local RAN = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

setup(service.start)
teardown(service.stop)
after_each(service.reset)

describe("cloudpartner wait", function()
  local DONE = { publish_seconds = 4e6 }
  local FAILED = { publish_seconds = 4e6, ending = "failed" }

  -- Settings of the offer, arguments, status.
  local ENDS = {
    ["done"] = { DONE, "", 0 },
    ["done, not canceled"] = { DONE, "--for canceled", 4 },
    ["failed"] = { FAILED, "", 5 },
    ["done, in the service's word"] = { DONE, "--for completed", 0 },
    ["failed as wanted"] = { FAILED, "--for failed", 0 },
    ["in review"] = { { running = "preview" }, "", 7 },
    ["in review as wanted"] = { { running = "preview" },
      "--for waiting_for_publisher_review", 0 },
    ["in review, to be canceled"] = { { running = "preview" },
      "--for canceled --deadline 0.1", 6 },
    ["running"] = { {}, "--deadline 0.1", 6 },
  }
  local number = 0
  for name, case in pairs(ENDS) do
    number = number + 1
    local id = "wait-" .. number
    it(("ends with %d: %s"):format(case[3], name), function()
      offer(id, case[1])
      local result = run(("wait%s%s %s"):format(QUICK, case[2], location_of(id)))
      assert.equal(case[3], result.status)
      assert.matches(case[3] == 6 and "not ended after 0.1 s" or "^contoso/wait%-%d+: %a",
        result.status == 6 and result.err or result.out)
    end)
  end

  it("waits for several at a time, and tells what went wrong", function()
    offer("several-1", { publish_seconds = 4e6 })
    offer("several-2", { publish_seconds = 4e6, ending = "failed",
      errors = { "<b>Too</b> large" } })
    local result = run(("wait '%s' '%s'%s"):format(location_of "several-1",
      location_of "several-2", QUICK))
    assert.equal(5, result.status)
    assert.matches("contoso/several%-1: succeeded, 100 %%", result.out)
    assert.matches("contoso/several%-2: failed, [^\n]*\n  .*Too large", result.out)
    assert.matches("\n2 operations: %a+ 1, %a+ 1\n$", result.out)
  end)

  it("says nothing of a cancel where a wait failed", function()
    local result = run("wait contoso/vm/nobody-s contoso/vm/nothing" .. QUICK)
    assert.equal(1, result.status)
    assert.equal("2 operations: not made sure of 2\n", result.out)
  end)

  it("prints JSON", function()
    offer("wait-json", { publish_seconds = 4e6, id = RAN })
    local location = location_of "wait-json"
    local told = objects(run("wait --json " .. location).out, "result")
    told[1].time = nil
    assert.same({ { event = "result", publisher = "contoso", offer = "wait-json",
      state = "succeeded", progress = 100, operation = RAN, location = location } }, told)
  end)

  it("prints errors as JSON", function()
    local result = run "wait --json --list-lag 0 /nowhere"
    assert.equal(1, result.status)
    local told = objects(result.out)
    assert.same({ "result", "/nowhere", 404 },
      { told[1].event, told[1].location, told[1].error.status })
    assert.is_nil(told[1].cancel)
  end)

  it("takes an operation by its name, and says so in the line to go on with", function()
    offer("wait-name", { id = RAN })
    local result = run("wait --for canceled contoso/wait-name/" .. RAN
      .. " --interval 0.02 --deadline 0.1")
    assert.equal(6, result.status)
    assert.matches("contoso/wait%-name: not ended after 0.1 s[^\n]*\n%S+ contoso/wait%-name: "
      .. "last seen running, %d+ %% %(operation " .. RAN:gsub("%-", "%%-") .. "%)\n"
      .. "%S+ contoso/wait%-name: to go on elsewhere:\ncloudpartner wait %-%-for canceled "
      .. "contoso/wait%-name/" .. RAN:gsub("%-", "%%-") .. "\n$", result.err)
  end)

  it("says that an operation is not known yet", function()
    local result = run("wait contoso/vm/nobody-s --interval 0.02 --list-lag 0.1")
    assert.equal(1, result.status)
    assert.matches("^%S+ contoso/vm   0 %% 0s not known yet\n%S+ contoso/vm: [^\n]*HTTP 404",
      result.err)
  end)

  it("ends with 1 at the deadline where nothing has ever answered", function()
    local result = run("wait contoso/vm/x --endpoint http://127.0.0.1:9 --deadline 0.1 --json")
    assert.equal(1, result.status)
    local told = objects(result.out)
    local last = told[#told]
    assert.same({ "contoso", "vm", "x", "deadline" },
      { last.publisher, last.offer, last.operation, last.error.code })
  end)

  it("takes every form of a location", function()
    local result = run("wait --dry-run api/a '/api/operations/a$b$2$c' "
      .. "HTTPS://evil.example")
    assert.equal(1, result.status)
    assert.matches("^curl [^\n]*/api/a?[^\n]*\ncurl [^\n]*/api/operations/a%$b%$2%$c?",
      result.out)
    assert.matches("foreign_origin", result.err)
  end)

  it("prints curl lines with --dry-run", function()
    local result = run "wait --dry-run /api/operations/a /api/b https://evil.example"
    assert.equal(1, result.status)
    assert.equal(2, select(2, result.out:gsub("curl ", "")))
    assert.matches("foreign_origin", result.err)
  end)
end)
