--- A server that takes one request, for cases that look at its bytes.

local shell = require "cpp.emulator.shell"

local listener = {}
listener.__index = listener

local SCRIPT = [[
local uv = require "luv"
local server = uv.new_tcp()
server:bind("127.0.0.1", 0)
server:listen(1, function()
  local socket, bytes = uv.new_tcp(), ""
  server:accept(socket)
  server:close()
  socket:read_start(function(_, chunk)
    bytes = bytes .. (chunk or "")
    local head, rest = bytes:match "^(.-\r\n\r\n)(.*)$"
    local length = tonumber(head and head:match "\r\nContent%%-Length: (%%d+)" or 0)
    if not chunk or head and #rest >= length then
      socket:read_stop()
      socket:write(%q, function()
        socket:close()
        io.write(bytes)
      end)
    end
  end)
end)
print(server:getsockname().port)
io.stdout:flush()
uv.run()]]

--- Starts one that answers with this status, body and header lines.
---@return table  with `endpoint`
function listener.start(status, body, ...)
  local lines = { "HTTP/1.1 " .. status .. " X", "Content-Length: " .. #body,
    "Connection: close", ... }
  local answer = table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
  local self = setmetatable({}, listener)
  self.pipe = assert(io.popen("exec timeout 20 lua5.4 -e "
    .. shell.quote(SCRIPT:format(answer))))
  self.endpoint = "http://127.0.0.1:" .. assert(self.pipe:read "l")
  return self
end

--- The request, once it has come whole; ends the server.
---@return string head
---@return string body
function listener:request()
  local bytes = self.pipe:read "a"
  self.pipe:close()
  return bytes:match "^(.-\r\n)\r\n(.*)$"
end

return listener
