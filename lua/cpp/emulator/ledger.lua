--- The parent's side of the ledger: what the portal wrote, counted.

local cjson = require "cjson"

local ledger = {}

local COUNTERS = {
  cancel = "cancels", publish = "publishes", golive = "golives", poll = "polls",
  operations = "lists", status = "statuses", token = "tokens", unknown = "unknown",
  github = "github", pipelines = "pipelines", identity = "identity",
}

local function new_counts()
  local counts = { requests = 0, acted = 0, repeated = 0, idle = 0 }
  for _, name in pairs(COUNTERS) do
    counts[name] = 0
  end
  return counts
end

local function increment(counts, name)
  counts[name] = counts[name] + 1
end

-- What a cancel did: it told something to stop, found that under way, or nothing to stop.
local DEEDS = { "acted", "repeated", "idle" }

local function count(counts, entry)
  increment(counts, "requests")
  increment(counts, COUNTERS[entry.call])
  for _, deed in ipairs(entry.call == "cancel" and DEEDS or {}) do
    if entry[deed] then
      increment(counts, deed)
    end
  end
end

-- Debian's lua-cjson makes every number a float.
local function with_integers(entry)
  for name, value in pairs(entry) do
    entry[name] = math.type(value) == "float" and math.tointeger(value) or value
  end
  return entry
end

local function add(self, entry)
  table.insert(self.entries, entry)
  count(self, entry)
  if entry.offer then
    self.offers[entry.offer] = self.offers[entry.offer] or new_counts()
    count(self.offers[entry.offer], entry)
  end
end

--- Iterates over the entries of a ledger that are whole. A line that the portal is
-- writing stays for the next call on the same file.
---@param file file*
---@return fun(): table?
function ledger.entries(file)
  return function()
    local start = file:seek()
    local line = file:read "L"
    if line and line:sub(-1) == "\n" then
      return with_integers(cjson.decode(line))
    end
    file:seek("set", start)
  end
end

--- Reads a ledger file.
-- @return table  counts, `offers` (name -> counts) and `entries`
function ledger.read(name)
  local self = new_counts()
  self.offers, self.entries = {}, {}
  local file <close> = assert(io.open(name, "r"))
  for entry in ledger.entries(file) do
    add(self, entry)
  end
  return self
end

return ledger
