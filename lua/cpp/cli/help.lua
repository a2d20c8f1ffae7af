--- `cloudpartner help`.

local arguments = require "cpp.cli.arguments"

local help = {}

local TEXTS = {
  summary = "Explain a command.",
  description = "Explains a command, as `--help` behind it does.",
}

local whole, commands

--- To be defined last.
function help.define(parser)
  local own, names = arguments.command(parser, "help", TEXTS), {}
  whole, commands = parser, {}
  for i, command in ipairs(parser._commands) do
    names[i] = command._name
    commands[command._name] = command
  end
  own:argument("command", "The command to explain."):target "verb":argname "<command>"
    :args "?":choices(names)
end

function help.run(given)
  print((commands[given.verb] or whole):get_help())
  return 0
end

return help
