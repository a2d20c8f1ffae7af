--- Whether a client was closed.

-- A plain table that stands for a client is never closed.
return function(client)
  return type(client) == "userdata" and client:closed()
end
