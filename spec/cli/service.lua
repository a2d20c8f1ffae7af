--- The emulated service of one spec file, and what its cases do with it. Each case
-- has an offer of its own.

local cjson = require "cjson"
local command = require "spec.cli.command"
local emulator = require "cpp.emulator"

local service = {}

-- A wrong wait ends a case, not the day.
service.QUICK = " --interval 0.02 --deadline 20 --list-lag 0.1 "

-- A publish lasts hours, a cancel 0.12 s.
local SPEED = 1000

function service.start()
  service.portal = assert(emulator.start { speed = SPEED })
end

function service.stop()
  service.portal:close()
end

--- No faults, and time goes on.
function service.reset()
  service.portal:set("*", { faults = {}, speed = SPEED })
end

--- Nothing ends any more, until `reset` or `advance`.
function service.freeze()
  service.portal:set("*", { speed = 0 })
end

--- An offer in mid-publish.
function service.offer(name, settings)
  local all = { running = "publish", publish_seconds = 1e7, elapsed = 4e6 }
  for key, value in pairs(settings or {}) do
    all[key] = value
  end
  service.portal:set("contoso/" .. name, all)
end

--- What the portal was asked about an offer.
function service.counts(name)
  return service.portal:ledger().offers["contoso/" .. name]
end

--- Waits until the portal was asked so often about an offer; `call` is a counter.
function service.await(name, call)
  for _ = 1, 500 do
    if (service.counts(name) or {})[call] == 1 then
      return
    end
    os.execute "sleep 0.02"
  end
  error("never asked: " .. call .. " of " .. name)
end

--- Runs the command to its end. The token is in its environment and must stay there.
---@return table  status, out, err
function service.run(words, values)
  local all = command.of(service.portal)
  for name, value in pairs(values or {}) do
    all[name] = value
  end
  local result = command.run(words, all)
  assert(not (result.out .. result.err):find(service.portal.token, 1, true))
  return result
end

--- Starts it.
function service.start_command(words)
  return command.start(words .. service.QUICK, command.of(service.portal))
end

--- Starts it with a signal ignored.
function service.start_ignoring(signal, words)
  return command.start(words .. service.QUICK, command.of(service.portal),
    ("trap '' %s;"):format(signal))
end

--- Starts it as process 1.
function service.start_as_init(words)
  return command.start_as_init(words .. service.QUICK, command.of(service.portal))
end

--- Starts it, where it waits for nothing.
function service.start_look(words)
  return command.start(words, command.of(service.portal))
end

--- The objects of JSON lines, of one event if it is named.
function service.objects(output, event)
  local list = {}
  for line in output:gmatch "[^\n]+" do
    local object = cjson.decode(line)
    if not event or object.event == event then
      table.insert(list, object)
    end
  end
  return list
end

--- The location of an offer's newest operation.
function service.location_of(name)
  local result = service.run("operations contoso " .. name .. " --json")
  return service.objects(result.out)[1].location
end

return service
