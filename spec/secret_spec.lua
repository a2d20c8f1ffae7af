-- Secrets: what a server echoes of them shows nowhere.
local cjson = require "cjson"
local harness = require "spec.support.harness"

describe("an error", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  local function fail(...)
    return here:fail(client, ...)
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
      here:answer(400, cjson.encode {
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
        here:answer(401, (body:gsub("%%s", token)))
        local err = fail { token = token }
        assert.is_nil(texts(err):find("secret", 1, true))
        assert.is_string(err.body)
      end
    end)

    it("the token that a location echoes", function()
      local token = "ey.very-secret.token"
      here:send("HTTP/1.1 202 Accepted", "Location: /api/x?t=" .. token, "Content-Length: 9",
        "", "cut")
      local err = select(2, client:cancel("contoso", "vm", { token = token }))
      assert.is_string(err.location)
      assert.is_nil(texts(err):find("secret", 1, true))
    end)

    it("the token of a token function, too", function()
      local token = "ey.very-secret.token"
      here:answer(500, '"' .. token .. '"')
      local err = fail { token = function() return token end }
      assert.is_nil(texts(err):find("secret", 1, true))
    end)

    it("the client secret, as it is and as the form that was sent", function()
      local sent = SECRET:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)
      here:answer(400, cjson.encode {
        error = "bad " .. SECRET, error_description = "in " .. SECRET .. " and " .. sent,
      })
      local err = fail(nil, "fetch_token", {
        tenant = "t", client_id = "c", client_secret = SECRET, authority = here.endpoint,
      })
      assert.same({ "bad ***", "in *** and ***" }, { err.code, err.message })
      assert.is_nil(texts(err):find(SECRET, 1, true))
      assert.is_nil(texts(err):find(sent, 1, true))
      assert.is_nil(err.body:find(cjson.encode(SECRET):sub(2, -2), 1, true))
    end)

    -- Every way to write a text that a server may know, by name.
    local function escape(pattern, form)
      return function(text)
        return (text:gsub(pattern, function(c) return form:format(c:byte()) end))
      end
    end
    local json = function(text) return cjson.encode(text):sub(2, -2) end
    local percent = escape("[^%w%-._~]", "%%%02X")
    local spellings = {
      ["as it is"] = function(text) return text end,
      ["JSON as lua-cjson writes it"] = json,
      ["JSON without a need"] = escape("[%g ]", "\\u%04x"),
      ["JSON in upper case"] = escape("[%g ]", "\\u%04X"),
      ["JSON with a plain slash"] = function(text) return (json(text):gsub("\\/", "/")) end,
      ["percent"] = percent,
      ["percent in lower case"] = escape("[^%w%-._~]", "%%%02x"),
      ["percent without a need"] = escape(".", "%%%02X"),
      ["a form"] = function(text) return (percent(text):gsub("%%20", "+")) end,
      ["percent within JSON"] = function(text) return (percent(text):gsub("%%", "\\u0025")) end,
      ["JSON within percent"] = function(text) return percent(json(text)) end,
    }

    for name, spell in pairs(spellings) do
      it("what is spelt as " .. name, function()
        for _, secret in ipairs { "ey.very/se+cret==", 'a "quoted" back\\slash/secret 100%41',
          "über-gehéim😀/secret" } do
          local echo = spell(secret)
          for _, frame in ipairs { "%s", "<p>%s%s</p>", "x%s", "%sx%s" } do
            local echoed = frame:gsub("%%s", (echo:gsub("%%", "%%%%")))
            here:answer(400, echoed, { ["x-ms-request-id"] = echoed:find "[\128-\255]" and "r"
              or echoed })
            local err = fail(nil, "fetch_token", { tenant = "t", client_id = "c",
              client_secret = secret, authority = here.endpoint })
            local clean = frame:gsub("%%s", "***")
            assert.equal(clean, err.body)
            if not echoed:find "[\128-\255]" then
              assert.equal(clean, err.request_id)
            end
          end
        end
      end)
    end

    it("nothing else, whatever escapes it holds", function()
      for _, body in ipairs { [[\u00zz \ud83d \ud83d\u0041 %zz %4 % \]], "+%2B\\/", "%5Cu12" } do
        here:answer(400, body)
        assert.equal(body, fail(nil, "fetch_token", { tenant = "t", client_id = "c",
          client_secret = "se cret/secret", authority = here.endpoint }).body)
      end
    end)

    it("a secret with escapes of its own", function()
      local secret = "a%2Fb\\/c\\u0041-secret"
      here:answer(400, "<" .. secret .. ">" .. json(secret) .. "|" .. percent(secret))
      assert.equal("<***>***|***", fail(nil, "fetch_token", { tenant = "t", client_id = "c",
        client_secret = secret, authority = here.endpoint }).body)
    end)

    it("the token in trace events, as in the error", function()
      local token, seen = "ey.very-secret.token", nil
      here:answer(400, "{}", { ["x-ms-request-id"] = "r-" .. token })
      fail { token = token, trace = function(event) seen = event end }
      assert.equal("r-***", seen.request_id)
    end)

    it("the client secret of a table that changes during the call", function()
      here:answer(400, '{"error":"very-secret"}')
      local given = { tenant = "t", client_id = "c", client_secret = "very-secret",
        authority = here.endpoint }
      client:wait(function(self)
        given.client_secret = nil
        self:step(1)
      end)
      assert.equal("***", fail(nil, "fetch_token", given).code)
    end)

    it("a proxy's user info, whatever it holds", function()
      for _, proxy in ipairs { "user:s3'cr3t@h:1", "http://user:s3'cr3t@h:1" } do
        local run = client:cancel("contoso", "vm",
          { dry_run = true, endpoint = "https://a.example", proxy = proxy })
        assert.matches("***@h:1", tostring(run), 1, true)
        assert.is_nil(tostring(run):find "s3")
        assert.is_nil(tostring(run):find "cr3t")
      end
    end)
  end)
end)
