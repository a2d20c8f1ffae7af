--- The peer that the monkey plays with: how a request is answered stands in it, as the
-- name of the offer or of the operation.
--
-- lua5.4 spec/hostile/monkey/peer.lua; prints its port and ends with its input. Each
-- answer that is made for a request holds the id that the request came with.

local uv = require "luv"

local function document(status, body)
  return ("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"):format(status, #body, body)
end

local function own(id)
  return document("200 OK", ('{"status":"running","echo":"%s"}'):format(id))
end

-- What nobody has asked for.
local LATE = {
  document("200 OK", '{"status":"canceled","echo":"late"}'),
  document("408 Request Timeout", ""),
  document("202 Accepted", ""),
  document("200 OK", ""),
  "\r\n",
}

local function after(milliseconds, socket, act)
  local timer = uv.new_timer()
  timer:start(milliseconds, 0, function()
    timer:close()
    if not socket:is_closing() then
      act(socket)
    end
  end)
end

local function close(socket)
  if not socket:is_closing() then
    socket:close()
  end
end

-- By behaviour: what becomes of a request.
local play = {}

function play.good(socket, id)
  socket:write(own(id))
end

function play.slow(socket, id)
  after(60, socket, function() socket:write(own(id)) end)
end

function play.late(socket, id)
  socket:write(own(id))
  after(3, socket, function() socket:write(LATE[1 + #id % #LATE]) end)
end

function play.both(socket, id)
  socket:write(own(id) .. LATE[1 + #id % #LATE])
end

function play.last(socket, id)
  socket:write(own(id), function() close(socket) end)
end

function play.over(socket, id)
  socket:write(own(id))
  after(3, socket, close)
end

function play.away(socket, id)
  socket:write(own(id))
  after(3, socket, function() socket:close_reset() end)
end

function play.reset(socket)
  socket:close_reset()
end

function play.cut(socket)
  socket:write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", function() close(socket) end)
end

function play.mute() end

local function answer(socket, head)
  local behaviour = head:match "^%S+ %S*/operations/(%l+)" or head:match "^%S+ %S*/offers/(%l+)"
  local id = head:match "x%-ms%-client%-request%-id: (%S+)"
  play[behaviour](socket, id)
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 0))
assert(server:listen(128, function()
  local socket, bytes = uv.new_tcp(), ""
  server:accept(socket)
  socket:read_start(function(problem, chunk)
    if problem or not chunk then
      return close(socket)
    end
    bytes = bytes .. chunk
    local head, rest = bytes:match "^(.-\r\n\r\n)(.*)$"
    local length = math.tointeger(tonumber(head and head:match "Content%-Length: (%d+)" or 0))
    if head and #rest >= length then
      bytes = rest:sub(length + 1)
      answer(socket, head)
    end
  end)
end))

local broken_pipe = uv.new_signal()
broken_pipe:start "sigpipe"
local input = uv.new_pipe(false)
input:open(0)
input:read_start(function(problem, chunk)
  if problem or not chunk then
    uv.stop()
  end
end)
io.write(server:getsockname().port, "\n")
io.flush()
uv.run()
