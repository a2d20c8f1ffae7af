--- `cloudpartner emulate`: the portal on this machine, to try things out.

local cpp = require "cpp"
local failure = require "cpp.cli.failure"
local text = require "cpp.cli.text"

-- A publish that is at its certification, for hours to come.
local OFFERS = {
  ["contoso/contoso-vm"] = { running = "publish", elapsed = 21600,
    publish_seconds = 86400 },
}

local A_DAY = 86400

local function export_line(portal)
  local words = { "export CPP_ENDPOINT=" .. text.quote(portal.endpoint),
    "CPP_TOKEN=" .. text.quote(portal.token) }
  if portal.ca_file then
    words[#words + 1] = "SSL_CERT_FILE=" .. text.quote(portal.ca_file)
  end
  return table.concat(words, " ")
end

local function start(given)
  local portal, message = require "cpp.emulator".start {
    tls = given.tls or false, speed = given.speed, offers = OFFERS,
  }
  if not portal then
    failure.raise(1, "cloudpartner: " .. text.clean(message))
  end
  return portal
end

--- Runs until it is interrupted.
---@param given cpp.cli.given
return function(given)
  local portal <close> = start(given)
  print(export_line(portal))
  print "cloudpartner cancel contoso contoso-vm"
  io.stdout:flush()
  io.stderr:write("The portal runs until Ctrl-C. Paste these lines elsewhere.\n")
  local client <close> = cpp.client()
  while true do
    client:sleep(A_DAY)
  end
end
