-- The options of a workflow's calls, checked by a client before any call is made.
local cpp = require "cpp"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

local LOCATION = "/api/publishers/contoso/offers/vm/operations/1"

describe("a workflow's option or name that its calls do not take", function()
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

  for name, call in pairs(WORKFLOWS) do
    if not name:find "offer" then
      it("is raised by " .. name .. " where its options are no table", function()
        for _, value in ipairs { 5, "deadline", true } do
          local good, message = pcall(call, value)
          assert.is_false(good)
          assert.matches("^[^\n]*options_spec%.lua:%d+: options: table expected, got "
            .. type(value) .. "$", message)
        end
      end)
    end
  end

  it("is raised by wait where its location is empty", function()
    local good, message = pcall(function()
      return (workflow.wait(client, ""))
    end)
    assert.is_false(good)
    assert.matches("^[^\n]*options_spec%.lua:%d+: location is empty$", message)
  end)

  for _, value in ipairs { ".", ".." } do
    it("is raised where no URL can hold the operation " .. value, function()
      for _, name in ipairs { "cancel", "cancel_all, for one offer," } do
        local good, message = pcall(WORKFLOWS[name], { operation = value })
        assert.is_false(good)
        assert.matches("options_spec%.lua:%d+: option 'operation' must be", message)
      end
    end)
  end

  for _, value in ipairs { ".", "..", "a\nb", "a\0b", ("x"):rep(1025) } do
    it("is raised before anything is sent where no URL can hold a name: "
      .. value:sub(1, 4):gsub("%c", " "), function()
      local traced = 0
      local own <close> = cpp.client { endpoint = "http://127.0.0.1:1", token = "t",
        trace = function()
          traced = traced + 1
        end }
      for _, target in ipairs { { value, "vm" }, { "contoso", value } } do
        local good, message = pcall(function()
          workflow.cancel_all(own, { { "contoso", "first" }, target })
        end)
        assert.is_false(good)
        assert.matches("^[^\n]*options_spec%.lua:%d+: %a+ [^\n]*$", message)
      end
      assert.equal(0, traced)
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
