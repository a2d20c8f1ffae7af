-- The options of a workflow's calls, checked by a client before any call is made.
local cpp = require "cpp"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

local LOCATION = "/api/publishers/contoso/offers/vm/operations/1"

describe("a workflow's option that its calls do not know", function()
  local client

  before_each(function()
    client = cpp.client { endpoint = "http://127.0.0.1:1", token = "t" }
  end)

  after_each(function()
    client:close()
  end)

  local WORKFLOWS = {
    wait = function(options)
      workflow.wait(client, LOCATION, options)
    end,
    cancel = function(options)
      workflow.cancel(client, "contoso", "vm", options)
    end,
    cancel_all = function(options)
      workflow.cancel_all(client, { { "contoso", "vm" } }, options)
    end,
    ["cancel_all, for one offer,"] = function(options)
      local target = { "contoso", "vm" }
      for name, value in pairs(options) do
        target[name] = value
      end
      workflow.cancel_all(client, { { "contoso", "other" }, target })
    end,
  }

  -- A call that would be made ends in an error that is not raised: nobody listens.
  for name, call in pairs(WORKFLOWS) do
    it("is raised by " .. name .. " where it was called, with a hint", function()
      local good, message = pcall(call, { timout = 1 })
      assert.is_false(good)
      assert.matches("^[^\n]*options_spec%.lua:%d+: unknown option 'timout' "
        .. "%(did you mean 'timeout'%?%)$", message)
    end)

    it("is raised by " .. name .. " in a task, too", function()
      local good, message = pcall(task.run, client, call, { timeout = "soon" })
      assert.is_false(good)
      assert.matches("options_spec%.lua:%d+: [^\n]*timeout", message)
    end)
  end

  it("asks for no token, traces nothing and sends nothing", function()
    local asked = 0
    local function count()
      asked = asked + 1
    end
    assert.has_error(function()
      workflow.cancel(client, "contoso", "vm", { token = count, trace = count, timout = 1 })
    end)
    assert.equal(0, asked)
  end)

  it("is nobody's business where the client is closed", function()
    client:close()
    local _, err = workflow.wait(client, LOCATION, { timeout = "soon" })
    assert.equal("closed", err.kind)
  end)
end)
