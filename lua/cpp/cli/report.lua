--- Results in words.

local facts = require "cpp.cli.facts"
local text = require "cpp.text"

local report = {}

local OUTCOMES = {
  canceled = "canceled", accepted = "cancel accepted",
  nothing_to_cancel = "nothing to cancel", too_late = "too late, it had completed",
  failed = "it had failed by itself",
}

-- Whether one may publish again, which is why people cancel.
local function what_next(result)
  if result.running then
    return ("; now %s runs"):format(text.clean(result.running.id))
  end
  return result.may_publish and "; a publish may start"
    or "; whether a publish may start is not known"
end

local function describe(operation)
  if not operation or not operation.id then
    return ""
  end
  local kind = facts.kind(operation) or "operation"
  return (" (%s %s)"):format(kind, text.clean(operation.id))
end

local function describe_subject(result)
  if result.outcome == "accepted" and not result.operation.id then
    return ", but nothing was seen running"
  end
  return describe(result.operation)
end

--- "contoso/vm: canceled (operation 5661…); a publish may start"
---@param result cpp.workflow.result  with an outcome
---@return string
function report.cancel(result)
  local outcome = OUTCOMES[result.outcome] or result.outcome
  return ("%s: %s%s%s"):format(facts.name(result), outcome, describe_subject(result),
    result.outcome == "accepted" and "" or what_next(result))
end

local CANCEL = {
  not_sent = "no cancel was sent", refused = "the cancel was refused",
  accepted = "the cancel was accepted",
  unknown = "whether the cancel arrived is not known",
}

--- What an error means for the cancel.
---@param err cpp.error
---@param refused integer|nil  HTTP status of the answer that refused it
---@return string
function report.cancel_state(err, refused)
  if err.cancel == "refused" and refused then
    return ("the cancel was refused with HTTP %d"):format(refused)
  end
  return CANCEL[err.cancel] or ""
end

--- "contoso/vm: running, 25 % (operation 5661…)"
---@param operation cpp.operation
---@return string
function report.look(operation)
  local percent = operation.progress and (", %d %%"):format(operation.progress) or ""
  return ("%s: %s%s%s"):format(facts.name(operation), facts.state(operation), percent,
    describe(operation))
end

--- A line for each step.
---@param operation cpp.operation
---@return string[]
function report.steps(operation)
  local list = {}
  for i, step in ipairs(facts.steps(operation)) do
    local percent = step.percent and ("%3d %%"):format(step.percent) or ""
    list[i] = ("  %5s  %s  %s"):format(percent, text.pad(step.status, 12), step.name)
  end
  return list
end

--- A line for each thing that went wrong.
---@param problems {step: string|nil, text: string}[]
---@return string[]
function report.problems(problems)
  local list = {}
  for i, problem in ipairs(problems) do
    local step = problem.step and text.clean(problem.step) .. ": " or ""
    list[i] = "  " .. step .. text.clean(problem.text)
  end
  return list
end

--- "5661…  running       publish  2026-11-22T17:08:21", one of a list.
---@param operation cpp.operation
---@return string
function report.item(operation)
  local line = ("%s  %s  %s  %s"):format(text.clean(operation.id),
    text.pad(facts.state(operation), 11), text.pad(facts.kind(operation) or "", 8),
    facts.changed(operation) or "")
  return (line:gsub(" +$", ""))
end

return report
