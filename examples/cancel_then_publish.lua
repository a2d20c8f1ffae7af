-- Cancels what runs on an offer, then publishes it again where that is allowed.
--   CPP_TOKEN=... lua5.4 cancel_then_publish.lua PUBLISHER OFFER
local cpp = require "cpp"
local workflow = require "cpp.workflow"

-- Yours to fill in: start the publish, then return true, or nil and a reason.
local function publish(publisher, offer)
  print(("here %s/%s is published"):format(publisher, offer))
  return true
end

local function cancel_then_publish(client, publisher, offer)
  local result, err = workflow.cancel(client, publisher, offer)
  if not result then
    return nil, tostring(err)
  elseif result.outcome ~= "canceled" and result.outcome ~= "nothing_to_cancel" then
    return nil, "not published: " .. result.outcome
  elseif result.running then
    return nil, "not published: somebody else started " .. tostring(result.running)
  elseif not result.may_publish then
    return nil, "not published: " .. result.trouble
  end
  return publish(publisher, offer)
end

local publisher, offer = ...
if not offer then
  io.stderr:write("usage: cancel_then_publish.lua PUBLISHER OFFER\n")
  os.exit(2)
end

local client <close> = cpp.client()
local published, reason = cancel_then_publish(client, publisher, offer)
if not published then
  io.stderr:write(reason, "\n")
  os.exit(1, true)
end
