--- The calls whose allocations fail: a function of the world, as run.lua describes it,
-- and of what host.c offers, that gives an array of calls.
--
-- A call has a `name` and
--   options  of its client, beside what every client of the world has
--   before   (client) --> a value, made while nothing fails
--   run      (client, id, value) --> result | nil, err, while an allocation fails; a
--            cancel sends `id` as its client request id
--   expect   (result, err, value): raises unless that is the answer of the untouched
--            call; every result is held against it, whatever failed
--   again    (client) --> result | nil, err: a good call of the same client, where it
--            is not a poll
--   most     points of one sweep
--   ends     the client is closed afterwards

local cpp = require "cpp"
local credential = require "cpp.credential"
local task = require "cpp.task"
local workflow = require "cpp.workflow"

local OPERATION = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"
local VERSION = "?api-version=2017-10-31"
local INTERVAL = 0.01

local function equal(found, wanted, what)
  if found ~= wanted then
    error(("%s: %s, not %s"):format(what, found, wanted), 2)
  end
end

local function fields(found, wanted)
  for name, value in pairs(wanted) do
    equal(found[name], value, name)
  end
end

-- Under the endpoint's origin, or what stands in a table. Where there was no memory to
-- parse it, a location comes without api-version.
local function check_location(found, wanted, origin)
  local bare = found and found:gsub("%?api%-version=2017%-10%-31$", "")
  if type(wanted) == "table" then
    equal(bare, wanted[1], "location")
  elseif wanted then
    equal(bare:sub(1, #origin), origin, "origin")
    assert(bare:sub(#origin + 1):find("^" .. wanted .. "$"), found)
  else
    equal(found, nil, "location")
  end
end

return function(world, host)
  local calls = {}
  local origin = world.endpoint

  local function add(call)
    calls[#calls + 1] = call
  end

  local function path(offer, id)
    return ("/api/publishers/contoso/offers/%s/operations/%s"):format(offer, id)
  end

  -- ---- without an exchange ----

  add { name = "load", run = function() return host.load() end, expect = assert }

  add {
    name = "client",
    run = function()
      local client <close> = cpp.client {
        endpoint = origin, token = world.token, ca_file = world.ca_file, timeout = 5,
        headers = { ["X-One"] = "1", ["X-Two"] = "" }, max_connections = 3, proxy = "",
        notification_emails = { "a@x.com", "b@y.com" }, trace = print, wait = print,
        user_agent = "oom", api_version = "2017-10-31", if_match = "*",
      }
      return tostring(client)
    end,
    expect = function(text) equal(text, "cpp.client (" .. origin .. ")", "text") end,
  }

  add {
    name = "client, refused",
    run = function()
      local good, message = pcall(cpp.client, { endpont = origin })
      return not good and message
    end,
    expect = function(message)
      if not message:find "memory" then
        equal(message, "unknown option 'endpont' (did you mean 'endpoint'?)", "message")
      end
    end,
  }

  add {
    name = "dry run",
    options = { notification_emails = "it's@x.com", headers = { ["X-One"] = "1" } },
    run = function(client)
      local request, err = client:cancel("contoso", "vm", { dry_run = true })
      if not request then
        return nil, err
      end
      return { request.url, request.body, request.headers["X-One"], tostring(request) }
    end,
    expect = function(shown)
      fields(shown, { origin .. "/api/publishers/contoso/offers/vm/cancel" .. VERSION,
        '{"metadata":{"notification-emails":"it\'s@x.com"}}', "1" })
      assert(shown[4]:find("curl -i -X POST", 1, true))
    end,
  }

  add {
    name = "error",
    run = function()
      return tostring(cpp.error { kind = "workflow", code = "c", message = "m" })
    end,
    expect = function(text) equal(text, "m [workflow/c]", "text") end,
  }

  add { name = "sleep", run = function(client) return client:sleep(0.001) end,
    expect = assert }

  -- Nothing listens there, and nothing may go past it.
  if origin:find "^https" then
    add {
      name = "proxy",
      options = { proxy = "http://us%20er:pa%3ass@127.0.0.1:1" },
      run = function(client)
        local operation, err = client:poll(path("vm", OPERATION))
        return operation or err
      end,
      expect = function(err)
        equal(err.kind, "transport", "kind")
        equal(err.sent, false, "sent")
        assert(err.code ~= "invalid_proxy" and err.code ~= "transfer_failed", tostring(err))
      end,
      again = function(client, location) return client:poll(location, { proxy = "" }) end,
    }
  end

  -- ---- cancels ----

  local function cancel(name, offer, wanted, location, more)
    local call = {
      name = "cancel " .. name,
      run = function(client, id)
        return client:cancel("contoso", offer, { client_request_id = id })
      end,
      expect = function(operation)
        fields(operation, wanted)
        fields(operation, { publisher = "contoso", offer = offer })
        check_location(operation.location, location, origin)
      end,
    }
    for key, value in pairs(more or {}) do
      call[key] = value
    end
    add(call)
  end

  local accepted = { state = "accepted", done = false, http_status = 202 }
  local GUID = "/api/publishers/contoso/offers/%w+/operations/%x+%-[%x-]+"
  cancel("202", "vm", accepted, GUID)
  cancel("202 with options", "vm", accepted, GUID, {
    run = function(client, id)
      return client:cancel("contoso", "vm", { client_request_id = id, if_match = "*",
        headers = { ["X-One"] = "1" }, notification_emails = { "a@x.com", "b@y.com" } })
    end,
  })
  cancel("202 on a kept connection", "vm", accepted, GUID, {
    before = function(client) assert(client:cancel("contoso", "vm")) end,
  })
  cancel("202 of a long name", ("long"):rep(30), accepted, GUID)
  cancel("202 F2", "F2", accepted, "/api/operations/contoso%$%x+%-[%x-]+%$%d+%$%a+")
  cancel("202 F3", "F3", accepted, GUID)
  cancel("202 F4", "F4", accepted, "/api/operations/contoso%$F4%$%d+%$%a+")
  cancel("202 early", "early", accepted, GUID)
  cancel("202 without location", "none", accepted)
  cancel("202 next to it", "next", accepted, "/api/publishers/contoso/offers/next/to/i")
  cancel("202 elsewhere", "foreign", accepted, {
    "https://portal.example/api/publishers/contoso/offers/foreign/operations/i" })
  cancel("200", "sync", { state = "canceled", done = true, http_status = 200 })

  -- ---- polls and lists ----

  local function poll(name, offer, id, wanted, more)
    local call = {
      name = "poll " .. name,
      run = function(client) return client:poll(path(offer, id)) end,
      expect = function(operation)
        fields(operation, { publisher = "contoso", offer = offer, id = id,
          location = origin .. path(offer, id) .. VERSION })
        fields(operation, wanted)
      end,
    }
    for key, value in pairs(more or {}) do
      call[key] = value
    end
    add(call)
  end

  local function again(client, _, before)
    return client:poll(before)
  end

  poll("changed", "vm", OPERATION, { state = "canceled", done = true, changed = true })
  poll("of an operation", "array", OPERATION, { state = "running", changed = true }, {
    before = function() return { location = path("array", OPERATION) } end,
    run = again,
  })
  poll("unchanged", "vm", OPERATION, { state = "canceled", changed = false }, {
    before = function(client) return assert(client:poll(path("vm", OPERATION))) end,
    run = again,
  })
  poll("204", "ended", OPERATION, { state = "succeeded", http_status = 204 })
  add {
    name = "poll 202",
    run = function(client) return client:poll(path("moving", OPERATION)) end,
    expect = function(operation)
      fields(operation, { state = "running", http_status = 202, id = OPERATION })
      local expected = path("moving", OPERATION):gsub("%-", "%%-")
      check_location(operation.location, expected, origin)
    end,
  }
  add {
    name = "document",
    before = function(client)
      local operation = assert(client:poll(path("array", OPERATION)))
      collectgarbage()
      return operation
    end,
    run = function(_, _, operation)
      local shown = tostring(operation)
      return { operation.document, operation.steps, operation.messages, shown }
    end,
    expect = function(seen)
      equal(#seen, 4, "parts")
      equal(#seen[2], 6, "steps")
      assert(seen[4]:find("running", 1, true))
    end,
  }
  add {
    name = "operations",
    run = function(client) return client:operations("contoso", "vm") end,
    expect = function(list)
      equal(#list, 2, "items")
      fields(list[1], { state = "running", publisher = "contoso", offer = "vm" })
      fields(list[2], { state = "canceled", id = OPERATION,
        location = origin .. path("vm", OPERATION) .. VERSION })
    end,
  }
  add {
    name = "operations of a status",
    run = function(client)
      return client:operations("contoso", "vm", { status = "running" })
    end,
    expect = function(list) equal(#list, 1, "items") end,
  }
  add {
    name = "status",
    run = function(client) return client:status("contoso", "vm") end,
    expect = function(operation)
      fields(operation, { state = "running", publisher = "contoso", offer = "vm" })
    end,
  }

  -- ---- tokens ----

  add {
    name = "fetch_token",
    run = function(client) return client:fetch_token(world.identity) end,
    expect = function(answer)
      assert(#answer.access_token > 0)
      equal(answer.expires_in, 3599, "expires_in")
    end,
  }
  add {
    name = "fetch_token, refused",
    run = function(client)
      return client:fetch_token {
        tenant = world.identity.tenant, client_id = world.identity.client_id,
        authority = world.identity.authority, client_secret = "not the secret +%",
      }
    end,
    expect = function(answer, err)
      equal(answer, nil, "answer")
      equal(err.code, "invalid_client", "code")
    end,
  }
  add {
    name = "fetch_token, an assertion that is refused",
    run = function(client)
      return client:fetch_token {
        tenant = world.identity.tenant, client_id = world.identity.client_id,
        authority = world.identity.authority, client_assertion = "not/an+assertion",
      }
    end,
    expect = function(answer, err)
      equal(answer, nil, "answer")
      equal(err.kind, "credential", "kind")
      assert(not tostring(err):find("not/an+assertion", 1, true))
    end,
  }
  add {
    name = "fetch_json",
    run = function(client)
      return client:fetch_json {
        url = world.endpoint .. "/api/publishers/contoso/offers/vm/status?api-version=2017-10-31",
        headers = { Authorization = "Bearer " .. world.token },
      }
    end,
    expect = function(document) equal(type(document.status), "string", "status") end,
  }
  cancel("with a token function", "vm", accepted, GUID, {
    options = { token = function() return world.token end },
  })
  cancel("with a credential", "vm", accepted, GUID, {
    run = function(client, id)
      return client:cancel("contoso", "vm", { client_request_id = id,
        token = credential.client_secret(world.identity) })
    end,
  })
  add {
    name = "a token function without a token",
    run = function(client)
      return client:poll(path("vm", OPERATION), {
        token = function() return nil, "no such key" end })
    end,
    expect = function(operation, err)
      equal(operation, nil, "operation")
      equal(err.message, "no such key", "message")
    end,
  }

  -- ---- errors ----

  local function refused(name, offer, wanted, more)
    local location = more and more.location
    local call = {
      name = name,
      run = function(client, id)
        return client:cancel("contoso", offer, { client_request_id = id })
      end,
      expect = function(operation, err)
        equal(operation, nil, "operation")
        fields(err, wanted)
        check_location(err.location, location, origin)
        assert(tostring(err):find(wanted.code, 1, true))
      end,
    }
    for key, value in pairs(more or {}) do
      call[key] = value
    end
    add(call)
  end

  refused("403 with JSON", "forbidden", { status = 403, code = "Forbidden", sent = true })
  refused("401", "vm", { status = 401, code = "http_401" }, {
    run = function(client, id)
      return client:cancel("contoso", "vm", { client_request_id = id,
        token = "not-the-token" })
    end,
  })
  refused("502 with HTML", "gateway", { status = 502, code = "http_502" })
  refused("404 without a body", "missing", { status = 404, code = "http_404" })
  refused("429", "busy", { status = 429, code = "http_429", retry_after = 7 })
  refused("a location elsewhere", "vm", { code = "foreign_origin" }, {
    run = function(client) return client:poll "https://portal.example/api" end,
    location = { "https://portal.example/api" },
  })
  refused("could not connect", "vm", { code = "could_not_connect", sent = false }, {
    run = function(client, id)
      return client:cancel("contoso", "vm", { client_request_id = id,
        endpoint = "http://127.0.0.1:1" })
    end,
  })
  if world.wire == "http" then
    refused("202 cut in its body", "cut", { code = "incomplete_answer", sent = true },
      { location = "/api/operations/cut" })
  end

  -- ---- functions of the caller's ----

  local events = {}
  poll("with a trace function", "vm", OPERATION, { state = "canceled" }, {
    options = { trace = function(event) events[1] = event end },
    before = function() events[1] = nil end,
    expect = function()
      fields(events[1], { method = "GET", status = 200, sent = true,
        protocol = world.http_version == "2" and "HTTP/2" or "HTTP/1.1" })
    end,
  })

  local function yield(client)
    if coroutine.isyieldable() then
      coroutine.yield()
    else
      client:step(1)
    end
  end

  -- Drives a coroutine that calls the client to its end.
  local function drive(client, fn)
    local thread = coroutine.create(fn)
    local good, result, err = coroutine.resume(thread)
    while coroutine.status(thread) ~= "dead" do
      client:step(1)
      good, result, err = coroutine.resume(thread)
    end
    if not good then
      error(result, 0)
    end
    return result, err
  end

  cancel("through a wait function", "vm", accepted, GUID, {
    options = { wait = yield },
    run = function(client, id)
      return drive(client, function()
        return client:cancel("contoso", "vm", { client_request_id = id })
      end)
    end,
  })

  -- Leaves a cancel in flight; one that has ended already gives its error.
  local function leave(client, id)
    local thread = coroutine.create(client.cancel)
    local good, message, err =
      coroutine.resume(thread, client, "contoso", "vm", { client_request_id = id })
    if not good then
      error(message, 0)
    end
    return coroutine.status(thread) == "suspended" and thread, err
  end

  add {
    name = "close in flight",
    options = { wait = yield },
    ends = true,
    run = function(client, id)
      local thread, failed = leave(client, id)
      client:step(0)
      client:close()
      if not thread then
        return nil, failed
      end
      local _, result, err = assert(coroutine.resume(thread))
      return result, err
    end,
    expect = function(result, err)
      equal(result, nil, "result")
      equal(err.kind, "closed", "kind")
    end,
  }
  add {
    name = "abandoned in flight",
    options = { wait = yield },
    run = function(client, id)
      local thread = leave(client, id)
      client:step(0)
      if thread then
        coroutine.close(thread)
      end
      leave(client)
      collectgarbage()
      collectgarbage()
      return true
    end,
    expect = assert,
  }

  -- ---- the default client ----

  add {
    name = "the default client",
    run = function()
      return cpp.poll(path("vm", OPERATION), { endpoint = origin, token = world.token,
        ca_file = world.ca_file, http_version = world.http_version })
    end,
    expect = function(operation) equal(operation.state, "canceled", "state") end,
  }

  -- ---- tasks and workflows ----

  local function poll_as_task(client)
    return task.run(client, client.poll, client, path("vm", OPERATION))
  end

  local LOCATIONS = { path("vm", OPERATION), path("array", OPERATION),
    path("moving", OPERATION) }

  add {
    name = "task.map",
    most = 150,
    again = poll_as_task,
    run = function(client)
      local results, errors = task.run(client, task.map, LOCATIONS, function(location)
        return client:poll(location)
      end)
      if errors then
        local _, err = next(errors)
        if type(err) == "string" then
          error(err, 0)
        end
        return nil, err
      end
      return results
    end,
    expect = function(found)
      equal(found[1].state, "canceled", "first")
      equal(found[2].state, "running", "second")
      equal(found[3].state, "running", "third")
    end,
  }

  local used = 0
  local function next_offer()
    used = used + 1
    return "w" .. used
  end

  add {
    name = "workflow.cancel",
    most = 30,
    again = poll_as_task,
    before = next_offer,
    run = function(client, id, offer)
      return workflow.cancel(client, "contoso", offer, { interval = INTERVAL,
        deadline = 0.5, client_request_id = id })
    end,
    expect = function(result)
      equal(result.outcome, "canceled", "outcome")
      assert(result.location:find(result.operation.id, 1, true))
    end,
  }
  add {
    name = "workflow.cancel as a task",
    most = 10,
    again = poll_as_task,
    before = next_offer,
    run = function(client, id, offer)
      return task.run(client, workflow.cancel, client, "contoso", offer,
        { interval = INTERVAL, deadline = 0.5, client_request_id = id })
    end,
    expect = function(result) equal(result.outcome, "canceled", "outcome") end,
  }
  add {
    name = "workflow.cancel_all",
    most = 20,
    again = poll_as_task,
    before = function() return { next_offer(), next_offer(), next_offer() } end,
    run = function(client, id, offers)
      local results = workflow.cancel_all(client, {
        { "contoso", offers[1], client_request_id = id },
        { "contoso", offers[2] }, { "contoso", offers[3] },
      }, { interval = INTERVAL, deadline = 0.5, list_lag = 0.05, concurrency = 1 })
      equal(#results, 3, "results")
      local err = results[1].err
      return not err and results or nil, err
    end,
    expect = function(results)
      equal(results[1].outcome, "canceled", "outcome")
      for i = 2, 3 do
        local err = results[i].err
        equal(results[i].outcome, not err and "canceled" or nil, "outcome")
        assert(not err or err.kind and err.offer == results[i].offer, "an error's fields")
      end
    end,
  }
  add {
    name = "workflow.wait",
    most = 40,
    run = function(client)
      return workflow.wait(client, path("vm", OPERATION), { interval = INTERVAL,
        deadline = 0.5 })
    end,
    expect = function(operation) equal(operation.state, "canceled", "state") end,
  }
  return calls
end
