--- One client over as many fakes as there are offers, on one clock: a function
-- of their number and of what fake.new takes.

local fake = require "spec.support.fake"
local task = require "cpp.task"

local function new_portals(n, given, client)
  local portals = {}
  for i = 1, n do
    local portal = fake.new(given)
    portal.offer, portal.latency = "vm-" .. i, 0
    portal.own, portal.client = portal.client, client
    portals["vm-" .. i] = portal
  end
  return portals
end

-- An exchange takes the farm's latency; then the offer's portal answers.
local function of(self, method)
  return function(_, where, offer, opts)
    local location = type(where) == "table" and where.location or where
    offer = location:match "/offers/([^/]+)" or offer
    self.in_flight = self.in_flight + 1
    self.most_in_flight = math.max(self.most_in_flight, self.in_flight)
    table.insert(self.log, { method = method, time = self.time, offer = offer })
    task.sleep(self.latency)
    self.in_flight = self.in_flight - 1
    local portal = self.portals[offer]
    portal.time = self.time
    return portal.own[method](portal.own, where, offer, opts)
  end
end

return function(n, given)
  local self = fake.new(given)
  local client = { now = self.client.now, sleep = self.client.sleep }
  for _, method in ipairs { "cancel", "poll", "operations" } do
    client[method] = of(self, method)
  end
  self.client, self.portals = client, new_portals(n, given, client)
  return self
end
