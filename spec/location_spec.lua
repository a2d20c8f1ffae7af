-- URLs: which are followed, what becomes of them, and which are refused. Dry runs show
-- where a request would go; nothing here opens a socket.
local cpp = require "cpp"

local ORIGIN = "https://cloudpartner.azure.com"
local VERSION = "api-version=2017-10-31"

describe("a location", function()
  local client

  setup(function()
    client = cpp.client { endpoint = ORIGIN, token = "t" }
  end)

  teardown(function()
    client:close()
  end)

  local function follow(location, options)
    options = options or {}
    options.dry_run = true
    local run, err = client:poll(location, options)
    return run and run.url, err
  end

  local function goes(location, url)
    assert.equal(ORIGIN .. url, assert(follow(location)))
  end

  local function refused(location, code)
    local url, err = follow(location)
    assert.is_nil(url)
    assert.same({ "origin", code, false, false }, { err.kind, err.code, err.sent, err.retryable })
    assert.equal(location, err.location)
    return err
  end

  describe("gets api-version", function()
    it("when it has no query", function()
      goes(ORIGIN .. "/api/x", "/api/x?" .. VERSION)
      goes("/api/x", "/api/x?" .. VERSION)
    end)

    it("when its query is empty", function()
      goes("/api/x?", "/api/x?" .. VERSION)
    end)

    it("after what its query holds", function()
      goes("/api/x?status=running", "/api/x?status=running&" .. VERSION)
    end)

    it("when only another name ends so", function()
      goes("/api/x?x-api-version=1", "/api/x?x-api-version=1&" .. VERSION)
      goes("/api/x?q=api-version=1", "/api/x?q=api-version=1&" .. VERSION)
      goes("/api/api-version=1", "/api/api-version=1?" .. VERSION)
    end)

    it("as the option has it", function()
      assert.equal(ORIGIN .. "/x?api-version=2030-01-01",
        follow("/x", { api_version = "2030-01-01" }))
    end)
  end)

  describe("keeps its api-version", function()
    it("first or later in the query, and of any value", function()
      for _, query in ipairs { VERSION, "a=1&" .. VERSION, VERSION .. "&a=1", "api-version=",
        "api-version=2011-01-01" } do
        goes("/api/x?" .. query, "/api/x?" .. query)
      end
    end)

    it("in any case of letters", function()
      goes("/api/x?Api-Version=1", "/api/x?Api-Version=1")
    end)
  end)

  describe("is not touched otherwise:", function()
    for what, path in pairs {
      ["$ is literal"] = "/api/operations/contoso$vm$2$preview",
      ["escapes stay, of either case"] = "/api/a%2Fb%2f%24%41%zz%",
      ["dot segments stay"] = "/api/../x/./y/..",
      ["empty segments stay"] = "/api//x///y/",
      ["delimiters stay"] = "/api/a;b=c,d@e:f!'()*+~",
      ["case stays"] = "/API/Publishers/Contoso",
    } do
      it(what, function()
        goes(path, path .. "?" .. VERSION)
        goes(ORIGIN .. path, path .. "?" .. VERSION)
        goes(path .. "?q=" .. path, path .. "?q=" .. path .. "&" .. VERSION)
      end)
    end

    it("but a fragment, which no server sees, goes", function()
      goes("/api/x#top", "/api/x?" .. VERSION)
      goes("/api/x?a=1#?" .. VERSION, "/api/x?a=1&" .. VERSION)
    end)
  end)

  describe("is on the endpoint", function()
    for _, location in ipairs {
      "HTTPS://CloudPartner.Azure.COM/api/x", ORIGIN .. ":443/api/x",
      "//cloudpartner.azure.com/api/x", "api/x",
    } do
      it("as " .. location, function()
        assert.equal("/api/x?" .. VERSION, (follow(location):gsub("^https://[^/]+", "")))
      end)
    end

    it("on the port of the endpoint only", function()
      local other = { endpoint = "http://localhost:8080" }
      assert.equal("http://localhost:8080/x?" .. VERSION, follow("/x", other))
      assert.is_string(follow("http://LOCALHOST:8080/x", other))
      for _, location in ipairs { "http://localhost/x", "http://localhost:8081/x",
        "https://localhost:8080/x", "http://127.0.0.1:8080/x" } do
        assert.equal("foreign_origin", select(2, follow(location, other)).code)
      end
    end)

    it("over IPv6", function()
      local other = { endpoint = "http://[::1]:8080" }
      assert.equal("http://[::1]:8080/x?" .. VERSION, follow("http://[::1]:8080/x", other))
      assert.equal("foreign_origin",
        select(2, follow("http://[::2]:8080/x", other)).code)
    end)
  end)

  describe("is refused as foreign", function()
    for _, location in ipairs {
      "https://evil.example/api/x", "http://cloudpartner.azure.com/api/x",
      "https://cloudpartner.azure.com:8443/api/x", "//evil.example/api/x",
      "https://cloudpartner.azure.com.evil.example/", "https://evil.cloudpartner.azure.com/",
      "https://cloudpartner.azure.com./api/x", "https://azure.com/api/x",
      "ftp://cloudpartner.azure.com/api/x", "file:///etc/passwd",
      "unheard-of://cloudpartner.azure.com/x", "https://127.0.0.1/x",
    } do
      it(location, function()
        refused(location, "foreign_origin")
      end)
    end

    it("with an error that names the endpoint", function()
      local err = refused("https://evil.example/api/x", "foreign_origin")
      assert.matches(ORIGIN, tostring(err), 1, true)
    end)
  end)

  describe("is refused with user info", function()
    for _, location in ipairs {
      "https://user@cloudpartner.azure.com/api/x", "https://u:p@cloudpartner.azure.com/api/x",
      "https://cloudpartner.azure.com@evil.example/x", "//u:p@cloudpartner.azure.com/x",
      "https://cloudpartner.azure.com:443@evil.example/x",
    } do
      it(location, function()
        refused(location, "user_info")
      end)
    end
  end)

  describe("is refused as no URL", function()
    for what, location in pairs {
      ["a space"] = "/api/x y", ["CR and LF"] = "/api/x\r\nHost: evil", ["NUL"] = "/api/x\0y",
      ["a tab"] = "/api/\tx", ["DEL"] = "/api/\127", ["a backslash"] = "/\\evil.example/x",
      ["a backslash after the scheme"] = "https:\\\\cloudpartner.azure.com\\x",
      ["a port that is none"] = "https://cloudpartner.azure.com:99999/x",
      ["a scheme alone"] = "https:api", ["a zone"] = "https://[fe80::1%25lo]/x",
    } do
      it("with " .. what, function()
        refused(location, "invalid_location")
      end)
    end

    it("with any control character, relative or absolute", function()
      for byte = 0, 0x1f do
        local path = "/api/x" .. string.char(byte) .. "?" .. VERSION
        refused(path, "invalid_location")
        refused("https://cloudpartner.azure.com" .. path, "invalid_location")
      end
    end)
  end)
end)
