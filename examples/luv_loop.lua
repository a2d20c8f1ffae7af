-- Cancels on many offers inside a libuv loop, whose other work goes on meanwhile:
-- here a ticker, every 10 ms. `attach` is the adapter to copy.
--   CPP_TOKEN=... lua5.4 luv_loop.lua PUBLISHER OFFER...
local cpp = require "cpp"
local uv = require "luv"
local workflow = require "cpp.workflow"

-- Makes a client's calls in coroutines yield to the loop; in the loop's own callbacks
-- they block. Returns what undoes it, to be called before the client is closed.
local function attach(client)
  local waiting, due = {}, math.huge
  local poll, timer = uv.new_poll(client:pollfd()), uv.new_timer()
  local wake

  local function wake_in(seconds)
    if client:now() + seconds < due then
      due = client:now() + seconds
      timer:start(math.ceil(seconds * 1000), 0, wake)
    end
  end

  function wake()  -- all of them, for being woken early is harmless
    local threads = waiting
    waiting, due = {}, math.huge
    for thread in pairs(threads) do
      assert(coroutine.resume(thread))
    end
    if next(waiting) then
      wake_in(client:timeout() or math.huge)
    end
  end

  local previous = client:wait(function(_, seconds)
    if not coroutine.isyieldable() then
      return client:step(seconds or 1)
    end
    waiting[coroutine.running()] = true
    wake_in(math.min(seconds or math.huge, client:timeout() or math.huge))
    coroutine.yield()
  end)
  poll:start("r", wake)
  return function()
    client:wait(previous)
    poll:close()
    timer:close()
  end
end

local publisher, offers = arg[1], { table.unpack(arg, 2) }
if #offers == 0 then
  io.stderr:write("usage: luv_loop.lua PUBLISHER OFFER...\n")
  os.exit(2)
end

local client <close> = cpp.client()
local detach = attach(client)
local left, all_well = #offers, true
local ticks, longest, last = 0, 0, uv.hrtime()

local ticker = uv.new_timer()
ticker:start(10, 10, function()
  local now = uv.hrtime()
  ticks, longest, last = ticks + 1, math.max(longest, now - last), now
end)

for _, offer in ipairs(offers) do
  coroutine.wrap(function()
    local result, err = workflow.cancel(client, publisher, offer)
    print(("%s/%s: %s"):format(publisher, offer, result and result.outcome or err))
    local outcome = result and result.outcome
    all_well = all_well and (outcome == "canceled" or outcome == "nothing_to_cancel")
    left = left - 1
    if left == 0 then
      ticker:close()
      detach()
    end
  end)()
end

uv.run()
print(("%d ticks, longest gap %.0f ms"):format(ticks, longest / 1e6))
uv.walk(function(handle)
  all_well = false
  print("left open: " .. tostring(handle))
end)
os.exit(all_well, true)
