--- What the portal knows: its offers, tokens and faults, and the journal through
-- which the parent process changes them.

local assertions = require "cpp.emulator.portal.assertions"
local clock = require "cpp.emulator.portal.clock"
local directory = require "cpp.emulator.portal.directory"
local faults = require "cpp.emulator.portal.faults"
local issuers = require "cpp.emulator.portal.issuers"
local json = require "cpp.emulator.portal.json"
local offer = require "cpp.emulator.portal.offer"
local random = require "cpp.emulator.portal.random"
local tokens = require "cpp.emulator.portal.tokens"

local state = {
  offers = {}, by_guid = {}, publishers = {}, endpoint = "", byte_order_mark = false,
}

---@type file*
local journal
local unread = ""

-- The journal's first line.
local function start(patch)
  state.endpoint = patch.endpoint
  state.random = random.new(patch.seed)
  tokens.start(state.random, patch.ids)
  assertions.start(state.random, patch.ids, patch.thumbprints)
  directory.start(state.random, patch.ids)
  issuers.start(patch.ids)
end

local function change_portal(patch)
  if patch.endpoint then
    start(patch)
  end
  if patch.speed then
    clock.set_speed(patch.speed)
  end
  if patch.advance then
    clock.advance(patch.advance)
  end
  if patch.faults then
    faults.set(patch.faults)
  end
  if patch.byte_order_mark ~= nil then
    state.byte_order_mark = patch.byte_order_mark
  end
  tokens.change(patch)
  assertions.change(patch)
  issuers.change(patch)
end

local function change_offer(name, patch)
  local publisher, id = name:match "^([^/]+)/(.+)$"
  local known = state.offers[name]
  if not known then
    known = offer.new(publisher, id, state.random)
    state.offers[name] = known
    state.by_guid[publisher .. "/" .. known.guid] = known
    state.publishers[publisher] = true
  end
  known:change(patch, clock.now())
end

local function apply(line)
  local entry = assert(json.decode(line))
  if entry.name == "*" then
    change_portal(entry.patch)
  else
    change_offer(entry.name, entry.patch)
  end
end

--- Applies the lines that the parent has added since the last call. A long line
-- may arrive in parts.
function state.read_journal()
  journal:seek "cur" -- clears the end-of-file mark
  unread = unread .. journal:read "*a"
  local rest = 1
  for line, after in unread:gmatch "([^\n]*)\n()" do
    apply(line)
    rest = after
  end
  unread = unread:sub(rest)
end

function state.open(name)
  clock.start()
  journal = assert(io.open(name, "r"))
  state.read_journal()
end

return state
