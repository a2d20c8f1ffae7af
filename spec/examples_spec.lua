-- What users copy, run unchanged as they would run it, with the emulator as the service.
-- 250 of its seconds pass in one, and it asks for no pause, so that a workflow waits for
-- a tenth of its interval: half a second.

local cpp = require "cpp"
local emulator = require "cpp.emulator"
local shell = require "cpp.emulator.shell"

local portal, folder, root

local function write(name, text)
  local path = folder .. "/" .. name
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  return path
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- A program that the examples find first.
local function provide(name, script)
  local path = write("bin/" .. name, "#!/bin/sh\n" .. script)
  assert(os.execute("chmod +x " .. path))
end

local NO_PAUSE = { on = "*", times = -1, headers = { ["Retry-After"] = "0" } }

setup(function()
  local _
  _, root = assert(shell.run "pwd")
  _, folder = assert(shell.run 'mktemp -d "${TMPDIR:-/tmp}/cpp-examples.XXXXXX"')
  assert(os.execute("mkdir " .. folder .. "/bin"))
  portal = assert(emulator.start { tls = true, speed = 250, faults = { NO_PAUSE } })
end)

teardown(function()
  portal:close()
  os.execute("rm -rf " .. folder)
end)

-- ---- offers ----

local ID = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"
local made = 0

--- Makes a new offer of contoso, where a publish runs unless the settings say else.
-- @return string  its id
local function new_offer(settings)
  local all = { running = "publish", id = ID }
  for name, value in pairs(settings or {}) do
    all[name] = value
  end
  made = made + 1
  local offer = "vm" .. made
  portal:set("contoso/" .. offer, all)
  return offer
end

local function location(offer)
  return ("%s/api/publishers/contoso/offers/%s/operations/%s?api-version=2017-10-31")
    :format(portal.endpoint, offer, ID)
end

local function acted(offer)
  return portal:ledger().offers["contoso/" .. offer].acted
end

-- ---- children ----

-- The module's folders may be given relative to this one.
local function absolute(paths)
  return (paths:gsub("[^;]+", function(path)
    return path:match "^/" and path or root .. "/" .. path
  end))
end

local UNSET = "env -u http_proxy -u https_proxy -u HTTPS_PROXY -u all_proxy -u ALL_PROXY "
  .. "-u SSL_CERT_DIR -u AZURE_TENANT_ID -u AZURE_CLIENT_ID -u AZURE_CLIENT_SECRET "

