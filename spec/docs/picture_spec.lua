-- The README's picture: it does nothing but move, and asks for nothing from elsewhere.
local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- What in an SVG runs, or fetches.
local function faults(svg)
  local found = {}
  local function note(what)
    table.insert(found, what)
  end
  for name, value in svg:gmatch "([%w:_-]+)%s*=%s*[\"']([^\"']*)" do
    local is_reference = name:find "href$" or name:find "src$"
    if name:find "^[oO][nN]" or is_reference and not value:find "^#" then
      note(name)
    elseif value:find "://" and not name:find "^xmlns" then
      note(value)
    end
  end
  for name in svg:gmatch "<%s*([%w:_-]+)" do
    local plain = name:lower():gsub("^.*:", "")
    if plain == "script" or plain == "foreignobject" or plain == "image" or plain == "a" then
      note(plain)
    end
  end
  for _, pattern in ipairs { "@import", "[uU][rR][lL]%s*%(%s*[\"']?[^#\"']", "<!", "<%?",
    "javascript:", "data:" } do
    -- What styles are wrapped in.
    if svg:gsub("<!%[CDATA%[", ""):find(pattern) then
      note(pattern)
    end
  end
  return found
end

describe("docs/cancel.svg", function()
  local svg = read "docs/cancel.svg"

  it("has no script and no reference to anything outside of it", function()
    assert.same({}, faults(svg))
  end)

  it("shows the command at work, to its end", function()
    assert.truthy(svg:find("$ cloudpartner cancel contoso/contoso-vm contoso/contoso-app", 1, true))
    assert.truthy(svg:find "canceling %d+s")
    assert.truthy(svg:find "2 offers: canceled 2")
  end)

  it("is in the README", function()
    assert.truthy(read "README.md":find("](docs/cancel.svg)", 1, true))
  end)

  for _, bad in ipairs { "<script>x</script>", "<svg:script/>", "<rect onload='x'/>",
    "<use xlink:href='https://example.com/#a'/>", "<image href='a.png'/>",
    "<style>@import 'a.css';</style>", "<style>a { fill: url(a.svg#b) }</style>",
    '<style>a { src: url("//example.com/a") }</style>', "<!DOCTYPE svg SYSTEM 'a.dtd'>",
    "<?xml-stylesheet href='#a'?>", "<a href='#x'/>", "<foreignObject/>" } do
    it("would be refused with " .. bad, function()
      assert.is_true(#faults(bad) > 0)
    end)
  end
end)
