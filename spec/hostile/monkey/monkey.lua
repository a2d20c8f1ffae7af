--- A monkey at the clients: it calls, closes, drops, collects and swaps at random, from a
-- seed, and checks what may never happen: a wrong answer, a wrong error, a call that
-- hangs, a descriptor that stays open.

local cpp = require "cpp"
local lfs = require "lfs"

local monkey = {}
monkey.__index = monkey

local STEPS = 60

-- Seconds after which what has not ended hangs; every call has a timeout far below.
local PATIENCE = 20

-- How the peer can be told to answer; twice where much follows from it.
local BEHAVIOURS = { "good", "good", "good", "slow", "slow", "late", "both", "last", "over",
  "away", "reset", "cut", "mute" }

-- The only words that an exchange may end with here.
local WORDS = { timeout = true, connection_lost = true, incomplete_answer = true,
  could_not_connect = true, closed = true, not_started = true, http_408 = true,
  http2_error = true }

local function any(list)
  return list[math.random(#list)]
end

-- Takes one out of a list; nil where there is none.
local function take(list)
  return #list > 0 and table.remove(list, math.random(#list)) or nil
end

local function between(least, most)
  return least + (most - least) * math.random()
end

function monkey.descriptors()
  local count = 0
  for _ in lfs.dir "/proc/self/fd" do
    count = count + 1
  end
  return count
end

-- ---- what may never happen ----

-- Only over HTTP/1.x, and when it reads, may an answer that nobody asked for cross a
-- request on the wire.
local function check_answer(call, operation)
  local document = call.echoes and operation.document
  local echo = type(document) == "table" and document.echo or nil
  if call.method == "cancel" and call.echoes then
    assert(echo == call.id, ("a cancel was told %s, %q"):format(operation.state, operation.body))
  end
end

local function check_error(call, err)
  assert(type(err) == "table" and err.kind, "no error")
  local word = err.code
  assert(WORDS[word], ("%s to %s: %s"):format(call.method, call.where, tostring(err)))
  assert(word ~= "closed" or call.client:closed(), "closed, and the client is not")
  assert(word ~= "could_not_connect" or call.where == "closed", call.where)
  assert(word ~= "not_started" or not err.sent, "not started, and sent")
  assert(word ~= "http_408" or call.method ~= "cancel", "a cancel was told 408")
end

local function check(call, operation, err)
  if operation == nil then
    check_error(call, err)
  elseif call.method ~= "sleep" then
    check_answer(call, operation)
  end
end

-- ---- calls ----

local function options_for(self, call)
  local options = { endpoint = call.endpoint, client_request_id = call.id }
  if math.random() < 0.5 then
    options.timeout = between(0.01, 0.3)
  end
  if math.random() < 0.1 then
    options.start_by = call.client:now() + between(-0.01, 0.1)
  end
  if call.secure then
    options.ca_file = self.site.ca_file
    options.http_version = any { "1.1", "2" }
  end
  return options
end

local function make(self, call)
  local client, options = call.client, options_for(self, call)
  local behaviour = any(BEHAVIOURS)
  if call.method == "sleep" then
    return client:sleep(between(0, 0.1))
  elseif call.method == "poll" then
    return client:poll("/api/operations/" .. behaviour, options)
  end
  return client[call.method](client, "contoso", behaviour, options)
end

function monkey:new_call()
  local client = self:client()
  if not client or client:closed() then
    return nil
  end
  self.calls_made = self.calls_made + 1
  local place = any(self.site.places)
  return { client = client, method = any { "poll", "poll", "cancel", "cancel", "status", "sleep" },
    id = ("x"):rep(self.calls_made % 5) .. self.calls_made, endpoint = place.endpoint,
    where = place.name, echoes = place.echoes, secure = place.secure }
end

-- Notes what a coroutine waits for, or checks what its call has ended with.
function monkey:resumed(thread, call, good, first, second, request)
  if not good then
    assert(first == self.raised or tostring(first):find "is closed", tostring(first))
  elseif coroutine.status(thread) == "dead" then
    check(call, first, second)
  elseif request then
    self.waiting[request] = thread
  end
  if coroutine.status(thread) == "dead" then
    self.threads[thread] = nil
  end
end

function monkey:resume(thread)
  local call = self.threads[thread]
  if call and coroutine.status(thread) == "suspended" then
    self:resumed(thread, call, coroutine.resume(thread))
  end
end

function monkey:begin()
  local call = self:new_call()
  if not call then
    return
  end
  local previous = call.client:wait(coroutine.yield)
  local thread = coroutine.create(function() return make(self, call) end)
  self.threads[thread] = call
  table.insert(self.order, thread)
  self:resume(thread)
  if not call.client:closed() then
    call.client:wait(previous)
  end
end

-- A call that this thread makes, through whatever wait function there is.
function monkey:block()
  local call = self:new_call()
  if call then
    local good, first, second = pcall(make, self, call)
    if good then
      check(call, first, second)
    else
      assert(first == self.raised or tostring(first):find "is closed", tostring(first))
    end
  end
end

-- ---- clients ----

function monkey:client()
  return any(self.clients)
end

function monkey:open()
  if #self.clients < 4 then
    table.insert(self.clients, cpp.client { token = "t", endpoint = self.site.places[1].endpoint,
      timeout = between(0.05, 0.4), connect_timeout = between(0.02, 0.3),
      max_connections = any { 1, 1, 2, 3, 8 } })
  end
end

function monkey:close()
  local client = self:client()
  if client then
    client:close()
  end
end

function monkey:drop()
  take(self.clients)
end

function monkey:step()
  local client = self:client()
  if client then
    client:step(between(0, 0.02))
  end
end

function monkey:collect_ended()
  local client = self:client()
  local request = client and client:finished()
  local thread = request and self.waiting[request]
  if thread then
    self:resume(thread)
  end
end

function monkey:swap_wait()
  local client = self:client()
  if client and not client:closed() then
    client:wait(any { false, function(at) at:step(0.01) end, function() end, function(at)
      at:step(0.005)
      if math.random() < 0.1 then
        error(self.raised, 0)
      elseif math.random() < 0.05 then
        at:close()
      end
    end } or nil)
  end
end

function monkey:look()
  local client = self:client()
  if client then
    client:pollfd()
    client:timeout()
  end
end

-- ---- coroutines and garbage ----

function monkey:resume_any()
  local thread = #self.order > 0 and any(self.order)
  if thread then
    self:resume(thread)
  end
end

function monkey:close_any()
  local thread = take(self.order)
  if thread then
    self.threads[thread] = nil
    coroutine.close(thread)
  end
end

function monkey:drop_any()
  local thread = take(self.order)
  if thread then
    self.threads[thread] = nil
  end
end

function monkey.collect()
  if math.random() < 0.5 then
    collectgarbage()
  else
    collectgarbage "step"
  end
end

function monkey.dawdle()
  os.execute "sleep 0.006"
end

local ACTIONS = {
  { 10, monkey.begin }, { 3, monkey.block }, { 2, monkey.open }, { 0.6, monkey.close },
  { 0.4, monkey.drop }, { 14, monkey.step }, { 5, monkey.collect_ended },
  { 1.5, monkey.swap_wait }, { 1, monkey.look }, { 3, monkey.resume_any },
  { 2, monkey.close_any }, { 1, monkey.drop_any }, { 0.7, monkey.collect },
  { 0.7, monkey.dawdle },
}

local function pick()
  local whole = 0
  for _, action in ipairs(ACTIONS) do
    whole = whole + action[1]
  end
  local left = math.random() * whole
  for _, action in ipairs(ACTIONS) do
    left = left - action[1]
    if left <= 0 then
      return action[2]
    end
  end
  return ACTIONS[1][2]
end

-- Drives what is left to its end.
function monkey:finish()
  local limit = os.time() + PATIENCE
  for _, client in ipairs(self.clients) do
    if not client:closed() then
      client:wait(nil)
    end
  end
  while next(self.threads) do
    assert(os.time() < limit, "a call hangs")
    for thread, call in pairs(self.threads) do
      if not call.client:closed() then
        call.client:wait(coroutine.yield)
        call.client:step(0.002)
      end
      self:resume(thread)
    end
  end
end

--- Plays one game. A site has `places`: { name, endpoint, echoes, secure }, and `ca_file`.
function monkey.play(seed, site)
  math.randomseed(seed)
  collectgarbage()
  local before = monkey.descriptors()
  do
    local self = setmetatable({ site = site, clients = {}, threads = {}, order = {},
      waiting = setmetatable({}, { __mode = "k" }), calls_made = 0,
      raised = setmetatable({}, { __tostring = function() return "raised" end }) }, monkey)
    self:open()
    for _ = 1, STEPS do
      pick()(self)
    end
    self:finish()
    self.clients, self.order = nil, nil
  end
  collectgarbage()
  collectgarbage()
  local left = monkey.descriptors() - before
  assert(left == 0, left .. " descriptors are left open")
end

return monkey
