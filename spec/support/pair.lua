--- One port that is dark on one address and alive on another: dark.lua in a process of
-- its own.

local pair = {}
pair.__index = pair

--- Starts it; nil and why where there are no such addresses. `dark` and `live` are origins;
-- so is `both`, by the name localhost. With a port in place of a live address, that port is
-- dark, and there is no live one.
function pair.start(dark, live)
  local ready = os.tmpname()
  os.remove(ready)
  assert(os.execute("mkfifo -m 600 " .. ready))
  local input = assert(io.popen(("unset LD_PRELOAD; exec lua5.4 spec/support/dark.lua %s %s >%s")
    :format(dark, live, ready), "w"))
  local output <close> = assert(io.open(ready))
  os.remove(ready)
  local line = output:read "l"
  local port = math.tointeger(line)
  if not port then
    input:close()
    return nil, line or "no answer"
  end
  local function origin(host)
    return ("http://%s:%d"):format(host:find ":" and "[" .. host .. "]" or host, port)
  end
  return setmetatable({ input = input, dark = origin(dark), live = origin(tostring(live)),
    both = origin "localhost" }, pair)
end

function pair:close()
  self.input:close()
end

return pair
