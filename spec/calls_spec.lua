-- The calls: what each asks of whom, and what it refuses to ask.
local cpp = require "cpp"
local harness = require "spec.support.harness"

local VERSION = "api-version=2017-10-31"
local OFFER = "/api/publishers/contoso/offers/vm"

describe("a call", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  describe("goes", function()
    it("as POST …/cancel to cancel", function()
      assert(client:cancel("contoso", "vm"))
      local entry = here:last()
      assert.same({ "POST", OFFER .. "/cancel?" .. VERSION }, { entry.method, entry.uri })
    end)

    it("as GET …/submissions/ to list operations", function()
      assert(client:operations("contoso", "vm"))
      local entry = here:last()
      assert.same({ "GET", OFFER .. "/submissions/?" .. VERSION }, { entry.method, entry.uri })
    end)

    it("with the list's filter in the query, encoded", function()
      assert(client:operations("contoso", "vm", { status = "in progress" }))
      assert.equal(OFFER .. "/submissions/?status=in%20progress&" .. VERSION,
        here:last().uri)
    end)

    it("as GET …/status for the offer's status", function()
      assert(client:status("contoso", "vm"))
      local entry = here:last()
      assert.same({ "GET", OFFER .. "/status?" .. VERSION }, { entry.method, entry.uri })
    end)

    it("as GET of the location to poll", function()
      assert(client:poll(here.location))
      local entry = here:last()
      assert.same({ "GET", here.location }, { entry.method, here.endpoint .. entry.uri })
    end)

    it("with each id as one path segment, whatever it holds", function()
      client:cancel("con/toso", "a?b#c d$%2Eü+&=;")
      assert.equal("/api/publishers/con%2Ftoso/offers/a%3Fb%23c%20d%24%252E%C3%BC%2B%26%3D%3B"
        .. "/cancel?" .. VERSION, here:last().uri)
    end)

    it("with the api-version of the option", function()
      client:status("contoso", "vm", { api_version = "2030-01-01&x" })
      assert.equal(OFFER .. "/status?api-version=2030-01-01%26x", here:last().uri)
    end)

    it("with the token of the client, or that of the call", function()
      assert(client:poll(here.location))
      local _, err = client:poll(here.location, { token = "another" })
      assert.equal(401, err.status)
      assert(here:client { token = "another" }:poll(here.location, { token = here.token }))
    end)
  end)

  -- The message of the error that a function raises.
  local function raises(fn, ...)
    local good, message = pcall(fn, ...)
    assert.is_false(good)
    assert.is_string(message)
    return message
  end

  describe("raises", function()
    it("when there is nothing to poll", function()
      assert.matches("location: string or operation expected, got n", raises(client.poll, client))
      assert.matches("got n", raises(cpp.poll))
      assert.matches("got number", raises(client.poll, client, 42))
      assert.matches("location is empty", raises(client.poll, client, ""))
    end)

    it("when its client is closed", function()
      client:close()
      for _, call in ipairs { "cancel", "operations", "status" } do
        assert.matches("closed", raises(client[call], client, "contoso", "vm"))
      end
      assert.matches("closed", raises(client.poll, client, here.location))
      assert.matches("closed", raises(client.sleep, client, 0))
      assert.matches("closed", raises(client.fetch_token, client, {}))
    end)

    it("when it is not called on a client", function()
      assert.matches("cpp.client expected", raises(client.cancel, {}, "contoso", "vm"), 1, true)
      assert.matches("cpp.client expected", raises(client.poll, "/x"), 1, true)
    end)

    it("when it sleeps for no number of seconds", function()
      assert.matches("number expected, got no", raises(client.sleep, client))
      assert.matches("NaN", raises(client.sleep, client, 0 / 0))
      assert.matches("negative", raises(client.sleep, client, -1))
    end)
  end)
end)
