--- What every verb that asks the service needs: a client, a screen, and an end when a
-- signal comes.

local arguments = require "cpp.cli.arguments"
local cpp = require "cpp"
local credential = require "cpp.credential"
local json = require "cpp.cli.json"
local screen = require "cpp.cli.screen"
local system = require "cpp.system"
local task = require "cpp.task"
local tell = require "cpp.cli.tell"
local text = require "cpp.text"
local trace = require "cpp.cli.trace"
local workflow = require "cpp.workflow"

---@class cpp.cli.session
---@field given cpp.cli.given
---@field client cpp.client
---@field screen cpp.cli.screen
---@field token cpp.credential
---@field stopped integer|nil  by this signal
---@field began number  on the client's clock
---@field hinted table<string, true>
local session = {}
session.__index = session

-- A workflow's own: the deadline, and how long it tries what never answers.
local DEADLINE, SILENCE = 3600, 60

-- A cancel that may have arrived is not tried again.
local function describe_rest(event, heard, left)
  if trace.is_cancel(event) and trace.fate(event) == "unknown" then
    return "looking whether the cancel arrived"
  elseif not heard and left > SILENCE then
    return "will keep trying for a minute"
  end
  return "will keep trying until the deadline, in " .. text.duration(left)
end

-- What cannot be tried again, because time is up, is the end, and told as such.
local function tell_trouble(self, subject, failed, event, heard)
  local left = self.began + (self.given.deadline or DEADLINE) - self.client:now()
  if left > 0 then
    self.screen:note(("%s: %s; %s"):format(subject.label, failed.message,
      describe_rest(event, heard, left)))
    self:emit_change { publisher = subject.publisher, offer = subject.offer,
      location = subject.location, error = failed }
  end
end

-- Seconds above which a pause that a good answer asks for is worth a word.
local LONG_PAUSE = 10

--- The option `trace` for calls: tells what fails meanwhile, and what makes a workflow
--- wait. One look is not tried again. `overhear` is called with each event too, and with
--- whether the service has ever answered.
---@param subject cpp.cli.row  whose calls they are
---@param overhear? fun(self: cpp.cli.session, subject: cpp.cli.row, event: table, heard: boolean)
function session:listener(subject, overhear)
  local listen = trace.listener(function() return self.client:now() end)
  return function(event)
    if self.given.trace then -- the event comes when its exchange has ended
      local began = self.client:now() - event.total - self.began
      self.screen:tell(trace.line(event, math.max(0, began)))
    end
    local failure, heard = listen(event)
    if failure and self.given.patient then
      tell_trouble(self, subject, failure, event, heard)
    elseif self.given.patient and not event.code and (event.retry_after or 0) > LONG_PAUSE then
      self.screen:note(("%s: the service asks to wait %s"):format(subject.label,
        text.duration(event.retry_after)))
    end
    if overhear then
      overhear(self, subject, event, heard)
    end
  end
end

-- Seconds to block where there is no descriptor that a signal could be waited for with.
local BLIND = 0.1

-- What is under way on a client that closes ends at once, and each workflow tells what
-- it knows.
local function check_signal(self)
  if system.caught() and not self.client:closed() then
    self.stopped = system.caught()
    self.client:close()
  end
end

local function wait(self, client, seconds)
  check_signal(self)
  if client:closed() then
    return
  end
  local fd, pause = client:pollfd(), math.min(seconds or math.huge, self.screen:turn())
  if fd then
    system.wait(fd, math.min(pause, client:timeout() or pause))
  else
    client:step(math.min(pause, BLIND))
  end
  check_signal(self)
end

-- Calls a function; what it raises is the user's wrong use of an argument.
local function as_usage(fn, ...)
  local good, result, err = pcall(fn, ...)
  if not good then
    arguments.refuse("%s", tostring(result))
  end
  return result, err
end

local function open(given)
  local self = setmetatable({ given = given, hinted = {},
    token = credential.environment() }, session)
  self.client = as_usage(cpp.client, {
    endpoint = given.endpoint, ca_file = given.ca_file, proxy = given.proxy,
    token = self.token, trace = self:listener { label = "cloudpartner" },
  })
  self.began = self.client:now()
  self.screen = screen.new { quiet = given.quiet, timed = given.patient,
    clock = function() return self.client:now() end }
  self.client:wait(function(client, seconds) wait(self, client, seconds) end)
  return self
end

--- Runs a verb, a function of the session and more, as a task. After a signal it runs on
--- to its end, on a client that is closed, and the status is a shell's. A result that
--- nobody could read is no success.
function session.run(given, act, ...)
  local self <close> = open(given)
  local status = task.run(self.client, act, self, ...)
  local trouble = self.screen.failure
  if trouble then
    self.screen:tell("cloudpartner: cannot write the result: " .. trouble)
  end
  return self.stopped and 128 + self.stopped or trouble and 1 or status
end

-- Of a method of the client's.
local function parameters(method, subject, options)
  if method == "poll" then
    return subject.location, options
  end
  return subject.publisher, subject.offer, options
end

--- Makes calls without sending them: what that raises is the user's wrong use. Gives the
--- requests, as text curl lines, and errors where there are none.
function session:rehearse(method, subjects)
  local requests, errs = {}, {}
  local options = { dry_run = true,
    notification_emails = method == "cancel" and self.given.emails or nil }
  for i, subject in ipairs(subjects) do
    requests[i], errs[i] = as_usage(self.client[method], self.client,
      parameters(method, subject, options))
  end
  return requests, errs
