-- JSON: read strictly, by an instance of lua-cjson that nobody else has.
local cjson = require "cjson"
local child = require "spec.support.child"
local harness = require "spec.support.harness"

describe("JSON", function()
  local here, client

  harness.share(setup, before_each, teardown, function(...)
    here, client = ...
  end)

  local function poll(body)
    here:answer(200, body)
    return client:poll(here.location)
  end

  describe("is not", function()
    local function refused(body)
      -- As it is on the wire, NUL and all.
      here:send("HTTP/1.1 200 OK", "Content-Length: " .. #body, "", body)
      local operation, err = client:poll(here.location)
      assert.is_nil(operation)
      assert.same({ "protocol", "invalid_json", body }, { err.kind, err.code, err.body })
    end

    for _, body in ipairs { '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":nan}',
      '{"a":inf}', '{"a":0x10}', "{'a':1}", '{"a":1,}', '{"a":1}}', "[1 2]", '{a:1}',
      "tru", "\xef\xbb\xbf\xef\xbb\xbf{}", "\xef\xbb{}", "{}\xef\xbb\xbf" } do
      it(harness.shown(body), function()
        refused(body)
      end)
    end

    it("what a NUL follows", function()
      refused '{"status":"completed"}\0'
      refused '{"status":"completed"}\0{"status":"failed"}'
      refused "\0"
    end)

    it("what is nested deeper than any document", function()
      refused(("["):rep(200) .. ("]"):rep(200))
      refused(('{"a":'):rep(200) .. "1" .. ("}"):rep(200))
      refused(("["):rep(100000))
      assert(poll(("["):rep(20) .. ("]"):rep(20)))
    end)
  end)

  it("has text in every form", function()
    local operation = assert(poll [[{"a":"\u00e9\ud83d\ude00\n\"\\\/","b":"é😀"}]])
    assert.same({ a = "é😀\n\"\\/", b = "é😀" }, operation.document)
  end)

  it("may begin with a byte order mark, which stays in the body", function()
    local body = '\xef\xbb\xbf{"status":"running"}'
    local operation = assert(poll(body))
    assert.same({ "running", body, { status = "running" } },
      { operation.state, operation.body, operation.document })
    here:answer(200, '\xef\xbb\xbf{"status":"canceled"}')
    assert.equal("canceled", assert(client:cancel("contoso", "vm")).document.status)
    here:answer(200, '\xef\xbb\xbf{"status":"running"}')
    assert.equal("running", assert(client:status("contoso", "vm")).state)
    here:answer(200, '\xef\xbb\xbf [{"id":"a","submissionState":"running"}]')
    assert.equal("running", assert(client:operations("contoso", "vm"))[1].state)
    here:answer(403, '\xef\xbb\xbf{"error":{"code":"NotYours"}}')
    assert.equal("NotYours", select(2, client:poll(here.location)).code)
    here:answer(200, '\xef\xbb\xbf{"access_token":"abc"}')
    assert.equal("abc", assert(client:fetch_token { tenant = "t", client_id = "c",
      client_secret = "s", authority = here.endpoint }).access_token)
  end)

  it("may be nothing but a byte order mark, which is no document", function()
    local operation = assert(poll "\xef\xbb\xbf\r\n")
    assert.same({ "unknown", nil }, { operation.state, operation.document })
  end)

  it("has NUL in a string that writes it as an escape", function()
    assert.equal("a\0b", assert(poll [[{"a":"a\u0000b"}]]).document.a)
  end)

  it("keeps every digit of a large integer in the body", function()
    local body = '{"version":636576975611768314}'
    local operation = assert(poll(body))
    assert.equal(body, operation.body)
    assert.equal(cjson.decode(body).version, operation.document.version)
  end)

  it("gives the module's own numbers as integers, whatever lua-cjson makes of them", function()
    local operation = assert(poll '{"status":"running","steps":[{"progressPercentage":12.5}]}')
    assert.equal("12", tostring(operation.progress))
  end)

  describe("as the host's own cjson has it", function()
    -- Restores what a case changes; the emulator is read with the host's instance.
    local function changed(setting, value, fn)
      local old = cjson[setting]()
      cjson[setting](value)
      local results = table.pack(pcall(fn))
      cjson[setting](old)
      assert(table.unpack(results, 1, results.n))
      return table.unpack(results, 2, results.n)
    end

    it("is nothing to the module", function()
      here:answer(200, '{"status":"running","steps":[{"messages":[{"level":"error"}]}]}')
      local operation = changed("decode_max_depth", 1, function()
        local result = assert(client:poll(here.location))
        assert.equal("error", result.steps[1].messages[1].level)
        return result
      end)
      assert.equal("running", operation.state)
    end)

    it("with NaN allowed, is still strict here", function()
      here:answer(200, '{"a":NaN}')
      local err = changed("decode_invalid_numbers", true, function()
        return select(2, client:poll(here.location))
      end)
      assert.equal("invalid_json", err.code)
    end)

    it("does not change how a cancel is written", function()
      local number = changed("encode_number_precision", 1, function()
        return assert(client:cancel("contoso", "vm", { notification_emails = "1234567@x.com" }))
      end)
      assert.equal("accepted", number.state)
      assert.equal('{"metadata":{"notification-emails":"1234567@x.com"}}', here:last().body)
    end)

    it("is not changed by the module", function()
      local output = child.output [[
        local cjson = require "cjson"
        require "cpp"
        local deep = ("["):rep(900) .. ("]"):rep(900)
        print(pcall(cjson.decode, deep), pcall(cjson.decode, "[NaN]"))]]
      assert.matches("^true\ttable: %S+$", (output:gsub("\ttrue", "", 1)))
    end)
  end)

  it("is read where a comma is the decimal point", function()
    local names = { "tr_TR.UTF-8", "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8",
      "fr_FR.utf8", "fr_FR",
      "pl_PL.UTF-8", "nl_NL.UTF-8", "es_ES.UTF-8", "pt_BR.UTF-8", "ru_RU.UTF-8" }
    local old = os.setlocale()
    finally(function() os.setlocale(old) end)
    here:answer(200, '{"steps":[{"progressPercentage":99.5}],"x":1.5}')
    for _, name in ipairs(names) do
      if os.setlocale(name) and ("%.1f"):format(0.5) == "0,5" then
        local operation = assert(client:poll(here.location))
        assert.same({ 99, 1.5 }, { operation.progress, operation.document.x })
        return
      end
    end
    pending "no locale with a decimal comma is installed"
  end)

  describe("without lua-cjson", function()
    it("ends require with what to install", function()
      local output = child.output [[
        package.preload.cjson = function() error "module 'cjson' not found" end
        print(pcall(require, "cpp"))]]
      assert.matches("^false\t.*luarocks install lua%-cjson", output)
      assert.matches("apt%-get install lua%-cjson", output)
    end)

    it("but another module of that name, ends require too", function()
      local output = child.output [[
        package.preload.cjson = function() return { decode = print } end
        print(pcall(require, "cpp"))]]
      assert.matches("^false\t.*not lua%-cjson", output)
    end)
  end)
end)
