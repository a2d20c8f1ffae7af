require "cpp"
local fifo = require "spec.support.fifo"
local lfs = require "lfs"
local read = require "cpp.file"

describe("cpp.file", function()
  local name

  local function write(text)
    local file <close> = assert(io.open(name, "wb"))
    file:write(text)
  end

  before_each(function()
    name = os.tmpname()
  end)
  after_each(function()
    os.remove(name)
  end)

  it("reads a file to its end, or as far as it is asked to", function()
    for _, text in ipairs { "", "a", "a\0\r\nb", ("x"):rep(65536) } do
      write(text)
      assert.equal(text, read(name, #text))
      assert.equal(text, read(name, #text + 1))
      assert.equal(text:sub(1, 1), read(name, 1))
    end
    write "abc"
    assert.equal("", read(name, 0))
  end)

  it("reads what symbolic links lead to, as those of a cluster do", function()
    write "token"
    local script = "ln -s %s %s.data && ln -s %s.data %s.link"
    assert(os.execute((script:gsub("%%s", name))))
    finally(function() os.execute(("rm %s.data %s.link"):gsub("%%s", name)) end)
    assert.equal("token", read(name .. ".link", 10))
  end)

  it("refuses what is no regular file, and opens none of it", function()
    for _, path in ipairs { "/", "/dev/null", "/dev/zero", "/proc/self/fd" } do
      assert.same({ nil, path .. ": it is no regular file" }, { read(path, 10) })
    end
    local pipe = fifo.new()
    assert.same({ nil, pipe.name .. ": it is no regular file" }, { read(pipe.name, 10) })
    assert.is_false(pipe:close())
  end)

  it("says why there is none, in the locale's words, as Lua does", function()
    for _, path in ipairs { "/no/such", "/etc/passwd/x" } do
      local _, why = io.open(path)
      assert.same({ nil, why }, { read(path, 10) })
    end
  end)

  it("refuses a path with a NUL, which would be that of another file", function()
    write "token"
    local nothing, why = read(name .. "\0.no", 10)
    assert.is_nil(nothing)
    assert.matches("^" .. name:gsub("%p", "%%%0") .. ": .", why)
  end)

  it("leaves no descriptor open", function()
    write "token"
    local function count()
      collectgarbage()
      local number = 0
      for _ in lfs.dir "/proc/self/fd" do
        number = number + 1
      end
      return number
    end
    local before = count()
    for _ = 1, 20 do
      read(name, 3)
      read("/", 3)
    end
    assert.equal(before, count())
  end)

  it("raises where it is used wrongly", function()
    assert.error_matches(function() read() end, "string expected")
    assert.error_matches(function() read "x" end, "number expected")
  end)
end)
