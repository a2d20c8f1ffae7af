-- Which variable means which route, and which are passed over.
local credential = require "cpp.credential"
local fake = require "spec.support.fake"
local variables = require "spec.support.variables"

after_each(variables.restore)

local WHO = { AZURE_TENANT_ID = "t", AZURE_CLIENT_ID = "c" }
local GITHUB = { ACTIONS_ID_TOKEN_REQUEST_URL = "https://github.example/x?y=1",
  ACTIONS_ID_TOKEN_REQUEST_TOKEN = "g" }
local PIPELINES = { SYSTEM_OIDCREQUESTURI = "https://dev.example/x", SYSTEM_ACCESSTOKEN = "p",
  AZURESUBSCRIPTION_SERVICE_CONNECTION_ID = "s", AZURESUBSCRIPTION_CLIENT_ID = "pc",
  AZURESUBSCRIPTION_TENANT_ID = "pt" }
local IDENTITY = { IDENTITY_ENDPOINT = "http://127.0.0.1:9/msi", IDENTITY_HEADER = "h" }

-- One set of variables made of several; `false` takes one away.
local function set(...)
  local all = {}
  for _, given in ipairs { ... } do
    for name, value in pairs(given) do
      all[name] = value or nil
    end
  end
  return all
end

-- What a credential asks of its client, or why it asks nothing.
local function ask(token)
  local client = fake.new().client
  local asked = {}
  function client.fetch_token(_, parameters)
    table.insert(asked, parameters)
    return { access_token = "given" }
  end
  function client.fetch_json(_, request)
    table.insert(asked, request)
    return { value = "assertion", oidcToken = "assertion", access_token = "given" }
  end
  local text, err = token(client)
  return text and asked, err
end

local function route_of(given)
  variables.set(given)
  return credential.environment():route()
end

-- Why a route was passed over.
local function why(given, name)
  for _, one in ipairs(route_of(given).passed) do
    if one.name == name then
      return one.why, one.begun
    end
  end
end

describe("credential.environment takes", function()
  local CASES = {
    { "CPP_TOKEN first", "token", set(WHO, GITHUB, PIPELINES, IDENTITY,
      { CPP_TOKEN = "x", AZURE_CLIENT_SECRET = "s" }) },
    { "a secret before all else", "client_secret", set(WHO, GITHUB, PIPELINES, IDENTITY,
      { CPP_TOKEN = "", AZURE_CLIENT_SECRET = "s", AZURE_CLIENT_CERTIFICATE_PATH = "p",
        AZURE_FEDERATED_TOKEN_FILE = "f" }) },
    { "a certificate before a federated token", "certificate", set(WHO, GITHUB,
      { AZURE_CLIENT_CERTIFICATE_PATH = "p", AZURE_FEDERATED_TOKEN_FILE = "f" }) },
    { "a federated token", "federated", set(WHO, GITHUB, IDENTITY,
      { AZURE_FEDERATED_TOKEN_FILE = "f" }) },
    { "GitHub's identity", "github_actions", set(WHO, GITHUB, PIPELINES) },
    { "Pipelines' identity", "azure_pipelines", set(PIPELINES, IDENTITY) },
    { "the host's identity", "managed_identity", IDENTITY },
    { "the host's identity, of a user", "managed_identity", set(WHO, IDENTITY) },
    { "az on a runner that merely has GitHub's variables", "azure_cli", GITHUB },
    { "az where GitHub's lack a client", "azure_cli", set(GITHUB, { AZURE_TENANT_ID = "t" }) },
    { "az where Pipelines' lack the access token", "azure_cli",
      set(PIPELINES, { SYSTEM_ACCESSTOKEN = false }) },
    { "az where it is empty", "azure_cli", set(PIPELINES, { SYSTEM_ACCESSTOKEN = "" }) },
    { "az where the host's identity is link-local", "azure_cli",
      set(IDENTITY, { IDENTITY_ENDPOINT = "http://169.254.169.254/metadata" }) },
    { "az where the host's identity has no header", "azure_cli",
      set(IDENTITY, { IDENTITY_HEADER = false }) },
    { "az where only an application is named", "azure_cli", WHO },
    { "az where there is nothing", "azure_cli", {} },
  }
  for _, case in ipairs(CASES) do
    local what, name, given = table.unpack(case)
    it(what, function()
      assert.equal(name, route_of(given).name)
    end)
  end
end)

