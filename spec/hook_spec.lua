-- Lua's hooks: what they raise is not the answer's fault, and nobody sets them back.
local harness = require "spec.support.harness"

describe("a hook", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  after_each(function()
    debug.sethook()
  end)

  local function document(items)
    return "[" .. ('{"a":{"b":[1,2,3]}},'):rep(items) .. "{}]"
  end

  -- As lua.c's handler of SIGINT does it while C runs: a finalizer, for which decoding has
  -- allocated enough, sets a hook that raises.
  it("that comes while an answer is decoded has its turn after it", function()
    local main, poll, set = coroutine.running(), client.poll, false
    local function raise()
      debug.sethook(main)
      error("interrupted!", 0)
    end
    local function finalize(object)
      local caller = debug.getinfo(2, "f")
      if set == false and (not caller or caller.func == poll) then
        setmetatable({}, getmetatable(object))
      elseif set == false then
        set = true
        debug.sethook(main, raise, "cr")
      end
    end
    here:answer(200, document(50000))
    local pause = collectgarbage("setpause", 100) -- whatever else the heap holds
    finally(function()
      collectgarbage("setpause", pause)
      set = true
    end)
    setmetatable({}, { __gc = finalize })
    local good, message = pcall(poll, client, here.location)
    assert.is_true(set)
    assert.same({ false, "interrupted!" }, { good, message })
  end)

  it("of instructions counts on, however much is decoded", function()
    here:answer(200, '{"status":"running"}')
    local turns = 0
    debug.sethook(function() turns = turns + 1 end, "", 10000)
    for _ = 1, 30 do
      assert(client:status("contoso", "vm"))
      for _ = 1, 1000 do turns = turns + 0 end
    end
    debug.sethook()
    assert.is_true(turns >= 3, turns)
  end)

  it("of calls is still there after a call", function()
    local function hook() end
    debug.sethook(hook, "c")
    assert(client:status("contoso", "vm"))
    local found, mask = debug.gethook()
    debug.sethook()
    assert.same({ hook, "c" }, { found, mask })
  end)
end)
