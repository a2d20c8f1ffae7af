-- Wrong use raises, and the message names what was wrong.
local cpp = require "cpp"
local harness = require "spec.support.harness"

describe("wrong use:", function()
  local here

  setup(function()
    here = harness.start()
  end)

  before_each(function()
    here:reset()
  end)

  teardown(function()
    here:close()
  end)

  local raises = harness.raises

  local function misuse(options)
    return here:misuse(options)
  end

  describe("a wrong value raises and names its option:", function()
    local not_text = { 42, true, {}, print }
    local control = { "a\r\nX: y", "a\nb", "a\rb", "a\0b" }
    local infinity, nan = math.huge, 0 / 0
    local seconds = { "5", true, {}, nan, -1, 0, infinity, -infinity }
    local wrong = {
      endpoint = { not_text, control, { "" } },
      token = { { 42, true, {}, "", "a b\127" }, control },
      api_version = { not_text, control, { "" } },
      notification_emails = { { 42, true, print, { 42 }, { "a@x.com", true }, { {} },
        { first = "a@x.com" }, { "a@x.com", nil, "c@x.com" }, { "a\r\nb" }, { "a", "b\0" } },
        control },
      if_match = { not_text, control, { "", " ", "\t", "  " } },
      timeout = { seconds },
      connect_timeout = { seconds },
      headers = { { 42, "X: y", { "X: y" }, { X = 42 }, { X = true }, { [true] = "x" } } },
      user_agent = { not_text, control, { "", " ", "\t", "  " } },
      client_request_id = { not_text, control, { "", " ", "\t", "  " } },
      ca_file = { not_text, control, { "" } },
      ca_path = { not_text, control, { "" } },
      proxy = { not_text, control },
      http_version = { { 1.1, 2, true, {}, "", "1", "2.0", "3", "1.1\0" } },
      max_body = { { "100", true, {}, 0, -1, 1.5, nan, infinity, 2 ^ 53 } },
      trace = { { "print", 42, true, {} } },
      max_connections = { { "3", true, {}, 0, -1, 1.5, nan, infinity, 1e9 } },
      wait = { { "poll", 42, true, {} } },
      start_by = { { "5", true, {}, print, nan } },
      dry_run = { { 1, "true", {} } },
      status = { not_text, control, { "" } },
    }

    for name, lists in pairs(wrong) do
      it(name, function()
        local client = here:client()
        local takers = { cpp.client }
        if name == "dry_run" or name == "status" or name == "start_by" then
          takers = {}
        end
        if name ~= "max_connections" and name ~= "wait" then
          table.insert(takers, function(options)
            return client:operations("contoso", "vm", options)
          end)
        end
        for _, list in ipairs(lists) do
          for _, value in ipairs(list) do
            for _, taker in ipairs(takers) do
              assert.matches("option '" .. name .. "'", raises(taker, { [name] = value }), 1, true)
            end
          end
        end
        assert.equal(0, #here:entries())
      end)
    end

    it("a token, whose value the message does not repeat", function()
      for _, value in ipairs { "very-secret\r\nx", "very-secret\0", "very-secret\127" } do
        for _, message in ipairs(misuse { token = value }) do
          assert.is_nil(message:find("secret", 1, true))
        end
      end
    end)

    it("a proxy, whose value the message does not repeat", function()
      for _, message in ipairs(misuse { proxy = "http://u:very-secret@h\r\n" }) do
        assert.is_nil(message:find("secret", 1, true))
      end
    end)

    for _, value in ipairs { '"http://very-secret:3128"', "foo://very-secret", "http://",
      "very-secret:99999", "http://user:very@secret@h:1", "http://user:very/secret@h:1",
      "user:1/very-secret@h", "http://h:1/very-secret", "http://h?very-secret",
      "http://very secret", "http://u:very-secret%00@h:1", "http://u%0a:very-secret@h:1",
      "socks5h://u:very-secret%1F@h", "http:/u:very-secret@h:1", "https:///u:very-secret@h:1",
      "h:/very-secret" } do
      it("a proxy that is no proxy's URL: " .. value, function()
        for _, message in ipairs(misuse { proxy = value }) do
          assert.matches("option 'proxy': not the URL of a proxy", message, 1, true)
          assert.is_nil(message:find("secret", 1, true))
        end
      end)
    end

    for _, value in ipairs { "", "h", "h:3128", "http://h:3128/", "HTTPS://h", "socks5h://[::1]:1",
      "socks://h:1",
      "http://u:100%@h:1", "http://u:a%20b%7F@h:1",
      "http://user:p%40ss%2F@h:1", "user:s3'cr3t@h", "http://user@h" } do
      it("but may be a proxy: " .. value, function()
        assert(cpp.client { proxy = value })
      end)
    end

    it("notification_emails, with the number of the item", function()
      for _, message in ipairs(misuse { notification_emails = { "a@x.com", 42 } }) do
        assert.matches("item 2: string expected, got number", message)
      end
    end)
  end)

  describe("an endpoint", function()
    local function url(endpoint)
      local client <close> = cpp.client { endpoint = endpoint, token = "t" }
      return assert(client:poll("/x?api-version=1", { dry_run = true })).url
    end

    it("is an origin, however it is written", function()
      for endpoint, origin in pairs {
        ["https://a.example"] = "https://a.example", ["https://a.example/"] = "https://a.example",
        ["HTTPS://A.Example:443"] = "https://a.example",
        ["https://a.example:8443"] = "https://a.example:8443",
        ["http://localhost"] = "http://localhost", ["http://127.3.2.1:80"] = "http://127.3.2.1",
        ["http://[::1]:8080"] = "http://[::1]:8080",
      } do
        assert.equal(origin .. "/x?api-version=1", url(endpoint))
      end
    end)

    for why, endpoints in pairs {
      ["no path, query or fragment"] = { "https://a.example/api", "https://a.example/?a=b",
        "https://a.example?a=b", "https://a.example/#x", "https://a.example//" },
      ["user info"] = { "https://user@a.example", "https://user:pass@a.example" },
      ["loopback only"] = { "http://a.example", "http://127.0.0.256",
        "http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://0.0.0.0",
        "http://10.0.0.1", "http://[::2]", "http://127.evil.example", "http://notlocalhost" },
      ["not an http(s) URL"] = { "a.example", "ftp://a.example", "localhost:8080", "https://",
        "https://a b", "https:\\\\a.example", "unheard-of://a.example", "https://a.example:99999",
        "https://[fe80::1%25lo]",
        "/api", "https://" .. ("a"):rep(400) .. ".example" },
    } do
      it("is refused: " .. why, function()
        for _, endpoint in ipairs(endpoints) do
          for _, message in ipairs(misuse { endpoint = endpoint }) do
            assert.matches("option 'endpoint'", message)
            assert.matches(why, message, 1, true)
          end
        end
      end)
    end
  end)

  describe("an id", function()
    local client

    before_each(function()
      client = here:client()
    end)

    local function refuses(value, why)
      for _, call in ipairs { "cancel", "operations", "status" } do
        local message = raises(client[call], client, value, "vm")
        assert.matches("publisher", message)
        assert.matches(why, message, 1, true)
        message = raises(client[call], client, "contoso", value)
        assert.matches("offer", message)
        assert.matches(why, message, 1, true)
      end
      assert.equal(0, #here:entries())
    end

    it("is a string", function()
      refuses(nil, "string expected, got nil")
      refuses(42, "string expected, got number")
      refuses({ "vm" }, "string expected, got table")
    end)

    it("is not empty", function()
      refuses("", "is empty")
    end)

    it("is not . or .., which no URL can hold", function()
      refuses(".", "'.'")
      refuses("..", "'..'")
    end)

    it("holds no CR, LF or NUL", function()
      for _, value in ipairs { "a\r\nb", "a\n", "\rb", "a\0", "\0" } do
        refuses(value, "CR, LF or NUL")
      end
    end)

    it("is not longer than any id is", function()
      refuses(("x"):rep(1025), "longer than 1024")
      client:cancel("contoso", ("x"):rep(1024))
      assert.equal(1, #here:entries())
    end)

    it("of a tenant is one, too", function()
      for _, tenant in ipairs { "", ".", "..", "a\r\nb", "a\0" } do
        local message = raises(client.fetch_token, client,
          { tenant = tenant, client_id = "c", client_secret = "s" })
        assert.matches("tenant", message)
      end
    end)
  end)
end)
