local az = require "spec.support.az"
local credential = require "cpp.credential"
local fake = require "spec.support.fake"
local shell = require "cpp.emulator.shell"
local harness = require "spec.support.harness"

local command

before_each(function()
  command = az.new()
end)
after_each(function()
  command:close()
end)

-- What a credential gives to a client that has this timeout.
local function ask(timeout)
  local client = fake.new().client
  if timeout then
    client.option = function() return timeout end
  end
  return credential.azure_cli()(client)
end

local GOOD = '{"accessToken":"from-az","expires_on":99999999999}'

describe("the Azure CLI", function()
  it("is asked for a token for the service", function()
    command:is(('echo "$*" >%s/words; echo %s'):format(command.folder, shell.quote(GOOD)))
    assert.equal("from-az", ask())
    local file <close> = assert(io.open(command.folder .. "/words"))
    assert.equal("account get-access-token --resource https://cloudpartner.azure.com "
      .. "--output json\n", file:read "a")
  end)

  it("is read on its stdout alone", function()
    command:is(([[
      echo 'WARNING: {"accessToken":"wrong"} is } old {' >&2
      echo %s
      echo '{"accessToken":"wrong"}' >&2]]):format(shell.quote(GOOD)))
    assert.equal("from-az", ask())
  end)

  it("may begin with a byte order mark", function()
    command:is(("printf '\\357\\273\\277'; echo %s"):format(shell.quote(GOOD)))
    assert.equal("from-az", ask())
  end)

  it("does not read the script's stdin", function()
    command:is "cat; echo '{\"accessToken\":\"from-az\"}'"
    local script = ([[
      io.popen = (function(popen) return function(line, mode)
        return popen("PATH=%s:$PATH\n" .. line, mode) end end)(io.popen)
      local token = require "cpp.credential".azure_cli()
      print(token(require "cpp".client()), io.read "a")]]):format(command.folder)
    local _, output = shell.run(("printf 'for the script' | LUA_PATH_5_4=%s "
      .. "LUA_CPATH_5_4=%s lua5.4 -e %s"):format(shell.quote(package.path),
      shell.quote(package.cpath), shell.quote(script)))
    assert.equal("from-az\tfor the script", output)
  end)

  it("is missing", function()
    local script
    io.popen = (function(popen) -- luacheck: ignore
      return function(line, mode)
        script = line
        return popen("command() { return 1; }\n" .. line, mode)
      end
    end)(io.popen)
    local token, err = ask()
    assert.same({ nil, "credential", "az_not_found", false },
      { token, err.kind, err.code, err.retryable })
    assert.matches("install az", err.message)
    assert.matches("^command %-v az", script)
  end)

  it("says what a person can do, which ends its words", function()
    command:is(([[
      echo 'WARNING: %s' >&2
      printf "ERROR: Please run 'az login' to\nsetup account.\n" >&2
      exit 1]]):format(("old "):rep(300)))
    local _, err = ask()
    assert.same({ "az_failed", false }, { err.code, err.retryable })
    assert.equal("az ended with status 1: Please run 'az login' to setup account.",
      err.message)
  end)

  it("says no more than its status where it says nothing, killed ahead of time too", function()
    for _, status in ipairs { 1, 137 } do
      command:is("exit " .. status)
      local _, err = ask()
      assert.same({ "az_failed", "az ended with status " .. status, false },
        { err.code, err.message, err.retryable })
    end
  end)

  it("shows no token that it prints before it fails", function()
    local jwt = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"
    command:is(([[
      echo '{"accessToken":"hidden-1","refreshToken":"hidden-2"}'
      echo 'ERROR: after "accessToken": "hidden-3" and %s came %s, { odd }' >&2
      exit 1]]):format(jwt, ("hidden"):rep(9)))
    local _, err = ask()
    assert.equal('az ended with status 1: after "accessToken": "***" and *** came ***, '
      .. "{ odd }", err.message)
  end)

  for _, words in ipairs {
    "ERROR: Please ensure you have network connection. Error detail: HTTPSConnectionPool("
      .. "host=login.microsoftonline.com, port=443): Max retries exceeded with url: /x",
    "ERROR: (Connection aborted., RemoteDisconnected())",
    "ERROR: [Errno -3] Temporary failure in name resolution",
    "ERROR: HTTPSConnectionPool: Read timed out. (read timeout=30)",
  } do
    it("may get through another time: " .. words:sub(8, 40), function()
      command:is(("echo %s >&2; exit 1"):format(shell.quote(words)))
      local _, err = ask()
      assert.same({ "az_failed", true }, { err.code, err.retryable })
    end)
  end

  it("is ended when it hangs, with all that it has started", function()
    command:is(([[
      sleep 60 &
      echo $! >%s/child
      wait]]):format(command.folder))
    local began = os.time()
    local token, err = ask(1)
    assert.same({ nil, "az_timeout", true }, { token, err.code, err.retryable })
    assert.equal("az gave no token within 1 s", err.message)
    assert.is_true(os.time() - began < 30)
    local file <close> = assert(io.open(command.folder .. "/child"))
    local pid = file:read "n"
    harness.eventually(function()
      return not os.execute(("kill -0 %d 2>/dev/null"):format(pid))
    end)
  end)

  -- What `timeout` does not reach: it has a session of its own, and the pipes of az.
  local LEAVES = [[
    setsid sh -c 'echo $$ >@FOLDER/left; sleep 10; echo >@FOLDER/over' &
    until test -s @FOLDER/left; do :; done
    echo words >&2
    @END]]

  for what, case in pairs { ["has ended"] = { "echo '" .. GOOD .. "'", "from-az" },
    ["has failed"] = { "exit 1", nil, "az ended with status 1: words" },
    ["hangs"] = { "sleep 60", nil, "az gave no token within 1 s" } } do
    it("is not waited for where it " .. what .. " and has left somebody", function()
      command:is(LEAVES:gsub("@(%u+)", { FOLDER = command.folder, END = case[1] }))
      local token, err = ask(1)
      local over <close> = io.open(command.folder .. "/over")
      local left <close> = assert(io.open(command.folder .. "/left"))
      os.execute(("kill -KILL -%d 2>/dev/null"):format(left:read "n"))
      assert.same({ case[2], case[3] }, { token, err and err.message })
      assert.is_nil(over)
    end)
  end

  it("has the whole of the client's timeout, and a second at least", function()
    command:is("echo " .. shell.quote(GOOD))
    for timeout, seconds in pairs { [0.2] = 1, [1.9] = 1, [60] = 60, [2e6] = 86400 } do
      assert.equal("from-az", ask(timeout))
      assert.matches(("timeout -k 1 %d\""):format(seconds), command.last, 1, true)
    end
  end)

  -- In a session of its own, as a terminal would have it.
  it("ends with the script that a Ctrl-C ends", function()
    command:is(("echo $$ >%s/pid; exec sleep 60"):format(command.folder))
    local script = ([[
      io.popen = (function(popen) return function(line, mode)
        return popen("PATH=%s:$PATH\n" .. line, mode) end end)(io.popen)
      require "cpp.credential".azure_cli()(require "cpp".client())]]):format(command.folder)
    local pipe = assert(io.popen(("echo $$; LUA_PATH_5_4=%s LUA_CPATH_5_4=%s exec setsid "
      .. "lua5.4 -e %s 2>&1"):format(shell.quote(package.path), shell.quote(package.cpath),
      shell.quote(script))))
    local group = pipe:read "n"
    local pid = harness.eventually(function()
      local file <close> = io.open(command.folder .. "/pid")
      return file and file:read "n"
    end)
    assert(os.execute(("kill -INT -%d"):format(group)))
    local gone = pcall(harness.eventually, function()
      return not os.execute(("kill -0 %d 2>/dev/null"):format(pid))
    end)
    os.execute(("kill %d 2>/dev/null"):format(pid))
    assert.is_true(gone)
    assert.matches("interrupted!", pipe:read "a")
    pipe:close()
  end)

  for what, output in pairs { nothing = "", ["no field"] = "{}", ["no JSON"] = "[",
    ["a number"] = '{"accessToken":1}', null = "null", ["no token"] = '{"accessToken":"a b"}' } do
    it("gives no token: " .. what, function()
      command:is("echo " .. shell.quote(output))
      local token, err = ask()
      assert.same({ nil, "az_failed", false }, { token, err.code, err.retryable })
    end)
  end
end)

