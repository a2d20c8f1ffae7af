--- Coroutines side by side over one client, as a loop drives them.

local coroutines = {}

--- Runs `count` coroutines over one client on this thread, each woken when its own
-- request has ended or its own seconds have passed, and by the client's end. Returns
-- when all have returned.
function coroutines.together(client, count, run)
  local sleeping, waiting, alive = {}, {}, 0
  local previous = client:wait(coroutine.yield)

  local function resume(thread, ...)
    local good, first, seconds, request = coroutine.resume(thread, ...)
    if not good then
      error(first, 0)
    elseif coroutine.status(thread) == "dead" then
      alive = alive - 1
    elseif request then
      waiting[request] = thread
    else
      sleeping[thread] = client:now() + seconds
    end
  end

  local function wake_sleepers()
    local left, closed = 10, client:timeout() == 0
    for thread, time in pairs(sleeping) do
      if closed or time <= client:now() then
        sleeping[thread] = nil
        resume(thread)
        left = 0
      else
        left = math.min(left, time - client:now())
      end
    end
    return left
  end

  for i = 1, count do
    alive = alive + 1
    resume(coroutine.create(run), i)
  end
  local limit = client:now() + 60
  while alive > 0 do
    assert(client:now() < limit, "calls hang")
    client:step(wake_sleepers())
    for request in client.finished, client do
      local thread = waiting[request]
      waiting[request] = nil
      resume(thread)
    end
  end
  client:wait(previous)
end

--- Starts a coroutine that yields wherever the client waits; returns it at its
-- first wait, and the request that it waits for.
function coroutines.begin(client, method, ...)
  local previous = client:wait(coroutine.yield)
  local thread = coroutine.create(client[method])
  local _, _, _, request = assert(coroutine.resume(thread, client, ...))
  client:wait(previous)
  return thread, request
end

--- Goes on with a coroutine of `begin` to its end; returns what its call does.
function coroutines.complete(thread)
  local results = table.pack(assert(coroutine.resume(thread)))
  assert(coroutine.status(thread) == "dead", "the call waits again")
  return table.unpack(results, 2, results.n)
end

--- Steps until something has ended. Until it is collected, the client wants to be
-- stepped at once; a timer that is due wants that only until it has been.
function coroutines.until_ended(client)
  local limit, due = client:now() + 20, 0
  while due < 3 do
    assert(client:now() < limit, "no request has ended")
    client:step(1)
    due = client:timeout() == 0 and due + 1 or 0
  end
end

return coroutines
