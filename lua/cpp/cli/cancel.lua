--- `cloudpartner cancel`.

local arguments = require "cpp.cli.arguments"
local rows = require "cpp.cli.rows"
local session = require "cpp.cli.session"
local system = require "cpp.system"
local tell = require "cpp.cli.tell"
local text = require "cpp.text"
local trace = require "cpp.cli.trace"
local words = require "cpp.words"
local workflow = require "cpp.workflow"

local cancel = {}

local HELP = {
  name = "cancel",
  summary = "Cancel what runs on offers.",
  description = [[
Cancels what runs on each offer, follows it to its end and tells what became of
it, of several offers in the order in which they end. The service's own answer
says only that it took the request. PUBLISHER/OFFER/ID cancels that operation
and no other; the same call again resumes a run that crashed.

As soon as a cancel is accepted, the command is printed with which another
process can go on. A cancel whose answer was lost is never repeated blindly.
What fails is tried again until the deadline; where nothing ever answers, for a
minute. Where nothing is seen running, it takes --list-lag to be sure of that.
Ctrl-C, SIGTERM and SIGHUP end the command, not the cancel.]],
  epilog = [[
Examples:
   cloudpartner cancel contoso contoso-vm
   cloudpartner cancel contoso/vm-1 contoso/vm-2 fabrikam/app --deadline 30m
   cloudpartner cancel contoso/contoso-vm --json |
      jq -r 'select(.event == "result") | .outcome // .error.message'
   cloudpartner cancel \
      contoso/contoso-vm/56615b67-2185-49fe-80d2-c4ddf77bb2e8

Exit statuses:
   0  canceled, and nothing else runs (with --no-wait: accepted)
   3  there was nothing to cancel (with --ignore-idle: 0)
   4  too late: it had completed
   5  it had failed by itself
   6  it has not ended by the deadline, and a cancel is or may be out
   8  in place of 0 and 3: another one runs, or nobody could tell
   1  anything else: refused, never sent, not made sure of, no answer ever
For several offers it is the first of 1, 6, 4, 5, 8, 3, 0 that occurs.]],
}

function cancel.define(parser)
  local command = parser:command(HELP)
  arguments.add_offers(command)
  local own = {
    command:option("--operation", "Cancel only if this is what runs; one offer only.")
      :argname "ID":convert(arguments.to_text),
    command:option("--email", "Address that the service notifies; may be repeated.")
      :argname "ADDRESS":count "*":target "emails",
    command:flag("--no-wait", "End as soon as the service has taken the cancel."),
    command:flag("--ignore-idle", "That there was nothing to cancel is well, too."),
    arguments.add_number(command, "--concurrency", "count",
      "Exchanges at a time (default: 16)."),
  }
  arguments.add_pace(command, own)
  arguments.add_output(command, own, "changes and results",
    "Look, send nothing, and say what would be canceled.")
end

local OF_OUTCOME = { accepted = 0, canceled = 0, nothing_to_cancel = 3, too_late = 4,
  failed = 5 }

--- The exit status of one cancel; with `ignore_idle` it is well that there was nothing to
--- cancel.
function cancel.status(result, ignore_idle)
  local err = result.err
  if err then
    local may_be_out = err.cancel == "accepted" or err.cancel == "unknown"
    return err.code == "deadline" and may_be_out and 6 or 1
  end
  local status = OF_OUTCOME[result.outcome] or 1
  local is_settled = result.may_publish == true or result.outcome == "accepted"
  if (status == 0 or status == 3) and not is_settled then
    return 8
  end
  return ignore_idle and status == 3 and 0 or status
end

---@class cpp.cli.target: cpp.cli.known, cpp.cli.row
---@field refusal integer|nil  HTTP status of the answer that refused the cancel
---@field number integer  its place
---@field is_settled boolean|nil  its first try has come to something
---@field told string|nil  the line to go on with that was told
---@field result cpp.workflow.result|nil

---@class cpp.cli.cancel: cpp.cli.session
---@field targets cpp.cli.target[]
---@field unsettled integer  targets whose first try has come to nothing yet
---@field news table<cpp.cli.target, true>  of which something may be new to tell
---@field since number|nil  when the first cancel was accepted
---@field explained boolean|nil  why it takes long