describe("the life of its token", function()
  -- When it is renewed, in seconds, to the nearest 50.
  local function renewed_after(answer)
    local one, token = fake.new(), credential.azure_cli()
    command:is("echo " .. shell.quote(answer))
    assert.equal("from-az", token(one.client))
    local began = one.time
    while command:runs() == 1 and one.time - began < 7000 do
      one.time = one.time + 50
      assert.equal("from-az", token(one.client))
    end
    return one.time - began
  end

  local function later(seconds, format)
    local time = os.time() + seconds
    return format and os.date(format, time) or time
  end

  it("is that of expires_on, a number or a string", function()
    local fields = { ('"expires_on":%s'):format(later(3620)),
      ('"expires_on":"%s"'):format(later(3620)),
      ('"expires_on":%s,"expiresOn":"2001-01-01 00:00:00.000000"'):format(later(3620)) }
    for _, field in ipairs(fields) do
      command:forget()
      assert.equal(3350, renewed_after('{"accessToken":"from-az",' .. field .. "}"))
    end
  end)

  it("is that of expiresOn, in local time", function()
    local shown = later(3620, "%Y-%m-%d %H:%M:%S")
    assert.equal(3350, renewed_after(('{"accessToken":"from-az","expiresOn":"%s.000000"}')
      :format(shown)))
  end)

  for _, field in ipairs { "", ',"expires_on":null', ',"expires_on":"soon"',
    ',"expires_on":1', ',"expiresOn":"99999999999-01-01 00:00:00"', ',"expiresOn":"2026"',
    ',"expiresOn":7' } do
    it("is 5 minutes where nobody knows it: " .. field, function()
      assert.equal(300, renewed_after('{"accessToken":"from-az"' .. field .. "}"))
    end)
  end
end)

it("is taken, however far off its end is said to be", function()
  for _, field in ipairs { '"expires_on":1e300', '"expires_on":99999999999',
    '"expiresOn":"9999-99-99 99:99:99"' } do
    command:is(("echo '{\"accessToken\":\"from-az\",%s}'"):format(field))
    assert.equal("from-az", ask())
  end
end)

describe("a token of its that was rejected", function()
  it("is told as such once, and is az's business again after 5 minutes", function()
    local one, token = fake.new(), credential.azure_cli()
    command:is("echo " .. shell.quote(GOOD))
    assert.equal("from-az", token(one.client))
    local got, err = token(one.client, "from-az")
    assert.same({ nil, "credential", "rejected_again", false },
      { got, err.kind, err.code, err.retryable })
    assert.is_nil(err.message:find("from-az", 1, true))
    for _ = 1, 5 do
      assert.equal("from-az", token(one.client, "from-az"))
    end
    assert.equal(2, command:runs())
    one.time = one.time + 300
    command:is [[echo '{"accessToken":"after-login"}']]
    assert.equal("after-login", token(one.client, "from-az"))
  end)
end)
