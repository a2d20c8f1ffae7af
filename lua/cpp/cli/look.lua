--- `cloudpartner poll`, `operations` and `status`: one look.

local events = require "cpp.cli.events"
local facts = require "cpp.cli.facts"
local report = require "cpp.cli.report"
local workflow = require "cpp.workflow"

local look = {}

local function print_all(session, lines)
  for _, line in ipairs(lines) do
    session.console:print(line)
  end
end

local function print_operation(session, operation)
  local problems = workflow.problems(operation)
  if session.given.json then
    return session.console:print(events.look(operation, problems))
  end
  session.console:print(report.look(operation))
  print_all(session, report.steps(operation))
  print_all(session, report.problems(problems))
end

local function print_list(session, list)
  for _, operation in ipairs(list) do
    session.console:print(session.given.json
      and events.item(operation, facts.kind(operation)) or report.item(operation))
  end
end

local function print_error(session, subject, err)
  if session.given.json then
    session.console:print(events.failure(subject, session:explain(err)))
  else
    session:complain(facts.name(subject), err, subject.location)
  end
  return 1
end

-- Rehearsed first: wrong use of an argument is to be told as such.
local function ask(session, method, show, subject, ...)
  local request, refusal = session:rehearse(method, ...)
  if session.given.dry_run then
    return session:print_request(request, refusal, subject.location)
  end
  local arguments = table.pack(...)
  local answer, err = session:run(function()
    return session.client[method](session.client, table.unpack(arguments))
  end)
  if not answer then
    return print_error(session, subject, err)
  end
  show(session, answer)
  return 0
end

--- Each takes the session and returns the exit status.
---@param session cpp.cli.session
---@return integer status
function look.poll(session)
  local location = session.given.location
  return ask(session, "poll", print_operation, { location = location }, location)
end

---@param session cpp.cli.session
---@return integer status
function look.operations(session)
  local given = session.given
  return ask(session, "operations", print_list, given, given.publisher, given.offer)
end

---@param session cpp.cli.session
---@return integer status
function look.status(session)
  local given = session.given
  return ask(session, "status", print_operation, given, given.publisher, given.offer)
end

return look
