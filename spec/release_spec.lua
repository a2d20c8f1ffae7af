-- `make release VERSION=…`: what disagrees is named, and what agrees becomes a source rock
-- that is always the same and installs by itself.
local shell = require "cpp.emulator.shell"

-- A clone that nobody's git configuration reaches, nor a network.
local PRELUDE = [[
set -eu
unset MAKEFLAGS MAKELEVEL MFLAGS LUA_PATH_5_4 LUA_CPATH_5_4
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_AUTHOR_DATE='1700000000 +0000'
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com
export GIT_COMMITTER_DATE="$GIT_AUTHOR_DATE"
export http_proxy=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1
version() { sed -i "s/CPP_VERSION \".*\"/CPP_VERSION \"$1\"/" csrc/cpp.h; }
section() { sed -i "0,/^## .*/s//## $1/" CHANGELOG.md; }
rockspec=cloud-partner-portal-dev-1.rockspec
released=dist/cloud-partner-portal-1.2.3-1.rockspec
rock=dist/cloud-partner-portal-1.2.3-1.src.rock
]]

local folder

local function run(commands)
  return shell.run(PRELUDE .. commands)
end

local function assert_run(commands)
  local ok, output = run(commands)
  assert.is_true(ok, output)
  return output
end

-- Runs `make release` in a copy of the repository that agrees with itself, after
-- `change`.
local function release_after(change)
  return run(("cd %s; rm -rf copy; cp -R ready copy; cd copy\n%s\nmake -s release VERSION=1.2.3")
    :format(folder, change))
end

setup(function()
  folder = assert_run "mktemp -d"
  assert_run(([[
    mkdir %s/ready
    tar -c --exclude=./.git --exclude=./build --exclude=./dist --exclude=./lua_modules \
      --exclude='*.o' . |
      tar -x --no-same-owner -C %s/ready
    cd %s/ready
    git init -q
    section '[1.2.3] - 2026-01-31'
    git add . && git commit -qm release && git tag -am 1.2.3 v1.2.3]]):gsub("%%s", folder))
end)

teardown(function()
  assert_run("rm -rf " .. folder)
end)

describe("a release that agrees with itself", function()
  it("is a source rock and its rockspec, and how to publish them", function()
    local ok, output = release_after ""
    assert.is_true(ok, output)
    assert.matches("cloud%-partner%-portal%-1%.2%.3%-1%.src%.rock\n", output)
    assert.matches("publish it: git push origin v1%.2%.3 && luarocks upload dist/", output)
    assert.equal("", assert_run(("cd %s/copy && git status --porcelain"):format(folder)))
    assert.equal(table.concat({
      '< version = "dev-1"', '> version = "1.2.3-1"', '> tag = "v1.2.3",',
    }, "\n"), assert_run(([[cd %s/copy
      diff $rockspec $released | sed -n 's/^\([<>]\) */\1 /p'
    ]]):format(folder)))
  end)

  it("may be tagged afterwards, or by a tag without a message", function()
    local ok, output = release_after "git tag -d v1.2.3 >/dev/null"
    assert.is_true(ok, output)
    assert.matches("publish it: git tag v1%.2%.3 && git push origin v1%.2%.3 && ", output)
    ok, output = release_after "git tag -d v1.2.3 >/dev/null; git tag v1.2.3"
    assert.is_true(ok, output)
  end)

  it("holds what is committed, its own rockspec, and nothing else", function()
    local ok, output = release_after "mkdir build; touch build/extra csrc/extra.o"
    assert.is_true(ok, output)
    assert.equal("", assert_run(([[
      cd %s/copy
      rm -rf cpp cpp.so # what LuaRocks leaves where it builds
      { echo $released | sed 's|^dist/||'
        { git ls-files | grep -vx $rockspec; basename $released; } |
          sed 's|^|cloud-partner-portal/|'; } | LC_ALL=C sort >build/expected
      unzip -Z1 $rock | diff build/expected -
      unzip -q $rock -d build/rock
      cmp $released build/rock/$(basename $released)
      diff -r -x '*.rockspec' -x .git -x build -x dist -x '*.o' . \
        build/rock/cloud-partner-portal | grep '^[<>O]' | grep -v CPP_VERSION || :
    ]]):format(folder)))
  end)

  it("is the same byte for byte when somebody else makes it again", function()
    assert.is_true((release_after "mkdir dist && echo old >$rock"))
    assert.equal("", assert_run(([[
      cd %s
      cp copy/$rock copy/$released .
      cp -R copy "another copy"
      cd "another copy"
      find . -path ./.git -prune -o -exec touch -d 2001-01-01 {} +
      git config core.autocrlf true
      umask 077
      TZ=Asia/Tokyo LC_ALL=C make -s release VERSION=1.2.3 >/dev/null
      cmp $rock ../$(basename $rock)
      cmp $released ../$(basename $released)
    ]]):format(folder)))
  end)

  it("installs from the file alone, and has its version", function()
    local ok, output = release_after ""
    assert.is_true(ok, output)
    assert.equal("1.2.3\ncloudpartner 1.2.3\ndev", assert_run(([[
      cd %s/copy
      export LUAROCKS_CONFIG="$PWD/.ci/luarocks.lua" HOME="$PWD/build"
      mkdir build/away && cp $rock build/away/
      cd build/away
      rocks="luarocks --lua-version 5.4 --tree $PWD/tree"
      $rocks install *.src.rock >log 2>&1 || cat log
      cd / && eval "$($rocks path)"
      lua5.4 -e 'print(require "cpp"._VERSION)'
      cloudpartner --version
      sed -n 's/.*CPP_VERSION "\(.*\)"/\1/p' "$OLDPWD/../../csrc/cpp.h"
    ]]):format(folder)))
  end)
end)

