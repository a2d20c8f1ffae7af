#!/usr/bin/env lua5.4
--- The command `cloudpartner`: cancel, wait and look from a shell.

-- Signals are caught before anything else of ours is loaded. Not by require: LuaRocks'
-- loader reads its own files first, and lets lua's answer to Ctrl-C vanish. That answer,
-- where it strikes here, ends us all the same.
local is_caught, reason = pcall(function()
  local path = assert(package.searchpath("cpp.system", package.cpath))
  local open = assert(package.loadlib(path, "luaopen_cpp_system"))
  package.loaded["cpp.system"] = open "cpp.system"
  assert(package.loaded["cpp.system"].catch())
end)
if not is_caught then
  local is_signal = tostring(reason):find "interrupted!"
  io.stderr:write(is_signal and "" or "cloudpartner: " .. tostring(reason) .. "\n")
  os.exit(is_signal and 130 or 1)
end

local argparse = require "argparse"
local arguments = require "cpp.cli.arguments"
local cpp = require "cpp"

-- Each has define(parser), and run(given), which gives the exit status.
local VERBS = { "cancel", "wait", "poll", "operations", "status", "whoami", "emulate",
  "completion" }

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
  error({ status = 2, message = ("%s\n\nError: %s\n`cloudpartner help` tells more."):format(
    parser:get_usage(), message) }, 0)
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
  parser:command("help", "Explains a command, as `--help` behind it does.")
    :summary "Explain a command.":argument("command", "The command to explain.")
    :argname "<command>":args "?":choices { "help", table.unpack(VERBS) }
    :action(function(_, _, name) parser:parse { name or "--help", "--help" } end)
  return parser
end

local function run()
  local given = new_parser():parse(arguments.prepare(arg))
  return require("cpp.cli." .. given.command).run(given)
end

-- What ends it with a status is for the user; anything else is an error of this program.
local function explain(failure)
  return type(failure) == "table" and failure.status and failure
    or { status = 1, message = debug.traceback("cloudpartner: " .. tostring(failure), 2) }
end

---@type boolean, any
local good, result = xpcall(run, explain)
if not good then
  io.stderr:write(result.message, "\n")
  result = result.status
end
os.exit(result, true)
