local asking = require "spec.emulator.asking"
local ledger = require "cpp.emulator.ledger"

local VERSION, BODY, GUID_PATTERN = asking.VERSION, asking.BODY, asking.GUID_PATTERN
local ask, cancel, curl, follow = asking.ask, asking.cancel, asking.curl, asking.follow
local get, list, path_of, poll = asking.get, asking.list, asking.path_of, asking.poll

describe("the emulator keeps a ledger", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

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
