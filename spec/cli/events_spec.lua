local cjson = require "cjson"
local events = require "cpp.cli.events"

describe("a JSON line", function()
  local OPERATION = { state = "running", progress = 25, id = "id-1",
    publisher = "contoso", offer = "vm", location = "https://x/a$b" }

  it("has its fields in order", function()
    assert.equal('{"event":"change","publisher":"contoso","offer":"vm","state":"running",'
      .. '"progress":25,"operation":"id-1","location":"https://x/a$b"}',
      events.change(OPERATION, {}))
  end)

  it("says what is known better than the operation knows it", function()
    local known = { publisher = "p", offer = "o", operation = "ran",
      location = "https://y" }
    local line = cjson.decode(events.change({ state = "accepted" }, known))
    assert.same({ "p", "o", "ran", "https://y" },
      { line.publisher, line.offer, line.operation, line.location })
  end)

  it("tells of a cancel what a script decides on", function()
    local result = { outcome = "canceled", publisher = "contoso", offer = "vm",
      operation = OPERATION, location = "https://x", running = { id = "id-2" } }
    local line = cjson.decode(events.cancel(result, {}))
    assert.same({ event = "result", outcome = "canceled", publisher = "contoso",
      offer = "vm", state = "running", progress = 25, operation = "id-1",
      location = "https://x", running = "id-2" }, line)
  end)

  it("tells an error, and what became of the cancel", function()
    local err = { kind = "http", code = "http_500", message = 'a "b"', status = 500,
      request_id = "r-1", cancel = "unknown", body = "<html>" }
    local result = { publisher = "p", offer = "o", err = err }
    local line = cjson.decode(events.cancel(result, {}))
    assert.same({ event = "result", publisher = "p", offer = "o", cancel = "unknown",
      error = { kind = "http", code = "http_500", message = 'a "b"', status = 500,
        request_id = "r-1" } }, line)
  end)

  it("lists problems", function()
    local problems = { { step = "Certification", text = "x" }, { text = "y" } }
    local line = cjson.decode(events.look(OPERATION, problems))
    assert.same(problems, line.problems)
  end)

  it("is ASCII where a terminal would obey, and loses nothing", function()
    local offer = "a\27[31m\u{9B}b\u{202E}c\n\u{2028}"
    local line = events.change({ state = "running", offer = offer }, {})
    assert.is_nil(line:find "[\0-\31\127]")
    assert.is_nil(line:find "[\x80-\xFF]")
    assert.equal(offer, cjson.decode(line).offer)
  end)

  it("is UTF-8 whatever came", function()
    local line = events.change({ state = "running", offer = "\xFF\xC3" }, {})
    assert.is_truthy(utf8.len(line))
  end)
end)
