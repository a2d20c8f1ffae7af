--- A workload identity: a file that holds an assertion, which the cluster replaces
-- every now and then.

local check = require "cpp.credential.check"
local directory = require "cpp.credential.directory"
local fault = require "cpp.credential.fault"
local read_file = require "cpp.file" -- which cpp offers

local FILE = { name = "file", variable = "AZURE_FEDERATED_TOKEN_FILE", check = check.text }

local LARGEST = 65536 -- bytes

-- Whoever replaces it in two steps leaves it empty in between.
local function read_assertion(name)
  local text, message = read_file(name, LARGEST + 1)
  if not text then
    return fault.refuse("unreadable_file", "the federated token cannot be read: " .. message)
  elseif text:find "^%s*$" then
    return fault.refuse("unreadable_file", ("the federated token's file %s is empty")
      :format(name), true)
  end
  local assertion, wrong = check.bearer(text, "the token in " .. name)
  if #text > LARGEST then
    assertion, wrong = nil, ("the token in %s is longer than any is"):format(name)
  end
  if not assertion then
    return fault.refuse("unreadable_file", wrong)
  end
  return assertion
end

return {
  name = "federated", title = "workload identity", commits = FILE.variable,
  group = "workloadidentitycredential",
  fields = directory.fields(FILE),
  fetch = function(client, values)
    local assertion, err = read_assertion(values.file)
    if not assertion then
      return nil, err
    end
    return directory.exchange(client, values, assertion)
  end,
}
