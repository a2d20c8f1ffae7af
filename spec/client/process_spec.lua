-- What happens to the process: Ctrl-C, a fork, programs that it starts, a peer that
-- closes. The signals are real ones, to child processes that block.

local coroutines = require "spec.support.coroutines"
local harness = require "spec.support.harness"
local child = require "spec.support.child"

describe("Ctrl-C", function()
  local here

  setup(function() here = harness.start() end)
  teardown(function() here:close() end)
  after_each(function() here:reset() end)

  -- Interrupts a script when it sleeps in the kernel and the portal has had `count`
  -- requests of it, whose answers are far away. It must stop with Lua's own error.
  local function interrupt(count, script)
    here:delay(30)
    local process = child.start(here, [[
      local client = require "cpp".client { timeout = 50 }
    ]] .. script .. " print 'went on'")
    harness.eventually(function()
      return #here:entries() >= count and process:sleeps()
    end)
    local before = os.time()
    process:interrupt()
    local output, how, status = process:finish()
    assert.matches("interrupted!", output)
    assert.not_matches("went on", output)
    assert.same({ "exit", 1 }, { how, status })
    assert.is_true(os.time() - before < 15)
  end

  it("stops a call", function()
    interrupt(1, "client:status('contoso', 'vm')")
  end)

  it("stops a call on the default client", function()
    interrupt(1, "require 'cpp'.poll('/api/publishers/contoso/offers/vm/operations/1')")
  end)

  it("stops a call in a coroutine", function()
    interrupt(1, "coroutine.wrap(client.status)(client, 'contoso', 'vm')")
  end)

  it("stops a call in a coroutine of a coroutine", function()
    interrupt(1, [[
      coroutine.wrap(function()
        coroutine.wrap(client.status)(client, 'contoso', 'vm')
      end)()
    ]])
  end)

  -- As pcall does on the main thread.
  it("stops a coroutine once, which may catch the error", function()
    here:delay(30)
    local process = child.start(here, [[
      local client = require "cpp".client { timeout = 50 }
      print(coroutine.wrap(function()
        return pcall(client.status, client, 'contoso', 'vm')
      end)())
      for _ = 1, 1000 do tostring(_) end
      print "went on"
    ]])
    harness.eventually(function()
      return #here:entries() >= 1 and process:sleeps()
    end)
    process:interrupt()
    local output, how, status = process:finish()
    assert.equal("false\tinterrupted!\nwent on\n", output)
    assert.same({ "exit", 0 }, { how, status })
  end)

  it("stops a call among others in flight", function()
    interrupt(3, [[
      client:wait(coroutine.yield)
      calls = {}
      for i = 1, 2 do
        calls[i] = coroutine.wrap(client.status)
        calls[i](client, 'contoso', 'vm')
      end
      client:wait(nil)
      client:status('contoso', 'vm')
    ]])
  end)

  it("stops a step", function()
    interrupt(1, [[
      client:wait(coroutine.yield)
      local call = coroutine.wrap(client.status)
      call(client, 'contoso', 'vm')
      for _ = 1, 30 do client:step(math.huge) end
    ]])
  end)

  it("stops a wait function that steps, in a coroutine", function()
    interrupt(1, [[
      client:wait(function() client:step(math.huge) end)
      coroutine.wrap(client.status)(client, 'contoso', 'vm')
    ]])
  end)

  -- A script that sleeps in the kernel after its line of output sleeps in client:sleep.
  local function interrupt_sleep(script)
    local process = child.start(nil, [[
      io.stdout:setvbuf "no"
      local client = require "cpp".client()
      print "sleeps"
    ]] .. script .. " print 'went on'")
    assert.equal("\n", process.pipe:read(1))
    assert.equal("sleeps", process.pipe:read "l")
    harness.eventually(function() return process:sleeps() end)
    process:interrupt()
    local output, how, status = process:finish()
    assert.matches("interrupted!", output)
    assert.not_matches("went on", output)
    assert.same({ "exit", 1 }, { how, status })
  end

  it("stops a sleep", function()
    interrupt_sleep "client:sleep(30)"
  end)

  it("stops an endless sleep in a coroutine", function()
    interrupt_sleep "coroutine.wrap(client.sleep)(client, math.huge)"
  end)
end)

