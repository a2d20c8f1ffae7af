local claims_of = require "cpp.credential.claims"

describe("the claims of a token", function()
  -- RFC 7515, appendix A.1.
  local RFC = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzM"
    .. "DA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K"
    .. "27uhbUJU1p1r_wW1gFWFOEjXk"

  it("reads them", function()
    assert.same({ iss = "joe", exp = 1300819380, ["http://example.com/is_root"] = true },
      claims_of(RFC))
  end)

  it("knows the characters of base64url", function()
    assert.same({ a = "~?>" }, claims_of "e30.eyJhIjoifj8-In0.")
    assert.same({ a = "ÿÿÿ" }, claims_of "e30.eyJhIjoiw7_Dv8O_In0.x")
  end)

  for name, token in pairs {
    ["a word"] = "secret", ["two parts"] = "e30.e30", ["four parts"] = "e30.e30.e30.e30",
    ["a payload that is no JSON"] = "e30.AAAA.x",
    ["a payload that is no object"] = "e30.MQ.x",
    ["base64 that is not base64url"] = "e30.eyJhIjoifj8+In0.x", ["nothing"] = "",
  } do
    it("finds none in " .. name, function()
      assert.is_nil(claims_of(token))
    end)
  end
end)
