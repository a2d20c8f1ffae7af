-- What each of the threads of threads.c does: every kind of call, over and over.

package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path

local argument = ...

local cjson = require "cjson"
local cpp = require "cpp"
local task = require "cpp.task"

local ROUNDS = 20
local OPERATION = "/api/publishers/contoso/offers/vm/operations/"
  .. "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

local world = cjson.decode(argument)
local passed, failed = 0, 0

local function check(name, good, message)
  if good then
    passed = passed + 1
  else
    failed = failed + 1
    print(name, message)
  end
end

local function round(client)
  check("cancel", client:cancel("contoso", "vm"))
  local operation, err = client:poll(OPERATION)
  check("poll", operation, err)
  check("poll again", operation and client:poll(operation))
  check("operations", client:operations("contoso", "vm"))
  check("status", client:status("contoso", "vm"))
  check("token", client:fetch_token(world.identity))
  check("refused", not client:cancel("contoso", "forbidden"))
  check("dry run", client:cancel("contoso", "vm", { dry_run = true }))
  check("tasks", task.run(client, task.map, { OPERATION, OPERATION }, function(location)
    return client:poll(location)
  end))
end

for _ = 1, ROUNDS do
  local client <close> = cpp.client { endpoint = world.endpoint, token = world.token,
    ca_file = world.ca_file, http_version = world.http_version }
  round(client)
  collectgarbage()
end
return passed, failed
