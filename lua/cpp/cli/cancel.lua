--- `cloudpartner cancel`.

local cpp = require "cpp"
local events = require "cpp.cli.events"
local exit = require "cpp.cli.exit"
local facts = require "cpp.cli.facts"
local go_on = require "cpp.cli.go_on"
local report = require "cpp.cli.report"
local target_of_offer = require "cpp.cli.target"
local task = require "cpp.task"
local trace = require "cpp.cli.trace"
local workflow = require "cpp.workflow"

---@type fun()
local ignore_sigpipe = require "cpp.system".ignore_sigpipe

-- Raised by on_change: with --no-wait there is nothing left to do.
local ACCEPTED = {}

local CONCURRENCY = 16

-- ---- news ----

local function describe_go_on(session, target)
  local location = target:location()
  if location then
    return "to go on elsewhere:\n" .. go_on.wait(session.given, location)
  end
  return "nothing was seen running; to look elsewhere:\n"
    .. go_on.look(session.given, target)
end

local function tell_how_to_go_on(session, target)
  local told = describe_go_on(session, target)
  if told ~= target.told then
    target.told = told
    session.console:note(("%s: %s"):format(facts.name(target), told))
  end
end

local function print_change(session, target, operation)
  if session.given.json then
    local news = { state = operation.state, progress = operation.progress }
    session.console:print(events.change(news, { publisher = target.publisher,
      offer = target.offer, operation = target:operation(),
      location = target:location() }))
  end
end

-- ---- results ----

local function result_with(target, fields)
  fields.publisher, fields.offer = target.publisher, target.offer
  return fields
end

-- Of a cancel that nobody waits for.
local function result_of_accepted(target)
  return result_with(target, { outcome = "accepted", location = target:location(),
    operation = target.ran or { state = "accepted" } })
end

local function result_of_error(target, err)
  return result_with(target, { err = err, operation = err.operation,
    location = err.location })
end

-- What is known without the workflow's word.
local function result_of_stopped(target)
  local err = { kind = "closed", code = "closed", message = "the client was closed",
    cancel = target.row.accepted and "accepted" or "unknown" }
  return result_with(target, { err = cpp.error(err), operation = target.ran,
    location = target:location() })
end

local function problems_of(result)
  return result.outcome == "failed" and workflow.problems(result.operation) or {}
end

-- It ends with where to go on, though that was told before: a log may be long.
local function complain(session, target, result)
  local state = report.cancel_state(result.err, target.refused)
  session:complain(facts.name(target), result.err)
  session.console:note(("%s: %s"):format(facts.name(target), state))
  if result.err.cancel == "accepted" or result.err.cancel == "unknown" then
    target.ran, target.told = target.ran or result.err.operation, nil
    tell_how_to_go_on(session, target)
  end
end

local function print_words(session, target, result)
  if result.err then
    return complain(session, target, result)
  end
  session.console:print(report.cancel(result))
  for _, line in ipairs(report.problems(problems_of(result))) do
    session.console:print(line)
  end
end

-- The location in an answer is no place to go on where it leads nowhere.
local function print_json(session, target, result)
  if result.err then
    result.err = session:explain(result.err)
    result.location = (target.ran or result.operation) and result.location
      or target:location()
  end
  session.console:print(events.cancel(result, problems_of(result)))
end

local function print_result(session, target, result)
  if session.given.json then
    print_json(session, target, result)
  else
    print_words(session, target, result)
  end
  if session.given.trace and #(result.polls or {}) > 0 then
    session.console:note(("%s: %s"):format(facts.name(target), trace.polls(result.polls)))
  end
end

-- At once: the other offers may take minutes more. Results are printed in tasks, where
-- Ctrl-C does not strike.
local function finish(session, target, result)
  session.progress:remove(target.row)
  print_result(session, target, result)
  target.status = exit.of_cancel(result)
end

-- ---- the cancels ----

local function hear(session, target, operation)
  target:hear(session, operation)
  print_change(session, target, operation)
  if target.row.accepted and not operation.done then
    tell_how_to_go_on(session, target)
    if session.given.no_wait then
      finish(session, target, result_of_accepted(target))
      error(ACCEPTED, 0)
    end
  end
end

local function listener(session, target)
  local subject = { publisher = target.publisher, offer = target.offer }
  local listen = session:listener(function() return facts.name(target) end, subject)
  return function(event)
    target:trace(event)
    listen(event)
  end
end

local function options_of(given)
  return {
    deadline = given.deadline, interval = given.interval, list_lag = given.list_lag,
    notification_emails = #given.emails > 0 and given.emails or nil,
  }
end

-- What the workflow may see of a target: it takes other fields for options.
local function key_of(session, target)
  return { publisher = target.publisher, offer = target.offer,
    operation = session.given.operation, trace = listener(session, target) }
end

local function cancel_all(session, targets)
  local keys, target_of = {}, {}
  for i, target in ipairs(targets) do
    keys[i] = key_of(session, target)
    target_of[keys[i]] = target
  end
  local options = options_of(session.given)
  options.concurrency = session.given.concurrency
  options.on_change = function(operation, key)
    hear(session, target_of[key], operation)
  end
  options.on_result = function(result, key)
    finish(session, target_of[key], result)
  end
  workflow.cancel_all(session.client, keys, options)
end

-- What is accepted ends in on_change.
local function send(session, target)
  local options = options_of(session.given)
  options.operation = session.given.operation
  options.trace = listener(session, target)
  options.on_change = function(operation)
    hear(session, target, operation)
  end
  local result, err = workflow.cancel(session.client, target.publisher, target.offer,
    options)
  finish(session, target, result or result_of_error(target, err))
end

-- An error of Lua itself is nobody's result.
local function send_all(session, targets)
  local _, reasons = task.map(targets, function(target)
    send(session, target)
  end, session.given.concurrency or CONCURRENCY)
  for _, reason in pairs(reasons or {}) do
    if reason ~= ACCEPTED then
      error(reason, 0)
    end
  end
end

-- ---- the command ----

-- Wrong use of a name shows before anything is sent.
local function rehearse_all(session)
  local requests = {}
  for i, offer in ipairs(session.given.offers) do
    requests[i] = assert(session:rehearse("cancel", session.given.publisher, offer))
  end
  return requests
end

local function print_requests(session, requests)
  for _, request in ipairs(requests) do
    session:print_request(request)
  end
  return 0
end

local function new_targets(session)
  local targets = {}
  for i, offer in ipairs(session.given.offers) do
    targets[i] = target_of_offer.new(session, offer)
  end
  return targets
end

-- After Ctrl-C each offer has a result, whatever became of its task.
local function finish_the_rest(session, targets)
  for _, target in ipairs(targets) do
    if not target.status then
      finish(session, target, result_of_stopped(target))
    end
  end
end

local function worst_of(targets)
  local statuses = {}
  for i, target in ipairs(targets) do
    statuses[i] = target.status
  end
  return exit.worst(statuses)
end

-- Every cancel that was asked for is sent, whoever has stopped reading meanwhile.
local function cancel_offers(session)
  ignore_sigpipe()
  local targets = new_targets(session)
  local good, reason = pcall(session.run, session, function()
    local cancel = session.given.no_wait and send_all or cancel_all
    cancel(session, targets)
  end)
  if not good and not session.stopped then
    error(reason, 0)
  end
  finish_the_rest(session, targets)
  return worst_of(targets)
end

--- Cancels on each offer.
---@param session cpp.cli.session
---@return integer status
return function(session)
  local requests = rehearse_all(session)
  if session.given.dry_run then
    return print_requests(session, requests)
  end
  return cancel_offers(session)
end
