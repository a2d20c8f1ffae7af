--- One line of progress for one operation: "contoso/vm canceling 1m12s (publish
-- 5661…, Certification 40 %)" for a cancel, a bar for a wait.

local facts = require "cpp.cli.facts"
local text = require "cpp.text"

---@alias cpp.cli.line
---| fun(row: cpp.cli.row, label: string, elapsed: number, view: cpp.cli.view?): string

---@class cpp.cli.row
---@field label string
---@field line cpp.cli.line  one of this file's
---@field since number  on the client's clock
---@field ended_at number|nil
---@field accepted boolean|nil  the cancel was
---@field id string|nil  the operation's
---@field kind string|nil
---@field state string|nil  in words
---@field progress integer|nil
---@field step string|nil  where it is
---@field is_unusual boolean|nil  its state matters more than its step

---@class cpp.cli.view  a terminal; in a log there is none
---@field columns integer
---@field is_table boolean  several lines stand below each other

local lines = {}

local function describe_step(operation)
  local step = facts.current_step(operation)
  if not step or step.name == "" then
    return nil
  end
  return step.percent and ("%s %d %%"):format(step.name, step.percent) or step.name
end

--- Takes what an operation tells into a row.
---@param row cpp.cli.row
---@param operation cpp.operation
function lines.learn(row, operation)
  row.id = operation.id and text.clean(operation.id) or row.id
  row.kind = facts.kind(operation) or row.kind
  row.state = facts.state(operation)
  row.progress = operation.progress or row.progress
  row.step = describe_step(operation) or row.step
  row.is_unusual = operation.state == "unknown"
    or operation.state == "waiting_for_publisher_review"
end

-- A display has no room for a whole id; a log needs it.
local function show_id(id, view)
  return view and #id > 8 and id:sub(1, 4) .. "…" or id
end

local function details(row, view)
  local parts = {}
  if row.id then
    parts[1] = (row.kind or "operation") .. " " .. show_id(row.id, view)
  end
  if row.is_unusual then
    parts[#parts + 1] = row.state
  end
  parts[#parts + 1] = row.step
  return #parts > 0 and (" (%s)"):format(table.concat(parts, ", ")) or ""
end

-- "sending" from when it is known what runs: the cancel goes out then.
local function cancel_word(row)
  if row.ended_at then
    return row.state
  elseif row.accepted then
    return "canceling"
  end
  return row.id and "sending" or "looking"
end

-- Columns of a table: "canceling" and "59m59s" fill them.
local WORD, TIME = 9, 6

local function state_of_cancel(row, elapsed, view)
  local word, time = cancel_word(row), text.duration(elapsed)
  if view and view.is_table then
    return text.pad(word, WORD) .. " " .. text.pad(time, TIME)
  end
  return word .. " " .. time
end

-- Columns without which details say nothing.
local LEAST = 12

--- Of a cancel: nobody knows how far that is, so no bar.
function lines.cancel(row, label, elapsed, view)
  local line = label .. " " .. state_of_cancel(row, elapsed, view)
  if view and text.columns(line) + LEAST > view.columns then
    return line
  end
  return line .. details(row, view)
end

-- Half a terminal of 40 columns is for names.
local function bar(progress, view)
  local width = view.columns < 60 and 6 or view.columns < 100 and 12 or 20
  local filled = width * progress // 100
  return " [" .. ("#"):rep(filled) .. ("-"):rep(width - filled) .. "]"
end

local function wait_details(row)
  return row.is_unusual and row.state or row.step or row.state or "looking"
end

--- Of a wait: a bar, how far it is, how long it has taken, where it is.
function lines.wait(row, label, elapsed, view)
  local progress = row.progress or 0
  local time = text.duration(elapsed)
  return ("%s%s %3d %% %s %s"):format(label, view and bar(progress, view) or "", progress,
    view and view.is_table and text.pad(time, TIME) or time, wait_details(row))
end

return lines
