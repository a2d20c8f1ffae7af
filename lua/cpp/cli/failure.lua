--- What ends the command before its time: an exit status and a message.

local failure = {}

--- Raises. `cli.main` catches it, tells the message and returns the status.
---@param status integer
---@param message string
function failure.raise(status, message)
  error({ status = status, message = message }, 0)
end

--- Calls a function; what it raises is the user's wrong use of an argument.
---@param fn function
---@param ... any  its arguments
---@return any ...  its results
function failure.as_usage(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if not results[1] then
    failure.raise(2, "cloudpartner: " .. tostring(results[2]))
  end
  return table.unpack(results, 2, results.n)
end

--- Whether lua.c raised this for SIGINT: with a place before it, and maybe a
--- traceback behind it.
---@param reason any
---@return boolean
function failure.is_interrupt(reason)
  return type(reason) == "string" and reason:find "^[^\n]*interrupted!" ~= nil
end

return failure
