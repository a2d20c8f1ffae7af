--- A proxy that makes tunnels to loopback, until it is told to break them.

local shell = require "cpp.emulator.shell"

local tunnel = {}
tunnel.__index = tunnel

-- Reads a status: the next bytes of a client reset its connection, and every tunnel from
-- then on ends as soon as it has had that answer.
local SCRIPT = [[
local uv = require "luv"
local ANSWER = "HTTP/1.1 %s\r\nRetry-After: 99\r\nx-ms-request-id: proxy\r\n\r\n"
local server, input, cut = uv.new_tcp(), uv.new_pipe(), nil

local function close(...)
  for _, socket in ipairs { ... } do
    if not socket:is_closing() then
      socket:close()
    end
  end
end

local function pass(from, to, is_client)
  from:read_start(function(_, bytes)
    if bytes and is_client and cut then
      from:close_reset()
      close(to)
    elseif bytes and not to:is_closing() then
      to:write(bytes)
    else
      close(from, to)
    end
  end)
end

local function join(client, port)
  local service = uv.new_tcp()
  service:connect("127.0.0.1", port, function(problem)
    assert(not problem, problem)
    client:write(ANSWER:format "200 Established")
    pass(client, service, true)
    pass(service, client)
  end)
end

server:bind("127.0.0.1", 0)
server:listen(8, function()
  local client, bytes = uv.new_tcp(), ""
  server:accept(client)
  client:read_start(function(_, chunk)
    bytes = bytes .. (chunk or "")
    local port = bytes:match "^CONNECT [^:]+:(%d+) .*\r\n\r\n$"
    if not chunk then
      close(client)
    elseif port and cut then
      client:read_stop()
      client:write(ANSWER:format(cut), function() close(client) end)
    elseif port then
      client:read_stop()
      join(client, tonumber(port))
    end
  end)
end)
input:open(0)
input:read_start(function(_, line)
  if not line then
    os.exit(true)
  end
  cut = line:match "[^\n]+"
  print "cut"
end)
io.stdout:setvbuf "line"
print(server:getsockname().port)
uv.run()]]

--- Starts one.
---@return table  with `url`, that of the proxy
function tunnel.start()
  local name = os.tmpname()
  os.remove(name)
  assert(os.execute("mkfifo -m 600 " .. name))
  local self = setmetatable({}, tunnel)
  self.input = assert(io.popen("exec lua5.4 -e " .. shell.quote(SCRIPT) .. " >" .. name, "w"))
  self.output = assert(io.open(name))
  os.remove(name)
  self.url = "http://127.0.0.1:" .. assert(self.output:read "l", "the tunnel did not start")
  return self
end

--- From now on, what a client sends resets its connection, and no tunnel holds.
---@param status string|nil  "407 …": it is refused; else agreed to, and ended
function tunnel:cut(status)
  self.input:write(status or "200 Established", "\n")
  self.input:flush()
  assert(self.output:read "l" == "cut")
end

function tunnel:close()
  self.input:close()
  self.output:close()
end

return tunnel
