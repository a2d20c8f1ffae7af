describe("spec/run.lua", function()
  it("tests the Lua files of the tree, not those that a build installed", function()
    for _, name in ipairs { "cpp.task", "cpp.cli", "cpp.workflow", "cpp.emulator" } do
      assert.matches("^%./lua/cpp/", package.searchpath(name, package.path))
    end
  end)

  it("tests the C module as built", function()
    local tree = os.getenv "CPP_TREE" or "lua_modules"
    assert.equal(tree .. "/lib/lua/5.4/cpp.so", package.searchpath("cpp", package.cpath))
  end)
end)
