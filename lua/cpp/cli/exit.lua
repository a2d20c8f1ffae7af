--- Exit statuses: what a shell script can decide on.

local exit = {}

--- Ends the command before its time. `cli.main` catches it, tells the message and
--- returns the status.
function exit.with(status, message)
  error({ status = status, message = message }, 0)
end

--- Of a command that a signal ended, with this added: 129, 130 or 143.
exit.SIGNAL = 128

local OF_OUTCOME = { canceled = 0, nothing_to_cancel = 3, too_late = 4, failed = 5 }

-- Not ended by the deadline, and a cancel is or may be out.
local function is_under_way(err)
  return err.code == "deadline" and (err.cancel == "accepted" or err.cancel == "unknown")
end

--- Of one cancel; with `ignore_idle` it is well that there was nothing to cancel.
function exit.of_cancel(result, ignore_idle)
  if result.err then
    return is_under_way(result.err) and 6 or 1
  elseif result.outcome == "accepted" then
    return 0
  end
  local status = OF_OUTCOME[result.outcome] or 1
  if (status == 0 or status == 3) and result.may_publish ~= true then
    return 8
  end
  return ignore_idle and status == 3 and 0 or status
end

--- Of one wait: 0 where it ended in the state that is wanted, by default in any but
--- failure.
function exit.of_wait(operation, err, wanted)
  if not operation then
    return err.code == "deadline" and 6 or 1
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
local ORDER = { 1, 6, 4, 5, 7, 8, 3, 0 }

--- One for several offers.
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
