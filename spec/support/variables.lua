--- The environment, as a case wants it.

local getenv = os.getenv

local variables = {}

--- From now on these are all that there is.
---@param given table<string, string>
function variables.set(given)
  os.getenv = function(name) -- luacheck: ignore
    return given[name]
  end
end

function variables.restore()
  os.getenv = getenv -- luacheck: ignore
end

return variables