local function environment(extra)
  local all = {
    LUA_PATH_5_4 = absolute(package.path), LUA_CPATH_5_4 = absolute(package.cpath),
    PATH = folder .. "/bin:" .. os.getenv "PATH", CPP_ENDPOINT = portal.endpoint,
    CPP_TOKEN = portal.token, SSL_CERT_FILE = portal.ca_file,
  }
  for name, value in pairs(extra or {}) do
    all[name] = value
  end
  local words = {}
  for name, value in pairs(all) do
    words[#words + 1] = shell.quote(name .. "=" .. value)
  end
  return UNSET .. table.concat(words, " ")
end

-- Errors join the output, unless the command sends them elsewhere.
local function start(command, extra)
  return assert(io.popen(("exec 2>&1; exec %s timeout 60 %s")
    :format(environment(extra), command)))
end

local function finish(pipe)
  local output = pipe:read "a"
  local _, _, status = pipe:close()
  return output, status
end

--- Runs a command of the shell to its end.
-- @return string   its output
-- @return integer  its exit status
local function run(command, extra)
  return finish(start(command, extra))
end

local function example(words, extra)
  return run("lua5.4 examples/" .. words, extra)
end

local function lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    table.insert(list, line)
  end
  return list
end

local function last_line(output)
  return output:match "([^\n]*)\n$"
end

-- ---- scripts ----

describe("cancel.lua", function()
  it("tells what happens, and the outcome", function()
    local offer = new_offer { cancel_seconds = 100 }
    local output, status = example("cancel.lua contoso " .. offer)
    assert.equal(0, status, output)
    assert.matches("^contoso/" .. offer .. ": running", output)
    assert.equal("contoso/" .. offer .. ": canceled", last_line(output))
  end)

  it("fails when it was too late", function()
    local offer = new_offer { too_late = true }
    local output, status = example("cancel.lua contoso " .. offer)
    assert.equal("contoso/" .. offer .. ": too_late", last_line(output))
    assert.equal(1, status)
  end)

  it("tells the error", function()
    local output, status =
      example("cancel.lua contoso " .. new_offer(), { CPP_TOKEN = "wrong" })
    assert.matches("%[http/[^\n]*\n$", output)
    assert.equal(1, status)
  end)
end)

describe("every example for one offer", function()
  it("says how to call it", function()
    for _, name in ipairs { "cancel", "cancel_then_publish", "azure_cli" } do
      local output, status = example(name .. ".lua contoso")
      assert.equal(("usage: %s.lua PUBLISHER OFFER\n"):format(name), output)
      assert.equal(2, status)
    end
  end)
end)

describe("cancel_many.lua", function()
  it("prints one line for each argument", function()
    local first, second = new_offer(), new_offer { too_late = true }
    local third = new_offer { foreign = true }
    local output, status = example(("cancel_many.lua contoso/%s contoso/%s contoso/%s %s")
      :format(first, second, third, "2>/dev/null"))
    assert.equal(3, #lines(output), output)
    output = "\n" .. output
    assert.matches("\ncontoso/" .. first .. ": canceled\n", output)
    assert.matches("\ncontoso/" .. second .. ": too_late\n", output)
    assert.matches("\ncontoso/" .. third .. ": [^\n]*%[http/", output)
    assert.equal(1, status)
  end)

  it("reads lines, and shows progress", function()
    local first, second = new_offer(), new_offer()
    local list = ("contoso/%s\n  contoso/%s\n"):format(first, second)
    local output, status =
      example(("cancel_many.lua <%s 2>&1 >/dev/null"):format(write("list.txt", list)))
    assert.matches("contoso/" .. first .. ": running", output)
    assert.matches("contoso/" .. second .. ": canceled", output)
    assert.equal(0, status)
  end)

  it("refuses what is no target", function()
    local output, status = example "cancel_many.lua contoso/vm contoso"
    assert.equal("not PUBLISHER/OFFER: 'contoso'\n", output)
    assert.equal(2, status)
  end)
end)

describe("cancel_then_publish.lua", function()
  it("publishes once it is stopped", function()
    local offer = new_offer()
    local output, status = example("cancel_then_publish.lua contoso " .. offer)
    assert.equal(("here contoso/%s is published\n"):format(offer), output)
    assert.equal(0, status)
  end)

  it("does not where somebody else has", function()
    local offer = new_offer { next = {} }
    local output, status = example("cancel_then_publish.lua contoso " .. offer)
    assert.matches("^not published: somebody else started contoso/vm%d+: running", output)
    assert.equal(1, status)
  end)

  it("does not where it was too late, or where nothing is known", function()
    local command = "cancel_then_publish.lua contoso " .. new_offer { too_late = true }
    local output, status = example(command)
    assert.equal("not published: too_late\n", output)
    assert.equal(1, status)
    output, status = example(command, { CPP_TOKEN = "wrong" })
    assert.matches("%[http/", output)
    assert.equal(1, status)
  end)
end)

describe("azure_cli.lua", function()
  it("takes the token from az", function()
    local offer = new_offer()
    provide("az", ([[echo '{"accessToken": "%s", "expires_on": %d}']])
      :format(portal.token, os.time() + 3600))
    local output, status =
      example("azure_cli.lua contoso " .. offer, { CPP_TOKEN = "wrong" })
    assert.equal(("contoso/%s: canceled\n"):format(offer), output)
    assert.equal(0, status)
  end)

  it("tells what az says", function()
    provide("az", 'echo "Please run az login" >&2; exit 1')
    local output, status = example("azure_cli.lua contoso " .. new_offer())
    assert.matches("Please run az login.*%[credential/az_failed", output)
    assert.equal(1, status)
  end)
end)

describe("offline_test.lua", function()
  it("passes where there is no service", function()
    local output, status = example("offline_test.lua",
      { CPP_ENDPOINT = "http://127.0.0.1:1", CPP_TOKEN = "" })
    assert.equal("all well\n", output)
    assert.equal(0, status)
  end)
end)

-- ---- event loops ----

-- What tells at a process's very end how many descriptors are open.
local COUNT_IN_LUA = [[
local execute = os.execute
debug.getregistry().last = setmetatable({}, { __gc = function()
  execute "echo descriptors $(ls /proc/$PPID/fd | wc -l) >&2"
end })]]

local COUNT_IN_C = [[
#include <dirent.h>
#include <stdio.h>
__attribute__((destructor)) static void tell(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder))
    count++;
  closedir(folder);
  fprintf(stderr, "descriptors %d\n", count);
}]]

