--- A FIFO whose writer waits for a reader. Whoever opens it to read is given a line, and
-- does not wait for ever.

local fifo = {}
fifo.__index = fifo
fifo.__close = function(self)
  self:close()
end

function fifo.new()
  local name = os.tmpname()
  os.remove(name)
  assert(os.execute("mkfifo -m 600 " .. name))
  local writer = assert(io.popen(("echo $$; trap '' PIPE; while :; do echo from-fifo >%s; "
    .. "echo read; sleep 1; done 2>&1"):format(name)))
  return setmetatable({ name = name, writer = writer, pid = writer:read "n" }, fifo)
end

--- Ends and removes it. Returns whether anybody has opened it.
function fifo:close()
  os.execute(("kill -KILL %d"):format(self.pid))
  local was_read = self.writer:read "a":find "read" ~= nil
  self.writer:close()
  os.remove(self.name)
  return was_read
end

return fifo
