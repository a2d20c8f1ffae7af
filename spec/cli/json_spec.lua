local cjson = require "cjson"
local json = require "cpp.cli.json"

describe("a JSON line", function()
  local OPERATION = { state = "running", progress = 25, id = "id-1",
    publisher = "contoso", offer = "vm", location = "https://x/a$b" }

  it("has its fields in order", function()
    local line = json.line("change", { outcome = "canceled", may_publish = true,
      running = "id-2", trouble = "x", cancel = "accepted" }, OPERATION)
    assert.equal('{"event":"change","publisher":"contoso","offer":"vm",'
      .. '"outcome":"canceled","state":"running","progress":25,"operation":"id-1",'
      .. '"location":"https://x/a$b","may_publish":true,"running":"id-2",'
      .. '"trouble":"x","cancel":"accepted"}', (line:gsub('"time":"[^"]*",', "")))
  end)

  it("has the time of writing, in UTC, after its event", function()
    local time = json.line("result", {}):match '^{"event":"result","time":"(.-)"}$'
    local year, month, day, hour, min, sec =
      time:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)Z$"
    local function seconds(fields)
      fields.isdst = false
      return os.time(fields)
    end
    local written = seconds { year = year, month = month, day = day, hour = hour,
      min = min, sec = sec }
    assert.is_true(math.abs(written - seconds(os.date "!*t")) <= 2)
  end)

  local function decode(event, known, operation)
    local line = cjson.decode(json.line(event, known, operation))
    line.time = nil
    return line
  end

  it("says what is known better than the operation knows it", function()
    local known = { publisher = "p", offer = "o", operation = "ran",
      location = "https://y" }
    local line = decode("change", known, { state = "accepted", publisher = "q", id = "x" })
    assert.same({ "p", "o", "ran", "https://y" },
      { line.publisher, line.offer, line.operation, line.location })
  end)

  it("says of a subject what is known of it", function()
    assert.same({ event = "result", publisher = "p", offer = "o", operation = "i" },
      decode("result", {}, { publisher = "p", offer = "o", operation = "i" }))
  end)

  it("tells an error", function()
    local err = { kind = "http", code = "http_500", message = 'a "b"', status = 500,
      request_id = "r-1", cancel = "unknown", body = "<html>" }
    assert.same({ event = "result", error = { kind = "http", code = "http_500",
      message = 'a "b"', status = 500, request_id = "r-1" } },
      decode("result", { error = err }))
  end)

  it("lists steps and problems", function()
    local steps = { { name = "Live", status = "complete", progress = 100 }, { name = "x" } }
    local problems = { { step = "Certification", text = "x" }, { text = "y" } }
    local line = decode("result", { problems = problems, steps = steps })
    assert.same({ problems, steps }, { line.problems, line.steps })
    assert.same({ event = "result" }, decode("result", { problems = {}, steps = {} }))
  end)

  it("is ASCII where a terminal would obey, and loses nothing", function()
    local offer = "a\27[31m\u{9B}b\u{202E}c\n\u{2028}"
    local line = json.line("change", { offer = offer })
    assert.is_nil(line:find "[\0-\31\127]")
    assert.is_nil(line:find "[\x80-\xFF]")
    assert.equal(offer, cjson.decode(line).offer)
  end)

  it("is UTF-8 whatever came", function()
    assert.is_truthy(utf8.len(json.line("change", { offer = "\xFF\xC3" })))
  end)
end)
