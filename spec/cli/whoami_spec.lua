local cjson = require "cjson"
local command = require "spec.cli.command"
local service = require "spec.cli.service"

local run = service.run

setup(service.start)
teardown(service.stop)
after_each(service.reset)

describe("cloudpartner whoami", function()
  -- Claims of a user's token for another service, long expired.
  local USER = "eyJhbGciOiJub25lIn0."
    .. "eyJhdWQiOiAiMDAwMDAwMDItMDAwMC0wMDAwLWMwMDAtMDAwMDAwMDAwMDAwIiwgImV4cCI6IDEwMDAw"
    .. "MDAwMDAsICJ0aWQiOiAidGVuYW50LTEiLCAiYXpwIjogImFwcGxpY2F0aW9uLTIiLCAib2lkIjogIm9i"
    .. "amVjdC0zIiwgInVwbiI6ICJab8OrXHUwMDFiWzMxbT8-fkBleGFtcGxlLmNvbSJ9.sig"
  -- {"exp": 1e300, "tid": ["x"], "oid": null}
  local ODD = "eyJhbGciOiJub25lIn0."
    .. "eyJleHAiOiAxZSszMDAsICJ0aWQiOiBbIngiXSwgIm9pZCI6IG51bGx9.x"
  local OTHER = "00000002-0000-0000-c000-000000000000"

  it("shows whose token it is", function()
    local result = run "whoami"
    assert.equal(0, result.status)
    assert.equal("", result.err)
    for _, line in ipairs { "tenant       " .. service.portal.tenant,
      "application  " .. service.portal.client_id,
      "audience     https://cloudpartner.azure.com" } do
      assert.is_truthy(result.out:find(line .. "\n", 1, true), line)
    end
    assert.matches("\nobject id    %x+%-%x+%-%x+%-%x+%-%x+\n", result.out)
    assert.matches("\nexpires      %d+%-%d+%-%d+ %d+:%d+:%d+ UTC %(in %d+d%d+h%)\n$",
      result.out)
  end)

  it("fetches one where the environment holds a secret", function()
    local result = command.run("whoami --json", { CPP_ENDPOINT = service.portal.endpoint,
      AZURE_TENANT_ID = "t", AZURE_CLIENT_ID = "c", AZURE_CLIENT_SECRET = "hidden",
      https_proxy = "http://127.0.0.1:9" })
    assert.equal(1, result.status)
    assert.is_nil((result.out .. result.err):find "hidden")
    assert.matches("^cloudpartner: ", result.err)
    local told = cjson.decode(result.out)
    assert.same({ "result", "transport" }, { told.event, told.error.kind })
  end)

  it("shows a user's, clean, and warns of what will be refused", function()
    local result = run("whoami", { CPP_TOKEN = USER })
    assert.equal(0, result.status)
    assert.equal("from         CPP_TOKEN\ntenant       tenant-1\napplication  application-2\n"
      .. "user         Zoë [31m?>~@example.com\nobject id    object-3\n"
      .. "audience     " .. OTHER .. "\n", result.out:match "^(.-)expires")
    assert.matches("expires      2001%-09%-09 01:46:40 UTC %(expired %d+d%d+h ago%)",
      result.out)
    assert.matches("not for https://cloudpartner.azure.com", result.err)
  end)

  it("prints JSON", function()
    local told = cjson.decode(run("whoami --json", { CPP_TOKEN = USER }).out)
    assert.matches("^%d+%-%d+%-%d+T%d+:%d+:%d+Z$", told.time)
    told.time = nil
    assert.same({ event = "result", source = "CPP_TOKEN", tenant = "tenant-1",
      application = "application-2",
      user = "Zoë [31m?>~@example.com", object_id = "object-3", expires = 1000000000,
      audience = OTHER }, told)
  end)

  it("shows nothing that is not as it should be", function()
    local result = run("whoami", { CPP_TOKEN = ODD })
    assert.same({ 0, "from         CPP_TOKEN\n" }, { result.status, result.out })
  end)

  it("checks whether the service would take it", function()
    assert.equal(0, run("whoami --check").status)
    local result = run("whoami --check", { CPP_TOKEN = USER })
    assert.equal(1, result.status)
    assert.matches("not for https://cloudpartner.azure.com", result.err)
    assert.matches("has expired", result.err)
    assert.equal(1, run("whoami --check", { CPP_TOKEN = ODD }).status)
    assert.equal(1, run("whoami --check --json", { CPP_TOKEN = USER }).status)
  end)

  it("says why what somebody has set up is not used", function()
    local result = command.shell([[
      folder=$(mktemp -d) && trap 'rm -r "$folder"' EXIT
      printf '#!/bin/sh\necho "{\"accessToken\": \"%s\"}"\n' "$GIVEN" >"$folder/az"
      chmod +x "$folder/az"
      PATH=$folder:$PATH cloudpartner whoami]], { GIVEN = service.portal.token,
      IDENTITY_ENDPOINT = "http://169.254.169.254/token", IDENTITY_HEADER = "h" })
    assert.equal(0, result.status, result.err)
    assert.matches("^from         Azure CLI\n", result.out)
    assert.equal("managed identity is passed over: IDENTITY_ENDPOINT: a link-local address is "
      .. "never talked to\n", result.err)
  end)

  it("says that a token is no JSON Web Token, and not what it is", function()
    local result = run("whoami", { CPP_TOKEN = "opaque-secret" })
    assert.equal(1, result.status)
    assert.matches("no JSON Web Token", result.err)
    assert.is_nil((result.out .. result.err):find "opaque")
  end)
end)
