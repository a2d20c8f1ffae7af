-- What results, errors and traces say alike of an exchange: location and ids.
local harness = require "spec.support.harness"

local VERSION = "api-version=2017-10-31"
local OFFER = "/api/publishers/contoso/offers/vm"

describe("an exchange", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  local over_tls = harness.share_secure(before_each, teardown)

  describe("follows the location of a cancel", function()
    -- Cancels, polls, and tells where the poll went.
    local function follow(form)
      here:set { location = form }
      local accepted = assert(client:cancel("contoso", "vm"))
      local operation = assert(client:poll(accepted))
      assert.equal("running", operation.state)
      assert.equal(accepted.location, operation.location)
      assert.equal(accepted.location, here.endpoint .. here:last().uri)
      return here:last().uri
    end

    it("in the form of 2018, absolute and without api-version", function()
      assert.matches("^" .. OFFER .. "/operations/[%x-]+%?" .. VERSION:gsub("%-", "%%-") .. "$",
        follow "F1")
    end)

    it("in the form of 2018 with literal $", function()
      assert.matches("^/api/operations/contoso%$[%x-]+%$%d+%$preview%?api%-version=2017%-10%-31$",
        follow "F2")
    end)

    it("in the form of 2020 for a migrated offer", function()
      assert.matches("^" .. OFFER .. "/operations/[%x-]+%?api%-version=2017%-10%-31$",
        follow "F3")
    end)

    it("in the form of 2020 for any other", function()
      assert.matches("^/api/operations/contoso%$vm%$%d+%$preview%?api%-version=2017%-10%-31$",
        follow "F4")
    end)

    for _, name in ipairs { "operation-location", "OPERATION-LOCATION", "location", "LoCaTiOn" } do
      it("from a header that is written " .. name, function()
        here:send("HTTP/1.1 202 Accepted", name .. ":  /api/operations/x$1$preview \t",
          "Content-Length: 0", "", "")
        local operation = assert(client:cancel("contoso", "vm"))
        assert.equal(here.endpoint .. "/api/operations/x$1$preview?" .. VERSION,
          operation.location)
      end)
    end

    it("from Operation-Location when Location comes too", function()
      local headers = { Location = "/b", ["Operation-Location"] = "/a" }
      here:answer(202, "", headers)
      local operation = assert(client:cancel("contoso", "vm"))
      assert.equal(here.endpoint .. "/a?" .. VERSION, operation.location)
    end)

    it("byte for byte: $ and percent escapes stay", function()
      here:answer(200, "{}")
      local target = "/api/../operations/./contoso$a%2fB%24c$2$preview?x=%41$1+2&y"
      assert(client:poll(target))
      assert.equal(target .. "&" .. VERSION, here:last().uri)
    end)

    it("over HTTP/2, where names come in lower case", function()
      local tls = over_tls()
      tls:set { location = "F4" }
      local other = tls:client()
      local accepted = assert(other:cancel("contoso", "vm"))
      assert.equal("running", assert(other:poll(accepted)).state)
      assert.equal("HTTP/2.0", tls:last().protocol)
      assert.equal(accepted.location, tls.endpoint .. tls:last().uri)
    end)
  end)
end)
