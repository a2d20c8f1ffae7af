-- `make demo`: examples/cancel.lua, unchanged, against the emulator.
package.path = "lua_modules/share/lua/5.4/?.lua;"
  .. "lua_modules/share/lua/5.4/?/init.lua;" .. package.path
package.cpath = "lua_modules/lib/lua/5.4/?.so;" .. package.cpath

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function run()
  local portal <close> = assert(require "cpp.emulator".start {
    tls = true,
    speed = 30,
    offers = {
      ["contoso/contoso-vm"] = {
        running = "publish", publish_seconds = 3600, elapsed = 1000,
      },
    },
  })
  local environment = {
    LUA_PATH_5_4 = package.path,
    LUA_CPATH_5_4 = package.cpath,
    CPP_ENDPOINT = portal.endpoint,
    CPP_TOKEN = portal.token,
    SSL_CERT_FILE = portal.ca_file,
  }
  local command = { "env" }
  for name, value in pairs(environment) do
    table.insert(command, name .. "=" .. quote(value))
  end
  table.insert(command, "lua5.4 examples/cancel.lua contoso contoso-vm")
  local _, how, status = os.execute(table.concat(command, " "))
  return how == "exit" and status or 1
end

os.exit(run(), true)
