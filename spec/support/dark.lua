--- One port on two addresses: one does not answer, the other is a service whose
-- operations all run. A socket that listens and never accepts, and whose queue is full,
-- drops every further attempt to connect.
--
-- lua5.4 spec/support/dark.lua DARK LIVE; prints the port, or why there is none, and ends
-- with its input. A path that ends in "slow" is answered after half a second. With a port
-- in place of LIVE, it is dark on that one and serves nothing.

local uv = require "luv"

-- Connects until one attempt is not answered.
local function fill(address, port)
  local uv = require "luv" -- luacheck: ignore
  local callers, answered = {}, true
  while answered and #callers < 100 do
    local caller, timer = uv.new_tcp(), uv.new_timer()
    table.insert(callers, caller)
    answered = false
    timer:start(200, 0, uv.stop)
    assert(caller:connect(address, port, function(problem)
      assert(not problem, problem)
      answered = true
      uv.stop()
    end))
    uv.run()
    timer:close()
  end
  io.write(answered and "this address accepts everything" or port, "\n")
  io.flush()
  uv.sleep(1000000)
end

local function serve(address, port)
  local uv = require "luv" -- luacheck: ignore
  local ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"status":"running"}'
  local server = uv.new_tcp()
  assert(server:bind(address, port))
  assert(server:listen(128, function()
    local socket, bytes = uv.new_tcp(), ""
    server:accept(socket)
    socket:read_start(function(_, chunk)
      if not chunk then
        return socket:close()
      end
      bytes = bytes .. chunk
      local head, rest = bytes:match "^(.-\r\n\r\n)(.*)$"
      local length = tonumber(head and head:match "Content%-Length: (%d+)" or 0)
      if head and #rest >= length then
        bytes = ""
        local timer = uv.new_timer()
        timer:start(head:find "^%S+ %S*slow%?" and 500 or 0, 0, function()
          timer:close()
          socket:write(ANSWER)
        end)
      end
    end)
  end))
  uv.run()
end

-- What listens here is in a loop that never runs: it would accept.
local function listen(address, port)
  local server = uv.new_tcp()
  local good, problem = server:bind(address, port)
  if good then
    good, problem = server:listen(0, function() end)
  end
  return good and server, problem
end

-- A port that is free on both.
local function choose()
  local problem
  for _ = 1, 20 do
    local dark = assert(listen(arg[1], 0))
    local port = dark:getsockname().port
    local probe = uv.new_tcp()
    local good
    good, problem = probe:bind(arg[2], port)
    probe:close()
    if good then
      return dark
    end
    dark:close()
  end
  return nil, problem
end

local dark, problem
if tonumber(arg[2]) then
  dark, problem = listen(arg[1], tonumber(arg[2]))
else
  dark, problem = choose()
end
if not dark then
  print(problem)
  os.exit(1)
end
local port = dark:getsockname().port
-- luv dumps a function that it is given, and frees the dump before it has read it; a
-- string is held here.
local serving, filling = string.dump(serve), string.dump(fill)
if not tonumber(arg[2]) then
  uv.new_thread(serving, arg[2], port)
end
uv.new_thread(filling, arg[1], port)
io.read "a"
os.exit(true, false)
