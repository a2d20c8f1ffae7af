--- `cloudpartner status`.

local arguments = require "cpp.cli.arguments"
local session = require "cpp.cli.session"

local status = {}

local HELP = {
  name = "status",
  summary = "Ask once about offers.",
  description = [[
Asks once how an offer is: its state, the steps of its last publish, what
went wrong.]],
  epilog = [[
Examples:
   cloudpartner status contoso contoso-vm
   cloudpartner status contoso/contoso-vm fabrikam/app --json

Exit statuses: 0 the service has answered, whatever the state; 1 it has not.]],
}

function status.define(parser)
  local command = parser:command(HELP)
  arguments.add_offers(command)
  arguments.add_output(command, {}, "the result")
end

function status.run(given)
  return session.look(given, "status", arguments.targets(given.words))
end

return status
