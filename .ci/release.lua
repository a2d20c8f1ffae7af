-- make release: checks that csrc/cpp.h, CHANGELOG.md, the git tag and the
-- rockspec speak of one version, and writes the rockspec of that version into
-- build/. It publishes nothing.
--
-- A release is a commit that sets CPP_VERSION to X.Y.Z and gives the section
-- Unreleased of CHANGELOG.md that version and its date; its tag is vX.Y.Z. The
-- next commit sets CPP_VERSION to "dev" again.

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

local function check_tag(tag)
  local head = git "rev-parse --short HEAD"
  local commit = git(("rev-parse --short --verify 'refs/tags/%s^{commit}'"):format(tag))
  if not commit then
    local others = git "tag --points-at HEAD" or ""
    complain("git: there is no tag %s%s", tag,
      others ~= "" and "; this commit is tagged " .. others:gsub("\n", ", ") or "")
  elseif commit ~= head then
    complain("git: the tag %s is on %s, and this commit is %s", tag, commit, head)
  end
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

local function replace_once(text, pattern, replacement)
  local changed, count = text:gsub(pattern, replacement)
  assert(count == 1, pattern .. " is not in the rockspec once")
  return changed
end

-- The rockspec for development, but of that version and from that tag.
local function release_rockspec(path, version, tag)
  local text = read(path):gsub('\n  tag = "[^"]*",', "")
  text = replace_once(text, '\nversion = "[^"]*"', ('\nversion = "%s-1"'):format(version))
  return replace_once(text, "\nsource = {\n", ('%%0  tag = "%s",\n'):format(tag))
end

local function write_rockspec(path, version, tag)
  local fields = load_rockspec(path)
  local name = ("build/%s-%s-1.rockspec"):format(fields.package, version)
  assert(os.execute "mkdir -p build")
  local file <close> = assert(io.open(name, "w"))
  file:write(release_rockspec(path, version, tag))
  file:close()
  assert(os.execute("luarocks --lua-version 5.4 lint " .. name))
  return name
end

local function fail(what)
  io.stderr:write(what, ":\n  ", table.concat(problems, "\n  "), "\n")
  os.exit(1)
end

local rockspec = ...
local version = read "csrc/cpp.h":match '#define CPP_VERSION "(.-)"'
if not version:find "^%d+%.%d+%.%d+$" then
  complain('csrc/cpp.h: CPP_VERSION is "%s", and a release has one like "1.2.3"', version)
  fail "no release"
end
local tag = "v" .. version
check_tree()
check_tag(tag)
check_changelog(version)
check_source(rockspec, tag)
if #problems > 0 then
  fail("no release " .. version .. ", which csrc/cpp.h names")
end
local written = write_rockspec(rockspec, version, tag)
print(("%s: csrc/cpp.h, CHANGELOG.md, the tag %s and the rockspec agree.\n"
  .. "To publish it: git push origin %s && luarocks upload %s"):format(version, tag, tag, written))
