--- `cloudpartner cancel`.

local events = require "cpp.cli.events"
local exit = require "cpp.cli.exit"
local facts = require "cpp.cli.facts"
local go_on = require "cpp.cli.go_on"
local lines = require "cpp.cli.lines"
local ran = require "cpp.workflow.ran"
local report = require "cpp.cli.report"
local task = require "cpp.task"
local trace = require "cpp.cli.trace"
local workflow = require "cpp.workflow"

-- Raised by on_change: with --no-wait there is nothing left to do.
local ACCEPTED = {}

local CONCURRENCY = 16

---@class cpp.cli.target
---@field publisher string
---@field offer string
---@field operation string|nil  id: the only one that may be canceled
---@field row cpp.cli.row
---@field ran cpp.operation|nil  what runs
---@field answer cpp.operation|nil  the service's to the cancel, once accepted
---@field told string|nil  the location that was printed to go on with

-- ---- news ----

-- The location of what ran tells how that ended; an answer's may name an
-- operation of the cancel's own.
local function location_of(target)
  local best = target.ran or target.answer
  return best and best.location
end

local function tell_how_to_go_on(session, target)
  local location = location_of(target)
  if location and location ~= target.told then
    target.told = location
    session.console:note(("%s: to go on elsewhere:\n%s"):format(facts.name(target),
      go_on(session.given, location)))
  end
end

local function print_change(session, target, operation)
  if session.given.json then
    local best = target.ran or operation
    session.console:print(events.change(operation, { publisher = target.publisher,
      offer = target.offer, operation = best.id, location = location_of(target) }))
  end
end

-- The service's answer to the cancel: a 200, which has no location, is done.
local function is_answer(operation)
  return operation.state == "accepted" or not operation.location
end

-- A run that crashed may have sent the cancel: then what runs shows it.
local function take(session, target, operation)
  local row = target.row
  if is_answer(operation) then
    target.answer, row.accepted = operation, true
    session.progress:change(row)
  else
    target.ran, row.accepted = operation, row.accepted or ran.is_being_canceled(operation)
    session.progress:change(row, operation)
  end
end

local function hear(session, target, operation)
  take(session, target, operation)
  print_change(session, target, operation)
  if target.row.accepted and not operation.done then
    tell_how_to_go_on(session, target)
    if session.given.no_wait then
      error(ACCEPTED, 0)
    end
  end
end

-- ---- the cancels ----

local function new_target(session, offer)
  local given = session.given
  local target = { publisher = given.publisher, offer = offer }
  target.row = session.progress:add(facts.name(target), lines.cancel)
  return target
end

local function options_of(given)
  return {
    deadline = given.deadline, interval = given.interval,
    notification_emails = #given.emails > 0 and given.emails or nil,
  }
end

-- What the workflow may see of a target: it takes other fields for options.
local function key_of(target, given)
  return { publisher = target.publisher, offer = target.offer,
    operation = given.operation }
end

local function cancel_all(session, targets)
  local keys, target_of = {}, {}
  for i, target in ipairs(targets) do
    keys[i] = key_of(target, session.given)
    target_of[keys[i]] = target
  end
  local options = options_of(session.given)
  options.concurrency = session.given.concurrency
  options.on_change = function(operation, key)
    hear(session, target_of[key], operation)
  end
  return session:run(function()
    return workflow.cancel_all(session.client, keys, options)
  end)
end

local function send(session, target)
  local options = options_of(session.given)
  options.operation = session.given.operation
  options.on_change = function(operation)
    hear(session, target, operation)
  end
  return workflow.cancel(session.client, target.publisher, target.offer, options)
end

-- What became of a cancel that nobody waits for.
local function result_of(target, result, reason)
  if reason == ACCEPTED then
    return { outcome = "accepted", publisher = target.publisher, offer = target.offer,
      operation = target.ran or target.answer, location = location_of(target) }
  elseif type(reason) == "string" then
    error(reason, 0)
  end
  return result or { publisher = target.publisher, offer = target.offer, err = reason,
    operation = reason.operation, location = reason.location }
end

local function send_all(session, targets)
  return session:run(function()
    local results, reasons = task.map(targets, function(target)
      return send(session, target)
    end, session.given.concurrency or CONCURRENCY)
    for i, target in ipairs(targets) do
      results[i] = result_of(target, results[i], reasons and reasons[i])
    end
    return results
  end)
end

-- ---- results ----

local function problems_of(result)
  return result.outcome == "failed" and workflow.problems(result.operation) or {}
end

local function complain(session, target, result)
  local state = report.cancel_state(result.err)
  session:complain(facts.name(target), result.err)
  session.console:note(("%s: %s"):format(facts.name(target), state))
  if result.err.cancel ~= "not_sent" then
    target.ran = target.ran or result.err.operation
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

local function print_result(session, target, result)
  if session.given.json then
    session.console:print(events.cancel(result, problems_of(result)))
  else
    print_words(session, target, result)
  end
  if session.given.trace and #(result.polls or {}) > 0 then
    session.console:note(("%s: %s"):format(facts.name(target), trace.polls(result.polls)))
  end
end

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

local function cancel_offers(session)
  local targets, statuses = {}, {}
  for i, offer in ipairs(session.given.offers) do
    targets[i] = new_target(session, offer)
  end
  local results = (session.given.no_wait and send_all or cancel_all)(session, targets)
  for i, result in ipairs(results) do
    print_result(session, targets[i], result)
    statuses[i] = exit.of_cancel(result)
  end
  return exit.worst(statuses)
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
