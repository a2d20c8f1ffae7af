--- One token, kept for all clients that ask for it.
--
-- It is renewed 5 minutes before it ends (a tenth of its life before, if that is
-- less) and when the service rejected it; where the renewal fails, it is used to its
-- end. One fetch at a time, however many ask. A refusal is remembered for 10 seconds.

local cpp = require "cpp"
local fault = require "cpp.credential.fault"
local is_closed = require "cpp.closed"
local life_of = require "cpp.credential.life"
local task = require "cpp.task"

local cache = {}

local RENEW_BEFORE = 300  -- seconds before the end
local SHARE = 0.1         -- of its life, if that is less
local UNKNOWN_LIFE = 300  -- seconds
local PAUSE = 10          -- seconds after a refusal, or a renewal that failed
local STEP = 0.05         -- seconds between looks at somebody else's fetch
-- Seconds after which a fetch is taken for dead: its coroutine may have been
-- dropped without being closed.
local PATIENCE = 60

---@class cpp.credential
---@overload fun(client: cpp.client|table, rejected?: string): string|nil, any
local Credential = {}
Credential.__index = Credential
Credential.__name = "cpp.credential"

-- Its state is no field that a debugger's dump would print.
local state_of = setmetatable({}, { __mode = "k" })

---@class cpp.credential.route  what a credential tells of itself
--- As its constructor: "client_secret", …; "token" for CPP_TOKEN; nil where the
--- environment leaves none.
---@field name string|nil
---@field title string  for people
--- What the environment's chain passed over before it came here, in its order.
---@field passed cpp.credential.passed[]

---@class cpp.credential.passed
---@field name string
---@field title string
---@field why string  names the variable
---@field begun boolean  some of what it takes is set

--- Makes a credential.
---@param route cpp.credential.route
---@param fetch fun(client: cpp.client|table): table|nil, any  access_token and its life
---@param fixed? boolean  its one token is all that there will ever be
---@return cpp.credential
function cache.new(route, fetch, fixed)
  local self = setmetatable({}, Credential) ---@diagnostic disable-line: param-type-mismatch
  state_of[self] = { route = route, fetch = fetch, fixed = fixed }
  return self
end

function Credential:__tostring()
  return "cpp.credential: " .. state_of[self].route.title
end

--- Where its tokens come from. Nobody is asked.
---@return cpp.credential.route route  a copy
function Credential:route()
  local route = state_of[self].route
  local passed = {}
  for i, one in ipairs(route.passed) do
    passed[i] = { name = one.name, title = one.title, why = one.why, begun = one.begun }
  end
  return { name = route.name, title = route.title, passed = passed }
end

-- ---- the token ----

-- A token that was rejected and then given again has been told of: what becomes of
-- it now is the service's to say.
local function is_acceptable(state, rejected)
  return state.token ~= nil and (state.token ~= rejected or state.told == rejected)
end

local function is_fresh(state, client, rejected)
  return is_acceptable(state, rejected) and client:now() < state.renew_at
end

local function is_alive(state, client, rejected)
  return is_acceptable(state, rejected) and client:now() < state.ends_at
end

-- Its life counts from when it was asked for: it may have been made then.
local function keep(state, began, answer)
  local life = life_of(answer)
  local margin = life and math.min(RENEW_BEFORE, life * SHARE) or 0
  state.token = answer.access_token
  state.ends_at = began + (life or UNKNOWN_LIFE)
  state.renew_at = state.ends_at - margin
end

-- Told once. Then it is used, for the rejection may have been a passing one, until
-- it is time to ask for another.
local function tell_again(state, client)
  state.told = state.token
  state.renew_at = math.min(state.renew_at, client:now() + UNKNOWN_LIFE)
  return fault.refuse("rejected_again", state.route.title .. " gave the very token that "
    .. "the service has rejected: log in anew, or see with `cloudpartner whoami` whose "
    .. "and for what it is")
end

-- ---- what failed ----

local function may_pass(err)
  return type(err) == "table" and (err.retryable or err.kind == "closed")
end

-- Only what somebody said no to: another try may well get through to it.
local function remember(state, client, err)
  if not may_pass(err) then
    state.refusal, state.refused_until = err, client:now() + PAUSE
  end
end

-- Of a token that is alive nobody need know.
local function is_refused(state, client, rejected)
  return state.refusal ~= nil and client:now() < state.refused_until
    and not is_alive(state, client, rejected)
end

-- ---- one fetch at a time ----

-- The coroutine that fetches is held weakly and may have been closed in mid-fetch:
-- neither may keep the others waiting.
local function is_fetching(state)
  local flight = state.flight
  local thread = flight and flight.by[1]
  return thread ~= nil and coroutine.status(thread) ~= "dead"
end

local Flight = {}

function Flight:__close()
  if self.state.flight == self then
    self.state.flight = nil
  end
end

local function take_off(state, began)
  local by = setmetatable({ (coroutine.running()) }, { __mode = "v" })
  local flight = setmetatable({ by = by, state = state, began = began }, Flight)
  state.flight = flight
  return flight
end

-- What a failed renewal leaves: the old token, where that is still alive.
local function make_do(state, client, rejected, err)
  if not is_alive(state, client, rejected) then
    remember(state, client, err)
    return nil, err
  end
  state.renew_at = math.min(state.ends_at, client:now() + PAUSE)
  return state.token
end

local function fetch(state, client, rejected)
  local began = client:now()
  local flight <close> = take_off(state, began)
  state.refusal = nil
  local answer, err = state.fetch(client)
  if not answer then
    flight.failure = err
    return make_do(state, client, rejected, err)
  end
  local again = answer.access_token == rejected and state.told ~= rejected
  keep(state, began, answer)
  if again and not state.fixed then
    local _
    _, flight.failure = tell_again(state, client)
    return nil, flight.failure
  end
  return state.token
end

-- Where the client is a plain table, its sleep lets no other task go on.
local function nap(client)
  if task.running(client) then
    return task.sleep(STEP)
  end
  return client:sleep(STEP)
end

-- Whoever waited for a fetch takes its failure too, but for this: that another's
-- client was closed is nobody else's business.
local function failure_for_others(flight)
  local err = flight.failure
  if type(err) == "table" and err.kind == "closed" then
    return nil
  end
  return err
end

-- When the call that asks must have its token; a plain table has all the time.
local function end_of_call(client)
  return client.option and client:now() + client:option "timeout" or math.huge
end

-- Waits for somebody else's fetch.
-- @return any|nil  why there is no token
local function await(state, client)
  local flight, end_at = state.flight, end_of_call(client)
  while state.flight == flight and is_fetching(state) do
    if client:now() >= flight.began + PATIENCE then
      state.flight = nil
    elseif client:now() >= end_at then
      return select(2, fault.refuse("login_timeout",
        "the login of another call has not ended within the timeout", true))
    else
      local _, closed = nap(client)
      if closed then
        return closed
      end
    end
  end
  return failure_for_others(flight)
end

local function closed()
  return nil, cpp.error { kind = "closed", code = "closed",
    message = "the client was closed" }
end

--- The token, as the option `token` of a client asks for it.
function Credential:__call(client, rejected)
  local state = state_of[self]
  while is_fetching(state) and not is_alive(state, client, rejected) do
    local err = await(state, client)
    if err then
      return nil, err
    end
  end
  if is_fetching(state) or is_fresh(state, client, rejected) then
    return state.token
  elseif is_refused(state, client, rejected) then
    return nil, state.refusal
  elseif is_closed(client) then
    return closed()
  end
  return fetch(state, client, rejected)
end

return cache
