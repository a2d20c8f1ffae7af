--- What the emulator is told, so that every call has the same answer each time it is
-- made: its clock stands still, and offers differ in what they answer.

local HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
local ID = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"
local ELSEWHERE = "https://portal.example"
  .. "/api/publishers/contoso/offers/foreign/operations/i"

-- Cancels that a workflow sees to their end need an offer each.
local WORKFLOWS = 2000

-- Its URL is longer than a buffer is at first, which must grow within the name.
local LONG = ("long"):rep(30)

local function answer(offer, fault)
  fault.on, fault.offer, fault.times = fault.on or "*", "contoso/" .. offer, -1
  return fault
end

--- The options of emulator.start.
return function(wire)
  local past = { { id = ID, state = "canceled" } }
  local offers = {
    ["contoso/vm"] = { running = "publish", history = past },
    ["contoso/idle"] = { history = past },
    ["contoso/" .. LONG] = { running = "publish" },
    ["contoso/F2"] = { running = "publish", location = "F2" },
    ["contoso/F3"] = { running = "publish", location = "F3" },
    ["contoso/F4"] = { running = "publish", location = "F4" },
    ["contoso/next"] = { running = "publish", location = "to/i" },
    ["contoso/foreign"] = { running = "publish", location = ELSEWHERE },
    ["contoso/none"] = { running = "publish", location = "none" },
    ["contoso/array"] = { running = "publish", id = ID, document = "array" },
    ["contoso/moving"] = { running = "publish", id = ID, running_status = 202 },
    ["contoso/ended"] = { history = past, done_status = 204 },
    ["contoso/forbidden"] = { running = "publish", foreign = true },
  }
  for _, name in ipairs { "sync", "early", "gateway", "missing", "busy", "cut" } do
    offers["contoso/" .. name] = { running = "publish" }
  end
  for i = 1, WORKFLOWS do
    offers["contoso/w" .. i] = { running = "publish", cancel_seconds = 0 }
  end
  local faults = {
    answer("sync", { on = "cancel", status = 200, body = '{"status":"canceled"}' }),
    answer("early", { on = "cancel", early = true }),
    answer("gateway", { status = 502, body = HTML }),
    answer("missing", { status = 404, body = "" }),
    answer("busy", { status = 429, retry_after = "7", body = "" }),
    answer("cut", { on = "cancel", raw = "HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n"
      .. "Operation-Location: /api/operations/cut\r\n\r\nabc" }),
  }
  return { tls = wire.tls, speed = 0, offers = offers, faults = faults, seed = 1 }
end
