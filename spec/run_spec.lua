describe("spec/run.lua", function()
  it("tests the Lua files of the tree, not those that a build installed", function()
    for _, name in ipairs { "cpp.task", "cpp.cli.main", "cpp.workflow", "cpp.emulator" } do
      assert.matches("^%./lua/cpp/", package.searchpath(name, package.path))
    end
  end)

  it("tests the C module as built", function()
    local tree = os.getenv "CPP_TREE" or "lua_modules"
    assert.equal(tree .. "/lib/lua/5.4/cpp.so", package.searchpath("cpp", package.cpath))
  end)

  -- What a machine may have; the suite must know nothing of it.
  local POISON = { "CPP_TOKEN", "CPP_ENDPOINT", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE", "ACTIONS_ID_TOKEN_REQUEST_URL", "SYSTEM_ACCESSTOKEN",
    "IDENTITY_ENDPOINT", "SSL_CERT_FILE", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_COLOR",
    "LD_LIBRARY_PATH", "WHATEVER" }

  local SPEC = [[
    it("is clean", function()
      for line in io.popen "env":lines() do
        print("variable " .. line:match "^[^=]*")
      end
      print("home " .. os.getenv "HOME")
      print("az", select(2, os.execute "az login 2>&1"))
    end)]]

  local function with_file(text, fn)
    local unique = os.tmpname()
    local name = unique .. "_spec.lua"
    local file <close> = assert(io.open(name, "w"))
    file:write(text):close()
    local results = table.pack(fn(name))
    os.remove(name)
    os.remove(unique)
    return table.unpack(results, 1, results.n)
  end

  -- Runs a spec with the suite, as one that has all of that.
  local function run(name)
    local words = { "env -u CPP_TEST_CLEAN HOME=/nonexistent" }
    for _, variable in ipairs(POISON) do
      table.insert(words, variable .. "=/poison")
    end
    local command = table.concat(words, " ") .. " lua5.4 spec/run.lua " .. name
    local pipe = assert(io.popen(command .. " 2>&1"))
    local output = pipe:read "a"
    return pipe:close(), output
  end

  it("takes nothing of the machine's", function()
    local good, output = with_file(SPEC, run)
    assert.is_true(good, output)
    assert.matches("1 passed, 0 failed", output)
    assert.matches("variable PATH\n", output)
    for _, variable in ipairs(POISON) do
      assert.is_nil(output:find("variable " .. variable .. "\n", 1, true), variable)
    end
    assert.matches("\nhome [^\n]*/build/home\n", "\n" .. output)
    assert.matches("the suite runs no az of the machine's\n.*az%s+exit", output)
  end)

  it("hands its end on", function()
    for script, status in pairs { ["error 'broken'"] = 1, ["os.exit(7)"] = 7,
      ["os.execute 'kill -KILL $PPID'"] = 137 } do
      local _, _, ended = with_file(script, function(name)
        return os.execute(("env -u CPP_TEST_CLEAN lua5.4 spec/run.lua %s >/dev/null 2>&1")
          :format(name))
      end)
      assert.equal(status, ended, script)
    end
  end)
end)
