local cjson = require "cjson"
local command = require "spec.cli.command"
local emulator = require "cpp.emulator"
local service = require "spec.cli.service"
local run_script = require "cpp.emulator.shell".run
local tell = require "cpp.cli.tell"
local text = require "cpp.text"

local objects, offer, run = service.objects, service.offer, service.run
local QUICK = service.QUICK

setup(service.start)
teardown(service.stop)
after_each(service.reset)

describe("cloudpartner emulate", function()
  for _, words in ipairs { "--speed 1000", "--speed 1000 --tls" } do
    it("prints two lines to paste: " .. words, function()
      local child <close> = command.start("emulate " .. words)
      local export = child:read_until "^export "
      local line = child:read_until "^cloudpartner "
      local result = command.shell(export .. "\n" .. line .. QUICK)
      assert.equal(0, result.status)
      assert.matches("contoso/contoso%-vm: canceled", result.out)
      assert.same({ "exit", 130 }, { select(2, child:kill "INT") })
      local ended = command.shell(export .. "\ncloudpartner status contoso contoso-vm")
      assert.matches("could_not_connect", ended.err)
    end)
  end
end)

describe("cloudpartner emulate --offer", function()
  it("takes a publisher and its offers, too", function()
    local child <close> = command.start "emulate --offer contoso one two --offer fab/x"
    assert.equal("cloudpartner cancel contoso/one contoso/two fab/x",
      child:read_until "^cloudpartner ")
  end)

  it("prints what sets another route aside", function()
    local child <close> = command.start "emulate --speed 1000 --credential secret"
    local export = child:read_until "^export "
    local unset = child:read_until "^unset "
    local result = command.shell(export .. "\n" .. unset .. "\ncloudpartner whoami --json",
      { CPP_TOKEN = "stale", AZURE_FEDERATED_TOKEN_FILE = "/nowhere" })
    assert.equal(0, result.status)
    assert.matches('"source":"client secret of ', result.out)
  end)

  it("starts another publish after the last one, where it is told to", function()
    local child <close> = command.start "emulate --speed 1000 --republish"
    local export = child:read_until "^export "
    local line = child:read_until "^cloudpartner "
    for _ = 1, 2 do
      local result = command.shell(export .. "\n" .. line .. QUICK .. "--deadline 10")
      assert.equal(0, result.status, result.err)
      assert.matches("contoso/contoso%-vm: canceled %(publish ", result.out)
    end
  end)

  for route, title in pairs { secret = "client secret", certificate = "certificate",
    github = "GitHub Actions" } do
    it("gives a token by the route of automation: " .. route, function()
      local child <close> = command.start("emulate --credential " .. route)
      local result = command.shell(child:read_until "^export " .. "\ncloudpartner whoami")
      assert.equal(0, result.status, result.err)
      assert.matches("^from         " .. title, result.out)
    end)
  end

  it("emulates these offers, each in mid-publish", function()
    local child <close> = command.start("emulate --speed 1000 --offer contoso/one "
      .. "--offer \"fabrikam/it's 1\" --offer contoso/two")
    local lines = { child:read_until "^export " }
    lines[2] = child:read_until "^cloudpartner "
    assert.equal([[cloudpartner cancel contoso/one 'fabrikam/it'\''s 1' contoso/two]], lines[2])
    local result = command.shell(table.concat(lines, QUICK .. " && ", 2):gsub("^",
      lines[1] .. " && ") .. QUICK)
    assert.equal(0, result.status, result.err)
    assert.equal(3, select(2, result.out:gsub(": canceled %(", "")))
    local usual = command.shell(lines[1] .. "\ncloudpartner status contoso contoso-vm")
    assert.matches("HTTP 404", usual.err)
  end)
end)

describe("Ctrl-C", function()
  local RAN = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

  -- Stops the command once it prints this; gives what it printed after that.
  -- `sent`: and once the cancel of this offer is out.
  local function interrupt(words, pattern, sent)
    service.freeze()
    local child <close> = service.start_command(words)
    child:read_until(pattern)
    if sent then
      service.await(sent, "cancels")
    end
    local rest, how, status = child:kill "INT"
    assert.same({ "exit", 130 }, { how, status })
    assert.is_nil((child.seen .. rest):find "interrupted!")
    assert.is_nil((child.seen .. rest):find "traceback")
    return rest
  end

  local function result_in(output)
    local list = {}
    for line in output:gmatch '{"event":"result"[^\n]+' do
      table.insert(list, cjson.decode(line))
    end
    return list
  end

  -- Wherever it strikes.
  for i = 1, 5 do
    it("ends a cancel at once, and says where to go on: " .. i, function()
      offer("stop-" .. i, { id = RAN })
      local rest = interrupt("cancel contoso stop-" .. i, "cloudpartner wait")
      local name = ("%%S+ contoso/stop%%-%d: "):format(i)
      assert.matches(name .. "stopped by Ctrl%-C\n" .. name .. "the cancel was accepted\n"
        .. name .. "last seen running[^\n]*\n" .. name .. "to go on elsewhere:\n"
        .. "cloudpartner wait %-%-for canceled %-%-list%-lag 0.1 contoso/stop%-" .. i .. "/"
        .. RAN:gsub("%-", "%%-") .. "\n$", rest)
    end)
  end

  it("ends a cancel with its result as JSON", function()
    offer("stop-json", { id = RAN })
    local rest = interrupt("cancel contoso stop-json --json", "cloudpartner wait")
    local told = result_in(rest)
    assert.equal(1, #told)
    assert.same({ RAN, "accepted", "closed", "interrupted" }, { told[1].operation,
      told[1].cancel, told[1].error.kind, told[1].error.code })
    assert.matches("/operations/" .. RAN:gsub("%-", "%%-"), told[1].location)
  end)

  it("ends a cancel of several, each with a result", function()
    for i = 1, 3 do
      offer("stop-several-" .. i)
    end
    local rest = interrupt("cancel contoso stop-several-1 stop-several-2 stop-several-3 "
      .. "--json", "cloudpartner wait")
    local told = {}
    for i, one in ipairs(result_in(rest)) do
      told[i] = table.concat({ one.offer, one.cancel, one.error.code }, " ")
    end
    table.sort(told)
    assert.same({ "stop-several-1 accepted interrupted",
      "stop-several-2 accepted interrupted", "stop-several-3 accepted interrupted" }, told)
  end)

  it("ends a cancel that was taken with --no-wait for all but one", function()
    offer "stop-taken"
    offer "stop-hung"
    service.portal:set("*", { faults = {
      { on = "cancel", offer = "contoso/stop-hung", delay = 1e6, times = -1 } } })
    local rest = interrupt("cancel contoso stop-taken stop-hung --no-wait",
      "contoso/stop%-taken: cancel accepted %(", "stop-hung")
    assert.matches("contoso/stop%-hung: whether the cancel arrived is not known\n", rest)
    assert.matches("contoso/stop%-taken: to go on elsewhere:\ncloudpartner wait [^\n]*"
      .. "stop%-taken/.*\ncloudpartner cancel [^\n]*contoso/stop%-hung/", rest)
  end)

  it("ends waits", function()
    offer "stop-waits"
    local location = objects(run "operations contoso stop-waits --json".out)[1].location
    local rest = interrupt(("wait %s %s"):format(location, location),
      "^%S+ contoso/stop%-waits ")
    -- One that has had no answer yet goes by its location.
    assert.equal(2, select(2, rest:gsub(": stopped by Ctrl%-C\n", "")), rest)
    assert.matches("contoso/stop%-waits: last seen running, ", rest)
    assert.is_truthy(rest:find(("2 of them: to go on elsewhere:\ncloudpartner wait "
      .. "--list-lag 0.1 '%s' '%s'\n"):format(location, location), 1, true), rest)
  end)

  it("ends an exchange that nobody answers, and says what is not known", function()
    offer("stop-unheard", { id = RAN })
    service.portal:set("*", { faults = { { on = "cancel", delay = 1e6, times = -1 } } })
    service.freeze()
    local child <close> = service.start_command "cancel contoso stop-unheard"
    child:read_until "sending"
    service.await("stop-unheard", "cancels")
    local rest, how, status = child:kill "INT"
    assert.same({ "exit", 130 }, { how, status })
    assert.matches("contoso/stop%-unheard: whether the cancel arrived is not known\n"
      .. ".*only if that still runs:\ncloudpartner cancel [^\n]*contoso/stop%-unheard/"
      .. RAN:gsub("%-", "%%-"), rest)
  end)

  for _, words in ipairs { "operations", "cancel --dry-run" } do
    it("ends looks at several, with a result for each: " .. words, function()
      local name = "look-" .. words:match "%a+"
      offer(name)
      offer(name .. "-2")
      service.portal:set("*", { faults = { { on = "operations", delay = 1e6, times = -1 } } })
      service.freeze()
      local child <close> = command.start(("%s contoso %s %s-2 --json"):format(words, name,
        name), command.of(service.portal))
      service.await(name, "lists")
      local rest, how, status = child:kill "TERM"
      assert.same({ "exit", 143 }, { how, status })
      local codes = {}
      for i, one in ipairs(result_in(rest)) do
        codes[i] = one.offer .. " " .. one.error.code
      end
      assert.same({ name .. " interrupted", name .. "-2 interrupted" }, codes)
    end)
  end

  it("ends what has sent nothing, and says so", function()
    offer "stop-silent"
    service.portal:set("*", { faults = { { on = "operations", delay = 1e6 } } })
    service.freeze()
    local child <close> = service.start_command "cancel contoso stop-silent"
    service.await("stop-silent", "lists")
    local rest, how, status = child:kill "INT"
    assert.same({ "exit", 130 }, { how, status })
    assert.matches("^%S+ contoso/stop%-silent: stopped by Ctrl%-C\n"
      .. "%S+ contoso/stop%-silent: no cancel was sent\n"
      .. "%S+ contoso/stop%-silent: to try again:\n"
      .. "cloudpartner cancel [^\n]*contoso/stop%-silent\n$", rest)
    assert.equal(0, service.counts "stop-silent".cancels)
  end)

  -- A program that is asked on the way gets Ctrl-C too, and fails of it.
  for program, words in pairs { az = "whoami", nginx = "emulate" } do
    it("ends what waits for a program: " .. words, function()
      local _, folder = run_script("folder=$(mktemp -d) && file=$folder/" .. program .. [[

        printf '#!/bin/sh\nkill -INT $PARENT; exit 1\n' >"$file"
        chmod +x "$file" && echo "$folder"]])
      finally(function() os.execute("rm -r " .. folder) end)
      local child <close> = command.start(words, {},
        ("export PARENT=$$ PATH=%s:$PATH;"):format(folder))
      local told = child.pipe:read "a"
      assert.same({ "exit", 130 }, { select(2, child.pipe:close()) })
      assert.equal(words == "whoami" and "cloudpartner: stopped by Ctrl-C\n" or "", told)
    end)
  end

  it("ends one look", function()
    service.portal:set("*", { faults = { { on = "status", delay = 1e6 } } })
    service.freeze()
    offer "stop-look"
    local child <close> = service.start_look "status contoso stop-look"
    service.await("stop-look", "statuses")
    local rest, how, status = child:kill "INT"
    assert.same({ "exit", 130, "contoso/stop-look: stopped by Ctrl-C\n" },
      { how, status, rest })
  end)
end)

describe("a signal", function()
  -- What ends it, its status, what it is called.
  local SIGNALS = { { "TERM", 143, "SIGTERM" }, { "HUP", 129, "SIGHUP" } }
  for _, case in ipairs(SIGNALS) do
    local signal, status, title = table.unpack(case)
    it("ends a cancel at once, with its one result and the line: " .. signal, function()
      offer("signal-" .. signal)
      service.freeze()
      local child <close> = service.start_command("cancel contoso/signal-" .. signal
        .. " --json")
      child:read_until '"state":"accepted"'
      local before = #child.seen
      local rest, how, ended = child:kill(signal)
      assert.same({ "exit", status }, { how, ended })
      local told, results = child.seen:sub(before + 1) .. rest, {}
      for line in told:gmatch '{"event":"result"[^\n]+' do
        table.insert(results, cjson.decode(line))
      end
      assert.equal(1, #results)
      assert.same({ "interrupted", "stopped by " .. title, "accepted" },
        { results[1].error.code, results[1].error.message, results[1].cancel })
      assert.matches("cloudpartner wait ", told)
    end)
  end

  it("that was ignored at the start stays so", function()
    offer "signal-ignored"
    service.freeze()
    local child <close> = service.start_ignoring("HUP", "cancel contoso/signal-ignored")
    child:read_until "cloudpartner wait"
    child:send "HUP"
    service.reset()
    child:read_until "canceled %("
  end)

  -- Its own process id is 1 there, and signals without a handler do not reach it.
  it("ends it as process 1, too", function()
    if command.shell "unshare --pid --fork true".status ~= 0 then
      return pending "no namespaces here"
    end
    offer "signal-init"
    service.freeze()
    local child <close> = service.start_as_init "cancel contoso/signal-init"
    child:read_until "cloudpartner wait"
    assert.same({ "exit", 143 }, { select(2, child:kill "TERM") })
  end)

  it("ends emulate", function()
    local child <close> = command.start "emulate"
    child:read_until "^cloudpartner "
    assert.same({ "exit", 143 }, { select(2, child:kill "TERM") })
  end)

  -- Every few milliseconds of what it takes to load.
  it("ends it without a traceback however early it comes", function()
    for i = 1, 20 do
      local child <close> = service.start_command("cancel contoso/signal-early --json")
      os.execute(("sleep %.3f"):format(i * 0.003))
      local rest, how, status = child:kill "INT"
      assert.is_nil(rest:find "traceback")
      assert.is_nil(rest:find "lua%-cjson is missing")
      assert.is_true((how == "exit" and status == 130) or (how == "signal" and status == 2)
        or rest:find '"status":404' ~= nil, rest)
    end
  end)
end)

describe("on a terminal", function()
  local function environment(more)
    local values = command.of(service.portal)
    for name, value in pairs(more or {}) do
      values[name] = value
    end
    return values
  end

  for _, columns in ipairs { 40, 80 } do
    it(("shows live lines that fit in %d columns"):format(columns), function()
      local names = {}
      for i = 1, 20 do
        names[i] = ("live-%d-virtual-machine-%02d"):format(columns, i)
        offer(names[i])
      end
      local output, status = command.run_on_terminal(columns, "cancel contoso "
        .. table.concat(names, " ") .. QUICK, environment())
      assert.equal(0, status)
      local live = 0
      for block in output:gmatch "\27%[%?7l(.-)\27%[%?7h" do
        for line in block:gmatch "\27%[2K([^\n]*)\n" do
          live = live + 1
          assert.is_true(text.columns(line) <= columns, line)
        end
      end
      assert.is_true(live >= 11)
      assert.equal(20, select(2, output:gsub(":%s+canceled%s+%(", "")))
      assert.matches("\n20 offers: canceled 20\n", output)
    end)
  end

  it("shows no live line of an offer whose result is told", function()
    offer("live-refused", { foreign = true })
    offer "live-slow"
    service.freeze()
    local child <close> = command.start_on_terminal(80,
      "cancel contoso live-refused live-slow" .. QUICK, environment())
    child:read_until "live%-refused: the cancel was refused"
    local told = #child.seen
    child:read_until "\27%[2Kcontoso/live%-slow canceling"
    assert.is_nil(child.seen:find("live-refused", told + 1, true))
  end)

  for name, value in pairs { NO_COLOR = "1", TERM = "dumb" } do
    it(("prints plain lines with %s=%s"):format(name, value), function()
      local id = "plain-" .. name:lower():gsub("_", "-")
      offer(id)
      local output = command.run_on_terminal(80, "cancel contoso " .. id .. QUICK,
        environment { [name] = value })
      assert.is_nil(output:find "\27")
      assert.matches("canceling", output)
    end)
  end

  it("shows nothing of a terminal's own to a file", function()
    offer "file"
    local result = run("cancel contoso file" .. QUICK)
    assert.is_nil((result.out .. result.err):find "\27")
  end)
end)

describe("the command line", function()
  -- Wrong words, what is said of them.
  local WRONG = {
    [""] = "a command is required", ["cancl"] = "Did you mean 'cancel'",
    ["cancel"] = "missing argument 'offer'",
    ["cancel contoso"] = "its offer is missing: contoso OFFER, or contoso/OFFER",
    ["cancel contoso vm --speed 3"] = "unknown option '--speed'",
    ["cancel contoso ''"] = "an argument is empty",
    ["cancel contoso a b --operation x"] = "for one offer",
    ["cancel contoso/a/x --operation x"] = "for one offer, without an id",
    ["cancel contoso vm app vm"] = "offer 'contoso/vm' is named twice",
    ["cancel contoso/a contoso/a/id"] = "offer 'contoso/a' is named twice",
    ["cancel contoso vm --deadline soon"] = "option '--deadline': 'soon' is not a time",
    ["cancel contoso vm --deadline=-1"] = "'-1' is not a time like 90, 0.5, 5m or 1h30m",
    ["cancel contoso vm --interval 0"] = "option '--interval': '0' is not a time above 0",
    ["cancel contoso vm --list-lag -1"] = "option '--list-lag': '-1' is not a time",
    ["cancel contoso vm --concurrency 1.5"] =
      "option '--concurrency': '1.5' is not an integer from 1",
    ["cancel contoso ."] = "path segment",
    ["cancel contoso vm --endpoint ftp://x"] = "option 'endpoint'",
    ["cancel contoso vm --deadline -1"] = "'-1' is not a time",
    ["cancel contoso vm --deadline --json"] = "'--deadline' requires an argument",
    ["cancel contoso vm --concurrency -2"] = "'-2' is not an integer from 1",
    ["emulate --speed -3"] = "'-3' is not a number above 0",
    ["wait --for done x"] = "must be one of 'canceled'",
    ["wait nonsense"] = "'nonsense' is no operation",
    ["wait /api/a 56615b67-2185-49fe-80d2-c4ddf77bb2e8"] = "c4ddf77bb2e8' is no operation",
    ["wait ''"] = "an argument is empty",
    ["poll contoso/vm"] = "'contoso/vm' is no operation",
    ["status contoso/vm/id"] = "'contoso/vm/id' is not PUBLISHER/OFFER",
    ["completion tcsh"] = "must be one of 'bash'",
    ["emulate --offer vm"] = "'vm' is a publisher, and its offer is missing",
    ["emulate --offer contoso/"] = "'contoso/' is not PUBLISHER/OFFER",
    ["emulate --speed fast"] = "not a number above 0",
    ["help cancl"] = "argument 'command' must be one of 'help', 'cancel'",
  }
  for words, message in pairs(WRONG) do
    it("is refused with 2: " .. words, function()
      local result = run(words)
      assert.same({ 2, "" }, { result.status, result.out })
      assert.is_truthy(result.err:find(message, 1, true), result.err)
      assert.is_nil(result.err:find "traceback" or result.err:find "%.lua:")
    end)
  end

  for _, proxy in ipairs { "http://user:hidden@127.0.0.1:9", "user:hidden@127.0.0.1:9" } do
    it("refuses a proxy's password, and does not show it: " .. proxy:sub(1, 4), function()
      local result = run("status contoso vm --proxy " .. proxy)
      assert.equal(2, result.status)
      assert.is_nil((result.out .. result.err):find "hidden")
      assert.matches("https_proxy may hold one", result.err)
    end)
  end

  local COMMANDS = { "cancel", "wait", "poll", "operations", "status", "whoami",
    "emulate", "completion", "help" }

  it("is explained by --help", function()
    local result = run "--help"
    assert.equal(0, result.status)
    for _, name in ipairs(COMMANDS) do
      assert.matches("\n   " .. name .. " ", result.out)
    end
  end)

  for _, name in ipairs(COMMANDS) do
    it("is explained by --help of " .. name .. ", in 80 columns", function()
      local result = run(name .. " --help")
      assert.equal(0, result.status)
      assert.matches("^Usage: cloudpartner " .. name, result.out)
      assert.equal(result.out, run("help " .. name).out)
      for line in result.out:gmatch "[^\n]+" do
        assert.is_true(#line <= 80, line)
      end
    end)
  end

  it("can be completed by shells", function()
    for _, shell in ipairs { "bash", "zsh", "fish" } do
      local result = run("completion " .. shell)
      assert.equal(0, result.status)
      assert.matches("no%-wait", result.out)
    end
    assert.equal(0, command.shell [[cloudpartner completion bash | bash -n]].status)
  end)

  -- As users install them, in a folder of their own where the command is a program.
  local PROGRAM = [[
    folder=$(mktemp -d) && trap 'rm -r "$folder"' EXIT
    printf '#!/bin/sh\nexec lua5.4 lua/cpp/cli/main.lua "$@"\n' >"$folder/cloudpartner"
    chmod +x "$folder/cloudpartner"
    export folder PATH="$folder:$PATH"
  ]]
  -- What completes "cloudpartner can", or would.
  local COMPLETIONS = {
    bash = [[bash --norc -c 'source <(cloudpartner completion bash)
      COMP_WORDS=(cloudpartner can) COMP_CWORD=1; _cloudpartner; echo "${COMPREPLY[@]}"']],
    fish = [[mkdir -p "$folder/fish/completions"
      cloudpartner completion fish >"$folder/fish/completions/cloudpartner.fish"
      HOME=$folder XDG_CONFIG_HOME=$folder fish -c 'complete -C"cloudpartner can"' | cut -f 1]],
    ["zsh, sourced"] = [[zsh -f -c 'autoload -U compinit; compinit -D -u
      source <(cloudpartner completion zsh); echo "$_comps[cloudpartner]"']],
    ["zsh, in fpath"] = [[cloudpartner completion zsh >"$folder/_cloudpartner"
      zsh -f -c 'fpath=("$folder" $fpath); autoload -U compinit; compinit -D -u
        echo "$_comps[cloudpartner]"']],
  }
  for name, script in pairs(COMPLETIONS) do
    local shell = name:match "^%l+"
    it("is completed in " .. name, function()
      if command.shell("command -v " .. shell).status ~= 0 then
        return pending("no " .. shell .. " here")
      end
      local result = command.shell(PROGRAM .. script)
      assert.equal(shell == "zsh" and "_cloudpartner\n" or "cancel\n", result.out)
      assert.equal("", result.err)
    end)
  end

  it("is completed by what its help says, in a new home", function()
    local lines = run "completion --help".out:match "fish:\n(.-)\nFor this shell"
    local result = command.shell(PROGRAM .. 'export HOME="$folder"\n' .. lines
      .. '\nfind "$HOME" -mindepth 2 -type f -size +1k | sed "s:$HOME/::" | sort')
    assert.equal(".config/fish/completions/cloudpartner.fish\n"
      .. ".local/share/bash-completion/completions/cloudpartner\n.zfunc/_cloudpartner\n",
      result.out)
    assert.equal("", result.err)
  end)

  it("has a version", function()
    assert.equal("cloudpartner " .. require "cpp"._VERSION .. "\n", run "--version".out)
  end)
end)

describe("the command", function()
  it("ends with 1 where the result cannot be written", function()
    offer "full"
    local result = run "status contoso full >/dev/full"
    assert.equal(1, result.status)
    assert.matches("cannot write the result", result.err)
  end)

  -- Standard output is a pipe whose reader has gone before anything is written.
  local UNREAD = [[
    folder=$(mktemp -d) && mkfifo "$folder/pipe" || exit
    true <"$folder/pipe" & reader=$!
    exec 3>"$folder/pipe"
    wait $reader
    rm -r "$folder"
  ]]

  it("sends every cancel where nobody reads any more, and tells results elsewhere", function()
    for i = 1, 3 do
      offer("unread-" .. i)
    end
    local result = command.shell(UNREAD .. "cloudpartner cancel contoso unread-1 unread-2 "
      .. "unread-3 --json --concurrency 1" .. QUICK .. ">&3", command.of(service.portal))
    assert.equal(1, result.status)
    assert.matches("cannot write the result", result.err)
    for i = 1, 3 do
      assert.equal(1, service.counts("unread-" .. i).acted)
      assert.matches('"event":"result"[^\n]*"offer":"unread%-' .. i, result.err)
    end
  end)

  it("goes on where nobody reads what is told meanwhile, either", function()
    for i = 1, 2 do
      offer("unheard-" .. i)
    end
    local result = command.shell(UNREAD .. "cloudpartner cancel contoso unheard-1 unheard-2"
      .. QUICK .. ">&3 2>&3", command.of(service.portal))
    assert.equal(1, result.status)
    assert.equal(1, service.counts "unheard-1".acted)
    assert.equal(1, service.counts "unheard-2".acted)
  end)

  it("goes through the environment's proxy, whose password it never shows", function()
    local result = run("status contoso vm --endpoint https://service.portal.invalid --trace",
      { https_proxy = "http://user:hidden@127.0.0.1:9" })
    assert.equal(1, result.status)
    assert.matches("127.0.0.1", result.err)
    assert.is_nil((result.out .. result.err):find "hidden")
  end)

  it("trusts the authority in --ca-file", function()
    local secure <close> = assert(emulator.start { tls = true,
      offers = { ["contoso/vm"] = { running = "publish" } } })
    local values = { CPP_TOKEN = secure.token, CPP_ENDPOINT = secure.endpoint }
    assert.matches("tls_verification", command.run("status contoso vm", values).err)
    local words = "status contoso vm --ca-file " .. secure.ca_file
    assert.equal(0, command.run(words, values).status)
  end)

  it("says with an absolute --ca-file where to go on", function()
    local secure <close> = assert(emulator.start { tls = true,
      offers = { ["contoso/vm"] = { running = "publish" } } })
    local here = assert(io.popen "pwd -P"):read "l"
    local relative = here:gsub("/[^/]+", "../") .. secure.ca_file:sub(2)
    local function named(file)
      local values = command.of(secure)
      values.SSL_CERT_FILE, values.PWD = nil, here
      local result = command.run("cancel contoso vm --no-wait --ca-file " .. file, values)
      return result.err:match "\ncloudpartner wait .*%-%-ca%-file '?(.-)'? contoso/"
    end
    assert.equal(here .. "/" .. relative, named(relative))
    assert.equal(secure.ca_file, named(secure.ca_file))
  end)

  -- A shell in between would set it right.
  it("leaves --ca-file as it is where PWD is another folder", function()
    local getenv = os.getenv
    finally(function()
      rawset(os, "getenv", getenv)
    end)
    for _, stale in ipairs { "/no/such/folder", "lua", "" } do
      rawset(os, "getenv", function() return stale end)
      local lines = tell.lines_to_go_on({ tell.next_of_wait { location = "/x" } },
        { command = "wait", ca_file = "README.md" })
      assert.equal("cloudpartner wait --ca-file README.md /x", lines[1].line)
    end
  end)

  -- Other trees than the default hold a module that plain Lua cannot load.
  if not os.getenv "CPP_TREE" then
    it("is installed", function()
      local result = command.shell 'cd / && "$OLDPWD"/lua_modules/bin/cloudpartner --help'
      assert.same({ 0, "" }, { result.status, result.err })
    end)
  end
end)
