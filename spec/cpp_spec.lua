-- The module table, and the client behind cpp.cancel and cpp.poll.
local cjson = require "cjson"
local cpp = require "cpp"
local child = require "spec.support.child"
local harness = require "spec.support.harness"

describe("the module", function()
  it("has these names and no other", function()
    local names = {}
    for name, value in pairs(cpp) do
      names[name] = type(value)
    end
    assert.same({
      _VERSION = "string", null = "userdata", cancel = "function", poll = "function",
      client = "function", error = "function",
    }, names)
  end)

  it("calls null what lua-cjson calls null", function()
    assert.equal(cjson.null, cpp.null)
    assert.equal(cjson.decode("[null]")[1], cpp.null)
  end)

  it("has the version of a release, or is between two", function()
    assert.is_truthy(cpp._VERSION == "dev" or cpp._VERSION:find "^%d+%.%d+%.%d+$")
  end)

  it("makes no globals", function()
    local output = child.output [[
      setmetatable(_G, { __newindex = function(_, name) error(name) end })
      print(require "cpp" == package.loaded.cpp)]]
    assert.equal("true", output)
  end)

  it("leaves signals alone", function()
    local output = child.output [[
      local function read()
        local file <close> = io.open "/proc/self/status"
        return table.concat({ file:read "a":match "SigIgn:%s*(%x+)\nSigCgt:%s*(%x+)" }, " ")
      end
      local before = read()
      require "cpp"
      print(read() == before)]]
    assert.equal("true", output)
  end)

  it("knows the service's words for our policy", function()
    local fold = require "cpp.state"
    assert.same({ "succeeded", "canceled", "waiting_for_publisher_review", "unknown" },
      { fold "Published", fold "Cancelled", fold "waiting-for_publisher review", fold "" })
  end)

  it("makes a client of its own at each call of client", function()
    local one <close>, two = cpp.client(), cpp.client()
    assert.not_equal(one, two)
    two:close()
    assert.has_error(function() two:status("contoso", "vm") end)
    assert.matches("^cpp%.client %(https://cloudpartner%.azure%.com%)$", tostring(one))
    assert.matches("closed", tostring(two))
  end)
end)

describe("the default client", function()
  local here

  harness.share(setup, before_each, teardown, function(shared)
    here = shared
  end)

  local function run(script, environment)
    environment = environment or { CPP_ENDPOINT = here.endpoint, CPP_TOKEN = here.token }
    return child.output(script, environment)
  end

  it("cancels and polls with what the environment says", function()
    local output = run [[
      local cpp = require "cpp"
      local operation = assert(cpp.cancel("contoso", "vm"))
      print(operation.state, assert(cpp.poll(operation)).state)]]
    assert.equal("accepted\trunning", output)
  end)

  it("is one, and keeps its connection", function()
    local script = [[
      local cpp = require "cpp"
      for _ = 1, 3 do
        assert(cpp.poll(%q))
      end]]
    assert.equal("", run(script:format(here.location)))
    local entries = here:entries()
    assert.equal(3, #entries)
    assert.equal(entries[1].connection, entries[3].connection)
  end)

  it("is made anew when a token function has closed it", function()
    local script = [[
      local cpp = require "cpp"
      local function token(client)
        client:close()
        return "t"
      end
      print(select(2, cpp.poll(%q, { token = token })).kind, assert(cpp.poll(%q)).state)]]
    assert.equal("closed\tcanceled", run(script:format(here.location, here.location)))
  end)

  it("takes options with each call", function()
    local script = [[
      local cpp = require "cpp"
      print(select(2, cpp.poll(%q, { endpoint = %q, token = "bad" })).status)]]
    assert.equal("401", run(script:format(here.location, here.endpoint), {}))
  end)

  it("is made at the first call: a wrong environment is nothing to require", function()
    local output = run([[
      local cpp = require "cpp"
      print "loaded"
      print(select(2, pcall(cpp.poll, "/api/x")))]], { CPP_ENDPOINT = "http://evil.example" })
    assert.matches("^loaded\n.*CPP_ENDPOINT", output)
  end)

  it("is the service itself where the environment names no endpoint", function()
    local output = run([[print(require "cpp".poll("/api/x", { dry_run = true }).url)]], {})
    assert.equal("https://cloudpartner.azure.com/api/x?api-version=2017-10-31", output)
  end)
end)
