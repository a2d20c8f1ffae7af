--- Frames of HTTP/2, written by hand: what no server would send can be sent.

local http2 = {}

--- A frame of any type, with flags, on a stream.
function http2.frame(kind, flags, stream, payload)
  local size = #payload
  return (">I1I2BBI4"):pack(size >> 16, size & 0xffff, kind, flags, stream) .. payload
end

http2.END_STREAM, http2.END_HEADERS = 1, 4
http2.NO_ERROR, http2.PROTOCOL_ERROR, http2.INTERNAL_ERROR = 0, 1, 2
http2.REFUSED_STREAM, http2.CANCEL, http2.ENHANCE_YOUR_CALM = 7, 8, 11
http2.HTTP_1_1_REQUIRED = 13

--- How a server begins: its own settings, and it has read the client's.
http2.HELLO = http2.frame(4, 0, 0, "") .. http2.frame(4, 1, 0, "")

-- An integer of HPACK with a prefix of 7 bits.
local function integer(value)
  if value < 127 then
    return string.char(value)
  end
  local bytes = "\127"
  value = value - 127
  while value >= 128 do
    bytes = bytes .. string.char(value & 127 | 128)
    value = value >> 7
  end
  return bytes .. string.char(value)
end

--- A header field, literal and not indexed.
function http2.field(name, value)
  return "\0" .. integer(#name) .. name .. integer(#value) .. value
end

--- HEADERS on stream 1: a status, then { name, value }, …
function http2.headers(flags, status, ...)
  local fields = { http2.field(":status", tostring(status)) }
  for _, pair in ipairs { ... } do
    table.insert(fields, http2.field(table.unpack(pair)))
  end
  return http2.frame(1, flags, 1, table.concat(fields))
end

--- DATA on stream 1.
function http2.data(flags, bytes)
  return http2.frame(0, flags, 1, bytes)
end

function http2.reset(code)
  return http2.frame(3, 0, 1, (">I4"):pack(code))
end

--- GOAWAY: the last stream that the server has looked at, and why it goes.
function http2.goaway(last, code)
  return http2.frame(7, 0, 0, (">I4I4"):pack(last, code))
end

return http2
