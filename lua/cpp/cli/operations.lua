--- `cloudpartner operations`.

local arguments = require "cpp.cli.arguments"
local session = require "cpp.cli.session"
local tell = require "cpp.cli.tell"

local operations = {}

local HELP = {
  name = "operations",
  summary = "List the operations of offers.",
  description = [[
Lists the operations of an offer, in the service's order: id, state, kind and
time of the last change. The list may be behind for a while.]],
  epilog = [[
Examples:
   cloudpartner operations contoso contoso-vm
   cloudpartner operations contoso/contoso-vm --json |
      jq -r 'select(.state == "running").location'

Exit statuses: 0 the service has answered; 1 it has not.]],
}

function operations.define(parser)
  local command = parser:command(HELP)
  arguments.add_offers(command)
  arguments.add_output(command, {}, "the operations")
end

-- A result ends each list, also an empty one.
local function print_json(self, list, subject)
  for _, item in ipairs(list) do
    self:emit("operation", { kind = tell.kind(item), changed_time = tell.changed(item) },
      item)
  end
  self:emit("result", {}, subject)
end

-- Several lists need their names.
local function print_words(self, list, subject)
  if #list == 0 then
    self.screen:print(tell.name(subject) .. ": no operations")
  elseif self.given.several then
    self.screen:print(tell.name(subject) .. ":")
  end
  for _, item in ipairs(list) do
    self.screen:print(tell.item(item))
  end
end

function operations.run(given)
  local offers = arguments.targets(given.words)
  given.several = #offers > 1
  return session.look(given, "operations", offers, given.json and print_json or print_words)
end

return operations
