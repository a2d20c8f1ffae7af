--- Where the workflow under test comes from. Only here the model meets lua/cpp.

local subject = {}

--- Makes the built tree's modules known.
function subject.prepare()
  local tree = os.getenv "CPP_TREE" or "lua_modules"
  package.path = tree .. "/share/lua/5.4/?.lua;" .. package.path
  package.cpath = tree .. "/lib/lua/5.4/?.so;" .. package.cpath
end

--- The workflow of a module's name, or of a file that ends with .lua.
---@return table workflow  with cancel
function subject.load(name)
  if name:find "%.lua$" then
    return dofile(name)
  end
  return require(name)
end

return subject
