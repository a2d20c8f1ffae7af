--- `cloudpartner wait`.

local arguments = require "cpp.cli.arguments"
local rows = require "cpp.cli.rows"
local session = require "cpp.cli.session"
local task = require "cpp.task"
local tell = require "cpp.cli.tell"
local text = require "cpp.text"
local workflow = require "cpp.workflow"

local wait = {}

local HELP = {
  name = "wait",
  summary = "Follow operations to their ends.",
  description = [[
Follows operations to their ends, in another process or on another day: by what
`cancel` has printed, PUBLISHER/OFFER/ID, or a location that the service gave.
States are canceled, succeeded, failed and waiting_for_publisher_review.]],
  epilog = [[
Quote a location for the shell: it may hold a `$`.

Examples:
   cloudpartner wait --for canceled \
      contoso/contoso-vm/56615b67-2185-49fe-80d2-c4ddf77bb2e8
   cloudpartner wait --for succeeded --deadline 24h "$location" &&
      echo published

Exit statuses:
   0  it has ended as --for says (default: in any way but failure)
   4  it has ended otherwise     6  it has not ended by the deadline
   5  it has failed              7  it waits for a person's review
   1  anything else: refused, no answer ever
For several operations it is the first of 1, 6, 4, 5, 7, 0 that occurs.]],
}

local STATES = { "canceled", "succeeded", "failed", "waiting_for_publisher_review" }

function wait.define(parser)
  local command = parser:command(HELP)
  arguments.add_locations(command)
  local own = {
    command:option("--for", "The state that is wanted, or the service's word for it.")
      :target "wanted":argname "STATE":choices(STATES),
    command:flag("--through-review", "Wait on while a person must review; "
      .. "--for canceled does so."),
  }
  arguments.add_pace(command, own)
  arguments.add_output(command, own, "changes and results")
end

--- The exit status of one wait: 0 where it ended in the state that is wanted, by default
--- in any but failure; `is_unheard`, where the service has never answered.
function wait.status(operation, err, wanted, is_unheard)
  if not operation then
    return err.code == "deadline" and not is_unheard and 6 or 1
  elseif operation.state == wanted then
    return 0
  elseif not operation.done then
    return 7
  elseif operation.state == "failed" then
    return 5
  end
  return wanted and 4 or 0
end

---@class cpp.cli.awaited: cpp.cli.subject, cpp.cli.row
---@field seen cpp.operation|nil  as last seen
---@field heard boolean|nil  the service has answered

local function hear(self, subject, operation)
  subject.seen, subject.label = operation, tell.name(operation)
  self.screen:change(subject, operation)
  self:emit_change({}, operation)
end

local function overhear(self, subject, event, heard)
  subject.heard = heard
  if event.status == 404 and event.method == "GET" and not subject.seen then
    subject.unknown = text.clean(subject.operation or subject.label)
    self.screen:change(subject)
  end
end

-- While a cancel is under way, no review holds it up.
local function wait_for(self, subject)
  local given = self.given
  local operation, err = workflow.wait(self.client, subject.location, {
    deadline = given.deadline, interval = given.interval, list_lag = given.list_lag,
    through_review = given.through_review or given.wanted == "canceled",
    trace = self:listener(subject, overhear),
    on_change = function(seen) hear(self, subject, seen) end,
  })
  self.screen:remove(subject)
  if operation then
    self:show(operation, operation.state == "failed" and workflow.problems(operation) or {})
  else
    err.operation = subject.seen
    err = self:fail(subject, err)
  end
  return { status = wait.status(operation, err, given.wanted, not subject.heard),
    word = operation and tell.state(operation) or tell.word { err = { code = err.code } },
    next = err and tell.LEADS_ON[err.code] and tell.next_of_wait(subject) or nil }
end

-- Wrong use of a location shows before anything is sent. An error of Lua itself is
-- nobody's result.
local function wait_for_all(self, subjects)
  self:rehearse("poll", subjects)
  for _, subject in ipairs(subjects) do
    self.screen:add(tell.name(subject), rows.wait, subject)
  end
  local results, reasons = task.map(subjects, function(subject)
    return wait_for(self, subject)
  end, #subjects)
  if reasons then
    error(select(2, next(reasons)), 0)
  end
  return self:conclude("operations", results)
end

function wait.run(given)
  local subjects = arguments.locations(given.words)
  if given.dry_run then
    return session.look(given, "poll", subjects)
  end
  given.patient = true
  return session.run(given, function(self)
    return wait_for_all(self, subjects)
  end)
end

return wait
