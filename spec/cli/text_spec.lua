local text = require "cpp.text"

describe("text.clean", function()
  local CASES = {
    ["plain"] = { "Zoë 快速", "Zoë 快速" },
    ["an escape sequence"] = { "\27[31mred\27[0m", " [31mred [0m" },
    ["lines"] = { "a\r\nb\tc\0d\127", "a  b c d " },
    ["C1 control characters"] = { "a\u{9B}31mb\u{85}c", "a 31mb c" },
    ["marks of direction"] = { "a\u{202E}b\u{2066}c\u{200F}d\u{61C}e", "a b c d e" },
    ["line separators"] = { "a\u{2028}b\u{2029}c", "a b c" },
    ["what is not UTF-8"] = { "a\xFFb\xC3", "a\u{FFFD}b\u{FFFD}" },
    ["a C1 character in Latin-1"] = { "a\x9B31m", "a\u{FFFD}31m" },
    ["a surrogate"] = { "\xED\xA0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}" },
  }
  for name, case in pairs(CASES) do
    it("cleans " .. name, function()
      assert.equal(case[2], text.clean(case[1]))
    end)
  end

  it("takes numbers, and nothing else, for text", function()
    assert.same({ "7", "", "", "" },
      { text.clean(7), text.clean(nil), text.clean {}, text.clean(true) })
  end)
end)

describe("text.columns", function()
  it("counts what a terminal shows", function()
    assert.same({ 0, 3, 3, 4, 2, 1 }, {
      text.columns "", text.columns "abc",
      text.columns "Zoë", text.columns "快速", text.columns "🚀", text.columns "e\u{301}" })
  end)
end)

describe("text.fit", function()
  it("leaves what fits", function()
    assert.equal("abc", text.fit("abc", 3))
  end)

  it("cuts the end", function()
    assert.equal("abc…", text.fit("abcdef", 4))
  end)

  it("never cuts a character, nor fills more columns", function()
    for columns = 1, 9 do
      local cut = text.fit("a快速bü速c", columns)
      assert.is_true(text.columns(cut) <= columns, cut)
      assert.is_truthy(utf8.len(cut))
    end
  end)
end)

describe("text.squeeze", function()
  it("keeps both ends", function()
    assert.equal("contoso…chine-01", text.squeeze("contoso/virtual-machine-01", 16))
  end)

  it("never fills more columns", function()
    for columns = 1, 12 do
      assert.is_true(text.columns(text.squeeze("快速ab快速cd快速", columns)) <= columns)
    end
  end)
end)

describe("text.duration", function()
  it("has two parts at most", function()
    assert.same({ "0s", "59s", "1m12s", "59m59s", "1h00m", "47h59m", "2d00h" }, {
      text.duration(0.9), text.duration(59.9), text.duration(72), text.duration(3599),
      text.duration(3600), text.duration(172799), text.duration(172800) })
  end)
end)

describe("text.wrap", function()
  it("breaks at spaces, and indents what follows", function()
    assert.equal("one two\n  three", text.wrap("one two three", 8))
    assert.equal("one two three", text.wrap("one two three", 13))
    assert.equal("  one\n  two", text.wrap("  one two", 7))
  end)

  it("leaves a word whole that is wider", function()
    assert.equal("a\n  bbbbbbbb\n  c", text.wrap("a bbbbbbbb c", 4))
  end)
end)

describe("text.quote_word", function()
  it("quotes what a shell would not take for one word", function()
    assert.same({ "contoso/vm-1/id", "'a$b'", "''", "'a b'", "'~'" }, {
      text.quote_word "contoso/vm-1/id", text.quote_word "a$b", text.quote_word "",
      text.quote_word "a b", text.quote_word "~" })
  end)
end)

describe("text.quote", function()
  it("makes one word of a shell", function()
    assert.equal([['a$b'\''c d']], text.quote "a$b'c d")
  end)
end)
