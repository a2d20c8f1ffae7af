local asking = require "spec.emulator.asking"
local cjson = require "cjson"
local emulator = require "cpp.emulator"
local shell = require "cpp.emulator.shell"

local RESOURCE = "https://cloudpartner.azure.com"
local JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

-- The key and certificate of all cases: making one takes a while.
local folder, pem

local function run(script)
  local good, output = shell.run(script)
  assert(good, output)
  return output
end

local function base64url(script)
  return (run(script .. " | openssl base64 -A"):gsub("[+/=]",
    { ["+"] = "-", ["/"] = "_", ["="] = "" }))
end

local function make_certificate(name)
  run(("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test "
    .. "-keyout %s.key -out %s.crt && cat %s.crt %s.key >%s.pem")
    :format(folder, name, name, name, name, name))
  return ("%s/%s.pem"):format(folder, name)
end

-- Algorithm -> field of the header, digest of the certificate, how openssl signs.
local ALGORITHMS = {
  PS256 = { "x5t#S256", "sha256",
    "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32" },
  RS256 = { "x5t", "sha1", "" },
}

local function part(value)
  return base64url("printf %s " .. shell.quote(cjson.encode(value)))
end

-- An assertion signed as a client does it; `header` and `claims` override what is right.
local function sign(portal, algorithm, claims, header, key)
  local field, digest, options = table.unpack(ALGORITHMS[algorithm])
  local now = os.time()
  local all = { aud = portal.authority .. "/" .. portal.tenant .. "/oauth2/v2.0/token",
    iss = portal.client_id, sub = portal.client_id, jti = os.tmpname(),
    nbf = now, exp = now + 60 }
  os.remove(all.jti)
  local head = { alg = algorithm, typ = "JWT",
    [field] = base64url("openssl x509 -outform DER -in " .. pem
      .. " | openssl dgst -binary -" .. digest) }
  for name, value in pairs(claims or {}) do
    all[name] = value
  end
  for name, value in pairs(header or {}) do
    head[name] = value
  end
  local signed = part(head) .. "." .. part(all)
  return signed .. "." .. base64url("printf %s " .. signed .. " | openssl dgst -sha256 "
    .. options .. " -sign " .. (key or pem))
end

