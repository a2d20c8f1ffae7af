--- `cloudpartner wait`.

local events = require "cpp.cli.events"
local exit = require "cpp.cli.exit"
local facts = require "cpp.cli.facts"
local lines = require "cpp.cli.lines"
local report = require "cpp.cli.report"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

local function problems_of(operation)
  return operation.state == "failed" and workflow.problems(operation) or {}
end

local function hear(session, row, operation)
  row.label = facts.name(operation)
  session.progress:change(row, operation)
  if session.given.json then
    session.console:print(events.change(operation, {}))
  end
end

-- While a cancel is under way, no review holds it up.
local function options_of(session, row, location)
  local given = session.given
  return {
    deadline = given.deadline, interval = given.interval, list_lag = given.list_lag,
    trace = session:listener(function() return row.label end, { location = location }),
    through_review = given.through_review or given.wanted == "canceled",
    on_change = function(operation)
      hear(session, row, operation)
    end,
  }
end

local function print_words(session, operation)
  session.console:print(report.look(operation))
  for _, line in ipairs(report.problems(problems_of(operation))) do
    session.console:print(line)
  end
end

local function print_result(session, operation)
  if session.given.json then
    session.console:print(events.look(operation, problems_of(operation)))
  else
    print_words(session, operation)
  end
end

local function print_error(session, row, location, err)
  if session.given.json then
    session.console:print(events.failure({ location = location }, session:explain(err)))
  else
    session:complain(row.label, err, location)
  end
end

-- An error of Lua itself is nobody's result.
local function wait_for(session, location)
  local row = session.progress:add(facts.name { location = location }, lines.wait)
  local operation, err = workflow.wait(session.client, location,
    options_of(session, row, location))
  session.progress:remove(row)
  if operation then
    print_result(session, operation)
  else
    print_error(session, row, location, err)
  end
  return exit.of_wait(operation, err, session.given.wanted)
end

local function wait_for_all(session)
  local locations = session.given.locations
  local statuses, reasons = task.map(locations, function(location)
    return wait_for(session, location)
  end, #locations)
  if reasons then
    error(select(2, next(reasons)), 0)
  end
  return exit.worst(statuses)
end

local function rehearse_all(session)
  local requests, errors = {}, {}
  for i, location in ipairs(session.given.locations) do
    requests[i], errors[i] = session:rehearse("poll", location)
  end
  return requests, errors
end

local function print_requests(session, requests, errors)
  local statuses = {}
  for i = 1, #session.given.locations do
    statuses[i] = session:print_request(requests[i], errors[i],
      session.given.locations[i])
  end
  return exit.worst(statuses)
end

--- Follows each location to the end of its operation; results come as they come.
---@param session cpp.cli.session
---@return integer status
return function(session)
  local requests, errors = rehearse_all(session)
  if session.given.dry_run then
    return print_requests(session, requests, errors)
  end
  return session:run(function()
    return wait_for_all(session)
  end)
end
