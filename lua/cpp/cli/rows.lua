--- One line of progress for one operation: "contoso/vm canceling 1m12s (publish
-- 5661…, Certification 40 %)" for a cancel, a bar for a wait.

local tell = require "cpp.cli.tell"
local text = require "cpp.text"

---@alias cpp.cli.line
---| fun(row: cpp.cli.row, label: string, elapsed: number, view: cpp.cli.view?): string

---@class cpp.cli.row
---@field label string
---@field line cpp.cli.line  one of this file's
---@field since number  on the client's clock
---@field ended_at number|nil
---@field cancel "accepted"|"unknown"|"refused"|nil  what became of it; nil: it was not sent
---@field unknown string|nil  id of an operation that the service does not know yet
---@field id string|nil  the operation's
---@field is_other boolean|nil  it runs, and is not the one to be canceled
---@field kind string|nil
---@field state string|nil  in words
---@field progress integer|nil
---@field step string|nil  where it is
---@field is_unusual boolean|nil  its state matters more than its step
---@field is_cancelable boolean|nil

---@class cpp.cli.view  a terminal; in a log there is none
---@field columns integer
---@field is_table boolean  several lines stand below each other

local rows = {}

-- Where it is; nil where it has no steps, or all are complete.
local function describe_step(operation)
  for _, step in ipairs(tell.steps(operation)) do
    if tell.fold(step.status) ~= "succeeded" then
      local name = step.name ~= "" and step.name or nil
      return name and step.progress and ("%s %d %%"):format(name, step.progress) or name
    end
  end
end

--- Takes what an operation tells into a row.
function rows.learn(row, operation)
  row.id = operation.id and text.clean(operation.id) or row.id
  row.kind = tell.kind(operation) or row.kind
  row.state = tell.state(operation)
  row.progress = operation.progress or row.progress
  row.step = describe_step(operation) or row.step
  row.is_cancelable = tell.is_cancelable(operation)
  row.is_unusual = operation.state == "unknown"
    or operation.state == "waiting_for_publisher_review"
  row.unknown = nil
end

-- A display has no room for a whole id; a log needs it.
local function show_id(id, view)
  return view and #id > 8 and id:sub(1, 4) .. "…" or id
end

local function details(row, view)
  local parts = {}
  if row.unknown then
    parts[1] = ("operation %s is not known yet"):format(show_id(row.unknown, view))
  end
  if row.id then
    parts[#parts + 1] = ("%s %s%s"):format(row.kind or "operation", show_id(row.id, view),
      row.is_other and " runs" or "")
  end
  if row.ended_at then
    parts[#parts + 1] = "looking what else runs"
  elseif row.cancel == "accepted" and row.is_cancelable then
    parts[#parts + 1] = "the service still calls it cancelable"
  elseif row.is_unusual then
    parts[#parts + 1] = row.state
  end
  parts[#parts + 1] = not row.ended_at and row.step or nil
  return #parts > 0 and (" (%s)"):format(table.concat(parts, ", ")) or ""
end

--- What a cancel is at, in a word. "sending" from when it is known what runs: the
--- cancel goes out then.
function rows.word(row)
  if row.ended_at then
    return row.state
  elseif row.cancel == "accepted" then
    return row.id and "canceling" or "looking"
  elseif row.cancel == "unknown" then
    return "checking"
  end
  return row.id and not row.is_other and "sending" or "looking"
end

-- The word, where there is room for more than one.
local LONGER = { looking = "looking whether anything runs",
  checking = "checking whether the cancel arrived" }

-- Columns of a table: "canceling" and "59m59s" fill them.
local WORD, TIME = 9, 6

-- Columns without which details say nothing.
local LEAST = 12

--- Of a cancel: nobody knows how far that is, so no bar.
function rows.cancel(row, label, elapsed, view)
  local word, time = rows.word(row), text.duration(elapsed)
  local is_out = row.cancel == "accepted" or row.cancel == "unknown"
  local longer = is_out and LONGER[word] and ("%s %s %s"):format(label, LONGER[word], time)
  if view and view.is_table then
    word, time = text.pad(word, WORD), text.pad(time, TIME)
  elseif longer and (not view or text.columns(longer) <= view.columns) then
    return longer .. details(row, view)
  end
  local line = ("%s %s %s"):format(label, word, time)
  local has_room = not view or text.columns(line) + LEAST <= view.columns
  return has_room and line .. details(row, view) or line
end

--- Of a wait: a bar, how far it is, how long it has taken, where it is.
function rows.wait(row, label, elapsed, view)
  local progress, time, bar = row.progress or 0, text.duration(elapsed), ""
  if view then
    local width = view.columns < 60 and 6 or 12 -- half of 40 columns is for names
    local filled = width * progress // 100
    bar = " [" .. ("#"):rep(filled) .. ("-"):rep(width - filled) .. "]"
  end
  local where = row.unknown and "not known yet" or row.is_unusual and row.state or row.step
    or row.state or "looking"
  return ("%s%s %3d %% %s %s"):format(label, bar, progress,
    view and view.is_table and text.pad(time, TIME) or time, where)
end

return rows
