-- What can be wrong with a certificate. That a good one is taken is in routes_spec.lua.
local credential = require "cpp.credential"
local fake = require "spec.support.fake"
local fifo = require "spec.support.fifo"
local shell = require "cpp.emulator.shell"

local PASSWORD = "hidden pass$'\\"

-- Two keys and their certificates; and the first key, encrypted as new and as old tools do,
-- and by a cipher that takes any passphrase for the right one.
local MAKE = [[
cd "$(mktemp -d "${TMPDIR:-/tmp}/cpp-certificate.XXXXXX")" && pwd || exit
exec 2>/dev/null
for name in one two; do
  openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout $name.key -out $name.crt
done
cat one.key one.crt >key_first.pem
cat one.crt one.key >certificate_first.pem
cat one.crt one.key >"it's here.pem"
cat two.crt one.key >strangers.pem
openssl pkcs8 -topk8 -v2 aes256 -in one.key -passout "pass:$password" | cat one.crt - >new.pem
openssl rsa -aes256 -traditional -in one.key -passout "pass:$password" | cat one.crt - >old.pem
openssl rsa -aes-256-cfb -traditional -in one.key -passout "pass:$password" |
  cat one.crt - >any.pem
openssl ecparam -name prime256v1 -genkey -noout -out ec.key
openssl req -x509 -key ec.key -subj /CN=ec | cat - ec.key >ec.pem
echo nonsense >nonsense.pem
]]

local folder

setup(function()
  local good
  good, folder = shell.run("password=" .. shell.quote(PASSWORD) .. "\n" .. MAKE)
  assert(good, folder)
end)
teardown(function()
  os.execute("rm -rf " .. folder)
end)

-- The assertion that is sent, or why none is.
local function ask(name, password)
  local client, sent = fake.new().client, nil
  function client.fetch_token(_, parameters)
    sent = parameters.client_assertion
    return { access_token = "given" }
  end
  local _, err = credential.certificate { tenant = "t", client_id = "c",
    path = name:find "/" and name or folder .. "/" .. name, password = password }(client)
  return sent, err
end

describe("a certificate's file", function()
  for _, name in ipairs { "key_first.pem", "certificate_first.pem", "it's here.pem" } do
    it("is taken: " .. name, function()
      assert.matches("^[%w_-]+%.[%w_-]+%.[%w_-]+$", (ask(name)))
      assert.is_truthy(ask(name, "of no use"))
    end)
  end

  for _, name in ipairs { "new.pem", "old.pem", "any.pem" } do
    it("is taken with its passphrase: " .. name, function()
      assert.is_truthy(ask(name, PASSWORD))
      for _, password in ipairs { "wrong", false } do
        local sent, err = ask(name, password or nil)
        assert.same({ nil, "credential", "openssl_failed", false },
          { sent, err.kind, err.code, err.retryable })
        assert.matches(name .. ".*its passphrase is missing or wrong", err.message)
        assert.is_nil(err.message:find "hidden")
      end
    end)
  end

  for name, said in pairs { ["one.key"] = "cannot use .*one%.key: ",
    ["one.crt"] = "cannot use .*one%.crt: ", ["nonsense.pem"] = "cannot use ",
    ["strangers.pem"] = "is not that of the key there", ["ec.pem"] = "cannot use " } do
    it("is refused: " .. name, function()
      local sent, err = ask(name)
      assert.same({ nil, "openssl_failed" }, { sent, err.code })
      assert.matches(said, err.message)
    end)
  end

  it("is not there", function()
    local sent, err = ask "/no/such.pem"
    assert.same({ nil, "unreadable_file" }, { sent, err.code })
    assert.matches("cannot be read: /no/such.pem: ", err.message)
  end)

  it("is no regular file", function()
    local pipe = fifo.new()
    local sent, err = ask(pipe.name)
    assert.same({ nil, "unreadable_file", false }, { sent, err.code, err.retryable })
    assert.equal(("the certificate cannot be read: %s: it is no regular file")
      :format(pipe.name), err.message)
    assert.is_false(pipe:close())
  end)
end)

describe("openssl", function()
  local popen = io.popen
  local scripts

  before_each(function()
    scripts = {}
    io.popen = function(script, mode) -- luacheck: ignore
      table.insert(scripts, script)
      return popen(script, mode)
    end
  end)
  after_each(function()
    io.popen = popen -- luacheck: ignore
  end)

  it("gets the passphrase on its stdin alone", function()
    assert.is_truthy(ask("new.pem", PASSWORD))
    assert.equal(2, #scripts)
    for _, script in ipairs(scripts) do
      assert.is_nil(script:find("hidden", 1, true))
    end
  end)

  it("leaves no file behind", function()
    local tmpname, named = os.tmpname, {}
    os.tmpname = function() -- luacheck: ignore
      table.insert(named, tmpname())
      return named[#named]
    end
    finally(function() os.tmpname = tmpname end) -- luacheck: ignore
    assert.is_truthy(ask("new.pem", PASSWORD))
    assert.is_nil((ask("new.pem", "wrong")))
    assert.equal(2, #named)
    for _, name in ipairs(named) do
      assert.is_nil(io.open(name))
    end
  end)

  it("is missing", function()
    io.popen = function(script, mode) -- luacheck: ignore
      return popen("PATH=/nonexistent\n" .. script, mode)
    end
    local sent, err = ask "key_first.pem"
    assert.same({ nil, "openssl_not_found", false }, { sent, err.code, err.retryable })
    assert.matches("install openssl", err.message)
  end)

  it("cannot be run for want of memory", function()
    for n = 1, 2 do
      local calls = 0
      io.popen = function(script, mode) -- luacheck: ignore
        calls = calls + 1
        if calls == n then
          return nil, "Cannot allocate memory"
        end
        return popen(script, mode)
      end
      local sent, err = ask "key_first.pem"
      assert.same({ nil, "openssl_failed", true }, { sent, err.code, err.retryable })
    end
  end)
end)
