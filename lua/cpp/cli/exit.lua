--- Exit statuses: what a shell script can decide on.

local exit = {}

exit.INTERRUPTED = 130

local OF_OUTCOME = {
  canceled = 0, accepted = 0, nothing_to_cancel = 3, too_late = 4, failed = 5,
}

local function of_error(err)
  return err.code == "deadline" and 6 or 1
end

--- Of one cancel.
---@param result cpp.workflow.result
---@return integer
function exit.of_cancel(result)
  return result.err and of_error(result.err) or OF_OUTCOME[result.outcome] or 1
end

--- Of one wait: 0 where it ended as wanted, by default in any way but failure.
---@param operation cpp.operation|nil
---@param err cpp.error|nil
---@param wanted string|nil  a state
---@return integer
function exit.of_wait(operation, err, wanted)
  if not operation then
    return of_error(err)
  elseif operation.state == wanted then
    return 0
  elseif not operation.done then
    return 7
  elseif operation.state == "failed" then
    return 5
  end
  return wanted and 4 or 0
end

-- From what a person must look at to what is well.
local ORDER = { 1, 6, 4, 5, 7, 3, 0 }

--- One for several offers.
---@param statuses integer[]
---@return integer
function exit.worst(statuses)
  local occurs = {}
  for _, status in ipairs(statuses) do
    occurs[status] = true
  end
  for _, status in ipairs(ORDER) do
    if occurs[status] then
      return status
    end
  end
  return 1
end

return exit
