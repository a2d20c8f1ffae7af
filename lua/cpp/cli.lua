--- The command `cloudpartner`: cancel, wait and look from a shell.

local arguments = require "cpp.cli.arguments"
local exit = require "cpp.cli.exit"
local failure = require "cpp.cli.failure"
local session = require "cpp.cli.session"

local cli = {}

local COMMANDS = {
  cancel = require "cpp.cli.cancel",
  wait = require "cpp.cli.wait",
  poll = require "cpp.cli.look".poll,
  operations = require "cpp.cli.look".operations,
  status = require "cpp.cli.look".status,
  whoami = require "cpp.cli.whoami",
}

-- A result that nobody could read is no success.
local function check_output(self, status)
  local trouble = self.console.failure
  if trouble then
    self.console:note("cloudpartner: cannot write the result: " .. trouble)
  end
  return self.stopped and exit.INTERRUPTED or trouble and 1 or status
end

local function run(args)
  local given = arguments.parse(args)
  if given.command == "emulate" then
    return require "cpp.cli.emulate"(given)
  end
  local self <close> = session.open(given)
  return check_output(self, COMMANDS[given.command](self))
end

-- A failure is for the user; anything else is an error of this program.
local function explain(reason)
  if type(reason) == "table" and reason.status then
    return reason
  elseif failure.is_interrupt(reason) then
    return { status = exit.INTERRUPTED }
  end
  local message = debug.traceback("cloudpartner: " .. tostring(reason), 2)
  return { status = 1, message = message }
end

--- Runs the command to its end.
---@param args string[]  the command line, without the program's name
---@return integer status  for os.exit
function cli.main(args)
  ---@type boolean, any
  local good, result = xpcall(run, explain, args)
  if good then
    return result
  elseif result.message then
    io.stderr:write(result.message, "\n")
  end
  return result.status
end

return cli
