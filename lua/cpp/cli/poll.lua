--- `cloudpartner poll`.

local arguments = require "cpp.cli.arguments"
local session = require "cpp.cli.session"

local poll = {}

local HELP = {
  name = "poll",
  summary = "Ask once about operations.",
  description = [[
Asks once how an operation is: its state, its steps, what went wrong.]],
  epilog = [[
Examples:
   cloudpartner poll contoso/contoso-vm/56615b67-2185-49fe-80d2-c4ddf77bb2e8
   cloudpartner poll 'https://cloudpartner.azure.com/api/operations/...'

Exit statuses: 0 the service has answered, whatever the state; 1 it has not.]],
}

function poll.define(parser)
  local command = parser:command(HELP)
  arguments.add_locations(command)
  arguments.add_output(command, {}, "the result")
end

function poll.run(given)
  return session.look(given, "poll", arguments.locations(given.words))
end

return poll
