--- A workload identity: a file that holds an assertion, which the cluster replaces
-- every now and then.

local check = require "cpp.credential.check"
local directory = require "cpp.credential.directory"
local fault = require "cpp.credential.fault"

local FILE = { name = "file", variable = "AZURE_FEDERATED_TOKEN_FILE", check = check.text }

local LARGEST = 65536 -- bytes

local function read(name)
  local file <close>, message = io.open(name, "rb")
  local text
  if file then
    text, message = file:read(LARGEST + 1)
  end
  return text, message
end

-- Whoever replaces it in two steps leaves it empty in between.
local function read_assertion(name)
  local text, message = read(name)
  if message then
    return fault.refuse("unreadable_file", "the federated token cannot be read: " .. message)
  elseif not text or text:find "^%s*$" then
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
