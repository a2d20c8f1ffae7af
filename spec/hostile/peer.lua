--- A peer without manners: plays what it is told on loopback sockets, byte for byte.
--
-- lua5.4 spec/hostile/peer.lua; prints its port, then obeys its standard input, where a
-- command is its length, a newline and a Lua expression:
--   { {step, …}, … }   plays the first list to the first connection, and so on; the last
--                      one to all that follow. Earlier connections are closed.
--   "counts"           is answered with the connections since then, those to foreign
--                      origins, and the whole requests read
-- It ends with its input. Steps: a string is sent; a number is a pause in seconds;
--   { read = "http" | "http2" }   waits for a whole request; "pong": for the answer to a
--                      ping, which the client sends when it has read what came before
--   { endless = text [, every = seconds] [, times = n] }   sends it again and again
--   { reset = true }   RST; { hold = true }   silence until the client goes away
-- After its last step a connection is shut down for writing and closed with the client.

local uv = require "luv"

local BACKLOG = 64

local scripts = {}
local counts = { main = 0, foreign = 0, requests = 0 }
local connections = {}

local function close(connection)
  connections[connection] = nil
  if not connection.socket:is_closing() then
    connection.socket:close()
  end
  if connection.timer and not connection.timer:is_closing() then
    connection.timer:close()
  end
end

-- ---- whole requests ----

-- Where a request over HTTP/1.1 at the start of these bytes ends; nil: not yet.
local function end_of_http(bytes)
  local _, head = bytes:find("\r\n\r\n", 1, true)
  if head then
    local length = bytes:sub(1, head):match "\r\nContent%-Length: (%d+)" or 0
    local last = head + math.tointeger(tonumber(length))
    return #bytes >= last and last or nil
  end
end

local PREFACE = #"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
local END_STREAM = 1
local DATA, HEADERS, PING, ACK = 0, 1, 6, 1

-- Where the first whole frame that is wanted ends.
local function end_of_frame(bytes, at, is_wanted)
  while at + 8 <= #bytes do
    local high, low, kind, flags = (">I1I2BB"):unpack(bytes, at)
    at = at + 9 + (high << 16 | low)
    if at - 1 <= #bytes and is_wanted(kind, flags) then
      return at - 1
    end
  end
end

local function end_of_http2(bytes)
  return end_of_frame(bytes, PREFACE + 1, function(kind, flags)
    return (kind == DATA or kind == HEADERS) and flags & END_STREAM ~= 0
  end)
end

local function end_of_pong(bytes)
  return end_of_frame(bytes, 1, function(kind, flags)
    return kind == PING and flags & ACK ~= 0
  end)
end

local ends = { http = end_of_http, http2 = end_of_http2, pong = end_of_pong }

-- ---- steps ----

local play

local function check_read(connection)
  local what = connection.reading
  local last = what and ends[what](connection.received)
  if last then
    connection.reading = nil
    connection.received = connection.received:sub(last + 1)
    counts.requests = counts.requests + (what == "pong" and 0 or 1)
    play(connection)
  end
end

local function after(connection, seconds, continue)
  connection.timer = connection.timer or uv.new_timer()
  connection.timer:start(math.floor(seconds * 1000), 0, continue)
end

local function send(connection, bytes, continue)
  connection.socket:write(bytes, function(problem)
    if problem then
      close(connection)
    elseif connections[connection] then
      continue()
    end
  end)
end

local function send_endlessly(connection, step, left)
  if left == 0 then
    return play(connection)
  end
  send(connection, step.endless, function()
    local function again()
      send_endlessly(connection, step, left - 1)
    end
    if step.every then
      after(connection, step.every, again)
    else
      again()
    end
  end)
end

local function finish(connection)
  connection.socket:shutdown(function() end)
end

function play(connection)
  local step = connection.script[connection.at]
  connection.at = connection.at + 1
  local function continue()
    play(connection)
  end
  if step == nil then
    finish(connection)
  elseif type(step) == "string" then
    send(connection, step, continue)
  elseif type(step) == "number" then
    after(connection, step, continue)
  elseif step.read then
    connection.reading = step.read
    check_read(connection)
  elseif step.endless then
    send_endlessly(connection, step, step.times or -1)
  elseif step.reset then
    connections[connection] = nil
    connection.socket:close_reset()
  end
end

-- ---- connections ----

local function accept(server, where)
  local socket = uv.new_tcp()
  server:accept(socket)
  counts[where] = counts[where] + 1
  local script = scripts[math.min(counts[where], #scripts)] or { { hold = true } }
  local connection = { socket = socket, script = script, at = 1, received = "" }
  connections[connection] = true
  socket:read_start(function(problem, bytes)
    if problem or not bytes then
      close(connection)
    else
      connection.received = connection.received .. bytes
      check_read(connection)
    end
  end)
  play(connection)
end

-- Listens; false where that cannot be, as without IPv6.
local function listen(address, port, where)
  local server = uv.new_tcp()
  local listening = server:bind(address, port) and server:listen(BACKLOG, function(problem)
    assert(not problem, problem)
    accept(server, where)
  end)
  if not listening then
    server:close()
  end
  return listening and server:getsockname().port
end

-- Listens on one port of the endpoint and of three foreign origins.
local function open()
  for _ = 1, 20 do
    local port = assert(listen("127.0.0.1", 0, "main"))
    if listen("127.0.0.2", port, "foreign") then
      listen("::1", port, "foreign")
      return port, assert(listen("127.0.0.1", 0, "foreign"))
    end
  end
  error "no port"
end

-- ---- commands ----

local function answer(text)
  io.write(text, "\n")
  io.flush()
end

local function obey(command)
  if command == "counts" then
    answer(("%d %d %d"):format(counts.main, counts.foreign, counts.requests))
    return
  end
  for connection in pairs(connections) do
    close(connection)
  end
  scripts = command
  counts = { main = 0, foreign = 0, requests = 0 }
  answer "ready"
end

local input, pending = uv.new_pipe(false), ""
-- One round of the loop later: what had connected before the command is counted.
local round = uv.new_timer()

local function take_command()
  local size, start = pending:match "^(%d+)\n()"
  local last = size and start + math.tointeger(tonumber(size)) - 1
  if last and #pending >= last then
    local command = assert(load("return " .. pending:sub(start, last)))()
    pending = pending:sub(last + 1)
    round:start(0, 0, function()
      obey(command)
    end)
  end
end

-- A client that goes away in mid-answer is no reason to die.
local broken_pipe = uv.new_signal()
broken_pipe:start("sigpipe")

input:open(0)
answer(("%d %d"):format(open()))
input:read_start(function(problem, bytes)
  if problem or not bytes then
    uv.stop()
    return
  end
  pending = pending .. bytes
  take_command()
end)
uv.run()
