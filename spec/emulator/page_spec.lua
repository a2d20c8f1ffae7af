local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

describe("the emulator's page", function()
  local page = read "docs/emulator.md"

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
