-- A token as people have it, wherever it comes from.
local cpp = require "cpp"
local bearer = require "cpp.bearer"
local child = require "spec.support.child"
local harness = require "spec.support.harness"

local MARK = "\u{FEFF}"

-- What is no token, and the words that say so.
local WRONG = {
  { "", "is empty" }, { " \t\r\n" .. MARK, "is empty" },
  { '"secret-1"', "is in quotes" }, { "'secret-1'", "is in quotes" },
  { "'secret-1", "is in quotes" }, { "secret-1\"\n", "is in quotes" },
  { "Bearer secret-1", "begins with 'Bearer'" }, { "bEARER\tsecret-1", "begins with 'Bearer'" },
  { '{"accessToken": "secret-1"}', "is JSON" }, { "[1]", "is JSON" },
  { "secret-1\nsecret-2", "holds a line break" }, { "secret-1\r\nX: y", "holds a line break" },
  { "secret-1\rsecret-2", "holds a line break" },
  { "secret-1 secret-2", "holds a character" }, { "secret-1\0", "holds a character" },
  { "secret-1\127", "holds a character" }, { "sécret-1", "holds a character" },
  { "se" .. MARK .. "cret-1", "holds a character" }, { "<secret-1>", "holds a character" },
  { "$TOKEN", "holds a character" },
}

-- What clings to a token.
local RIGHT = { "%s", "%s\n", "%s\r\n", "\n %s \t", MARK .. "%s\n",
  "\v\f" .. MARK .. " %s" .. MARK }

local function shown(text)
  return (("%q"):format(text):gsub("[\n\r%z\128-\255]", "?"))
end

local here, client

harness.share(setup, before_each, teardown, function(given, new_client)
  here, client = given, new_client
end)

-- The state that a poll tells, or the error, with this token where it is taken from.
local PLACES = {
  option = function(text)
    local good, result, err = pcall(client.poll, client, here.location, { token = text })
    return good and (result and result.state or err.message) or result, "option 'token'"
  end,
  ["function"] = function(text)
    local result, err = client:poll(here.location, { token = function() return text end })
    assert.is_true(result ~= nil or err.kind == "credential" and err.code == "invalid_token")
    return result and result.state or err.message, "the token function's token"
  end,
}

for place, try in pairs(PLACES) do
  describe("a token from the " .. place, function()
    for _, frame in ipairs(RIGHT) do
      it("is taken out of " .. shown(frame), function()
        local text = frame:gsub("%%s", here.token)
        assert.equal("canceled", (try(text)))
      end)
    end

    for _, case in ipairs(WRONG) do
      local text, why = table.unpack(case)
      it(("is refused: %s %s"):format(shown(text), why), function()
        local message, name = try(text)
        assert.is_truthy(message:find(name .. " " .. why, 1, true), message)
        assert.is_nil(message:find("cret", 1, true))
        assert.equal(0, #here:entries())
      end)
    end
  end)
end

describe("a token from CPP_TOKEN", function()
  local SCRIPT = [[
    local client <close> = require "cpp".client(%s)
    local operation, err = client:poll(%q)
    print(operation and operation.state or err.kind .. " " .. err.message)]]

  local function try(text, options)
    return child.output(SCRIPT:format(options or "", here.location),
      { CPP_ENDPOINT = here.endpoint, CPP_TOKEN = text })
  end

  for _, frame in ipairs(RIGHT) do
    it("is taken out of " .. shown(frame), function()
      assert.equal("canceled", try((frame:gsub("%%s", here.token))))
    end)
  end

  for _, case in ipairs(WRONG) do
    local text, why = table.unpack(case)
    -- A variable holds no NUL, and an empty one is as good as none.
    if text ~= "" and not text:find "\0" then
      it(("is an error value: %s %s"):format(shown(text), why), function()
        local message = try(text)
        assert.equal(1, message:find("credential CPP_TOKEN " .. why, 1, true), message)
        assert.is_nil(message:find("cret", 1, true))
      end)
    end
  end

  it("is no matter where another is given", function()
    local given = ("{ token = %q }"):format(here.token)
    assert.equal("canceled", try("'quoted'", given))
    assert.equal("canceled", try("'quoted'", ("{ token = function() return %q end }")
      :format(here.token)))
  end)
end)

describe("cpp.bearer", function()
  it("gives the token, or words that name what held it", function()
    assert.equal("abc", bearer(" abc\n", "the vault"))
    assert.same({ nil, "the vault holds a character that no token has" },
      { bearer("a b", "the vault") })
  end)

  it("takes every character of a token", function()
    local all = "AZaz09-._~+/=="
    assert.equal(all, bearer(all, "x"))
    for byte = 0, 255 do
      local character = string.char(byte)
      local taken = character:find "^[%w%-._~+/=]$" ~= nil
      assert.equal(taken, bearer("a" .. character .. "a", "x") ~= nil, byte)
    end
  end)

  it("raises where it is given no text", function()
    assert.error_matches(function() bearer(nil, "x") end, "string expected")
    assert.error_matches(function() bearer(7, "x") end, "string expected")
    assert.error_matches(function() bearer("x") end, "string expected")
    assert.is_nil(cpp.bearer)
  end)
end)
