--- Waits over a network that fails: a link that goes down, an address that
-- changes. `make network`, as root: the client is in one network namespace, the
-- portal in another, a veth pair between them.

local shell = require "cpp.emulator.shell"

local ID = tostring(os.time() % 100000)
local NEAR, FAR = "cppn" .. ID, "cppf" .. ID
local NEAR_IP, OTHER_IP, FAR_IP = "10.213.77.1", "10.213.77.3", "10.213.77.2"

local function sh(script)
  return shell.run("set -e\n" .. script)
end

local function must(script)
  local good, output = sh(script)
  assert(good, output)
  return output
end

local SET_UP = ([[
ip netns add @NEAR
ip netns add @FAR
ip -n @NEAR link add veth0 type veth peer name veth0 netns @FAR
ip -n @NEAR address add @NIP/24 dev veth0
ip -n @FAR address add @FIP/24 dev veth0
for name in @NEAR @FAR; do
  ip -n $name link set lo up
  ip -n $name link set veth0 up
done
]]):gsub("@(%u+)", { NEAR = NEAR, FAR = FAR, NIP = NEAR_IP, FIP = FAR_IP })

-- The pair goes with its namespaces, and these with their last process.
local function tear_down()
  sh(("ip netns delete %s || :\nip netns delete %s"):format(NEAR, FAR))
end

local Process = {}
Process.__index = Process

-- Runs a Lua script in a namespace.
local function start(namespace, script, environment)
  local words = { "exec ip netns exec", namespace, "env" }
  environment.LUA_PATH_5_4, environment.LUA_CPATH_5_4 = package.path, package.cpath
  for name, value in pairs(environment) do
    table.insert(words, shell.quote(name .. "=" .. value))
  end
  table.insert(words, "timeout 90 lua5.4 -e " .. shell.quote(script))
  local pipe = shell.open("echo $$\n" .. table.concat(words, " "))
  return setmetatable({ pipe = pipe, pid = pipe:read "l" }, Process)
end

function Process:read()
  return self.pipe:read "l"
end

-- Waits for its end; what it printed.
function Process:finish()
  local output = self.pipe:read "a"
  self.pipe:close()
  return "\n" .. output
end

function Process:stop()
  sh("kill " .. self.pid)
  self.pipe:close()
end

-- A publish that is over after 16 s, on a clock that says real seconds.
local PORTAL = [[
local emulator = require "cpp.emulator"
local portal = assert(emulator.start { tls = true, addresses = { os.getenv "ADDRESS" },
  offers = { ["contoso/vm"] = { running = "publish", publish_seconds = 16 } } })
print(portal.endpoint)
print(portal.token)
print(portal.ca_file)
io.stdout:flush()
os.execute "exec sleep 60"
]]

-- Says how each exchange went: on a `reused` or a `new` connection, or the code
-- of the error.
local CLIENT = [[
local cpp = require "cpp"
local workflow = require "cpp.workflow"
local client = cpp.client { timeout = 2, connect_timeout = 2,
  http_version = os.getenv "VERSION", trace = function(event)
    print(event.code or event.reused and "reused" or "new")
    io.stdout:flush()
  end }
local list = assert(client:operations("contoso", "vm"))
local start = client:now()
local operation, err = workflow.wait(client, list[1], { interval = 0.5,
  max_interval = 1, deadline = 40, timeout = 2 })
print(operation and operation.state or tostring(err), client:now() - start)
]]

local function start_client(portal, version)
  return start(NEAR, CLIENT, { CPP_ENDPOINT = portal.endpoint, VERSION = version,
    CPP_TOKEN = portal.token, SSL_CERT_FILE = portal.ca_file })
end

local function start_portal()
  local process = start(FAR, PORTAL, { ADDRESS = FAR_IP })
  process.endpoint, process.token = process:read(), process:read()
  process.ca_file = process:read()
  assert(process.ca_file, process.endpoint)
  return process
end

local function near(command)
  must(("ip -n %s %s"):format(NEAR, command))
end

-- The answers before and after the first failure, and how many failures.
local function count(output)
  local counts = { before = 0, failed = 0, after = 0 }
  for word in output:gmatch "[^\n]+" do
    if word == "reused" or word == "new" then
      local phase = counts.failed == 0 and "before" or "after"
      counts[phase] = counts[phase] + 1
    elseif word:find "^[%l_]+$" then
      counts.failed = counts.failed + 1
    end
  end
  return counts
end

-- Why the cases are skipped; nil where they can run.
local function reason()
  local _, uid = sh "id -u"
  if uid ~= "0" then
    return "network namespaces need root"
  elseif not sh "command -v ip" then
    return "no ip command: install iproute2"
  end
  local good, output = sh(SET_UP)
  tear_down()
  return not good and "the kernel allows no namespaces here: " .. output or nil
end

describe("a wait in a network that fails", function()
  local missing = reason()
  local portal

  if missing then
    print("skipped: " .. missing)
    pending("goes on and ends right: " .. missing)
    it("is skipped for a reason", function() end)
    return
  end

  before_each(function()
    must(SET_UP)
    portal = start_portal()
  end)

  after_each(function()
    portal:stop()
    tear_down()
  end)

  it("outlives a link that is down for 10 s", function()
    local client = start_client(portal, "2")
    os.execute "sleep 2"
    near "link set veth0 down"
    os.execute "sleep 10"
    near "link set veth0 up"
    local output = client:finish()
    local counts = count(output)
    print(("%d answers, %d failures while the link was down, %d answers"):format(
      counts.before, counts.failed, counts.after))
    assert.matches("\nsucceeded\t", output)
    assert.is_true(counts.before > 0 and counts.failed > 1 and counts.after > 0, output)
  end)

  -- Over HTTP/2 the dead connection is kept until the kernel gives it up, 20 s
  -- after bytes that nobody acknowledges.
  it("outlives a change of this machine's address under a kept connection", function()
    local clients = { start_client(portal, "1.1"), start_client(portal, "2") }
    os.execute "sleep 3"
    near(("address delete %s/24 dev veth0"):format(NEAR_IP))
    near(("address add %s/24 dev veth0"):format(OTHER_IP))
    for i, version in ipairs { "1.1", "2" } do
      local output = clients[i]:finish()
      local counts = count(output)
      print(("HTTP/%s: %d answers, %d failures, %d answers from the new address"):format(
        version, counts.before, counts.failed, counts.after))
      assert.matches("\nreused\n", output)
      assert.matches("\nsucceeded\t", output)
      assert.is_true(counts.failed > 0 and counts.after > 0, output)
    end
  end)
end)
