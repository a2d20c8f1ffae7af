--- A run as text: its switches, what really happened, what was asked and answered.

local switches = require "spec.model.switches"

local story = {}

local function value_of(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for name, part in pairs(value) do
    parts[#parts + 1] = name .. "=" .. tostring(part)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, " ") .. "}"
end

--- The switches that are not at their plain value.
function story.switches(drawn)
  local parts = { "seed=" .. drawn.seed }
  for _, switch in ipairs(switches.list) do
    local value = drawn[switch[1]]
    if value ~= switch[2][1] then
      parts[#parts + 1] = switch[1] .. "=" .. value_of(value)
    end
  end
  return table.concat(parts, " ")
end

local function truth(run, add)
  for _, op in ipairs(run.world.all) do
    add("  %-8s %9.1f to %9.1f, %s%s", op.id, op.starts - run.called, op.ends - run.called,
      op.ends_as, op.by_cancel and " by a cancel" or "")
  end
end

local function shown(event)
  local parts = {}
  for _, view in ipairs(event.shows or {}) do
    local document = view.document[1] or view.document
    local word = document.cancellationRequestState
    parts[#parts + 1] = ("%s%s %s%s"):format(view.id and "" or "(no id) ",
      view.model_operation.id, view.state, word and (" '" .. word .. "'") or "")
  end
  return table.concat(parts, ", ")
end

local function line(run, event)
  local what = event.kind
  if event.location then
    what = what .. " of " .. event.location:match "[^/]+$":gsub("%?.*", "")
  elseif event.kind == "told" then
    local op = run:truth(event.operation)
    return "told " .. (op and op.id or "?")
  end
  if event.kind == "pause" then
    return what
  end
  local answer = event.err and (event.err.status or event.err.code) or event.ok and "ok" or "?"
  if event.fate then
    answer = ("%s (%s%s)"):format(answer, event.fate,
      event.run and ", " .. event.run.id .. " ran" or ", nothing ran")
  end
  return ("%s: %s %s%s%s"):format(what, answer, shown(event),
    event.moment and (" as of %.1f"):format(event.moment - run.called) or "",
    event.retry_after and " Retry-After " .. event.retry_after or "")
end

local function said(run, result, err)
  if result then
    local op = run:truth(result.operation)
    return ("%s of %s, may_publish %s, cancel %s"):format(result.outcome, op and op.id or "none",
      tostring(result.may_publish), tostring(result.cancel))
  end
  return err and ("%s/%s, cancel %s"):format(err.kind, err.code, tostring(err.cancel)) or "raised"
end

--- The whole of it.
function story.tell(run, wrong, result, err)
  local lines = {}
  local function add(format, ...)
    lines[#lines + 1] = format:format(...)
  end
  add("%s", story.switches(run.drawn))
  truth(run, add)
  for _, event in ipairs(run.log) do
    add("  %8.2f %8.2f  %s", event.asked - run.called,
      (event.answered or event.asked) - run.called, line(run, event))
  end
  add("  said at %.2f: %s", run.time - run.called, said(run, result, err))
  add("  wrong: %s", wrong or "nothing")
  return table.concat(lines, "\n")
end

return story