local function descriptors(output)
  return assert(output:match "descriptors (%d+)\n", output)
end

-- One after the other they would take 50 seconds, half a one each; at once they take a
-- second. `idle` is a command that does nothing, and so leaves nothing open.
local function cancels_a_hundred(name, command, idle)
  collectgarbage() -- a child inherits libcurl's sockets of a client that is garbage here
  local counted, offers = { LUA_INIT_5_4 = COUNT_IN_LUA }, {}
  for i = 1, 100 do
    offers[i] = new_offer { cancel_seconds = 100 }
  end
  local output, status =
    run(("timeout 40 %s contoso %s"):format(command, table.concat(offers, " ")), counted)
  assert.equal(0, status, output)
  local ledger = portal:ledger()
  for _, offer in ipairs(offers) do
    assert.matches(("contoso/%s: canceled\n"):format(offer), output, nil, true)
    assert.equal(1, ledger.offers["contoso/" .. offer].acted)
  end
  assert.is_nil(output:find "left open")
  assert.equal(descriptors(run(idle, counted)), descriptors(output))
  local gaps = assert(output:match "%d+ ticks, longest gap %d+ ms")
  assert.is_true(tonumber(gaps:match "^%d+") > 1)
  print(name .. ": " .. gaps)
end

-- Why a loop's example cannot be run here; nil where it can.
local function obstacle(module)
  local client <close> = cpp.client()
  if not client:pollfd() then
    return "this build has no descriptor for a loop to watch"
  end
  local output, status = run(("lua5.4 -e 'require %q'"):format(module))
  return status ~= 0 and "needs " .. module .. ": " .. output:match "[^\n]*" or nil
end

for _, module in ipairs { "cqueues", "luv" } do
  local name = module .. "_loop.lua"

  local function test(what, fn)
    it(what, function()
      local reason = obstacle(module)
      if reason then
        print(name .. " is skipped: " .. reason)
        return pending(reason)
      end
      fn()
    end)
  end

  describe(name, function()
    test("cancels 100 at once while a ticker runs, and leaves nothing open", function()
      cancels_a_hundred(name, "lua5.4 examples/" .. name,
        ("lua5.4 -e 'require %q'"):format(module))
    end)

    test("takes it for well where nothing runs", function()
      local output, status = run(("lua5.4 -e '%s' examples/%s contoso %s"):format(
        'require "cpp.workflow.options".CANCEL.list_lag[2] = 0.1', name,
        new_offer { running = false, history = { {} } }))
      assert.matches(": nothing_to_cancel\n", output)
      assert.equal(0, status)
    end)

    test("tells what failed", function()
      local first, second = new_offer(), new_offer { too_late = true }
      local output, status = example(("%s contoso %s %s"):format(name, first, second))
      assert.matches(first .. ": canceled\n", output, nil, true)
      assert.matches(second .. ": too_late\n", output, nil, true)
      assert.equal(1, status)
    end)

    -- As a script finds modules beside itself first.
    test("runs in its own folder", function()
      local output, status = run(("sh -c %s"):format(shell.quote(
        ("cd examples && exec lua5.4 %s contoso %s"):format(name, new_offer()))),
        { LUA_PATH_5_4 = "./?.lua;" .. absolute(package.path) })
      assert.equal(0, status, output)
    end)

    test("says how to call it", function()
      local output, status = example(name .. " contoso")
      assert.equal(("usage: %s PUBLISHER OFFER...\n"):format(name), output)
      assert.equal(2, status)
    end)
  end)