describe("a variable that holds or names a secret commits to its route:", function()
  for variable, name in pairs { AZURE_CLIENT_SECRET = "client_secret",
    AZURE_CLIENT_CERTIFICATE_PATH = "certificate",
    AZURE_FEDERATED_TOKEN_FILE = "federated" } do
    it(variable, function()
      for _, case in ipairs {
        { set(WHO, GITHUB, { [variable] = "" }), variable .. " is empty" },
        { { [variable] = "" }, variable .. " is empty" },
        { { [variable] = "x" }, "AZURE_TENANT_ID is not set, AZURE_CLIENT_ID is not set" },
        { { [variable] = "x", AZURE_TENANT_ID = "t" }, "AZURE_CLIENT_ID is not set" },
        { { [variable] = "x", AZURE_TENANT_ID = "", AZURE_CLIENT_ID = "c" },
          "AZURE_TENANT_ID is empty" },
      } do
        assert.equal(name, route_of(case[1]).name)
        local asked, err = ask(credential.environment())
        assert.is_nil(asked)
        assert.same({ "credential", "credential_incomplete", false },
          { err.kind, err.code, err.retryable })
        assert.is_truthy(err.message:find(case[2], 1, true), err.message)
      end
    end)
  end
end)

describe("AZURE_TOKEN_CREDENTIALS", function()
  local ALL = set(WHO, GITHUB, PIPELINES, IDENTITY,
    { AZURE_CLIENT_SECRET = "s", AZURE_FEDERATED_TOKEN_FILE = "f" })

  for value, name in pairs { prod = "client_secret", PROD = "client_secret",
    [" Dev\n"] = "azure_cli", EnvironmentCredential = "client_secret",
    WORKLOADIDENTITYCREDENTIAL = "federated", managedidentitycredential = "managed_identity",
    AzureCliCredential = "azure_cli", [""] = "client_secret" } do
    it(("narrows it down: %q"):format(value), function()
      assert.equal(name, route_of(set(ALL, { AZURE_TOKEN_CREDENTIALS = value })).name)
    end)
  end

  it("leaves CPP_TOKEN alone", function()
    assert.equal("token", route_of { CPP_TOKEN = "x", AZURE_TOKEN_CREDENTIALS = "dev" }.name)
  end)

  it("says no to az where it is prod", function()
    local given = { AZURE_TOKEN_CREDENTIALS = "prod", IDENTITY_HEADER = "h" }
    assert.is_nil(route_of(given).name)
    local asked, err = ask(credential.environment())
    assert.is_nil(asked)
    assert.same({ "credential", "no_credential" }, { err.kind, err.code })
    assert.equal("the environment holds no credential; passed over: managed identity: "
      .. "IDENTITY_ENDPOINT is not set", err.message)
    assert.equal("AZURE_TOKEN_CREDENTIALS is prod", (why(given, "azure_cli")))
  end)

  it("is an error where it is none of its words", function()
    assert.is_nil(route_of(set(ALL, { AZURE_TOKEN_CREDENTIALS = "AzureDeveloperCli\r" })).name)
    local asked, err = ask(credential.environment())
    assert.is_nil(asked)
    assert.equal("invalid_variable", err.code)
    assert.matches("^AZURE_TOKEN_CREDENTIALS is 'AzureDeveloperCli': it takes prod, dev",
      err.message)
  end)
end)

describe("what was passed over", function()
  it("is told, with the variable", function()
    local route = route_of(set(WHO, { IDENTITY_ENDPOINT = "https://[fe80::1]/x",
      IDENTITY_HEADER = "h", SYSTEM_OIDCREQUESTURI = "https://dev.example/x" }))
    local told = {}
    for i, one in ipairs(route.passed) do
      told[i] = ("%s %s %s"):format(one.name, one.begun and "begun" or "-", one.why)
    end
    assert.same({
      "token - CPP_TOKEN is not set",
      "client_secret begun AZURE_CLIENT_SECRET is not set",
      "certificate begun AZURE_CLIENT_CERTIFICATE_PATH is not set",
      "federated begun AZURE_FEDERATED_TOKEN_FILE is not set",
      "github_actions begun ACTIONS_ID_TOKEN_REQUEST_URL is not set "
        .. "(the job needs the permission id-token: write)",
      "azure_pipelines begun AZURESUBSCRIPTION_TENANT_ID is not set",
    }, { table.unpack(told, 1, 6) })
    assert.matches("^managed_identity begun IDENTITY_ENDPOINT.* link%-local", told[7])
    assert.is_nil(told[8])
  end)

  it("is nobody's to change", function()
    variables.set {}
    local token = credential.environment()
    token:route().passed[1].why = "changed"
    token:route().name = "changed"
    assert.equal("CPP_TOKEN is not set", token:route().passed[1].why)
    assert.equal("azure_cli", token:route().name)
  end)

  it("ends the error of an az that has nothing either", function()
    local az = require "spec.support.az".new()
    finally(function() az:close() end)
    variables.set(GITHUB)
    az:is "echo 'ERROR: Please run az login' >&2; exit 1"
    local _, err = ask(credential.environment())
    assert.equal("az_failed", err.code)
    assert.equal("az ended with status 1: Please run az login; passed over: GitHub Actions: "
      .. "AZURE_TENANT_ID is not set", err.message)
    az:is "echo 'ERROR: Max retries exceeded' >&2; exit 1"
    _, err = ask(credential.environment())
    assert.is_nil(err.message:find "passed over")
    variables.set {}
    az:is "echo 'ERROR: Please run az login' >&2; exit 1"
    _, err = ask(credential.environment())
    assert.is_nil(err.message:find "passed over")
  end)
end)

