--- Whether a client was closed.

-- A call on a closed client raises, and a sleep of no time is the call that
-- costs least. A plain table that stands for a client is never closed.
return function(client)
  if type(client) ~= "userdata" then
    return false
  end
  local good, message = pcall(client.sleep, client, 0)
  return not good and tostring(message):find("closed", 1, true) ~= nil
end
