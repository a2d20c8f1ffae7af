--- What every command that asks the service needs: a client, the two streams, and
-- where progress shows.

local console = require "cpp.cli.console"
local cpp = require "cpp"
local credential = require "cpp.credential"
local events = require "cpp.cli.events"
local failure = require "cpp.cli.failure"
local hint = require "cpp.cli.hint"
local progress = require "cpp.cli.progress"
local task = require "cpp.task"
local terminal = require "cpp.cli.terminal"
local text = require "cpp.text"
local trace = require "cpp.cli.trace"
local trouble = require "cpp.cli.trouble"

---@class cpp.cli.session
---@field given cpp.cli.given
---@field client cpp.client
---@field console cpp.cli.console
---@field progress cpp.cli.progress
---@field stopped boolean|nil  by Ctrl-C
---@field began number  on the client's clock
local session = {}
session.__index = session

local function clock(self)
  return function()
    return self.client:now()
  end
end

-- ---- listening to exchanges ----

-- A workflow's own.
local DEADLINE = 3600

-- An event comes when its exchange has ended.
local function print_trace(self, event)
  if self.given.trace then
    local began = self.client:now() - event.total - self.began
    self.console:note(trace.line(event, math.max(0, began)))
  end
end

--- The option `trace` for a call whose failure is no news.
---@return fun(event: cpp.trace_event)
function session:tracer()
  return function(event)
    print_trace(self, event)
  end
end

-- What cannot be tried again, because time is up, is the end, and told as such.
local function tell_trouble(self, name, subject, failed)
  local left = self.began + (self.given.deadline or DEADLINE) - self.client:now()
  if left <= 0 then
    return
  end
  self.console:note(("%s: %s; will keep trying until the deadline, in %s"):format(name(),
    failed.message, text.duration(left)))
  if self.given.json then
    self.console:print(events.trouble(subject, failed))
  end
end

--- The option `trace` for the calls of a workflow: tells what fails meanwhile.
---@param name fun(): string  whose calls they are
---@param subject { publisher?: string, offer?: string, location?: string }
---@return fun(event: cpp.trace_event)
function session:listener(name, subject)
  local listen = trouble.listener(clock(self), function(failed)
    tell_trouble(self, name, subject, failed)
  end)
  return function(event)
    print_trace(self, event)
    listen(event)
  end
end

-- Of exchanges that are nobody's: the token's. One look is not tried again.
local function common_listener(self)
  local command = self.given.command
  if command == "cancel" or command == "wait" then
    return self:listener(function() return "cloudpartner" end, {})
  end
  return self.given.trace and self:tracer() or nil
end

-- ---- opening ----

local function client_options(self)
  local given = self.given
  return {
    endpoint = given.endpoint, ca_file = given.ca_file, proxy = given.proxy,
    token = credential.environment(), trace = common_listener(self),
  }
end

--- Wrong options raise a failure of status 2.
---@param given cpp.cli.given
---@return cpp.cli.session
function session.open(given)
  local self = setmetatable({ given = given, hinted = {} }, session)
  self.client = failure.as_usage(cpp.client, client_options(self))
  self.began = self.client:now()
  self.console = console.new { size = terminal.is_live() and terminal.size or nil }
  self.progress = progress.new(self.console, clock(self))
  self.client:wait(function(_, seconds)
    coroutine.yield(self.progress:turn(seconds))
  end)
  return self
end

--- Makes a call without sending it: what it raises is the user's wrong use.
---@param method "cancel"|"poll"|"operations"|"status"
---@param ... any  its arguments, without options
---@return table|nil request  as text a curl line
---@return cpp.error|nil err
function session:rehearse(method, ...)
  local arguments = table.pack(...)
  local emails = #(self.given.emails or {}) > 0 and self.given.emails or nil
  arguments[arguments.n + 1] = { dry_run = true,
    notification_emails = method == "cancel" and emails or nil }
  return failure.as_usage(self.client[method], self.client,
    table.unpack(arguments, 1, arguments.n + 1))
end

--- What `--dry-run` prints of one rehearsal.
---@param request table|nil
---@param err cpp.error|nil
---@param location? string  that the request is about
---@return integer status
function session:print_request(request, err, location)
  if err then
    self:complain("cloudpartner", err, location)
    return 1
  end
  self.console:print(tostring(request))
  return 0
end

-- ---- Ctrl-C ----

-- Seconds to block when only an answer can end the waiting.
local LONG = 3600

-- In the main thread: lua.c's hook for SIGINT strikes nowhere else.
local function drive(self, thread)
  local seconds = 0
  while coroutine.status(thread) ~= "dead" do
    self.client:step(seconds)
    seconds = select(2, coroutine.resume(thread)) or LONG
  end
end

-- What is under way on a client that closes ends at once, and each workflow tells
-- what it knows. Whoever presses Ctrl-C again does not care.
local function stop(self, reason)
  if self.stopped or not failure.is_interrupt(reason) then
    error(reason, 0)
  end
  self.stopped = true
  self.client:close()
end

--- Runs a function as a task. After Ctrl-C it runs on to its end, on a client that
--- is closed.
---@param fn fun(): ...
---@return any ...  its results
function session:run(fn)
  local ended
  local thread = coroutine.create(function()
    ended = table.pack(pcall(task.run, self.client, fn))
  end)
  repeat
    local good, reason = pcall(drive, self, thread)
    if not good then
      stop(self, reason)
    end
  until good
  if not ended[1] then
    error(ended[2], 0)
  end
  return table.unpack(ended, 2, ended.n)
end

-- ---- telling ----

-- Of what Ctrl-C ended, that alone is worth telling.
local function is_stop(err)
  return err.kind == "closed" and err.code == "interrupted"
end

--- An error as this command tells it: that the client is closed is Ctrl-C's doing.
---@param err cpp.error
---@return cpp.error
function session:explain(err)
  if not self.stopped or err.kind ~= "closed" then
    return err
  end
  return cpp.error { kind = "closed", code = "interrupted", message = "stopped by Ctrl-C",
    cancel = err.cancel, operation = err.operation, location = err.location }
end

-- Once: many offers may fail of the same.
local function give_hint(self, given)
  if given and not self.hinted[given] then
    self.hinted[given] = true
    self.console:note("cloudpartner: " .. given)
  end
end

--- Tells an error, which is not what was asked for.
---@param name string  whose
---@param err cpp.error
---@param location? string  that was asked about
function session:complain(name, err, location)
  err = self:explain(err)
  local told = is_stop(err) and err.message or tostring(err)
  self.console:note(("%s: %s"):format(name, told))
  give_hint(self, hint.of(err, location))
end

--- To be closed however the command ends.
function session:close()
  self.client:close()
end

session.__close = session.close

return session