describe("a release that disagrees:", function()
  local CASES = {
    { "another version", "version 1.2.3; git commit -qam x; git tag -fam 1.2.3 v1.2.3 >/dev/null",
      'csrc/cpp.h: CPP_VERSION is "1.2.3", not "dev"' },
    { "a tag elsewhere", "git commit -q --allow-empty -m later",
      "git: the tag v1.2.3 is on ", ", and this commit is " },
    { "a section still unreleased", "section '[Unreleased]'; git commit -qam x; git tag -f v1.2.3",
      "CHANGELOG.md: the newest section is [Unreleased], not [1.2.3]" },
    { "no section", "sed -i '/^## /,$d' CHANGELOG.md; git commit -qam x; git tag -f v1.2.3",
      "CHANGELOG.md: the newest section is [], not [1.2.3]" },
    { "a section without a date", "section '[1.2.3]'; git commit -qam x; git tag -f v1.2.3",
      "CHANGELOG.md: the heading of [1.2.3] has no date, like ' - 2026-01-31'" },
    { "an empty section", [[
        section '[1.2.3] - 2026-01-31\n\n## [1.2.2] - 2026-01-30'
        git commit -qam x; git tag -f v1.2.3]],
      "CHANGELOG.md: the section [1.2.3] is empty" },
    { "files that are not committed", "echo >>README.md; touch extra",
      "git: not committed:  M README.md, ?? extra" },
    { "a rockspec of another tag", [[
        sed -i 's/^source = {/&\n  tag = "v1.2.2",/' $rockspec
        git commit -qam x; git tag -f v1.2.3]],
      "cloud-partner-portal-dev-1.rockspec: source.tag is v1.2.2, not v1.2.3" },
    { "no repository", "rm -rf .git; export GIT_CEILING_DIRECTORIES=/",
      "git: not committed: no repository" },
  }

  for _, case in ipairs(CASES) do
    it(case[1], function()
      local ok, output = release_after(case[2] .. "\nexec 2>&1")
      assert.is_false(ok)
      for i = 3, #case do
        assert.is_truthy((output .. "\n"):find(case[i], 1, true), output)
      end
      assert_run(("test ! -e %s/copy/dist"):format(folder))
    end)
  end

  it("no version to release", function()
    for _, given in ipairs { "", "VERSION=", "VERSION=dev", "VERSION=1.2", "VERSION=v1.2.3" } do
      local ok, output = run(("cd %s/ready && make -s release %s 2>&1"):format(folder, given))
      assert.is_false(ok)
      assert.matches("usage: make release VERSION=1%.2%.3", output)
    end
  end)

  it("everything at once is said at once", function()
    local _, output = release_after [[
      section '[Unreleased]'; git commit -qam x; touch extra
      sed -i 's/^source = {/&\n  branch = "main",/' $rockspec]]
    for _, culprit in ipairs { "git: not committed", "git: the tag", "CHANGELOG.md:",
      "dev-1.rockspec: source.branch is main" } do
      assert.is_truthy(output:find(culprit, 1, true), output)
    end
  end)
end)
