--- The few commands that the emulator runs. Sanitizers preloaded into this
-- process, and Lua paths meant for it, stay with it.

local shell = {}

local PRELUDE = "unset LD_PRELOAD LUA_PATH LUA_CPATH LUA_INIT\n"

--- @param text string
-- @return string  the text as one word of a shell command
function shell.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Starts a script; its output, errors included, can be read from the result.
-- @return file*
function shell.open(script)
  return assert(io.popen(PRELUDE .. "exec 2>&1\n" .. script, "r"))
end

--- Runs a script to its end.
-- @return boolean  whether it ended well
-- @return string   its output, without the last newline
function shell.run(script)
  local pipe <close> = shell.open(script)
  local output = pipe:read "a"
  return pipe:close() == true, (output:gsub("\n$", ""))
end

return shell