end

-- From what a person must look at to what is well.
local ORDER = { 1, 6, 4, 5, 7, 8, 3, 0 }

--- One exit status for several offers.
function session.worst(statuses)
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

--- To be closed however the command ends.
function session:close()
  self.screen:clear()
  self.client:close()
end

session.__close = session.close

--- Prints a line of JSON; for its arguments see `json.line`.
function session:emit(event, known, operation)
  self.screen:emit(json.line(event, known, operation))
end

--- The same about progress, where somebody wants that.
function session:emit_change(known, operation)
  if self.given.json and not self.given.quiet then
    self:emit("change", known, operation)
  end
end

--- Prints lines of the result.
function session:print_all(lines)
  for _, line in ipairs(lines) do
    self.screen:print(line)
  end
end

local SIGNALS = { [1] = "SIGHUP", [2] = "Ctrl-C", [15] = "SIGTERM" }

--- An error as this command tells it: that the client is closed is the signal's doing,
--- and so is what became of a program that a credential ran.
function session:explain(err)
  local signal = system.caught()
  if not signal or (err.kind ~= "closed" and err.kind ~= "credential") then
    return err
  end
  self.stopped = signal
  return cpp.error { kind = "closed", code = "interrupted", cancel = err.cancel,
    message = "stopped by " .. SIGNALS[signal], operation = err.operation,
    location = err.location, publisher = err.publisher, offer = err.offer }
end

--- Tells an error, which is not what was asked for, and what to do about it: that once,
--- for many offers may fail of the same.
function session:complain(name, err, subject, more)
  local told = err.code == "interrupted" and err.message or tostring(err)
  self.screen:tell(("%s: %s"):format(name, told))
  for _, line in ipairs(more or {}) do
    self.screen:tell(("%s: %s"):format(name, line))
  end
  local hint = tell.hint(err, subject or {})
  if hint and not self.hinted[hint] then
    self.hinted[hint] = true
    self.screen:tell("cloudpartner: " .. hint)
  end
end

--- Tells why a look at a subject, or a wait for it, brought nothing, and gives the error as
--- it is told.
function session:fail(subject, err)
  err = self:explain(err)
  local seen = err.operation
  if self.given.json then
    self:emit("result", { location = err.location or subject.location, error = err },
      seen or subject)
  else
    self:complain(tell.name(seen or subject), err, subject,
      { seen and "last seen " .. tell.look(seen) })
  end
  return err
end

--- Tells what would be sent, if anything would; `known` is what else a line of JSON is to
--- say.
function session:print_request(request, known, subject)
  if self.given.json then
    known.curl = request and tostring(request) or nil
    self:emit("dry_run", known, subject)
  elseif request then
    self.screen:emit(tostring(request))
  end
end

--- Tells with which lines one can go on.
function session:tell_next(subjects)
  for _, one in ipairs(tell.lines_to_go_on(subjects, self.given)) do
    self.screen:tell(one.intro)
    self.screen:paste(one.line)
  end
end

--- Ends a verb about several: where to go on, though that may have been told before, for
--- a log may be long; a sum; and one exit status. Each has a status, a word, maybe a next.
function session:conclude(what, results)
  local statuses, words, news = {}, {}, {}
  for i, result in ipairs(results) do
    statuses[i], words[i] = result.status, result.word
    news[#news + 1] = result.next
  end
  self:tell_next(news)
  if #results > 1 and not self.given.json and not self.given.quiet then
    self.screen:print(("%d %s: %s"):format(#words, what, text.tally(words)))
  end
  return session.worst(statuses)
end

--- Shows an operation, what went wrong, and its steps where they are given.
function session:show(operation, problems, steps)
  if self.given.json then
    return self:emit("result", { steps = steps, problems = problems }, operation)
  end
  self.screen:print(("%s: %s"):format(tell.name(operation), tell.look(operation)))
  self:print_all(tell.step_lines(steps or {}))
  self:print_all(tell.problems(problems))
end

local function show_whole(self, operation)
  self:show(operation, workflow.problems(operation), tell.steps(operation))
end

-- A closed client raises where it is called.
local function ask(self, method, subject)
  if self.client:closed() then
    return nil, cpp.error { kind = "closed", code = "closed", message = "the client is closed" }
  end
  return self.client[method](self.client, parameters(method, subject))
end

--- Asks once about each subject, and shows the answer, an operation if no function is
--- given for it; with `--dry-run` the curl line. The exit status.
function session:look_at(method, subjects, show)
  local requests, errs = self:rehearse(method, subjects)
  local status = 0
  for i, subject in ipairs(subjects) do
    local answer, err = nil, errs[i]
    if not err and not self.given.dry_run then
      answer, err = ask(self, method, subject)
    end
    if answer then
      (show or show_whole)(self, answer, subject, i)
    elseif err then
      self:fail(subject, err)
      status = 1
    else
      self:print_request(requests[i], {}, subject)
    end
  end
  return status
end

--- Runs a verb that does nothing but that.
function session.look(given, ...)
  return session.run(given, session.look_at, ...)
end

return session
