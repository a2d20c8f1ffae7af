-- make release VERSION=X.Y.Z: checks that CHANGELOG.md, the git tag and the
-- rockspec speak of that version and that all is committed, and leaves its
-- source rock and rockspec in dist/. It publishes nothing.
--
-- A release is a commit that gives the section Unreleased of CHANGELOG.md its
-- version and date. The tree's own version stays "dev": .ci/pack puts the
-- release's in its place.

local problems = {}

local function complain(...)
  table.insert(problems, string.format(...))
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- What a git command prints, or nil if it fails.
local function git(arguments)
  local pipe = assert(io.popen("git " .. arguments .. " 2>/dev/null"))
  local output = pipe:read "a":gsub("\n$", "")
  return pipe:close() and output or nil
end

local function load_rockspec(path)
  local fields = {}
  assert(loadfile(path, "t", fields))()
  return fields
end

local function check_tree()
  local changed = git "status --porcelain"
  if changed ~= "" then
    complain("git: not committed: %s", changed and changed:gsub("\n", ", ") or "no repository")
  end
end

-- The tag may be made afterwards, but not be another commit's.
local function check_tag(tag)
  local commit = git(("rev-parse --short --verify 'refs/tags/%s^{commit}'"):format(tag))
  local head = git "rev-parse --short HEAD"
  if commit and commit ~= head then
    complain("git: the tag %s is on %s, and this commit is %s", tag, commit, head)
  end
  return commit ~= nil
end

-- The newest section: its name, what follows the name, and its text.
local function newest_section(changelog)
  return ("\n" .. changelog .. "\n## "):match "\n## %[(.-)%]([^\n]*)\n(.-)\n## "
end

local function check_changelog(version)
  local name, date, text = newest_section(read "CHANGELOG.md")
  if name ~= version then
    complain("CHANGELOG.md: the newest section is [%s], not [%s]", name or "", version)
  elseif not date:find "^ %- %d%d%d%d%-%d%d%-%d%d$" then
    complain("CHANGELOG.md: the heading of [%s] has no date, like ' - 2026-01-31'", version)
  elseif not text:find "%S" then
    complain("CHANGELOG.md: the section [%s] is empty", version)
  end
end

local function check_source(path, tag)
  local source = load_rockspec(path).source
  for _, field in ipairs { "tag", "branch" } do
    if source[field] and source[field] ~= tag then
      complain("%s: source.%s is %s, not %s", path, field, source[field], tag)
    end
  end
end

local function check_source_version()
  local version = read "csrc/cpp.h":match '#define CPP_VERSION "(.-)"'
  if version ~= "dev" then
    complain('csrc/cpp.h: CPP_VERSION is "%s", not "dev"', version)
  end
end

local function fail(what)
  io.stderr:write(what, "\n")
  os.exit(1)
end

local rockspec, version = ...
if not version:find "^%d+%.%d+%.%d+$" then
  fail "usage: make release VERSION=1.2.3"
end
local tag = "v" .. version
check_tree()
local tagged = check_tag(tag)
check_changelog(version)
check_source(rockspec, tag)
check_source_version()
if #problems > 0 then
  fail(("no release %s:\n  %s"):format(version, table.concat(problems, "\n  ")))
end
if not os.execute((".ci/pack %s %s"):format(version, rockspec)) then
  os.exit(1)
end
local base = ("dist/%s-%s-1"):format(load_rockspec(rockspec).package, version)
local files = base .. ".rockspec " .. base .. ".src.rock"
print(("%s\nTo publish it: %sgit push origin %s && luarocks upload %s"):format(files,
  tagged and "" or ("git tag %s && "):format(tag), tag, files))