end

describe("embed", function()
  -- Where the module has sanitizers, so must the host.
  local sanitize = os.getenv "CPP_TREE" == "build/asan" and "-fsanitize=address,undefined"
    or ""
  local host

  setup(function()
    host = folder .. "/embed"
    local count = write("count.c", COUNT_IN_C)
    -- LuaRocks looks for Lua's headers beside the first Lua in PATH.
    local good, output = shell.run(([[
      PATH=${PATH#*/.ci/asan:}
      include=$(luarocks --lua-version 5.4 config variables.LUA_INCDIR)
      cc -std=gnu99 -Wall -Wextra -Werror %s -I"$include" \
        -o %s examples/embed/main.c %s -llua5.4]]):format(sanitize, host, count))
    assert(good, output)
  end)

  local function run_script(text, ...)
    return run(("%s %s contoso %s 2>%s/stderr")
      :format(host, write("script.lua", text), table.concat({ ... }, " "), folder))
  end

  it("cancels 100 at once while its own timer runs, and leaves nothing open", function()
    cancels_a_hundred("embed", host .. " examples/embed/script.lua", host)
  end)

  it("gives a script nothing that does harm", function()
    local output, status = run_script([[
      local names = {}
      for name in pairs(_ENV) do names[#names + 1] = name end
      for name in pairs(cpp) do names[#names + 1] = "cpp." .. name end
      table.sort(names)
      print(table.concat(names, " "))
      string.format, table.concat = nil, nil
      return ("%d"):format(1) == "1"]], "vm-1", "vm-2")
    local names = "assert cpp cpp.cancel error ipairs math next pairs pcall print "
      .. "select string table tonumber tostring type\n"
    assert.equal(names .. names, output:match "^(.*\n)%d+ ticks")
    assert.equal(0, status)
  end)

  it("takes names alone, for an option says where the token goes", function()
    local offer = new_offer()
    local output, status = run_script([[
      local publisher, offer = ...
      print(pcall(cpp.cancel, { publisher, offer, endpoint = "https://evil.example" }))
      return cpp.cancel(publisher, offer, { token = "wrong" }).outcome == "canceled"]],
      offer)
    assert.matches("^false\tbad argument #1 to [^\n]*string expected, got table", output)
    assert.equal(0, status)
    assert.equal(1, acted(offer))
  end)

  it("goes on with the others when one raises", function()
    local first, second = new_offer(), new_offer()
    local _, status = run_script(([[
      local publisher, offer = ...
      if offer == "%s" then error "mine" end
      return cpp.cancel(publisher, offer).outcome == "canceled"]]):format(first),
      first, second)
    assert.matches("script.lua:2: mine\n", read(folder .. "/stderr"))
    assert.equal(1, status)
    assert.equal(1, acted(second))
  end)

  it("refuses a script that is bytecode or not there", function()
    local _, refused = run_script(string.dump(function() end), "vm")
    assert.matches("attempt to load a binary chunk", read(folder .. "/stderr"))
    assert.equal(1, refused)
    local output, status = run(host .. " /no/such.lua contoso vm")
    assert.matches("cannot open /no/such.lua", output)
    assert.equal(1, status)
    output, status = run(host .. " /no/such.lua contoso")
    assert.matches("usage: embed SCRIPT PUBLISHER OFFER", output)
    assert.equal(2, status)
  end)
end)

-- ---- automation ----

local function provide_command()
  local main = shell.quote(root .. "/lua/cpp/cli/main.lua")
  provide("cloudpartner", ('echo $$ >%s/pid; exec lua5.4 %s "$@"\n'):format(folder, main))
end

describe("step.sh", function()
  setup(provide_command)

  -- The status of `cloudpartner`; the arguments; what is said; the step's own status.
  local CASES = {
    { 0, "cancel contoso $OFFER", "contoso/$OFFER: canceled\n" },
    { 8, "cancel contoso $OFFER", "but another one runs, or nobody could tell", 8,
      { next = {} } },
    { 1, "cancel contoso $OFFER", "it could not be done", 1,
      { foreign = true } },
    { 2, "cancel contoso", "wrong usage", 2 },
    { 3, "cancel contoso $OFFER --list-lag 0.1", "contoso/$OFFER: nothing_to_cancel\n", 0,
      { running = false, history = { { state = "succeeded", ago = 9000 } } } },
    { 4, "cancel contoso $OFFER", "too late", 4, { too_late = true } },
    { 5, "cancel contoso $OFFER", "it has failed", 5,
      { too_late = true, ending = "failed" } },
    { 6, "cancel contoso $OFFER --deadline 0.3", "not ended by the deadline", 6,
      { cancel_seconds = 1e6 } },
    { 1, "cancel contoso $OFFER --deadline 0 --endpoint http://127.0.0.1:1",
      "it could not be done", 1 },
    { 7, "wait '$LOCATION'", "waits for a person", 7, { running = "preview" } },
  }

  for _, case in ipairs(CASES) do
    local status, words, said, expected, settings = table.unpack(case)
    it(("handles the status %d of %s: %s"):format(status, words:match "%l+", said),
      function()
        local offer = new_offer(settings)
        local names = { OFFER = offer, LOCATION = location(offer) }
        local output, ended = run(("sh examples/step.sh %s --interval 0.02 --list-lag 0.1")
          :format(words:gsub("%$(%u+)", names)))
        assert.matches(said:gsub("%$(%u+)", names), output, nil, true)
        assert.equal(expected or 0, ended, output)
      end)
  end

  -- Until it prints this: usually, until the cancel is accepted.
  local function start_step(offers, text)
    offers = offers or new_offer { cancel_seconds = 1e6 }
    local pipe = start(("sh -c 'echo $$; exec sh examples/step.sh cancel contoso %s'")
      :format(offers))
    local pid = pipe:read "l"
    repeat
      local line = assert(pipe:read "l", "it ended before")
    until line:find(text or "cloudpartner wait --for canceled", 1, true)
    return pipe, pid
  end

  it("tells each result as soon as it is there", function()
    local quick, slow = new_offer(), new_offer { cancel_seconds = 1e6 }
    local pipe, pid = start_step(slow .. " " .. quick, quick .. ": canceled")
    assert.is_true(os.execute("kill " .. pid))
    local output, status = finish(pipe)
    assert.matches("stopped; to go on", output)
    assert.equal(143, status)
  end)

  it("handles the status 143 of an interrupted command", function()
    local pipe = start_step()
    assert(os.execute(("kill -TERM $(cat %s/pid)"):format(folder)))
    local output, status = finish(pipe)
    assert.matches("interrupted\n", output)
    assert.equal(143, status)
  end)

  for _, case in ipairs { { "TERM", 143 }, { "INT", 130 } } do
    local signal, expected = table.unpack(case)
    it("ends at once when the job gets SIG" .. signal, function()
      local pipe, pid = start_step()
      assert(os.execute(("kill -%s %s"):format(signal, pid)))
      local output, status = finish(pipe)
      assert.matches("stopped; to go on", output)
      assert.equal(expected, status)
      assert.is_nil(os.execute(("kill -0 $(cat %s/pid) 2>/dev/null"):format(folder)))
    end)
  end
end)

-- The shell scripts in a YAML file, in order: what is indented below `run: |` and the like.
local function scripts(path)
  local found, script, indent = {}, nil, nil
  for line in io.lines(path) do
    if script and line:find "%S" and #line:match "^ *" <= indent then
      script = nil
    end
    if script then
      table.insert(script, line)
    elseif line:find "^[ -]*%a+: |$" then
      script, indent = {}, #line:match "^[ -]*"
      table.insert(found, script)
    end
  end
  for i, text in ipairs(found) do
    found[i] = table.concat(text, "\n")
  end
  return found
end

-- `route`: as the emulator calls it; `gives`: what the system itself sets of its variables.
local SYSTEMS = {
  { file = "github-actions.yml", bash = "bash -e", answer = "may_publish=%s\n",
    route = "github",
    gives = { "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN" } },
  { file = "azure-pipelines.yml", bash = "bash", route = "pipelines",
    answer = "##vso[task.setvariable variable=may_publish;isOutput=true]%s\n",
    gives = { "SYSTEM_OIDCREQUESTURI", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
      "AZURESUBSCRIPTION_CLIENT_ID", "AZURESUBSCRIPTION_TENANT_ID" } },
}

-- The service of these cases is what its emulator's start says, not any system's.
local OURS = { CPP_ENDPOINT = true, SSL_CERT_FILE = true, AZURE_AUTHORITY_HOST = true }

-- What a step knows: what its system sets and, with the system's values, what the file
-- names in its `env:`.
local function step_variables(system)
  local known = { CPP_TOKEN = "" }
  local text = read("examples/" .. system.file)
  local set = table.concat(system.gives, " ")
  for name, value in pairs(portal:environment(system.route)) do
    if OURS[name] or set:find(name, 1, true) or text:find("\n +" .. name .. ": ") then
      known[name] = value
    end
  end
  return known
end

for _, system in ipairs(SYSTEMS) do
  describe(system.file, function()
    local install, cancel, go_on, publish

    setup(function()
      provide_command()
      provide("sudo", 'echo "sudo $*"\n')
      install, cancel, go_on, publish =
        table.unpack(scripts("examples/" .. system.file))
    end)

    -- As the system does: in a folder of its own, with what `env:` says.
    local function step(script, offer)
      local path = write("step", "cd " .. shell.quote(folder) .. "\n" .. script)
      local variables = step_variables(system)
      variables.PUBLISHER, variables.OFFER = "contoso", offer or ""
      variables.GITHUB_OUTPUT = write("output", "")
      local output, status = run(system.bash .. " " .. path, variables)
      return output .. read(folder .. "/output"), status
    end

    it("leaves no expression of the system's in a script", function()
      for _, script in ipairs { install, cancel, go_on, publish } do
        assert.is_nil(script:find("${{", 1, true))
      end
    end)

    it("installs the packages and the rock", function()
      local output, status = step(install)
      assert.matches("sudo apt%-get install %-%-yes gcc .* jq\n", output)
      assert.matches(
        "sudo luarocks .* install vendor/cloud%-partner%-portal%-%d+%.%d+%.%d+%-1%.src%.rock\n",
        output)
      assert.equal(0, status)
    end)

    it("names no secret, and takes the system's own identity", function()
      local text = read("examples/" .. system.file)
      assert.is_nil(text:find "secrets%." or text:find "CLIENT_SECRET" or text:find "CPP_TOKEN")
      local before = portal:ledger()[system.route]
      local output, status = step(cancel, new_offer())
      assert.equal(0, status, output)
      assert.equal(before + 1, portal:ledger()[system.route])
    end)

    it("lets a publish follow a cancel", function()
      local output, status = step(cancel, new_offer())
      assert.equal(0, status, output)
      assert.matches(system.answer:format "true", output, nil, true)
      assert.same({ "your publish\n", 0 }, { step(publish) })
    end)

    it("lets none follow where somebody has started another", function()
      local output, status = step(cancel, new_offer { next = {} })
      assert.equal(0, status, output)
      assert.matches(system.answer:format "false", output, nil, true)
    end)

    it("fails when it is too late, and tells where to look", function()
      local offer = new_offer { too_late = true }
      local output, status = step(cancel, offer)
      assert.equal(4, status, output)
      assert.is_nil(output:find("may_publish", 1, true))
      assert.same({ location(offer) .. "\n", 0 }, { step(go_on) })
    end)
  end)
end
