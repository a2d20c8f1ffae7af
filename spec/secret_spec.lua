-- Secrets: what a server echoes of them shows nowhere.
local cjson = require "cjson"
local support = require "spec.support.portal"

describe("an error", function()
  local portal, client

  support.share(setup, before_each, teardown, function(...)
    portal, client = ...
  end)

  -- The error of a poll, or of another call.
  local function fail(options, call, ...)
    local result, err
    if call then
      result, err = client[call](client, ...)
    else
      result, err = client:poll(portal.location, options)
    end
    assert.is_nil(result)
    return err
  end

  describe("hides", function()
    local SECRET = "p+q&r%2B=s t/ü€"

    -- Every text of an error, as one.
    local function texts(err)
      local all = { tostring(err) }
      for _, value in pairs(err) do
        table.insert(all, tostring(value))
      end
      return table.concat(all, "\n")
    end

    it("the token that the service echoes, in every field", function()
      local token = "ey.very-secret.token"
      portal:answer(400, cjson.encode {
        error = { code = "Bad" .. token, message = token .. " is bad: " .. token },
      }, { ["x-ms-request-id"] = "r-" .. token })
      local err = fail { token = token }
      assert.same({ "Bad***", "*** is bad: ***", "r-***" },
        { err.code, err.message, err.request_id })
      assert.is_nil(texts(err):find(token, 1, true))
      assert.is_nil(texts(err):find("secret", 1, true))
    end)

    it("the token that a body of any kind echoes", function()
      local token = "ey.very-secret.token"
      for _, body in ipairs { '"%s"', "<p>%s</p>", "%s", '{"Message":"%s%s"}' } do
        portal:answer(401, (body:gsub("%%s", token)))
        local err = fail { token = token }
        assert.is_nil(texts(err):find("secret", 1, true))
        assert.is_string(err.body)
      end
    end)

    it("the token that a location echoes", function()
      local token = "ey.very-secret.token"
      portal:send("HTTP/1.1 202 Accepted", "Location: /api/x?t=" .. token, "Content-Length: 9",
        "", "cut")
      local err = select(2, client:cancel("contoso", "vm", { token = token }))
      assert.is_string(err.location)
      assert.is_nil(texts(err):find("secret", 1, true))
    end)

    it("the token of a token function, too", function()
      local token = "ey.very-secret.token"
      portal:answer(500, '"' .. token .. '"')
      local err = fail { token = function() return token end }
      assert.is_nil(texts(err):find("secret", 1, true))
    end)

    it("the client secret, as it is and as the form that was sent", function()
      local sent = SECRET:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)
      portal:answer(400, cjson.encode {
        error = "bad " .. SECRET, error_description = "in " .. SECRET .. " and " .. sent,
      })
      local err = fail(nil, "fetch_token", {
        tenant = "t", client_id = "c", client_secret = SECRET, authority = portal.endpoint,
      })
      assert.same({ "bad ***", "in *** and ***" }, { err.code, err.message })
      assert.is_nil(texts(err):find(SECRET, 1, true))
      assert.is_nil(texts(err):find(sent, 1, true))
      assert.is_nil(err.body:find(cjson.encode(SECRET):sub(2, -2), 1, true))
    end)
  end)
end)
