local command = require "spec.cli.command"
local service = require "spec.cli.service"

local counts, objects = service.counts, service.objects
local offer, run = service.offer, service.run
local QUICK = service.QUICK
local RAN = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"

setup(service.start)
teardown(service.stop)
after_each(service.reset)

describe("cloudpartner cancel", function()
  it("cancels, and tells that it has ended", function()
    offer("plain", { id = RAN })
    local result = run("cancel contoso plain" .. QUICK)
    assert.equal(0, result.status)
    assert.equal("contoso/plain: canceled (publish " .. RAN
      .. "); a publish may start\n", result.out)
  end)

  it("prints the line to go on with as soon as the cancel is accepted", function()
    offer("line")
    service.freeze()
    local child <close> = service.start_command("cancel contoso line")
    child:read_until "to go on elsewhere:$"
    local line = child:read_until "cloudpartner wait"
    assert.matches("^cloudpartner wait %-%-for canceled %-%-list%-lag 0.1 "
      .. "contoso/line/%x+%-%x+%-%x+%-%x+%-%x+$", line)
  end)

  local IDLE = { running = false, history = { { state = "canceled" } } }

  -- Settings of the offer, more arguments, status, what is printed.
  local ENDS = {
    nothing = { IDLE, "", 3, "nothing to cancel; a publish may start" },
    idle = { IDLE, "--ignore-idle", 0, "nothing to cancel" },
    never = { { running = false }, "", 1, "cloudpartner operations contoso/never\n$" },
    late = { { too_late = true }, "", 4, "too late, it had completed" },
    failed = { { too_late = true, ending = "failed" }, "", 5, "it had failed by itself" },
    other = { {}, "--operation somebody-s", 1, "somebody%-s" },
    foreign = { { foreign = true }, "", 1, "HTTP 403" },
    kept = { { cancelable = false, names = "own" }, "", 1, "goes on" },
    slow = { { cancel_seconds = 1e6 }, "--deadline 0.2", 6, "not ended after 0.2 s" },
    colleague = { { next = { id = "theirs" } }, "", 8, "do not publish, now theirs runs" },
  }
  for name, case in pairs(ENDS) do
    it(("ends with %d: %s"):format(case[3], name), function()
      offer(name, case[1])
      local result = run("cancel contoso " .. name .. QUICK .. case[2])
      assert.equal(case[3], result.status)
      assert.matches(case[4], result.out .. result.err)
    end)
  end

  -- Settings of the offer, faults, more arguments, what is said.
  local MEANINGS = {
    sent = { { cancel_seconds = 1e6 }, {}, "--deadline 0.1", ": the cancel was accepted\n" },
    refused = { { foreign = true }, {}, "", ": the cancel was refused with HTTP 403\n" },
    mistaken = { {}, {}, "--operation theirs", "runs, not theirs; no cancel was sent" },
    unheard = { {}, { { on = "cancel", status = 503, times = -1 } }, "--deadline 0.4",
      ": whether the cancel arrived is not known\n" },
  }
  for name, case in pairs(MEANINGS) do
    it("says what an error means for the cancel: " .. name, function()
      offer(name, case[1])
      service.portal:set("*", { faults = case[2] })
      local result = run("cancel contoso " .. name .. QUICK .. case[3])
      local _, times = result.err:gsub(case[4], "")
      assert.equal(1, times, result.err)
    end)
  end

  it("says that no cancel was sent where nothing could be", function()
    local result = run "cancel contoso vm --endpoint http://127.0.0.1:9 --deadline 0.1"
    assert.equal(1, result.status)
    assert.matches("contoso/vm: [^\n]*; no cancel was sent[^\n]*\n%S+ cloudpartner: "
      .. "are host and port right[^\n]*\n[^\n]*: to try again:\n"
      .. "cloudpartner cancel %-%-endpoint http://127.0.0.1:9 contoso/vm\n$", result.err)
  end)

  it("goes on with the operation that is wanted, though another one runs", function()
    offer("not-mine", { id = RAN })
    local given = "cancel contoso/not-mine/mine --interval 0.02 --deadline 0.1"
    local result = run(given)
    assert.matches("\ncloudpartner cancel contoso/not%-mine/mine\n$", result.err)
    local told = objects(run(given .. " --json").out)
    assert.same({ "result", "deadline", "mine" }, { told[#told].event,
      told[#told].error.code, told[#told].operation })
    assert.matches("/operations/mine$", told[#told].location)
    assert.equal(0, counts "not-mine".cancels)
  end)

  it("goes on with the addresses where no cancel was sent", function()
    local result = run("cancel contoso vm --endpoint http://127.0.0.1:9 --deadline 0.1 "
      .. "--email a@x.com --email b@x.com --ignore-idle")
    assert.matches("\ncloudpartner cancel [^\n]* %-%-email a@x.com %-%-email b@x.com "
      .. "%-%-ignore%-idle contoso/vm\n$", result.err)
  end)

  it("goes on with what begins like an option", function()
    local result = run("cancel --endpoint http://127.0.0.1:9 --deadline 0.1 -- -p/x")
    assert.matches("\ncloudpartner cancel [^\n]* %-%- %-p/x\n$", result.err)
  end)

  it("goes on with a cancel that is never blind where the answer was lost", function()
    offer("lost", { cancel_seconds = 1e6, cancellation_state = false, id = RAN })
    service.portal:set("*", { faults = { { on = "cancel", drop = "after" } } })
    local result = run("cancel contoso lost" .. QUICK .. "--deadline 0.2")
    assert.equal(6, result.status)
    assert.matches("whether the cancel arrived is not known\n.*\n[^\n]*a cancel goes out "
      .. "only if that still runs:\ncloudpartner cancel %-%-list%-lag 0.1 contoso/lost/"
      .. RAN:gsub("%-", "%%-") .. "\n$", result.err)
  end)

  describe("where nothing runs", function()
    local OLD = "0b0b0b0b-0000-4000-8000-000000000000"

    local function idle(name, settings)
      local all = { running = false, history = { { id = OLD, state = "canceled" } } }
      for key, value in pairs(settings or {}) do
        all[key] = value
      end
      offer(name, all)
    end

    for _, form in ipairs { "F1", "F2", "none" } do
      it("names nothing that ended before to go on with: " .. form, function()
        idle("idle-" .. form, { location = form })
        local result = run("cancel contoso idle-" .. form .. QUICK)
        assert.equal(3, result.status)
        assert.equal(("contoso/idle-%s: nothing to cancel; a publish may start\n")
          :format(form), result.out)
        assert.is_truthy(result.err:find("nothing was seen running; to look elsewhere:\n"
          .. ("cloudpartner operations contoso/idle-%s\n"):format(form), 1, true))
        assert.is_nil(result.err:find(OLD, 1, true))
        assert.is_nil(result.err:find "cloudpartner wait")
      end)
    end

    it("says why it takes so long, and what it is at", function()
      idle "idle-why"
      local result = run("cancel contoso idle-why" .. QUICK)
      assert.matches("contoso/idle%-why: nothing was seen running; the service's list may "
        .. "be behind, so it is watched for 0s %(%-%-list%-lag%)\n", result.err)
      assert.matches("contoso/idle%-why looking whether anything runs %d+s\n", result.err)
      assert.is_nil(result.err:find "canceling")
    end)

    it("does not say that nothing was seen where it could not look", function()
      idle "blind"
      service.portal:set("*", { faults = { { on = "operations", status = 500, times = 2 } } })
      local result = run("cancel contoso blind" .. QUICK)
      assert.matches("contoso/blind: what runs could not be looked at; the service's list",
        result.err)
    end)

    it("names nothing that ended before with --no-wait", function()
      idle "idle-quick"
      local result = run "cancel contoso idle-quick --no-wait"
      assert.equal(0, result.status)
      assert.equal("contoso/idle-quick: cancel accepted, but nothing was seen running\n",
        result.out)
      assert.is_nil(result.err:find(OLD, 1, true))
    end)

    it("names nothing that ended before as JSON", function()
      idle "idle-json"
      local told = objects(run "cancel contoso idle-json --no-wait --json".out)
      for i, event in ipairs { "change", "result" } do
        local outcome = event == "result" and "accepted" or nil
        told[i].time = nil
        assert.same({ event = event, publisher = "contoso", offer = "idle-json",
          state = "accepted", outcome = outcome, cancel = "accepted" }, told[i])
      end
      assert.equal(2, #told)
    end)

    it("goes on with the list where the location must not be followed", function()
      offer("elsewhere", { list = "empty", location = "https://evil.example/api/1" })
      local result = run("cancel contoso elsewhere --no-wait")
      assert.is_nil(result.err:find "evil")
      assert.matches("cloudpartner operations contoso/elsewhere", result.err)
    end)
  end)

  it("prints messages as plain text", function()
    offer("html", { too_late = true, ending = "failed",
      errors = { "<p>Disk &lt; 30&nbsp;GB\27[31m<b>!</b></p>" } })
    local result = run("cancel contoso html" .. QUICK)
    assert.matches("\n  %a[%a ]*: Disk < 30 GB %[31m!\n", result.out)
    assert.is_nil((result.out .. result.err):find "[\0-\9\11-\31\127]")
  end)

  it("takes a cancel that was answered 200 for what it is", function()
    offer("at-once", { synchronous = true, id = RAN })
    local told = objects(run("cancel contoso at-once --json" .. QUICK).out)
    assert.same({ "canceled", RAN }, { told[#told].outcome, told[#told].operation })
    for _, object in ipairs(told) do
      assert.equal(RAN, object.operation)
    end
  end)

  it("says soon that the service still calls it cancelable, and then that it goes on", function()
    offer("stays", { cancelable = false, names = "own" })
    local result = run("cancel contoso stays" .. QUICK)
    assert.equal(1, result.status)
    local said = result.err:find("canceling %d+s %(publish %S+, the service still calls it "
      .. "cancelable")
    assert.is_true(said < assert(result.err:find("workflow/not_canceled", 1, true)))
    assert.matches("only if that still runs:\ncloudpartner cancel [^\n]*contoso/stays/",
      result.err)
  end)

  it("says that the operation it was given is not known yet, before the 404", function()
    offer "unknown"
    service.portal:set("contoso/unknown", { running = false })
    local result = run("cancel contoso/unknown/nobody-s" .. QUICK)
    assert.equal(1, result.status)
    local said = result.err:find("looking %d+s %(operation nobody%-s is not known yet%)")
    assert.is_true(said < assert(result.err:find("HTTP 404", 1, true)), result.err)
    assert.equal(0, counts "unknown".cancels)
  end)

  it("calls nothing sent while another one runs than it was given", function()
    offer("another", { id = RAN })
    local result = run("cancel contoso another --operation nobody-s" .. QUICK)
    assert.equal(1, result.status)
    assert.is_truthy(result.err:find("looking %d+s %(publish " .. RAN:gsub("%-", "%%-")
      .. " runs"), result.err)
    assert.is_truthy(result.err:find("operation nobody-s is not known yet, publish " .. RAN
      .. " runs", 1, true), result.err)
    assert.is_nil(result.err:find "sending")
    assert.equal(0, counts "another".cancels)
  end)

  it("says what pause the service asks for", function()
    offer("paced", { cancel_seconds = 1e6 })
    service.portal:set("*", { faults = { { on = "poll", times = -1,
      headers = { ["Retry-After"] = "300" } } } })
    local result = run("cancel contoso paced --interval 0.02 --deadline 0.3")
    assert.matches("contoso/paced: the service asks to wait 5m00s\n", result.err)
  end)

  it("says why nobody could tell whether another one runs, as JSON too", function()
    service.portal:set("*", { faults = {
      { on = "operations", status = 503, times = -1 } } })
    offer("untold", { id = RAN })
    local result = run("cancel contoso/untold/" .. RAN .. QUICK)
    assert.matches("is not known: the operations list cannot be read", result.out)
    offer("untold-json", { id = RAN })
    result = run("cancel contoso/untold-json/" .. RAN .. " --json" .. QUICK)
    local told = objects(result.out, "result")[1]
    assert.same({ 8, "canceled" }, { result.status, told.outcome })
    assert.is_nil(told.may_publish)
    assert.matches("^the operations list cannot be read: HTTP 503", told.trouble)
  end)

  it("prints results alone with --quiet", function()
    offer "quiet-1"
    offer("quiet-2", { foreign = true })
    local result = run("cancel contoso quiet-1 --quiet" .. QUICK)
    assert.same({ 0, "" }, { result.status, result.err })
    assert.matches("^contoso/quiet%-1: canceled [^\n]*\n$", result.out)
    result = run("cancel contoso quiet-1 quiet-2 --quiet --no-wait" .. QUICK)
    assert.matches("contoso/quiet%-2: the cancel was refused with HTTP 403\n", result.err)
    assert.is_nil(result.out:find "offers:")
    offer "quiet-3"
    service.portal:set("*", { faults = { { on = "poll", status = 500 } } })
    local told = objects(run("cancel contoso quiet-3 --quiet --json" .. QUICK).out)
    assert.same({ 1, "result" }, { #told, told[1].event })
  end)

  it("takes offers of several publishers", function()
    offer "both-1"
    service.portal:set("fabrikam/both-2", { running = "publish", publish_seconds = 1e7 })
    local result = run("cancel contoso/both-1 fabrikam/both-2" .. QUICK)
    assert.matches("contoso/both%-1: canceled ", result.out)
    assert.matches("fabrikam/both%-2: ", result.out .. result.err)
  end)

  it("passes the addresses on", function()
    offer "mail"
    run("cancel contoso mail --email a@x.com --email b@y.com" .. QUICK)
    for _, entry in ipairs(service.portal:ledger().entries) do
      if entry.offer == "contoso/mail" and entry.call == "cancel" then
        assert.matches("a@x.com,b@y.com", entry.body)
      end
    end
    assert.equal(1, counts "mail".cancels)
  end)

  describe("of several offers", function()
    it("ends with the worst", function()
      offer "many-1"
      offer("many-2", { too_late = true })
      offer("many-3", { running = false, history = { {} } })
      local result = run("cancel contoso many-1 many-2 many-3" .. QUICK)
      assert.equal(4, result.status)
      local told = "\n" .. result.out
      for name, words in pairs { ["many%-1"] = "canceled", ["many%-2"] = "too late",
        ["many%-3"] = "nothing to cancel" } do
        assert.matches(("\ncontoso/%s: %s"):format(name, words), told)
      end
      assert.matches("\n3 offers: [^\n]+\n$", result.out)
      for _, words in ipairs { "canceled 1", "too late 1", "nothing to cancel 1" } do
        assert.is_truthy(result.out:find(words, 1, true))
      end
    end)

    it("prints one result for each as JSON", function()
      offer "json-1"
      offer("json-2", { foreign = true })
      offer("json-3", { running = false, history = { {} } })
      local result = run("cancel contoso json-1 json-2 json-3 --json" .. QUICK)
      assert.equal(1, result.status)
      local told = {}
      for _, one in ipairs(objects(result.out, "result")) do
        assert.is_nil(told[one.offer])
        told[one.offer] = { one.outcome, one.cancel, (one.error or {}).status or 0,
          one.may_publish }
      end
      assert.same({ ["json-1"] = { "canceled", "accepted", 0, true },
        ["json-2"] = { nil, "refused", 403 },
        ["json-3"] = { "nothing_to_cancel", "accepted", 0, true } }, told)
    end)

    -- What each JSON result in the output says: by offer, its outcome or error.
    local function ends_in(output)
      local ends = {}
      for line in output:gmatch '{"event":"result"[^\n]*' do
        local one = objects(line)[1]
        assert.is_nil(ends[one.offer])
        ends[one.offer] = one.outcome or one.error.code
      end
      return ends
    end

    -- The clock stands still and the first offer's cancel with it; Ctrl-C ends it once
    -- both of the others are told. What is printed before, and what after.
    local function stop_after_two(words)
      service.freeze()
      local child <close> = service.start_command("cancel contoso " .. words .. " --json")
      for _ = 1, 2 do
        child:read_until '"event":"result"'
      end
      local before = child.seen
      local after, _, status = child:kill "INT"
      assert.equal(130, status)
      return before, after
    end

    it("tells each result as soon as it has ended, and never again", function()
      offer "soon-slow"
      offer("soon-refused", { foreign = true })
      offer("soon-quick", { synchronous = true })
      local before, after = stop_after_two "soon-slow soon-refused soon-quick"
      assert.same({ ["soon-refused"] = "Forbidden", ["soon-quick"] = "canceled" },
        ends_in(before))
      assert.same({ ["soon-slow"] = "interrupted" }, ends_in(after))
    end)

    it("tells each result with --no-wait as soon as it is there", function()
      offer "taken-hung"
      offer("taken-refused", { foreign = true })
      offer "taken"
      service.portal:set("*", { faults = {
        { on = "cancel", offer = "contoso/taken-hung", delay = 1e6, times = -1 } } })
      local before, after = stop_after_two "taken-hung taken-refused taken --no-wait"
      assert.same({ ["taken-refused"] = "Forbidden", taken = "accepted" },
        ends_in(before))
      assert.same({ ["taken-hung"] = "interrupted" }, ends_in(after))
    end)

    it("complains of each as soon as it has ended, and never again", function()
      offer "words-slow"
      offer("words-refused", { foreign = true })
      service.freeze()
      local child <close> = service.start_command "cancel contoso words-slow words-refused"
      child:read_until "contoso/words%-refused: the cancel was refused with HTTP 403"
      local rest, _, status = child:kill "INT"
      assert.equal(130, status)
      assert.is_nil(rest:find "words%-refused")
      assert.equal(1, select(2, rest:gsub("contoso/words%-slow: stopped by Ctrl%-C\n", "")))
    end)
  end)

  it("tells changes as JSON", function()
    offer("changes", { id = RAN })
    local told = {}
    for _, object in ipairs(objects(run("cancel contoso changes --json" .. QUICK).out)) do
      assert.same({ "contoso", "changes", RAN },
        { object.publisher, object.offer, object.operation })
      assert.matches("/operations/" .. RAN:gsub("%-", "%%-"), object.location)
      table.insert(told, object.event .. " " .. object.state)
    end
    assert.matches("^change running,change accepted,.*change canceled,result canceled$",
      table.concat(told, ","))
  end)

  describe("with --no-wait", function()
    it("ends when the cancel is accepted", function()
      offer("quick-1", { cancel_seconds = 1e6 })
      offer("quick-2", { cancel_seconds = 1e6 })
      offer("quick-3", { foreign = true })
      local result = run("cancel contoso quick-1 quick-2 --no-wait")
      assert.equal(0, result.status)
      assert.matches("2 of them: to go on elsewhere:\ncloudpartner wait %-%-for canceled "
        .. "contoso/quick%-%d/%S+ contoso/quick%-%d/%S+\n", result.err)
      assert.same({ 1, 1, 1 },
        { counts "quick-1".cancels, counts "quick-1".acted, counts "quick-1".polls })
      assert.equal(1, run("cancel contoso quick-1 quick-3 --no-wait").status)
    end)

    it("gives accepted for an outcome", function()
      offer("quick-4", { id = RAN })
      local told = objects(run("cancel contoso quick-4 --no-wait --json").out, "result")
      assert.same({ "accepted", RAN }, { told[1].outcome, told[1].operation })
    end)

  end)

  describe("with --dry-run", function()
    it("says what would be canceled, prints the curl line and sends nothing", function()
      offer("dry", { id = RAN })
      offer("wet", { running = false })
      local result = run "cancel contoso dry wet --dry-run --email a@x.com"
      assert.equal(0, result.status)
      assert.matches("^contoso/dry: would cancel publish " .. RAN:gsub("%-", "%%-")
        .. ", running\ncurl %-i %-X POST [^\n]*a@x.com[^\n]*/dry/cancel[^\n]*\n"
        .. "contoso/wet: nothing is seen running; a cancel would be sent all the same\n"
        .. "curl [^\n]*/wet/cancel[^\n]*\n$", result.out)
      assert.same({ 0, 1 }, { counts "dry".cancels, counts "dry".lists })
    end)

    it("says that nothing would be sent where another one runs", function()
      offer("dry-other", { id = RAN })
      local result = run "cancel contoso/dry-other/theirs --dry-run"
      assert.equal(0, result.status)
      local why = "would send nothing: publish " .. RAN .. ", running, and not theirs"
      assert.equal("contoso/dry-other: " .. why .. "\n", result.out)
      local told = objects(run "cancel contoso/dry-other/theirs --dry-run --json".out)
      assert.same({ why }, { told[1].trouble, told[1].curl })
    end)

    it("is JSON, too", function()
      offer("dry-json", { id = RAN })
      local told = objects(run "cancel contoso dry-json --dry-run --json".out)
      assert.equal(1, #told)
      assert.same({ "dry_run", "contoso", "dry-json", RAN, "running", "publish" },
        { told[1].event, told[1].publisher, told[1].offer, told[1].operation,
          told[1].state, told[1].kind })
      assert.matches("^curl .*/dry%-json/cancel", told[1].curl)
    end)

    it("refuses a wrong argument before it looks", function()
      offer("dry-wrong", { id = RAN })
      local result = run "cancel contoso dry-wrong --dry-run --email 'a@x.com\n'"
      assert.equal(2, result.status)
      assert.is_nil(counts "dry-wrong")
    end)

    it("ends with 1 where it could not look", function()
      local result = run "cancel contoso nobody --dry-run"
      assert.equal(1, result.status)
      assert.matches("HTTP 404", result.err)
      assert.equal("", result.out)
    end)

    it("prints what the shell can run", function()
      offer("curl", { running = false })
      local line = run "cancel contoso curl --dry-run".out:match "\n(curl .*)$"
      local result = command.shell('curl() { command curl -s "$@"; }\n' .. line,
        { CPP_TOKEN = service.portal.token })
      assert.equal(0, result.status)
      assert.equal(1, counts "curl".idle)
    end)
  end)

  it("prints a line for each exchange with --trace", function()
    offer "trace"
    local result = run("cancel contoso trace --trace" .. QUICK)
    assert.matches("^%d%d:%d%d:%d%dZ %+0%.%d%d%d s GET "
      .. "/api/publishers/contoso/offers/trace/submissions/"
      .. "%S+ 200: .*total [%d.]+ ms; HTTP/1.1, new connection, attempt 1, request ", result.err)
    assert.matches("POST /api/%S+ 202: [^\n]*HTTP/1.1, new connection, attempt 1, request ",
      result.err)
    assert.matches("GET /api/[^\n]*, attempt %d+ after 0%.%d s %(backoff%), request ",
      result.err)
  end)
end)
