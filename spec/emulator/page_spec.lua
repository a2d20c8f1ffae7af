local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

describe("the emulator's page", function()
  local page = read "docs/emulator.md"

  it("has code that prints what it says", function()
    local count = 0
    for code in page:gmatch "```lua\n(.-)```" do
      local printed = {}
      local environment = setmetatable({ print = function(...)
        table.insert(printed, table.concat({ ... }, " "))
      end }, { __index = _G })
      assert(load(code, "=page", "t", environment))()
      local promised = {}
      for text in code:gmatch "%-%-> ([^\n]+)" do
        table.insert(promised, text)
      end
      assert.same(promised, printed)
      count = count + 1
    end
    assert.equal(1, count)
  end)

  it("names every setting that there is", function()
    local types = read "types/emulator.lua"
    for _, class in ipairs { "offer", "fault", "settings", "options" } do
      local fields = types:match("%.emulator%." .. class .. "%f[%s](.-)\n\n")
      for name in fields:gmatch "@field ([%w_]+)" do
        assert.truthy(page:find("`" .. name .. "%f[` ]"), name)
      end
    end
  end)
end)
