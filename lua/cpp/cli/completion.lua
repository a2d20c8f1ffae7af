--- `cloudpartner completion`: scripts that complete in a shell.

local completion = {}

local HELP = {
  name = "completion",
  summary = "Print a script that completes in a shell.",
  description = [[
Prints a script for a shell that completes commands and options.]],
  epilog = [[
For good, for one user, in bash, zsh and fish:
   mkdir -p ~/.local/share/bash-completion/completions
   cloudpartner completion bash \
      >~/.local/share/bash-completion/completions/cloudpartner

   mkdir -p ~/.zfunc
   cloudpartner completion zsh >~/.zfunc/_cloudpartner
   # and in ~/.zshrc, before compinit: fpath+=(~/.zfunc)

   mkdir -p ~/.config/fish/completions
   cloudpartner completion fish >~/.config/fish/completions/cloudpartner.fish

For this shell alone:
   source <(cloudpartner completion bash)
   source <(cloudpartner completion zsh)
   cloudpartner completion fish | source]],
}

local whole

function completion.define(parser)
  whole = parser
  parser:command(HELP):argument("shell", "bash, zsh or fish.")
    :choices { "bash", "zsh", "fish" }
end

-- zsh runs a file of `fpath` when it first completes; to a script that is sourced it must
-- be said what it completes.
local ZSH_END = [=[


if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _cloudpartner "$@"
else
  compdef _cloudpartner cloudpartner
fi]=]

function completion.run(given)
  local script = whole["get_" .. given.shell .. "_complete"](whole)
  print(given.shell == "zsh" and script:gsub("%s*_cloudpartner%s*$", "") .. ZSH_END or script)
  return 0
end

return completion
