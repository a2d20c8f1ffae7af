-- What a proxy is given of its URL; spec/hostile/proxy_spec.lua is about those that refuse.
local cpp = require "cpp"
local listener = require "spec.support.listener"

describe("an http proxy", function()
  -- The head that it gets where its URL has this login, asked for a tunnel.
  local function head(login)
    local server = listener.start(403, "")
    local client <close> = cpp.client { endpoint = "https://portal.example", token = "t",
      proxy = server.endpoint:gsub("//", "//" .. login:gsub("%%", "%%%%")) .. "/" }
    local _, err = client:poll "/api/operations/1"
    assert.equal("proxy_refused", err.code)
    local text = server:request()
    assert.matches("^CONNECT portal.example:443 HTTP/1.1\r\n", text)
    return text
  end

  for login, sent in pairs {
    ["us%20er:pa%3Ass%40@"] = "dXMgZXI6cGE6c3NA", -- us er:pa:ss@
    ["u:100%:q@"] = "dToxMDAlOnE=", -- u:100%:q
    ["u%2525:p@"] = "dSUyNTpw", -- u%25:p
    ["user@"] = "dXNlcjo=", -- user:
    [":pw@"] = "OnB3", -- :pw
  } do
    it("gets a login: " .. login, function()
      assert.matches("\r\nProxy-Authorization: Basic " .. sent .. "\r\n", head(login), 1, true)
    end)
  end

  it("gets no login where its URL has none", function()
    assert.is_nil(head "":find("Authorization", 1, true))
  end)
end)