local function emit_change(self, target, operation, state)
  self:emit_change({ publisher = target.publisher, offer = target.offer, state = state,
    cancel = target.cancel }, operation)
end

-- Seconds for which the lines to go on with wait at most: where every first try has come
-- to something, they are one of each sort.
local PATIENCE = 5

local function goes_on(target)
  return target.cancel == "accepted" and not target.result
    and not (target.seen and target.seen.done)
end

local function in_order(set)
  local list = {}
  for target in pairs(set) do
    list[#list + 1] = target
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

-- Called after each exchange: it looks at no more targets than have news.
local function tell_next(self, changed)
  if not changed.is_settled and (changed.cancel ~= "not_sent" or changed.result) then
    changed.is_settled, self.unsettled = true, self.unsettled - 1
  end
  self.news[changed] = true
  local is_time = self.unsettled == 0
    or self.client:now() >= (self.since or math.huge) + PATIENCE
  if self.given.quiet or self.given.no_wait or not is_time then
    return
  end
  local news = {}
  for _, target in ipairs(in_order(self.news)) do
    local one = goes_on(target) and tell.next_of_cancel(target)
    if one and one.word ~= target.told then
      news[#news + 1], target.told = one, one.word
    end
  end
  self.news = {}
  if #news > 0 then
    self:tell_next(news)
  end
end

-- A workflow's own.
local LIST_LAG = 120

-- Once: of others it is the same.
local function tell_why_it_takes_long(self, target)
  if not self.explained then
    self.explained = true
    self.screen:note(("%s: %s; the service's list may be behind, so it is watched for %s "
      .. "(--list-lag)"):format(target.label, target.looked and "nothing was seen running"
        or "what runs could not be looked at", text.duration(self.given.list_lag or LIST_LAG)))
  end
end

-- An exchange of one target's. That a cancel was accepted the workflow tells.
local function overhear(self, target, event)
  local fate = trace.is_cancel(event) and trace.fate(event)
  if fate and fate ~= "accepted" then
    target.cancel, target.refusal = fate, fate == "refused" and event.status or nil
    self.screen:change(target)
  elseif trace.is_list(event) then
    target.looked = true
  elseif event.status == 404 and target.wanted and (not target.seen or target.is_other) then
    target.unknown = text.clean(target.wanted)
    self.screen:change(target)
  end
  tell_next(self, target)
end

-- The service's answer to the cancel, if it is a 200, is done and has no location. What had
-- ended before anything was seen running is none of this cancel's.
local function hear(self, target, operation)
  if operation.state == "accepted" or not operation.location then
    self.since = self.since or self.client:now()
    target.cancel = "accepted"
    self.screen:change(target)
    emit_change(self, target, target.seen, operation.state)
    if not target.seen and not self.given.no_wait then
      tell_why_it_takes_long(self, target)
    end
  elseif target.seen or target.wanted or not operation.done then
    target.seen = operation
    target.is_other = target.wanted ~= nil and operation.id ~= target.wanted
    self.screen:change(target, operation)
    emit_change(self, target, operation)
  end
  tell_next(self, target)
end

local function emit_result(self, target, result, problems)
  local operation = result.operation or target.seen
  self:emit("result", {
    publisher = target.publisher, offer = target.offer, outcome = result.outcome,
    state = not operation and result.outcome == "accepted" and "accepted" or nil,
    location = operation and result.location, may_publish = result.may_publish,
    running = result.running and result.running.id, trouble = result.trouble,
    cancel = result.cancel, problems = problems, error = result.err }, operation)
end

-- What an error means for the cancel, unless its message says so itself.
local function meaning(target, err)
  local seen, fate = target.seen, tell.fate(err, target.refusal)
  local lines = { not err.message:find(fate, 1, true) and fate or nil }
  if seen and err.cancel ~= "refused" then
    table.insert(lines, "last seen " .. tell.look(seen))
  end
  return lines
end

local function print_result(self, target, result)
  local err = result.err
  local problems = result.outcome == "failed" and workflow.problems(result.operation) or {}
  if self.given.json then
    emit_result(self, target, result, problems)
  elseif err then
    self:complain(target.label, err, target, meaning(target, err))
  else
    self.screen:print(tell.cancel(result, target.looked, target.kind))
    self:print_all(tell.problems(problems))
  end
end

-- At once: the other offers may take minutes more. What it was told to cancel, and has
-- never seen, is unknown in an error.
local function finish(self, target, result)
  self.screen:remove(target)
  if result.outcome == "accepted" then
    result.operation = target.seen
  elseif result.err then
    local err = self:explain(result.err)
    local seen = err.operation
    local is_known = seen and (seen.status or seen.state ~= "unknown")
    result.err, result.cancel = err, err.cancel
    target.seen = target.seen or is_known and seen or nil
    target.cancel = err.cancel or target.cancel
  end
  target.result = result
  print_result(self, target, result)
  tell_next(self, target)
end

-- What is refused, or sure to fail again, needs another thing mended first.
local function next_of(target, result)
  local err = result.err or {}
  if result.outcome == "accepted" or err.cancel == "accepted" or err.cancel == "unknown"
    or tell.LEADS_ON[err.code] or err.retryable then
    return tell.next_of_cancel(target, err.code)
  end
end

-- The workflow takes other fields than these for options.
local function add_target(self, one)
  local target = self.screen:add(tell.name(one), rows.cancel, { cancel = "not_sent",
    publisher = one.publisher, offer = one.offer, wanted = one.operation })
  target.number = #self.targets + 1
  self.targets[target.number] = target
  return target, { publisher = one.publisher, offer = one.offer, operation = one.operation,
    trace = self:listener(target, overhear) }
end

-- Wrong use of a name shows before anything is sent. Then every cancel that was asked for
-- is, whoever has stopped reading meanwhile.
local function cancel_offers(self, list)
  self:rehearse("cancel", list)
  system.ignore_sigpipe()
  local given, keys, target_of = self.given, {}, {}
  self.targets, self.unsettled, self.news = {}, #list, {}
  for i, one in ipairs(list) do
    local target, key = add_target(self, one)
    keys[i], target_of[key] = key, target
  end
  workflow.cancel_all(self.client, keys, {
    deadline = given.deadline, interval = given.interval, list_lag = given.list_lag,
    notification_emails = given.emails, concurrency = given.concurrency,
    no_wait = given.no_wait,
    on_change = function(operation, key) hear(self, target_of[key], operation) end,
    on_result = function(result, key) finish(self, target_of[key], result) end,
  })
  local results = {}
  for i, target in ipairs(self.targets) do
    local result = target.result
    results[i] = { status = cancel.status(result, given.ignore_idle),
      word = tell.word(result), next = next_of(target, result) }
  end
  return self:conclude("offers", results)
end

local function running_in(list)
  for _, item in ipairs(list) do
    local is_own = words.is_cancel(words.of(item, "submissionType"))
    if not item.done and item.state ~= "unknown" and not is_own then
      return item
    end
  end
end

-- In words; and whether a cancel would be sent.
local function foretell(running, wanted)
  local shown = running and ("%s%s, %s"):format(tell.kind(running) or "operation",
    running.id and " " .. text.clean(running.id) or "", tell.state(running))
  if wanted and (not running or running.id ~= wanted) then
    return ("would send nothing: %s, and not %s"):format(shown or "nothing is seen running",
      text.clean(wanted)), false
  end
  return shown and "would cancel " .. shown
    or "nothing is seen running; a cancel would be sent all the same", true
end

local function show_dry_run(self, list, one, request)
  local running = running_in(list)
  local what, is_sent = foretell(running, one.operation)
  if not self.given.json then
    self.screen:print(tell.name(one) .. ": " .. what)
  end
  self:print_request(is_sent and request, { publisher = one.publisher, offer = one.offer,
    kind = running and tell.kind(running), trouble = not is_sent and what or nil },
    running or one)
end

-- Wrong use shows before the look, which is sent.
local function dry_run(self, list)
  local requests = self:rehearse("cancel", list)
  self.given.dry_run = nil
  return self:look_at("operations", list, function(_, operations, one, i)
    show_dry_run(self, operations, one, requests[i])
  end)
end

function cancel.run(given)
  local list = arguments.targets(given.words, true)
  if given.operation and (#list > 1 or list[1].operation) then
    arguments.refuse "option '--operation' is for one offer, without an id"
  end
  list[1].operation = list[1].operation or given.operation
  given.emails = given.emails[1] and given.emails
  if given.dry_run then
    return session.run(given, dry_run, list)
  end
  given.patient = true
  return session.run(given, cancel_offers, list)
end

return cancel