describe("a value of the environment", function()
  local SECRET = set(WHO, { AZURE_CLIENT_SECRET = "s" })

  -- What the variable holds, what else is set, and what is said.
  local WRONG = {
    { "AZURE_TENANT_ID", "t\r", SECRET, "holds a control character" },
    { "AZURE_TENANT_ID", "..", SECRET, "is no id" },
    { "AZURE_TENANT_ID", ("t"):rep(1025), SECRET, "is no id" },
    { "AZURE_CLIENT_ID", "c\n", SECRET, "holds a control character" },
    { "AZURE_CLIENT_SECRET", "hidden\n", SECRET, "holds a control character" },
    { "AZURE_AUTHORITY_HOST", "http://a.example", SECRET, ": plain http" },
    { "AZURE_AUTHORITY_HOST", "https://a.example/x", SECRET, ": a scheme, host and port" },
    { "AZURE_AUTHORITY_HOST", "https://u:hidden@a.example", SECRET, ": user info" },
    { "AZURE_AUTHORITY_HOST", "\r", SECRET, "" },
    { "AZURE_AUTHORITY_HOST", "https://169.254.169.254", SECRET, "link-local" },
    { "AZURE_CLIENT_CERTIFICATE_PATH", "a\nb", WHO, "holds a control character" },
    { "AZURE_FEDERATED_TOKEN_FILE", "a\nb", WHO, "holds a control character" },
    { "AZURE_TENANT_ID", "t\r", set(WHO, GITHUB), "holds a control character" },
    { "AZURESUBSCRIPTION_TENANT_ID", "t\r", PIPELINES, "holds a control character" },
  }
  for _, case in ipairs(WRONG) do
    local variable, value, others, said = table.unpack(case)
    it(("never raises: %s = %s"):format(variable, (("%q"):format(value):sub(1, 30)
      :gsub("[\r\n]", "?"))), function()
      variables.set(set(others, { [variable] = value }))
      local asked, err = ask(credential.environment())
      assert.is_nil(asked)
      assert.same({ "credential", "invalid_variable", false },
        { err.kind, err.code, err.retryable })
      assert.is_truthy(err.message:find("^" .. variable) and err.message:find(said, 1, true),
        err.message)
      assert.is_nil(err.message:find "hidden")
    end)
  end

  it("never raises: CPP_TOKEN", function()
    variables.set { CPP_TOKEN = '"hidden"' }
    local asked, err = ask(credential.environment())
    assert.is_nil(asked)
    assert.same({ "credential", "invalid_token" }, { err.kind, err.code })
    assert.matches("^CPP_TOKEN is in quotes", err.message)
    variables.set { CPP_TOKEN = "\u{FEFF}good\r\n" }
    assert.equal("good", credential.environment()(fake.new().client))
  end)

  -- It is all that there is: what becomes of it is the service's to say.
  it("is given again when it was rejected: CPP_TOKEN", function()
    variables.set { CPP_TOKEN = "fixed" }
    local client, token = fake.new().client, credential.environment()
    assert.equal("fixed", token(client))
    assert.equal("fixed", token(client, "fixed"))
    assert.equal("fixed", token(client, "fixed"))
  end)

  -- Of a host's own, what is wrong is passed over.
  for value, said in pairs {
    ["http://a.example/x"] = ": plain http", ["ftp://a.example"] = "", ["a b"] = "ENDPOINT holds",
    ["https://169.254.1.1:80/x"] = "link-local", ["https://0xA9FEA9FE/x"] = "",
    ["https://2852039166/x"] = "", ["https://[::ffff:169.254.169.254]/x"] = "",
    ["https://169.254.169.254./x"] = "", ["https://[fe80::1%25lo]/x"] = "",
    ["https://u:p@a.example/x"] = "user info", ["http://169.254.169.254@127.0.0.1/"] = "",
  } do
    it("is passed over where it is the host's: " .. value, function()
      local given = set(IDENTITY, { IDENTITY_ENDPOINT = value })
      local reason, begun = why(given, "managed_identity")
      assert.is_truthy(reason and reason:find("^IDENTITY_ENDPOINT")
        and reason:find(said, 1, true), reason)
      assert.is_true(begun)
    end)
  end

  for _, value in ipairs { "https://a.example/x", "http://localhost:1/x", "http://[::1]:1/x",
    "http://127.0.0.1:41741/msi/token/", "https://10.1.2.3:2377/x" } do
    it("is taken where it is the host's: " .. value, function()
      assert.equal("managed_identity", route_of(set(IDENTITY,
        { IDENTITY_ENDPOINT = value })).name)
    end)
  end

  for value, origin in pairs { ["login.example"] = "https://login.example",
    ["https://login.example/"] = "https://login.example",
    ["https://login.example:8443"] = "https://login.example:8443",
    ["http://127.0.0.1:1/"] = "http://127.0.0.1:1" } do
    it("names the authority: " .. value, function()
      variables.set(set(SECRET, { AZURE_AUTHORITY_HOST = value }))
      assert.equal(origin, ask(credential.environment())[1].authority)
    end)
  end
end)