describe("a fork", function()
  local here, forker, folder

  local function command(line)
    local pipe = assert(io.popen(line .. " 2>&1"))
    local output = pipe:read "a"
    assert(pipe:close(), output)
    return (output:gsub("\n$", ""))
  end

  setup(function()
    here = harness.start { tls = true }
    folder = command "mktemp -d"
    -- LuaRocks must not find the lua5.4 of .ci/asan, beside which are no headers.
    local incdir = command [[
      PATH="${PATH#*/.ci/asan:}" luarocks --lua-version 5.4 config variables.LUA_INCDIR
    ]]
    command(("cc -shared -fPIC -I'%s' -o %s/forker.so spec/support/forker.c")
      :format(incdir, folder))
    forker = assert(package.loadlib(folder .. "/forker.so", "luaopen_forker"))()
  end)
  teardown(function()
    here:close()
    command("rm -rf " .. folder)
  end)
  after_each(function() here:reset() end)

  local function status(client)
    return client:status("contoso", "vm")
  end

  it("leaves the parent's client to the parent", function()
    local client = here:client()
    assert(status(client))
    local messages = forker.run(function()
      local found = {}
      local calls = {
        poll = { harness.PATH }, cancel = { "contoso", "vm" }, status = { "contoso", "vm" },
        operations = { "contoso", "vm" }, sleep = { 1 }, step = {}, finished = {},
        pollfd = {}, timeout = {}, wake = {},
        fetch_token = { { tenant = "t", client_id = "c", client_secret = "s" } },
      }
      for method, arguments in pairs(calls) do
        local good, message = pcall(client[method], client, table.unpack(arguments))
        if good or not message:find "belongs to process %d+: after a fork" then
          table.insert(found, method .. ": " .. tostring(message))
        end
      end
      return table.concat(found, "\n")
    end)
    assert.equal("", messages)
    assert.equal(1, #here:entries())
  end)

  it("ends, in the child, the calls that were in flight", function()
    local client = here:client()
    client:pollfd()
    local call = coroutines.begin(client, "poll", harness.PATH)
    local sleep = coroutines.begin(client, "sleep", 1000)
    local messages = forker.run(function()
      local _, of_call = coroutine.resume(call)
      local _, of_sleep = coroutine.resume(sleep)
      return of_call .. "\n" .. of_sleep
    end)
    assert.matches("belongs to process.*\n.*belongs to process", messages)
    assert.equal("running", coroutines.complete(call).state)
  end)

  it("ends, in the child, a call whose answer has come", function()
    local client = here:client()
    client:pollfd()
    local call = coroutines.begin(client, "poll", harness.PATH)
    coroutines.until_ended(client)
    local message = forker.run(function()
      return select(2, coroutine.resume(call))
    end)
    assert.matches("belongs to process %d+: after a fork", message)
    assert.equal("running", coroutines.complete(call).state)
  end)

  it("lets the child have a client of its own", function()
    local client = here:client()
    assert(status(client))
    assert.equal("running", forker.run(function()
      return assert(status(here:client())).state
    end))
    assert.equal(2, (here:connections()))
  end)

  it("gives the child a new default client", function()
    local output, how, code = child.run(here, ([[
      local cpp, forker = require "cpp", package.loadlib(%q, "luaopen_forker")()
      local function poll() return assert(cpp.poll(%q)).state end
      print(poll(), forker.run(poll), poll())
    ]]):format(folder .. "/forker.so", harness.PATH))
    assert.equal("running\trunning\trunning\n", output)
    assert.same({ "exit", 0 }, { how, code })
    local entries = here:entries()
    assert.equal(3, #entries)
    assert.equal(entries[1].connection, entries[3].connection)
    assert.not_equal(entries[1].connection, entries[2].connection)
  end)

  -- In the child the client is closed or collected; in the parent it goes on.
  local function undisturbed(method)
    here:delay(0.5)
    -- libcurl's timers would hide for seconds that its sockets are not watched.
    local held = { client = here:loose_client { timeout = 1000, connect_timeout = 1000 } }
    local weak = setmetatable({ held.client }, { __mode = "v" })
    assert(status(held.client))
    held.call = coroutines.begin(held.client, "poll", harness.PATH)
    here:step_until_arrived(held.client, 2)
    assert.equal("done", forker.run(function() return method(held, weak) end))
    coroutines.until_ended(held.client)
    assert.equal("running", coroutines.complete(held.call).state)
    assert.equal("running", status(held.client).state)
    assert.equal(3, #here:entries())
    assert.equal(1, (here:connections()))
  end

  it("lets the child close the parent's client, to no effect", function()
    undisturbed(function(held)
      held.client:close()
      return "done"
    end)
  end)

  it("lets the child collect the parent's client, to no effect", function()
    undisturbed(function(held, weak)
      held.client, held.call = nil, nil
      harness.collect()
      return weak[1] == nil and "done" or "the client is not garbage"
    end)
  end)
end)

describe("a program that is started", function()
  local here

  setup(function() here = harness.start { tls = true } end)
  teardown(function() here:close() end)

  -- Inode numbers of the TCP sockets of this network namespace.
  local function tcp_sockets()
    local found = {}
    for _, name in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
      local file <close> = io.open(name)
      for line in file and file:lines() or function() end do
        local inode = line:match "^%s*%d+: %S+ %S+ %S+ %S+ %S+ %S+%s+%d+%s+%d+ (%d+)"
        found[inode or ""] = true
      end
    end
    return found
  end

  it("inherits no connection and no descriptor of an event loop", function()
    local client = here:client()
    client:pollfd()
    assert(client:status("contoso", "vm"))
    local call = coroutines.begin(client, "poll", harness.PATH)
    local own, tcp, connections = select(2, harness.descriptors()), tcp_sockets(), 0
    for _, target in pairs(own) do
      connections = connections + (tcp[target:match "^socket:%[(%d+)"] and 1 or 0)
    end
    assert.is_true(connections >= 1)
    local pipe = io.popen "ls -l /proc/self/fd"
    local inherited = pipe:read "a"
    pipe:close()
    assert.matches("%-> ", inherited)
    assert.not_matches("eventpoll", inherited)
    assert.not_matches("eventfd", inherited)
    for inode in inherited:gmatch "socket:%[(%d+)%]" do
      assert.is_nil(tcp[inode])
    end
    coroutines.complete(call)
  end)
end)

describe("a peer that closes", function()
  local here

  before_each(function() here = harness.start { tls = true } end)
  after_each(function() here:close() end)

  -- SIGPIPE has its default effect, death, in a script of lua5.4.
  local END_OF_PORTAL = [[
    local cpp, options = require "cpp", { http_version = %q, timeout = 10 }
    local clients = {}
    for i = 1, 4 do
      clients[i] = cpp.client(options)
      assert(clients[i]:status("contoso", "vm"))
    end
    os.execute "kill -KILL %d"
    repeat
      local file <close> = io.open "/proc/%d/stat"
    until not file or file:read "a":find "%%) Z"
    for _ = 1, 3 do
      local _, err = clients[1]:cancel("contoso", "other", { notification_emails = "a@x.com" })
      io.write(err.kind, " ")
    end
    for _, client in ipairs(clients) do
      client:close()
    end
    print "lives"
  ]]

  for _, version in ipairs { "1.1", "2" } do
    it("for good does not kill the process, HTTP/" .. version, function()
      local pid = here.portal.pid
      local output, how, code = child.run(here, END_OF_PORTAL:format(version, pid, pid))
      assert.equal("transport transport transport lives\n", output)
      assert.same({ "exit", 0 }, { how, code })
    end)
  end

  it("a connection again and again does not kill the process", function()
    here:faults { on = "cancel", drop = "before", times = -1 }
    local output, how, code = child.run(here, [[
      local client <close> = require "cpp".client { http_version = "1.1" }
      for _ = 1, 5 do
        assert(client:status("contoso", "vm"))
        local _, err = client:cancel("contoso", "other", { notification_emails = "a@x.com" })
        io.write(err.kind, " ")
      end
      print "lives"
    ]])
    assert.equal(("transport "):rep(5) .. "lives\n", output)
    assert.same({ "exit", 0 }, { how, code })
  end)
end)
