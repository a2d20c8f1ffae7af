std = "lua54"
max_line_length = 100
exclude_files = { "lua_modules", "build" }
files[".ci/luarocks.lua"] = { globals = { "rocks_provided" } }
files["lua/cpp/emulator/portal"] = { std = "ngx_lua" }
files["spec"] = { std = "+busted" }
