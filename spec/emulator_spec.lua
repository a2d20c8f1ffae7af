local cjson = require "cjson"
local emulator = require "cpp.emulator"
local ledger = require "cpp.emulator.ledger"
local shell = require "cpp.emulator.shell"

local VERSION = "api-version=2017-10-31"
local BODY = '{"metadata":{"notification-emails":"a@x.com,b@y.com"}}'
local GUID = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"
local GUID_PATTERN = "^%x+%-%x+%-4%x+%-%x+%-%x+$"
local ALWAYS = -1

-- Runs curl; returns its output (heads included) and its exit status.
local function curl(portal, url, ...)
  local words = { "curl -sS -i --max-time 20 --noproxy '*'" }
  if portal.ca_file then
    table.insert(words, "--cacert " .. shell.quote(portal.ca_file))
  end
  for _, word in ipairs { ... } do
    table.insert(words, shell.quote(word))
  end
  table.insert(words, shell.quote(url))
  local pipe = io.popen(table.concat(words, " ") .. " 2>/dev/null", "r")
  local output = pipe:read "a"
  local _, _, exit = pipe:close()
  return output, exit
end

-- Reads an answer: status, headers (names in lower case), body.
local function parse(output)
  local head, body = output:match "^(.-)\r\n\r\n(.*)$"
  if not head then
    return {}
  end
  local answer = { headers = {}, head = head, body = body }
  answer.status = tonumber(head:match "^HTTP/%S+ (%d+)")
  for name, value in head:gmatch "\r\n([^:\r\n]+): ?([^\r\n]*)" do
    answer.headers[name:lower()] = value
  end
  local good, document = pcall(cjson.decode, body)
  answer.document = good and document or nil
  return answer
end

-- Asks without a token unless the arguments bring one.
local function ask(portal, path, ...)
  local output, exit = curl(portal, portal.endpoint .. path, ...)
  local answer = parse(output)
  answer.exit, answer.output = exit, output
  return answer
end

local function bearer(portal)
  return "Authorization: Bearer " .. portal.token
end

local function get(portal, path, ...)
  path = path:find("?", 1, true) and path or path .. "?" .. VERSION
  return ask(portal, path, "-H", bearer(portal), ...)
end

local function post(portal, path, body, ...)
  return ask(portal, path .. "?" .. VERSION, "-H", bearer(portal),
    "-H", "Content-Type: application/json", "--data-binary", body, ...)
end

local function path_of(name)
  local publisher, offer = name:match "^(.-)/(.*)$"
  return ("/api/publishers/%s/offers/%s/"):format(publisher, offer)
end

local function cancel(portal, ...)
  return post(portal, path_of "contoso/vm" .. "cancel", BODY, ...)
end

local function list(portal, query)
  query = query and "&" .. query or ""
  local path = path_of "contoso/vm" .. "submissions/?" .. VERSION .. query
  return get(portal, path).document
end

local function poll(portal, id)
  return get(portal, path_of "contoso/vm" .. "operations/" .. (id or GUID))
end

local function location_of(answer)
  return answer.headers["operation-location"] or answer.headers.location
end

local function follow(portal, answer)
  local path = location_of(answer):gsub("^https?://[^/]+", "")
  return get(portal, path)
end

local function exists(path)
  local file <close> = io.open(path, "r")
  return file ~= nil
end

local function states(items)
  local found = {}
  for i, item in ipairs(items) do
    found[i] = item.submissionState
  end
  return found
end

-- Waits for a condition on another process, in bounded time.
local function eventually(condition)
  for _ = 1, 500 do
    if condition() then
      return true
    end
    os.execute "sleep 0.01"
  end
  return false
end