describe("a route by name", function()
  local BY_NAME = { client_secret = set(WHO, { AZURE_CLIENT_SECRET = "s" }),
    github_actions = set(WHO, GITHUB), azure_pipelines = PIPELINES,
    managed_identity = IDENTITY, azure_cli = {} }

  for name, given in pairs(BY_NAME) do
    it("takes the variables where it is given nothing: " .. name, function()
      variables.set(set(given, { CPP_TOKEN = "other", AZURE_TOKEN_CREDENTIALS = "none" }))
      local token = credential[name]()
      assert.same({ name, {} }, { token:route().name, token:route().passed })
      assert.is_truthy(name == "azure_cli" or ask(token))
    end)
  end

  it("prefers what it is given", function()
    variables.set(set(WHO, { AZURE_CLIENT_SECRET = "s", AZURE_AUTHORITY_HOST = "a.example" }))
    assert.same({ { tenant = "mine", client_id = "c", client_secret = "s",
      authority = "https://b.example", resource = "r" } }, ask(credential.client_secret {
        tenant = "mine", authority = "https://b.example/", resource = "r" }))
  end)

  it("raises where it lacks something, and says where to give it", function()
    variables.set {}
    for name, said in pairs { client_secret = "'tenant' is missing: .*AZURE_TENANT_ID",
      github_actions = "'tenant' is missing", azure_pipelines = "AZURESUBSCRIPTION_TENANT_ID",
      managed_identity = "'endpoint' is missing: .*IDENTITY_ENDPOINT" } do
      assert.error_matches(function() credential[name] {} end, "credential%." .. name
        .. ": .*" .. said)
    end
  end)

  it("raises where an option is wrong, at the line that gave it", function()
    variables.set(set(WHO, { AZURE_CLIENT_SECRET = "s" }))
    for _, case in ipairs { { { tenant = "t\r" }, "option 'tenant' holds a control" },
      { { tenant = "" }, "option 'tenant' must be" }, { { tennant = "t" }, "unknown option" },
      { { authority = "http://a.example" }, "option 'authority': plain http" },
      { { [1] = "t" }, "unknown option '1'" }, { "t", "a table of options" } } do
      local good, message = pcall(credential.client_secret, case[1])
      assert.is_false(good)
      assert.is_truthy(message:find(case[2], 1, true), message)
    end
    local _, message = pcall(function() credential.client_secret { a = "b" } end)
    assert.matches("^spec/credential/chain_spec%.lua:%d+: credential%.client_secret: unknown",
      message)
  end)

  it("tells a variable that is wrong when it is asked", function()
    variables.set(set(WHO, { AZURE_CLIENT_SECRET = "s", AZURE_TENANT_ID = "t\r" }))
    local asked, err = ask(credential.client_secret())
    assert.same({ nil, "invalid_variable" }, { asked, err.code })
    assert.is_truthy(ask(credential.client_secret { tenant = "t" }))
  end)
end)