describe("the emulator takes as an assertion", function()
  local portal
  local still = asking.share(after_each, function(given)
    portal = given
  end)

  setup(function()
    folder = run "mktemp -d"
    pem = make_certificate "mine"
  end)
  teardown(function()
    os.execute("rm -rf " .. folder)
  end)

  -- Asks the v2 endpoint, with these fields changed.
  local function fetch(changes)
    local arguments, form = {}, { grant_type = "client_credentials",
      client_id = portal.client_id, scope = RESOURCE .. "/.default",
      client_assertion_type = JWT_BEARER }
    for name, value in pairs(changes) do
      form[name] = value or nil
    end
    for name, value in pairs(form) do
      table.insert(arguments, "--data-urlencode")
      table.insert(arguments, name .. "=" .. value)
    end
    return asking.ask(portal, "/" .. portal.tenant .. "/oauth2/v2.0/token",
      table.unpack(arguments))
  end

  local function is_taken(assertion)
    local answer = fetch { client_assertion = assertion }
    assert.equal(200, answer.status, answer.body)
    portal.token = answer.document.access_token
    assert.equal(200, asking.poll(portal).status)
  end

  local function is_refused(number, assertion)
    local answer = fetch { client_assertion = assertion }
    assert.equal(401, answer.status)
    assert.equal("invalid_client", answer.document.error)
    assert.truthy(answer.document.error_description:find("^AADSTS" .. number .. ": "),
      answer.body)
  end

  local function with_certificate()
    return still({}, { certificate = pem })
  end

  for algorithm in pairs(ALGORITHMS) do
    it("one that is signed with " .. algorithm, function()
      is_taken(sign(with_certificate(), algorithm))
      local file <close> = assert(io.open(portal.folder .. "/error.log"))
      assert.equal("", file:read "a")
    end)

    it("none that another key signed with " .. algorithm, function()
      local key = make_certificate "other"
      is_refused(700027, sign(with_certificate(), algorithm, {}, {}, key))
    end)

    it("none whose text was changed after it was signed with " .. algorithm, function()
      local good = sign(with_certificate(), algorithm)
      local longer = sign(portal, algorithm, { exp = os.time() + 999 })
      local changed = good:match "^[^.]+" .. longer:match "%.[^.]+%." .. good:match "[^.]+$"
      is_refused(700027, changed)
    end)
  end

  it("none whose salt has another length than the digest", function()
    local options = ALGORITHMS.PS256[3]
    finally(function() ALGORITHMS.PS256[3] = options end)
    ALGORITHMS.PS256[3] = options:gsub(":32", ":20")
    is_refused(700027, sign(with_certificate(), "PS256"))
  end)

  it("one of a certificate that is made, its key encrypted", function()
    still({}, { certificate = true, certificate_password = "it's $HOME" })
    local variables = portal:environment "certificate"
    assert.equal("it's $HOME", variables.AZURE_CLIENT_CERTIFICATE_PASSWORD)
    local plain = folder .. "/plain.pem"
    run(("P=%s openssl pkey -in %s -passin env:P -out %s && openssl x509 -in %s >>%s"):format(
      shell.quote(variables.AZURE_CLIENT_CERTIFICATE_PASSWORD),
      shell.quote(variables.AZURE_CLIENT_CERTIFICATE_PATH), plain,
      shell.quote(portal.certificate), plain))
    assert.is_false((shell.run("openssl pkey -in " .. portal.certificate
      .. " -passin pass:wrong")))
    local mine = pem
    pem = plain
    local assertion = sign(portal, "PS256")
    pem = mine
    is_taken(assertion)
  end)

  it("one of a certificate that is made, its key plain", function()
    still({}, { certificate = true })
    local mine = pem
    pem = portal.certificate
    local assertion = sign(portal, "RS256")
    pem = mine
    is_taken(assertion)
    assert.is_nil(portal:environment "certificate".AZURE_CLIENT_CERTIFICATE_PASSWORD)
  end)

  it("none where the application has no certificate", function()
    is_refused(700027, sign(still(), "PS256"))
  end)

  for what, wrong in pairs {
    ["another algorithm"] = { alg = "HS256" },
    ["no algorithm"] = { alg = cjson.null },
    ["no thumbprint"] = { ["x5t#S256"] = cjson.null },
    ["another thumbprint"] = { ["x5t#S256"] = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU" },
  } do
    it("none with " .. what, function()
      is_refused(700027, sign(with_certificate(), "PS256", {}, wrong))
    end)
  end

  for what, wrong in pairs {
    ["another audience"] = { 700023, { aud = RESOURCE } },
    ["another issuer"] = { 700021, { iss = "somebody" } },
    ["another subject"] = { 700021, { sub = "somebody" } },
    ["an end that is past"] = { 700024, { exp = os.time() - 1 } },
    ["an end that is text"] = { 700024, { exp = "4102444800" } },
    ["a beginning to come"] = { 700024, { nbf = os.time() + 3000, exp = os.time() + 6000 } },
    ["no id"] = { 50013, { jti = cjson.null } },
  } do
    it("none with " .. what, function()
      is_refused(wrong[1], sign(with_certificate(), "PS256", wrong[2]))
    end)
  end

  it("none with an id that was used before", function()
    local first = sign(with_certificate(), "PS256", { jti = "once" })
    is_taken(first)
    is_refused(50013, first)
    is_refused(50013, sign(portal, "RS256", { jti = "once" }))
  end)

  it("an id again that was refused", function()
    is_refused(700023, sign(with_certificate(), "PS256", { jti = "again", aud = "x" }))
    is_taken(sign(portal, "PS256", { jti = "again" }))
  end)

  it("no text of another kind", function()
    with_certificate()
    for _, text in ipairs { "x", "a.b.c", "e30.e30", "e30.e30.e30.e30", "e30.W10.*",
      "e30.bnVsbA.e30" } do
      is_refused(50027, text)
    end
  end)

  it("none of an issuer that nobody trusts", function()
    is_refused(700213, "e30.eyJzdWIiOiJzb21lYm9keSJ9.e30" .. (still() and ""))
  end)

  it("those of a federated identity, as often as they come", function()
    still({}, { assertions = { "first" } })
    local file <close> = assert(io.open(portal.federated_file))
    local federated = file:read "a"
    is_taken(federated)
    is_taken(federated)
    is_taken "first"
  end)

  it("none of a federated identity that was replaced", function()
    still({}, { assertions = { "first" } })
    portal:set("*", { assertions = { "second" } })
    is_refused(700024, "first")
    is_taken "second"
  end)

  it("none beside a secret, nor without its type, nor neither of the two", function()
    still({}, { assertions = { "good" } })
    local both = fetch { client_assertion = "good", client_secret = portal.client_secret }
    assert.truthy(both.document.error_description:find "^AADSTS7000216: ")
    local neither = fetch {}
    assert.truthy(neither.document.error_description:find "^AADSTS7000216: ")
    local untyped = fetch { client_assertion = "good", client_assertion_type = false }
    assert.equal(400, untyped.status)
    assert.truthy(untyped.document.error_description:find "'client_assertion_type'")
  end)

  it("no certificate that is none, and says so", function()
    local name = os.tmpname()
    local none, message = emulator.start { certificate = name }
    os.remove(name)
    assert.is_nil(none)
    assert.truthy(message:find "^openssl failed: ", message)
    none, message = emulator.start { certificate = "/nonexistent/c.pem" }
    assert.is_nil(none)
    assert.truthy(message:find("/nonexistent/c.pem: ", 1, true), message)
  end)

  it("no certificate where openssl is missing, and says what to install", function()
    local tools = folder .. "/tools"
    run(("mkdir %s && for tool in env sh mktemp mkdir ln rm dirname cat; do "
      .. "ln -s \"$(command -v $tool)\" %s/; done"):format(tools, tools))
    local script = [[
      local none, message = require "cpp.emulator".start { certificate = true,
        nginx = os.getenv "NGINX" }
      print(none, message)]]
    local nginx = run 'PATH="$PATH:/usr/sbin" command -v nginx openresty | head -n 1'
    local _, output = shell.run(("PATH=%s NGINX=%s LUA_PATH=%s LUA_CPATH=%s %s -e %s")
      :format(tools, nginx, shell.quote(package.path), shell.quote(package.cpath),
      run "command -p -v lua5.4", shell.quote(script)))
    assert.equal("nil\tthe emulator needs openssl for certificates: install the package "
      .. "openssl", output)
  end)
end)