describe("the emulator", function()
  local portal

  local function start(given)
    portal = assert(emulator.start(given))
    return portal
  end

  -- An offer in mid-publish on a clock that stands still.
  local function still(settings, more)
    local offer = { running = "publish", id = GUID }
    for name, value in pairs(settings or {}) do
      offer[name] = value
    end
    local offers = { ["contoso/vm"] = offer, ["contoso/other"] = {} }
    local given = { speed = 0, offers = offers }
    for name, value in pairs(more or {}) do
      given[name] = value
    end
    return start(given)
  end

  local function advance(seconds)
    portal:set("*", { advance = seconds })
  end

  after_each(function()
    if portal then
      portal:close()
      portal = nil
    end
  end)

  describe("as a process", function()
    it("answers as soon as start returns", function()
      assert.equal(200, poll(still()).status)
    end)

    it("leaves nothing behind when it is closed, twice even", function()
      still { }
      local folder, pid = portal.folder, portal.pid
      assert.is_true(exists(folder .. "/nginx.conf"))
      portal:close()
      portal:close()
      assert.is_false(exists(folder .. "/nginx.conf"))
      assert.is_false(exists("/proc/" .. pid .. "/stat"))
    end)

    it("ends with its variable's scope", function()
      local pid
      do
        local scoped <close> = assert(emulator.start())
        pid = scoped.pid
      end
      assert.is_false(exists("/proc/" .. pid .. "/stat"))
    end)

    it("ends when it is collected", function()
      local pid = assert(emulator.start()).pid
      collectgarbage()
      collectgarbage()
      assert.is_false(exists("/proc/" .. pid .. "/stat"))
    end)

    -- Returns a pipe with the script's output.
    local function start_script(lua, script)
      return io.popen(("LUA_PATH=%s LUA_CPATH=%s exec %s -e %s"):format(
        shell.quote(package.path), shell.quote(package.cpath), lua, shell.quote(script)))
    end

    -- As a second Ctrl-C does it to the shells that end the portal.
    it("ends, folder and all, when no command can be run any more", function()
      local script = start_script("timeout 20 lua5.4", [[
        local portal = assert(require "cpp.emulator".start())
        local execute = os.execute
        function os.execute(command)
          return execute("kill -INT $$\n" .. command)
        end
        portal:close()
        print(portal.pid, portal.folder)]])
      local pid, folder = script:read("n", "l")
      assert.same({ true, "exit", 0 }, { script:close() })
      assert.is_false(exists(("/proc/%d/stat"):format(pid)))
      assert.is_false(exists(folder:match "%S.*" .. "/nginx.conf"))
    end)

    it("ends, folder and all, when its parent is killed", function()
      local script = start_script("lua5.4", [[
        local portal = assert(require "cpp.emulator".start())
        local stat <close> = io.open "/proc/self/stat"
        print(portal.pid, portal.folder)
        io.stdout:flush()
        os.execute("kill -9 " .. stat:read "n")]])
      local pid, folder = script:read("n", "l")
      local _, how, signal = script:close()
      assert.same({ "signal", 9 }, { how, signal })
      local gone = eventually(function()
        return not exists(("/proc/%d/cmdline"):format(pid))
      end)
      assert.is_true(gone)
      assert.is_false(exists(folder:match "%S.*" .. "/nginx.conf"))
    end)

    it("runs twice at once, each with its own offers and token", function()
      still()
      local other <close> = assert(emulator.start { offers = { ["fabrikam/app"] = {} } })
      assert.not_equal(portal.endpoint, other.endpoint)
      assert.equal(200, get(other, path_of "fabrikam/app" .. "status").status)
      assert.equal(403, get(portal, path_of "fabrikam/app" .. "status").status)
      assert.equal(401, ask(other, path_of "fabrikam/app" .. "status?" .. VERSION,
        "-H", bearer(portal)).status)
    end)

    it("keeps its folder to its owner", function()
      still()
      local _, mode = shell.run("stat -c %a " .. shell.quote(portal.folder))
      assert.equal("700", mode)
    end)

    it("works in a folder whose name needs quoting", function()
      local _, base = shell.run "mktemp -d"
      local name = base .. "/it's a \"folder\"; $HOME"
      os.execute("mkdir " .. shell.quote(name))
      local script = [[
        local portal <close> = assert(require "cpp.emulator".start{ tls = true })
        print(portal.folder)]]
      local good, output = shell.run(("TMPDIR=%s LUA_PATH=%s LUA_CPATH=%s lua5.4 -e %s")
        :format(shell.quote(name), shell.quote(package.path), shell.quote(package.cpath),
        shell.quote(script)))
      os.execute("rmdir " .. shell.quote(name) .. " " .. shell.quote(base))
      assert.is_true(good, output)
      assert.equal(name, output:sub(1, #name))
      assert.is_false(exists(base))
    end)

    it("writes no error log", function()
      still()
      cancel(portal)
      local file <close> = io.open(portal.folder .. "/error.log")
      assert.equal("", file:read "a")
    end)

    it("names the packages where nginx is missing", function()
      local none, message = emulator.start { nginx = "/nonexistent/nginx" }
      assert.is_nil(none)
      assert.truthy(message:find("libnginx-mod-http-lua", 1, true))
      assert.truthy(message:find("OpenResty", 1, true))
    end)

    it("names the packages where nginx has no Lua module", function()
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      file:write "#!/bin/sh\necho nginx version: nginx/1.22.1 --modules-path=/none\n"
      file:close()
      os.execute("chmod +x " .. name)
      local none, message = emulator.start { nginx = name }
      os.remove(name)
      assert.is_nil(none)
      assert.truthy(message:find("libnginx-mod-http-lua", 1, true))
    end)

    it("refuses to be used when closed", function()
      still():close()
      assert.error_matches(function()
        portal:ledger()
      end, "closed emulator")
    end)
  end)

  describe("checks its arguments:", function()
    local function refuses(given, culprit)
      assert.error_matches(function()
        emulator.start(given)
      end, culprit, 1, true)
    end

    it("an unknown option", function()
      refuses({ tsl = true }, "'tsl'")
    end)

    it("an option of the wrong type", function()
      refuses({ tls = 1 }, "'tls'")
      refuses({ speed = -1 }, "'speed'")
      refuses({ speed = 0 / 0 }, "'speed'")
    end)

    it("an unknown setting of an offer", function()
      refuses({ offers = { ["contoso/vm"] = { runing = "publish" } } }, "'runing'")
      refuses({ offers = { ["contoso/vm"] = { words = { done = "x" } } } }, "'done'")
      refuses({ offers = { ["contoso/vm"] = { history = { { when = 1 } } } } }, "'when'")
    end)

    it("an impossible setting of an offer", function()
      refuses({ offers = { ["contoso/vm"] = { running = "golive" } } }, "'running'")
      refuses({ offers = { ["contoso/vm"] = { list_lag = "2" } } }, "'list_lag'")
    end)

    it("an offer without a publisher", function()
      refuses({ offers = { vm = {} } }, "'vm'")
    end)

    it("a fault", function()
      refuses({ faults = { { on = "cancel", dorp = "before" } } }, "'dorp'")
      refuses({ faults = { { status = 503 } } }, "'on'")
      refuses({ faults = { { on = "cancel", raw = { true } } } }, "'raw'")
      refuses({ faults = { { on = "cancel", times = 1.5 } } }, "'times'")
    end)

    it("at run time too", function()
      still()
      assert.error_matches(function()
        portal:set("contoso/vm", { runing = false })
      end, "'runing'", 1, true)
      assert.error_matches(function()
        portal:set("*", { fault = {} })
      end, "'fault'", 1, true)
    end)
  end)

  describe("refuses", function()
    local path = path_of "contoso/vm"

    it("a request without a token", function()
      local answer = ask(still(), path .. "status?" .. VERSION)
      assert.equal(401, answer.status)
      assert.is_string(answer.document.Message)
    end)

    it("a wrong token", function()
      local answer = ask(still(), path .. "status?" .. VERSION,
        "-H", "Authorization: Bearer nonsense")
      assert.equal(401, answer.status)
      assert.is_string(answer.document.Message)
    end)

    it("a token that was revoked", function()
      still():set("*", { revoke = true })
      assert.equal(401, poll(portal).status)
    end)

    it("a token after so many calls", function()
      still({}, { token_calls = 2 })
      assert.equal(200, poll(portal).status)
      assert.equal(200, poll(portal).status)
      assert.equal(401, poll(portal).status)
    end)

    for what, query in pairs { missing = "?x=1", unknown = "?api-version=2015-01-01",
      doubled = "?" .. VERSION .. "&" .. VERSION } do
      it("an api-version that is " .. what, function()
        local answer = get(still(), path .. "status" .. query)
        assert.equal(400, answer.status)
        assert.equal("InvalidAPIVersion", answer.document.error.code)
      end)
    end

    it("a client that does not accept JSON", function()
      assert.equal(406, get(still(), path .. "status", "-H", "Accept: text/html").status)
    end)

    it("another publisher's offer", function()
      assert.equal(403, get(still(), path_of "fabrikam/vm" .. "status").status)
    end)

    it("an offer that is marked as foreign", function()
      assert.equal(403, get(still { foreign = true }, path .. "status").status)
    end)

    it("an unknown offer", function()
      assert.equal(404, get(still(), path_of "contoso/none" .. "status").status)
    end)

    it("an unknown operation", function()
      assert.equal(404, poll(still(), "no-such-id").status)
    end)

    it("an unknown path", function()
      still()
      for _, bad in ipairs { "", "/api", path .. "submissions", path .. "operations/" } do
        assert.equal(404, get(portal, bad).status)
      end
    end)

    it("the wrong method", function()
      assert.equal(405, get(still(), path .. "cancel").status)
    end)

    it("a body that is not JSON", function()
      local answer = post(still(), path .. "cancel", "{")
      assert.equal(400, answer.status)
      assert.equal("InvalidJson", answer.document.error.code)
    end)

    it("a body of another shape", function()
      for _, body in ipairs { "[]", "3", "{}", '{"metadata":[]}', '{"metadata":{}}',
        '{"metadata":{"notification-emails":["a@x.com"]}}' } do
        local answer = post(portal or still(), path .. "cancel", body)
        assert.equal(400, answer.status)
        assert.equal("InvalidRequest", answer.document.error.code)
      end
    end)

    it("a body of another type", function()
      local answer = ask(still(), path .. "cancel?" .. VERSION, "-H", bearer(portal),
        "-d", BODY)
      assert.equal("InvalidContentType", answer.document.error.code)
    end)

    it("a POST of unknown length", function()
      assert.equal(411, get(still(), path .. "cancel", "-X", "POST").status)
    end)

    it("an If-Match that matches no longer", function()
      still()
      local tag = get(portal, path .. "status").headers.etag
      assert.truthy(tag:find("%3A", 1, true))
      assert.equal(412, cancel(portal, "-H", 'If-Match: "other"').status)
      assert.equal(202, cancel(portal, "-H", "If-Match: " .. tag).status)
      assert.equal(202, cancel(portal, "-H", "If-Match: *").status)
    end)

    it("to let a refused cancel act", function()
      post(still(), path .. "cancel", "{")
      local counts = portal:ledger()
      assert.equal(1, counts.cancels)
      assert.equal(0, counts.acted)
      assert.equal(0, counts.idle)
    end)
  end)

  describe("cancels", function()
    it("what runs, in its time", function()
      still { cancel_seconds = 60 }
      local answer = cancel(portal)
      assert.equal(202, answer.status)
      assert.equal("running", follow(portal, answer).document.status)
      advance(59)
      assert.equal("running", follow(portal, answer).document.status)
      advance(1)
      assert.equal("canceled", follow(portal, answer).document.status)
      assert.equal(1, portal:ledger().acted)
    end)

    it("an idle offer with a 202 like any other", function()
      still { running = false }
      local answer = cancel(portal)
      assert.equal(202, answer.status)
      assert.is_string(location_of(answer))
      advance(120)
      assert.equal("completed", follow(portal, answer).document.status)
      assert.equal(0, portal:ledger().acted)
      assert.equal(1, portal:ledger().idle)
    end)

    it("an idle offer, naming its last operation", function()
      still { running = false, history = { { id = GUID, state = "failed" } } }
      assert.equal("failed", follow(portal, cancel(portal)).document.status)
    end)

    it("at once when it is synchronous", function()
      still { synchronous = true }
      local answer = cancel(portal)
      assert.equal(200, answer.status)
      assert.is_nil(location_of(answer))
      assert.equal("", answer.body)
      assert.equal("canceled", poll(portal).document.status)
    end)

    it("with an operation of its own", function()
      still { names = "own", own_id = "11111111-2222-4333-8444-555555555555" }
      local answer = cancel(portal)
      assert.truthy(location_of(answer):find "11111111%-2222%-4333%-8444%-555555555555$")
      assert.equal("running", follow(portal, answer).document.status)
      advance(120)
      assert.equal("completed", follow(portal, answer).document.status)
      assert.equal("canceled", poll(portal).document.status)
    end)

    it("too late", function()
      still { too_late = true }
      assert.equal("completed", follow(portal, cancel(portal)).document.status)
    end)

    it("in vain where the service gives up", function()
      still { cancelable = false, names = "own" }
      local answer = cancel(portal)
      assert.equal("cancelRequested", poll(portal).document.cancellationRequestState)
      advance(120)
      assert.equal("failed", follow(portal, answer).document.status)
      assert.equal("running", poll(portal).document.status)
      assert.equal("canCancel", poll(portal).document.cancellationRequestState)
    end)

    it("a preview that waits for its publisher", function()
      still { running = "preview" }
      local answer = cancel(portal)
      advance(120)
      assert.equal("canceled", follow(portal, answer).document.status)
    end)

    it("once, however often it is asked", function()
      still { cancel_seconds = 60 }
      cancel(portal)
      advance(59)
      cancel(portal)
      advance(1)
      assert.equal("canceled", poll(portal).document.status)
      assert.equal(2, portal:ledger().acted)
    end)

    it("and shows so in cancellationRequestState", function()
      still { cancel_seconds = 0 }
      assert.equal("canCancel", poll(portal).document.cancellationRequestState)
      cancel(portal)
      assert.is_nil(poll(portal).document.cancellationRequestState)
      portal:set("contoso/vm", { cancellation_state = "odd" })
      assert.equal("odd", poll(portal).document.cancellationRequestState)
    end)
  end)

  describe("gives the location", function()
    local function header_line(settings)
      return cancel(still(settings)).head:match "\r\n([%a-]*[Ll][Oo][Cc][^\r\n]*)"
    end

    it("F1: absolute, without api-version", function()
      local line = header_line { location = "F1" }
      assert.equal("Operation-Location: " .. portal.endpoint .. path_of "contoso/vm"
        .. "operations/" .. GUID, line)
    end)

    it("F2: by the offer's GUID and number", function()
      local guid = header_line { location = "F2" }:match(
        "^Operation%-Location: /api/operations/contoso%$([%x-]+)%$1%$preview%?(.*)$")
      assert.truthy(guid:find(GUID_PATTERN))
    end)

    it("F3: relative, with api-version", function()
      assert.equal("Location: " .. path_of "contoso/vm" .. "operations/" .. GUID .. "?"
        .. VERSION, header_line { location = "F3" })
    end)

    it("F4: by the offer's name and number", function()
      assert.equal("Location: /api/operations/contoso$vm$1$preview?" .. VERSION,
        header_line { location = "F4" })
    end)

    it("not at all", function()
      assert.is_nil(header_line { location = "none" })
    end)

    it("as it is told", function()
      assert.equal("Operation-Location: http://evil.example/x",
        header_line { location = "http://evil.example/x" })
    end)

    it("in a header of any case", function()
      assert.truthy(header_line { location_header = "operation-LOCATION" }
        :find("^operation%-LOCATION: http"))
    end)

    it("in both headers", function()
      local headers = cancel(still { location_header = "both" }).headers
      assert.is_string(headers.location)
      assert.equal(headers.location, headers["operation-location"])
    end)

    for _, form in ipairs { "F1", "F2", "F3", "F4" } do
      for _, names in ipairs { "canceled", "own" } do
        it(("%s so that it can be polled (%s)"):format(form, names), function()
          still { location = form, names = names, cancel_seconds = 5 }
          local path = location_of(cancel(portal)):gsub("^https?://[^/]+", "")
          advance(5)
          local expected = names == "own" and "completed" or "canceled"
          assert.equal(expected, get(portal, path).document.status)
        end)
      end
    end
  end)

  describe("shows an operation", function()
    it("with its six steps and their progress", function()
      still { publish_seconds = 600, elapsed = 150 }
      local document = poll(portal).document
      local seen = {}
      for i, step in ipairs(document.steps) do
        seen[i] = { step.id, step.status, math.tointeger(step.progressPercentage) }
      end
      assert.same({
        { "displaydummycertify", "complete", 100 },
        { "displaycertify", "inProgress", 50 },
        { "displayprovision", "notStarted", 0 },
        { "displaypackage", "notStarted", 0 },
        { "publisher-signoff", "notStarted", 0 }, { "live", "notStarted", 0 },
      }, seen)
    end)

    it("that completes by itself", function()
      still { publish_seconds = 600 }
      advance(600)
      local document = poll(portal).document
      assert.equal("completed", document.status)
      assert.equal(100, document.steps[6].progressPercentage)
    end)

    it("that fails, with messages in HTML", function()
      still { publish_seconds = 600, ending = "failed", errors = { "<p>no</p>" } }
      advance(600)
      local document = poll(portal).document
      assert.equal("failed", document.status)
      assert.equal("failed", document.steps[2].status)
      assert.equal("<p>no</p>", document.steps[2].messages[1].messageHtml)
      assert.equal("error", document.steps[2].messages[1].level)
    end)

    it("that waits for its publisher", function()
      still { running = "preview" }
      local document = poll(portal).document
      assert.equal("running", document.status)
      assert.equal("waitingForPublisherReview", document.steps[5].status)
      local status = get(portal, path_of "contoso/vm" .. "status").document
      assert.equal("waitingForPublisherReview", status.status)
    end)

    it("that is blocked while it runs", function()
      still { blocked = true, elapsed = 1 }
      local document = poll(portal).document
      assert.equal("running", document.status)
      assert.equal("blocked", document.steps[1].status)
      assert.equal("error", document.steps[1].messages[1].level)
    end)

    it("that is queued first", function()
      still { queued_seconds = 10 }
      assert.equal("not started", poll(portal).document.status)
      advance(10)
      assert.equal("running", poll(portal).document.status)
    end)

    it("as an array of one", function()
      assert.equal("running", poll(still { document = "array" }).document[1].status)
    end)

    it("in other words", function()
      still { words = { running = "In_Progress" } }
      assert.equal("In_Progress", poll(portal).document.status)
      assert.equal("In_Progress", list(portal)[1].submissionState)
    end)

    it("with other HTTP statuses", function()
      still { running_status = 202, done_status = 204, cancel_seconds = 0 }
      local answer = poll(portal)
      assert.equal(202, answer.status)
      assert.truthy(location_of(answer):find(GUID, 1, true))
      cancel(portal)
      answer = poll(portal)
      assert.equal(204, answer.status)
      assert.equal("", answer.body)
    end)

    it("in the same bytes while nothing changes", function()
      still()
      assert.equal(poll(portal).body, poll(portal).body)
    end)

    it("compressed for who accepts it", function()
      local answer = get(still(), path_of "contoso/vm" .. "status", "--compressed")
      assert.equal("gzip", answer.headers["content-encoding"])
      assert.equal("running", answer.document.status)
    end)
  end)

  describe("lists operations", function()
    local history = { { state = "failed" }, { state = "canceled" } }

    it("newest first", function()
      still { history = history }
      assert.same({ "running", "canceled", "failed" }, states(list(portal)))
    end)

    it("oldest first", function()
      still { history = history, list_order = "oldest" }
      assert.same({ "failed", "canceled", "running" }, states(list(portal)))
    end)

    it("in no order", function()
      still { history = history, list_order = "shuffled" }
      local found = states(list(portal))
      table.sort(found)
      assert.same({ "canceled", "failed", "running" }, found)
    end)

    it("filtered by either name of the filter", function()
      still { history = history }
      assert.same({ "running" }, states(list(portal, "status=running")))
      assert.same({ "canceled" }, states(list(portal, "submissionState=Canceled")))
      assert.same({}, list(portal, "status=completed"))
    end)

    it("as an empty array", function()
      still { list = "empty" }
      assert.equal("[]", get(portal, path_of "contoso/vm" .. "submissions/").body)
    end)

    it("late", function()
      still { list_lag = 30, cancel_seconds = 0 }
      assert.same({}, states(list(portal)))
      advance(30)
      cancel(portal)
      assert.same({ "running" }, states(list(portal)))
      advance(30)
      assert.same({ "canceled" }, states(list(portal)))
    end)

    it("with a version that no double holds", function()
      local body = get(still(), path_of "contoso/vm" .. "submissions/").body
      local digits = body:match '"version":(%d+)'
      assert.equal(18, #digits)
      assert.not_equal(digits, ("%.0f"):format(tonumber(digits .. ".0")))
      assert.truthy(body:find '"changedTime":"[%d-]+T[%d:]+%.%d%d%d%d%d%d%dZ"')
    end)

    it("with a cancel's own only when told", function()
      still { names = "own" }
      cancel(portal)
      assert.equal(1, #list(portal))
      portal:set("contoso/vm", { list_own = true })
      assert.equal(2, #list(portal))
    end)
  end)

  describe("publishes", function()
    local path = path_of "contoso/vm"

    it("an idle offer, with a body that is not JSON", function()
      still { running = false }
      local answer = post(portal, path .. "publish", BODY)
      assert.equal(202, answer.status)
      assert.equal("Publish accepted", answer.output:match "\r\n\r\n(.*)$")
      assert.truthy(location_of(answer):find(GUID, 1, true))
      assert.same({ "a@x.com", "b@y.com" }, list(portal)[1].definition.metadata.emails)
    end)

    it("not while something runs", function()
      assert.equal(409, post(still(), path .. "publish", BODY).status)
    end)

    it("again when a cancel has ended", function()
      still { cancel_seconds = 60 }
      cancel(portal)
      assert.equal(409, post(portal, path .. "publish", BODY).status)
      advance(60)
      assert.equal(202, post(portal, path .. "publish", BODY).status)
    end)

    it("up to the publisher's signoff, then goes live", function()
      still { signoff = true, publish_seconds = 600 }
      assert.equal(400, post(portal, path .. "golive", "").status)
      advance(600)
      assert.equal(202, post(portal, path .. "golive", "").status)
      assert.equal("completed", poll(portal).document.status)
      assert.equal("production", list(portal)[1].slot)
    end)

    it("what a colleague starts when the run has ended", function()
      still { cancel_seconds = 10, next = { id = "colleague" } }
      cancel(portal)
      advance(10)
      assert.equal("canceled", poll(portal).document.status)
      assert.equal("running", poll(portal, "colleague").document.status)
    end)

    -- What a patch says of `next` while its offer's last run is over.
    for name, patch in pairs {
      ["only that"] = { next = { id = "colleague" } },
      ["with what runs"] = { next = { id = "colleague" }, running = "publish" },
    } do
      it("what a colleague starts after a run that is yet to start: " .. name, function()
        still { publish_seconds = 600, elapsed = 600 }
        portal:set("contoso/vm", { publish_seconds = 3600, elapsed = 0 })
        portal:set("contoso/vm", patch)
        assert.equal(404, poll(portal, "colleague").status)
        if not patch.running then
          post(portal, path_of "contoso/vm" .. "publish", BODY)
        end
        advance(3600)
        assert.equal("running", poll(portal, "colleague").document.status)
        assert.equal(3, #list(portal))
      end)
    end

    it("nothing of a colleague's by what an offer's history holds", function()
      still { running = false, history = { {} }, next = { id = "colleague" } }
      assert.equal(404, poll(portal, "colleague").status)
      assert.equal(1, #list(portal))
    end)

    it("what a colleague starts when a run ended before the next was announced", function()
      still { publish_seconds = 600, next = { id = "first" } }
      advance(600)
      portal:set("contoso/vm", { next = { id = "second" } })
      assert.equal("running", poll(portal, "first").document.status)
      assert.equal(404, poll(portal, "second").status)
      advance(600)
      assert.equal("running", poll(portal, "second").document.status)
    end)
  end)

  describe("changes at run time", function()
    it("what runs", function()
      still()
      portal:set("contoso/vm", { running = "publish", id = "second" })
      assert.equal("completed", poll(portal).document.status)
      assert.equal("running", poll(portal, "second").document.status)
    end)

    it("settings, keeping the others", function()
      still { document = "array" }
      portal:set("contoso/vm", { words = { running = "busy" } })
      assert.equal("busy", poll(portal).document[1].status)
    end)

    it("how long the run takes", function()
      still { publish_seconds = 600, elapsed = 100 }
      portal:set("contoso/vm", { publish_seconds = 100 })
      assert.equal("completed", poll(portal).document.status)
    end)

    it("which offers there are", function()
      still()
      portal:set("contoso/new", { running = "publish" })
      local answer = get(portal, path_of "contoso/new" .. "status")
      assert.equal("running", answer.document.status)
    end)

    it("the pace of time", function()
      still { publish_seconds = 3600 }
      portal:set("*", { speed = 1e9 })
      assert.is_true(eventually(function()
        return poll(portal).document.status == "completed"
      end))
    end)
  end)

  describe("breaks", function()
    local function broken(fault, more)
      still({}, more)
      portal:set("*", { faults = { fault } })
    end

    it("the connection before it acts", function()
      broken { on = "cancel", drop = "before" }
      assert.equal(52, cancel(portal).exit)
      assert.equal(1, portal:ledger().cancels)
      assert.equal(0, portal:ledger().acted)
      assert.equal(202, cancel(portal).status)
    end)

    it("the connection after it acted", function()
      broken { on = "cancel", drop = "after" }
      assert.equal(52, cancel(portal).exit)
      assert.equal(1, portal:ledger().acted)
      assert.is_nil(portal:ledger().entries[1].status)
    end)

    it("the stream, over HTTP/2", function()
      broken({ on = "cancel", drop = "after" }, { tls = true })
      assert.equal(92, cancel(portal).exit)
      assert.equal(1, portal:ledger().acted)
    end)

    it("with a status before it acts", function()
      broken { on = "cancel", status = 503, retry_after = "3", body = "busy" }
      local answer = cancel(portal)
      assert.equal(503, answer.status)
      assert.equal("3", answer.headers["retry-after"])
      assert.truthy(answer.output:find "busy$")
      assert.equal(0, portal:ledger().acted)
    end)

    it("with a status after it acted", function()
      broken { on = "cancel", status = 500, when = "after" }
      local answer = cancel(portal)
      assert.equal(500, answer.status)
      assert.is_nil(location_of(answer))
      assert.equal(1, portal:ledger().acted)
    end)

    it("with headers added to a good answer", function()
      broken { on = "poll", retry_after = "7", headers = { ["X-Odd"] = "1" } }
      local answer = poll(portal)
      assert.equal("running", answer.document.status)
      assert.equal("7", answer.headers["retry-after"])
      assert.equal("1", answer.headers["x-odd"])
    end)

    it("with another body", function()
      broken { on = "poll", body = "[1,", headers = { ["Content-Type"] = "text/html" } }
      local answer = poll(portal)
      assert.equal(200, answer.status)
      assert.equal("[1,", answer.body)
      assert.equal("text/html", answer.headers["content-type"])
    end)

    it("with raw bytes, in pieces", function()
      broken { on = "poll", raw = { "HTTP/1.1 200 OK\r\nContent-Le", 0.01,
        "ngth: 10\r\n\r\nshort\0" } }
      local answer = poll(portal)
      assert.equal(18, answer.exit)
      assert.equal("short\0", answer.body)
    end)

    it("with raw bytes after it acted", function()
      broken { on = "cancel", raw = "garbage\r\n\r\n", when = "after" }
      assert.not_equal(0, cancel(portal).exit)
      assert.equal(1, portal:ledger().acted)
    end)

    it("the stream where raw bytes cannot be sent", function()
      broken({ on = "poll", raw = "garbage" }, { tls = true })
      assert.equal(92, poll(portal).exit)
    end)

    it("late, having acted and recorded at once", function()
      broken { on = "cancel", delay = 10 }
      assert.equal(28, cancel(portal, "--max-time", "0.3").exit)
      assert.equal(1, portal:ledger().acted)
    end)

    it("some requests and not others", function()
      broken { on = "poll", skip = 1, times = 2, status = 500 }
      local seen = {}
      for i = 1, 4 do
        seen[i] = poll(portal).status
      end
      assert.same({ 200, 500, 500, 200 }, seen)
    end)

    it("one offer and not another", function()
      broken { on = "status", offer = "contoso/other", status = 500, times = ALWAYS }
      assert.equal(200, get(portal, path_of "contoso/vm" .. "status").status)
      assert.equal(500, get(portal, path_of "contoso/other" .. "status").status)
    end)

    it("some at random, the same with every run", function()
      local function run()
        local seen = {}
        portal:set("*", { faults = {
          { on = "poll", status = 500, times = ALWAYS, probability = 0.5, seed = 7 } } })
        for i = 1, 12 do
          seen[i] = poll(portal).status
        end
        return seen
      end
      still()
      local first = run()
      assert.same(first, run())
      assert.truthy(table.concat(first, " "):find "200")
      assert.truthy(table.concat(first, " "):find "500")
    end)

    it("nothing more when the faults are taken away", function()
      broken { on = "*", times = ALWAYS, status = 500 }
      assert.equal(500, poll(portal).status)
      portal:set("*", { faults = {} })
      assert.equal(200, poll(portal).status)
    end)

    for _, tls in ipairs { false, true } do
      it("the order, answering a POST before its body" .. (tls and " (HTTP/2)" or ""),
        function()
          broken({ on = "cancel", early = true }, { tls = tls })
          local answer = post(portal, path_of "contoso/vm" .. "cancel", ("x"):rep(100000))
          assert.equal(202, answer.status)
          assert.is_nil(portal:ledger().entries[1].body)
          assert.equal(1, portal:ledger().acted)
        end)
    end
  end)

  describe("issues tokens", function()
    local function fields(changes)
      local form = { grant_type = "client_credentials", client_id = portal.client_id,
        client_secret = portal.client_secret,
        resource = "https://cloudpartner.azure.com" }
      for name, value in pairs(changes or {}) do
        form[name] = value
      end
      return form
    end

    local function fetch(changes, tenant)
      local arguments = {}
      for name, value in pairs(fields(changes)) do
        table.insert(arguments, "--data-urlencode")
        table.insert(arguments, name .. "=" .. value)
      end
      return ask(portal, "/" .. (tenant or portal.tenant) .. "/oauth2/token",
        table.unpack(arguments))
    end

    it("for the right secret, with numbers as strings", function()
      still({}, { token_seconds = 600 })
      local answer = fetch()
      assert.equal(200, answer.status)
      assert.equal("Bearer", answer.document.token_type)
      assert.equal("600", answer.document.expires_in)
      assert.truthy(answer.document.expires_on:find "^%d+$")
      portal.token = answer.document.access_token
      assert.equal(200, poll(portal).status)
    end)

    it("that work when the old one does no more", function()
      still({}, { token_calls = 0 })
      assert.equal(401, poll(portal).status)
      portal:set("*", { revoke = true, token_calls = 1 })
      portal.token = fetch().document.access_token
      assert.equal(200, poll(portal).status)
      assert.equal(401, poll(portal).status)
    end)

    it("that end with their time", function()
      still({}, { token_seconds = 1 })
      portal.token = fetch().document.access_token
      assert.is_true(eventually(function()
        return poll(portal).status == 401
      end))
    end)

    for name, code in pairs { client_secret = "invalid_client",
      client_id = "unauthorized_client", grant_type = "unsupported_grant_type",
      resource = "invalid_resource" } do
      it("not for a wrong " .. name, function()
        still()
        local answer = fetch { [name] = "wrong" }
        assert.equal(name == "client_secret" and 401 or 400, answer.status)
        assert.equal(code, answer.document.error)
        assert.truthy(answer.document.error_description:find "^AADSTS%d+: ")
      end)
    end

    it("not for a wrong tenant", function()
      still()
      assert.equal("invalid_request", fetch({}, "elsewhere").document.error)
    end)

    it("not for a secret that is encoded wrong", function()
      still()
      local parts = {}
      for name, value in pairs(fields()) do
        table.insert(parts, name .. "=" .. value)
      end
      local answer = ask(portal, "/" .. portal.tenant .. "/oauth2/token",
        "-d", table.concat(parts, "&"))
      assert.equal(400, answer.status)
      assert.equal("invalid_request", answer.document.error)
    end)

    it("without a word of them in the ledger", function()
      still()
      fetch()
      poll(portal)
      local file <close> = io.open(portal.folder .. "/ledger.jsonl")
      local text = file:read "a"
      assert.is_nil(text:find(portal.token, 1, true))
      assert.is_nil(text:find("p%2Bq", 1, true))
      assert.equal(1, portal:ledger().tokens)
    end)
  end)

  describe("keeps a ledger", function()
    it("of every request, in order", function()
      still()
      cancel(portal, "-H", "x-ms-client-request-id: mine", "-H", "If-Match: *",
        "-A", "agent/1")
      poll(portal)
      list(portal)
      get(portal, path_of "contoso/other" .. "status")
      ask(portal, "/nowhere")
      local found = portal:ledger()
      local calls = {}
      for i, entry in ipairs(found.entries) do
        calls[i] = entry.call
        assert.equal(i, entry.seq)
      end
      assert.same({ "cancel", "poll", "operations", "status", "unknown" }, calls)
      local first = found.entries[1]
      assert.equal("POST", first.method)
      assert.equal(path_of "contoso/vm" .. "cancel?" .. VERSION, first.uri)
      assert.equal("contoso/vm", first.offer)
      assert.is_true(first.acted)
      assert.equal(202, first.status)
      assert.equal("mine", first.client_request_id)
      assert.equal("*", first.if_match)
      assert.equal("agent/1", first.user_agent)
      assert.equal(BODY, first.body)
      assert.equal(#BODY, first.content_length)
      assert.equal("application/json", first.content_type)
      assert.equal("HTTP/1.1", first.protocol)
    end)

    it("that counts, in all and for each offer", function()
      still()
      cancel(portal)
      poll(portal)
      list(portal)
      get(portal, path_of "contoso/other" .. "status")
      local found = portal:ledger()
      assert.same({ 4, 1, 1, 1, 1 },
        { found.requests, found.cancels, found.polls, found.lists, found.statuses })
      assert.equal(1, found.offers["contoso/vm"].cancels)
      assert.equal(0, found.offers["contoso/other"].cancels)
      assert.equal(1, found.offers["contoso/other"].statuses)
    end)

    it("with the ids that the answer shows", function()
      still()
      local answer = poll(portal)
      assert.truthy(answer.headers["x-ms-request-id"]:find(GUID_PATTERN))
      local entry = portal:ledger().entries[1]
      assert.equal(answer.headers["x-ms-request-id"], entry.request_id)
    end)

    it("whose last line is read when all of it is there", function()
      local name = os.tmpname()
      local written <close> = io.open(name, "w")
      local file <close> = io.open(name)
      os.remove(name)
      written:setvbuf "no"
      local function read()
        local found = {}
        for entry in ledger.entries(file) do
          table.insert(found, entry.seq)
        end
        return found
      end
      written:write '{"seq":1}\n{"se'
      assert.same({ 1 }, read())
      assert.same({}, read())
      written:write 'q":2}\n{"seq":3}'
      assert.same({ 2 }, read())
      written:write "\n"
      assert.same({ 3 }, read())
    end)

    it("that tells connections apart", function()
      still()
      local path = path_of "contoso/vm" .. "status?" .. VERSION
      curl(portal, portal.endpoint .. path, portal.endpoint .. path)
      poll(portal)
      local entries = portal:ledger().entries
      assert.equal(entries[1].connection, entries[2].connection)
      assert.not_equal(entries[2].connection, entries[3].connection)
    end)

    it("of F2 locations under the offer's name", function()
      still { location = "F2" }
      follow(portal, cancel(portal))
      assert.equal("contoso/vm", portal:ledger().entries[2].offer)
    end)

    it("of targets as they were sent", function()
      still()
      get(portal, path_of "contoso/vm" .. "operations/a%2Fb%24c")
      local entry = portal:ledger().entries[1]
      assert.truthy(entry.uri:find("operations/a%2Fb%24c?", 1, true))
      assert.equal("poll", entry.call)
    end)
  end)

  describe("with TLS", function()
    it("is trusted through its own authority alone", function()
      still({}, { tls = true })
      assert.equal(200, poll(portal).status)
      portal.ca_file = nil
      assert.equal(60, poll(portal).exit)
    end)

    it("speaks HTTP/2 and HTTP/1.1", function()
      still({}, { tls = true })
      cancel(portal, "--http2")
      cancel(portal, "--http1.1")
      local entries = portal:ledger().entries
      assert.equal("HTTP/2.0", entries[1].protocol)
      assert.equal("HTTP/1.1", entries[2].protocol)
    end)

    it("is valid for the loopback addresses too", function()
      still({}, { tls = true })
      local port = portal.endpoint:match "%d+$"
      portal.endpoint = "https://127.0.0.1:" .. port
      assert.equal(200, poll(portal).status)
    end)

    it("echoes the request id in lower case", function()
      still({}, { tls = true })
      local answer = cancel(portal, "-H", "x-ms-client-request-id: mine")
      assert.truthy(answer.head:find("\r\nx-ms-client-request-id: mine", 1, true))
      assert.truthy(answer.head:find("\r\noperation-location: https", 1, true))
    end)
  end)
end)
