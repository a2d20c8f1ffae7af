--- The system's certificate authorities, which libcurl has in a file and in a
-- folder. `make network`, as root: each case has a store of its own, mounted where
-- libcurl looks, in a mount namespace that ends with it.

local shell = require "cpp.emulator.shell"
local harness = require "spec.support.harness"

local FOLDER = "/etc/ssl/certs"

-- "answered" or the code of the error, once for each connection; between them, what
-- `between` does.
local SCRIPT = [[
local cpp = require "cpp"
for _ = 1, 2 do
  local client <close> = cpp.client { ca_file = os.getenv "CA_FILE",
    ca_path = os.getenv "CA_PATH" }
  local operation, err = client:poll(os.getenv "LOCATION")
  io.write(operation and "answered" or err.code, " ")
  os.execute(os.getenv "BETWEEN")
end
]]

-- An authority that the portal knows nothing of.
local OTHER = [[
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=other" \
  -keyout key -out other 2>/dev/null
]]

-- Why the cases are skipped; nil where they can run.
local function reason()
  local _, uid = shell.run "id -u"
  if uid ~= "0" then
    return "mount namespaces need root"
  elseif not shell.run("test -f " .. FOLDER .. "/ca-certificates.crt") then
    return "libcurl's store is not " .. FOLDER
  end
  local good, output = shell.run("unshare --mount mount -t tmpfs tmpfs " .. FOLDER)
  return not good and "the kernel allows no mounts here: " .. output or nil
end

describe("the system's store", function()
  local missing = reason()
  local here

  if missing then
    print("skipped: " .. missing)
    pending("is trusted as a whole: " .. missing)
    it("is skipped for a reason", function() end)
    return
  end

  setup(function()
    here = harness.start { tls = true }
  end)

  teardown(function()
    here:close()
  end)

  -- Polls twice with a store that `fill`, a shell script in its folder, has written.
  local function poll(fill, between)
    local words = { "set -e", "mount -t tmpfs tmpfs " .. FOLDER, "cd " .. FOLDER }
    local function export(name, value)
      table.insert(words, "export " .. name .. "=" .. shell.quote(value))
    end
    local _, folder = shell.run "pwd"
    export("OURS", here.ca_file)
    table.insert(words, OTHER .. fill)
    export("CPP_ENDPOINT", here.endpoint)
    export("CPP_TOKEN", here.token)
    export("LOCATION", here.location)
    export("BETWEEN", between or ":")
    export("LUA_PATH_5_4", package.path)
    export("LUA_CPATH_5_4", package.cpath)
    table.insert(words, "unset SSL_CERT_FILE SSL_CERT_DIR")
    table.insert(words, "cd " .. shell.quote(folder))
    table.insert(words, "exec lua5.4 -e " .. shell.quote(SCRIPT))
    local script = table.concat(words, "\n")
    local good, output = shell.run("unshare --mount sh -c " .. shell.quote(script))
    assert.is_true(good, output)
    return output
  end

  local FILE = "cat $OURS other > ca-certificates.crt\n"

  it("is not parsed where the folder holds all of it", function()
    local fill = FILE .. "cp $OURS a.pem; cp other b.pem; openssl rehash . 2>/dev/null"
    assert.equal("answered answered ",
      poll(fill, "echo nonsense > " .. FOLDER .. "/ca-certificates.crt"))
  end)

  it("trusts what is in the file only", function()
    assert.equal("answered answered ", poll(FILE))
    assert.equal("answered answered ", poll(FILE .. "cp other b.pem; openssl rehash . 2>/dev/null"))
  end)

  it("trusts what is in the folder only", function()
    assert.equal("answered answered ",
      poll "cp $OURS a.pem; openssl rehash . 2>/dev/null; cp other ca-certificates.crt")
  end)

  -- libcurl 8.21 takes an option that is unset for its default.
  it("is not trusted where authorities are given", function()
    local trusted = FILE .. "cp $OURS a.pem; openssl rehash . 2>/dev/null\n"
    local refused = "tls_verification tls_verification "
    assert.equal(refused, poll(trusted .. "export CA_FILE=$PWD/other"))
    assert.equal("answered answered ", poll(FILE .. "export CA_FILE=$OURS"))
    assert.equal(refused, poll(trusted .. [[
      mkdir others; cp other others/a.pem; openssl rehash others
      export CA_PATH=$PWD/others]]))
    assert.equal("answered answered ", poll [[
      mkdir ours; cp $OURS ours/a.pem; openssl rehash ours
      export CA_PATH=$PWD/ours]])
    local output = poll(trusted .. "mkdir none; export CA_PATH=$PWD/none")
    assert.is_nil(output:find "answered")
  end)

  it("trusts nobody else", function()
    local other = "cp other b.pem; cp other ca-certificates.crt; openssl rehash . 2>/dev/null"
    assert.equal("tls_verification tls_verification ", poll(other))
  end)
end)
