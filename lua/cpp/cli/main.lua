#!/usr/bin/env lua5.4
-- What the rock installs as `cloudpartner`. Signals are caught before anything else of
-- ours is loaded. Not by require: LuaRocks' loader reads its own files first, and lets
-- lua's answer to Ctrl-C vanish. That answer, where it strikes here, ends us all the same.
local good, reason = pcall(function()
  local path = assert(package.searchpath("cpp.system", package.cpath))
  local open = assert(package.loadlib(path, "luaopen_cpp_system"))
  package.loaded["cpp.system"] = open "cpp.system"
  assert(package.loaded["cpp.system"].catch())
end)
if not good then
  local is_signal = tostring(reason):find "interrupted!"
  io.stderr:write(is_signal and "" or "cloudpartner: " .. tostring(reason) .. "\n")
  os.exit(is_signal and 130 or 1)
end
os.exit(require "cpp.cli".main(arg), true)
