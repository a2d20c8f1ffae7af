--- What every command that asks the service needs: a client, the two streams, and
-- where progress shows.

local console = require "cpp.cli.console"
local cpp = require "cpp"
local credential = require "cpp.credential"
local failure = require "cpp.cli.failure"
local progress = require "cpp.cli.progress"
local task = require "cpp.task"
local terminal = require "cpp.cli.terminal"
local trace = require "cpp.cli.trace"

---@class cpp.cli.session
---@field given cpp.cli.given
---@field client cpp.client
---@field console cpp.cli.console
---@field progress cpp.cli.progress
local session = {}
session.__index = session

-- An event comes when its exchange has ended.
local function tracer(self)
  return function(event)
    local began = self.client:now() - event.total - self.began
    self.console:note(trace.line(event, math.max(0, began)))
  end
end

local function client_options(self)
  local given = self.given
  return {
    endpoint = given.endpoint, ca_file = given.ca_file, proxy = given.proxy,
    token = credential.environment(), trace = given.trace and tracer(self) or nil,
  }
end

--- Wrong options raise a failure of status 2.
---@param given cpp.cli.given
---@return cpp.cli.session
function session.open(given)
  local self = setmetatable({ given = given }, session)
  self.client = failure.as_usage(cpp.client, client_options(self))
  self.began = self.client:now()
  self.console = console.new { size = terminal.is_live() and terminal.size or nil }
  self.progress = progress.new(self.console, function() return self.client:now() end)
  self.client:wait(self.progress:wait_function())
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
---@return integer status
function session:print_request(request, err)
  if err then
    self:complain("cloudpartner", err)
    return 1
  end
  self.console:print(tostring(request))
  return 0
end

--- Runs a function as a task: the main thread waits, where Ctrl-C reaches it.
---@param fn fun(): ...
---@return any ...  its results
function session:run(fn)
  return task.run(self.client, fn)
end

--- Tells an error, which is not what was asked for.
---@param name string  whose
---@param err cpp.error
function session:complain(name, err)
  self.console:note(("%s: %s"):format(name, tostring(err)))
end

--- To be closed however the command ends. Live lines stay: after Ctrl-C they tell
-- how far it was.
function session:close()
  self.client:close()
end

session.__close = session.close

return session
