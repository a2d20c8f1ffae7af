-- Lists: what each operation of an offer says, and which are told.
local harness = require "spec.support.harness"

describe("the answer", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  describe("to operations", function()
    local LIST = [==[[
      {"id":"aaa","submissionState":"running","version":636576975611768314},
      {"id":"b/b","submissionState":"canceled"}, null, 7, [],
      {"submissionState":"Completed"}, {"id":"ddd","status":"in progress"}
    ]]==]

    local function list(filter, body)
      if body then
        here:answer(200, body)
      end
      return assert(client:operations("contoso", "vm", { status = filter }))
    end

    local function states(items)
      local found = {}
      for i, item in ipairs(items) do
        found[i] = item.state
      end
      return found
    end

    it("is an array of operations with id, state and offer, in the service's order", function()
      local items = list()
      assert.same({ "running", "canceled" }, { items[1].state, items[#items].state })
      assert.equal(harness.OPERATION, items[#items].id)
      for _, item in ipairs(items) do
        assert.same({ "contoso", "vm", true }, { item.publisher, item.offer, item.changed })
        assert.equal(item.document.id, item.id)
      end
    end)

    it("gives each a location that can be polled", function()
      local items = list()
      assert.equal(here.location, items[#items].location)
      local operation = assert(client:poll(items[1]))
      assert.same({ "running", items[1].id }, { operation.state, operation.id })
    end)

    it("builds the location from the id, as one segment, and has none without", function()
      local items = list(nil, LIST)
      assert.equal(here.endpoint
        .. "/api/publishers/contoso/offers/vm/operations/b%2Fb?api-version=2017-10-31",
        items[2].location)
      assert.is_nil(items[#items - 1].location)
    end)

    it("has an unknown operation for what is none", function()
      local items = list(nil, LIST)
      assert.same({ "running", "canceled", "unknown", "unknown", "unknown", "succeeded",
        "running" }, states(items))
      assert.same({ "aaa", "ddd" }, { items[1].id, items[#items].id })
      for i = 3, 5 do
        local item = items[i]
        assert.same({ false, "contoso" }, { item.done, item.publisher, item.id, item.location })
        assert.matches("^contoso/vm: unknown", tostring(item))
      end
      assert.same({}, { items[3].document, items[4].document, items[4].steps })
    end)

    it("is filtered here too, by the folded word", function()
      assert.same({ "running", "running" }, states(list("running", LIST)))
      assert.same({ "canceled" }, states(list("Cancelled", LIST)))
      assert.same({ "succeeded" }, states(list("succeeded", LIST)))
      assert.same({}, states(list("failed", LIST)))
    end)

    it("is filtered by words that are no state, too", function()
      local body = '[{"id":"a","submissionState":"onHold"},{"id":"b"},'
        .. '{"id":"c","submissionState":"' .. ("long"):rep(20) .. '"}]'
      local items = list("on hold", body)
      assert.same({ 1, "a", "unknown" }, { #items, items[1].id, items[1].state })
      assert.equal(0, #list(("word"):rep(20), body))
    end)

    it("is filtered by the state that a step gives, which the service cannot be asked for",
      function()
        local body = '[{"id":"a","submissionState":"running",'
          .. '"steps":[{"id":"publisher-signoff","status":"waitingForPublisherReview"}]},'
          .. '{"id":"b","submissionState":"running"},{"id":"c"}]'
        local items = list("waiting for publisher review", body)
        assert.same({ 1, "a" }, { #items, items[1].id })
        assert.not_matches("status=", here:last().uri)
        items = list("running", body)
        assert.same({ 1, "b" }, { #items, items[1].id })
        items = list("unknown", body)
        assert.same({ 1, "c" }, { #items, items[1].id })
        assert.not_matches("status=", here:last().uri)
      end)

    it("is filtered by the service, which is asked to", function()
      assert.equal("canceled", list("canceled")[1].state)
      assert.matches("%?status=canceled&", here:last().uri)
    end)

    it("may be empty", function()
      assert.same({}, list(nil, "[]"))
    end)

    for _, body in ipairs { '{"value":[]}', "{}", "\xef\xbb\xbf {}", "null", '"running"', "7" } do
      it("that is no array is an error: " .. body, function()
        here:answer(200, body)
        local items, err = client:operations("contoso", "vm")
        assert.is_nil(items)
        assert.same({ "protocol", "unexpected_document", 200 },
          { err.kind, err.code, err.status })
      end)
    end

    it("that is no JSON is an error", function()
      here:answer(200, "")
      local _, err = client:operations("contoso", "vm")
      assert.same({ "protocol", "invalid_json" }, { err.kind, err.code })
    end)

    it("keeps each item's own tree", function()
      local items = list(nil, LIST)
      collectgarbage()
      collectgarbage()
      assert.same({ "aaa", "running" },
        { items[1].document.id, items[1].document.submissionState })
      assert.is_nil(items[1].steps)
    end)
  end)
end)
