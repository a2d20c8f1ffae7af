--- The command `cloudpartner`: cancel, wait and look from a shell.

local argparse = require "argparse"
local arguments = require "cpp.cli.arguments"
local cpp = require "cpp"
local exit = require "cpp.cli.exit"

local cli = {}

-- Each has define(parser), and run(given), which gives the exit status.
local VERBS = { "cancel", "wait", "poll", "operations", "status", "whoami", "emulate",
  "completion", "help" }

local DESCRIPTION = [[
Cancels the running operation of an offer in Microsoft's Cloud Partner Portal,
makes sure that it has ended, and tells whether a publish may start again.]]

local EPILOG = [[
`cloudpartner help COMMAND` tells more, with examples.

Environment:
   CPP_TOKEN               a bearer token; else
   AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET
                           of an application; else `az` is asked, where somebody
                           is logged in with `az login`
   CPP_ENDPOINT            what --endpoint says
   SSL_CERT_FILE           what --ca-file says
   https_proxy             a proxy, with its password if it wants one
   NO_COLOR                plain lines of progress, on a terminal too
   TERM, COLUMNS, LINES    of the terminal

Exit statuses of all commands:
   0  as wanted     1  anything else     2  wrong usage
   129, 130, 143    ended by SIGHUP, Ctrl-C, SIGTERM]]

local WIDTH = 80

-- argparse would end the process, with the status 1.
local function refuse(parser, message)
  exit.with(2, ("%s\n\nError: %s"):format(parser:get_usage(), message))
end

local function new_parser()
  local parser = argparse("cloudpartner", DESCRIPTION, EPILOG)
    :help_max_width(WIDTH):usage_max_width(WIDTH):command_target "command"
    :help_description_margin(26)
  parser.error = refuse
  parser:flag("--version", "Show the version."):action(function()
    print("cloudpartner " .. cpp._VERSION)
    os.exit(0)
  end)
  for _, name in ipairs(VERBS) do
    require("cpp.cli." .. name).define(parser)
  end
  return parser
end

local function run(args)
  local given = new_parser():parse(arguments.prepare(args))
  return require("cpp.cli." .. given.command).run(given)
end

-- A failure is for the user; anything else is an error of this program.
local function explain(reason)
  if type(reason) == "table" and reason.status then
    return reason
  end
  return { status = 1, message = debug.traceback("cloudpartner: " .. tostring(reason), 2) }
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
