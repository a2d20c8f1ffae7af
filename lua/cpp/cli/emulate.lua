--- `cloudpartner emulate`: the portal on this machine, to try things out.

local cpp = require "cpp"
local failure = require "cpp.cli.failure"
local text = require "cpp.text"

-- A publish that is at its certification, for hours to come.
local PUBLISH = { running = "publish", elapsed = 21600, publish_seconds = 86400 }

local USUAL = { { publisher = "contoso", offer = "contoso-vm" } }

local A_DAY = 86400

local function export_line(portal)
  local words = { "export CPP_ENDPOINT=" .. text.quote(portal.endpoint),
    "CPP_TOKEN=" .. text.quote(portal.token) }
  if portal.ca_file then
    words[#words + 1] = "SSL_CERT_FILE=" .. text.quote(portal.ca_file)
  end
  return table.concat(words, " ")
end

local function settings_of(emulated)
  local offers = {}
  for _, one in ipairs(emulated) do
    offers[one.publisher .. "/" .. one.offer] = PUBLISH
  end
  return offers
end

local function start(given, emulated)
  local portal, message = require "cpp.emulator".start {
    tls = given.tls or false, speed = given.speed, offers = settings_of(emulated),
  }
  if not portal then
    failure.raise(1, "cloudpartner: " .. text.clean(message))
  end
  return portal
end

-- As a shell needs it: most ids are plain words.
local function word(id)
  return id:find "^[%w._-]+$" and id or text.quote(text.clean(id))
end

-- A line for each publisher.
local function cancel_lines(emulated)
  local lines, line_of = {}, {}
  for _, one in ipairs(emulated) do
    if not line_of[one.publisher] then
      line_of[one.publisher] = #lines + 1
      lines[#lines + 1] = "cloudpartner cancel " .. word(one.publisher)
    end
    local i = line_of[one.publisher]
    lines[i] = lines[i] .. " " .. word(one.offer)
  end
  return lines
end

--- Runs until it is interrupted.
---@param given cpp.cli.given
return function(given)
  local emulated = #given.emulated > 0 and given.emulated or USUAL
  local portal <close> = start(given, emulated)
  print(export_line(portal))
  for _, line in ipairs(cancel_lines(emulated)) do
    print(line)
  end
  io.stdout:flush()
  io.stderr:write("The portal runs until Ctrl-C. Paste these lines elsewhere.\n")
  local client <close> = cpp.client()
  while true do
    client:sleep(A_DAY)
  end
end
