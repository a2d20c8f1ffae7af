--- Where tokens come from: callables for the option `token`.
--
-- A credential keeps one token for all clients that use it, renews it 5 minutes
-- before it expires or when the service rejected it, fetches one at a time
-- however many ask, and remembers a refusal for 10 seconds. It never shows its
-- secret or its token.

local cjson = require "cjson"
local cpp = require "cpp"
local task = require "cpp.task"

local credential = {}

local RENEW_BEFORE = 300  -- seconds before the expiry
local REFUSAL_LASTS = 10  -- seconds
local STEP = 0.05         -- seconds between looks at somebody else's fetch
-- Seconds after which a fetch is taken for dead: its coroutine may have been
-- dropped without being closed.
local PATIENCE = 60

local RESOURCE = "https://cloudpartner.azure.com"

-- ---- keeping ----

---@class cpp.credential
---@overload fun(client: cpp.client|table, rejected?: string): string|nil, any
local Credential = {}
Credential.__index = Credential
Credential.__name = "cpp.credential"

-- Its state is no field that a debugger's dump would print.
local state_of = setmetatable({}, { __mode = "k" })

local function new(name, fetch)
  local self = setmetatable({}, Credential) ---@diagnostic disable-line: param-type-mismatch
  state_of[self] = { name = name, fetch = fetch, by = setmetatable({}, { __mode = "v" }) }
  return self
end

function Credential:__tostring()
  return "cpp.credential: " .. state_of[self].name
end

local function is_good(state, client, rejected)
  return state.token ~= nil and state.token ~= rejected
    and client:now() < state.renew_at
end

-- One that comes with less to live than that is good for half of it.
local function keep(state, client, answer)
  local life = tonumber(answer.expires_in) or 0
  local renew_in = life > RENEW_BEFORE and life - RENEW_BEFORE or life / 2
  state.token, state.renew_at = answer.access_token, client:now() + renew_in
end

-- Only what the service said no to: another try may well get through to it.
local function remember_refusal(state, client, err)
  if type(err) ~= "table" or not err.retryable then
    state.refusal, state.refused_at = err, client:now()
  end
end

local function is_refused(state, client)
  return state.refusal ~= nil and client:now() < state.refused_at + REFUSAL_LASTS
end

-- ---- one fetch at a time ----

-- The coroutine that fetches is held weakly and may have been closed in
-- mid-fetch: neither may keep the others waiting.
local function is_fetching(state)
  local thread = state.by[1]
  return thread ~= nil and coroutine.status(thread) ~= "dead"
end

local function begin_fetch(state)
  state.by[1], state.failure = coroutine.running(), nil
  return setmetatable({}, { __close = function() state.by[1] = nil end })
end

local function fetch(state, client)
  local _ <close> = begin_fetch(state)
  state.refusal = nil
  local answer, err = state.fetch(client)
  if not answer then
    state.failure = err
    remember_refusal(state, client, err)
    return nil, err
  end
  keep(state, client, answer)
  return state.token
end

-- Where the client is a plain table, its sleep lets no other task go on.
local function nap(client)
  if task.running(client) then
    return task.sleep(STEP)
  end
  return client:sleep(STEP)
end

-- Whoever waited for a fetch takes its failure too.
local function await_other(state, client)
  local give_up_at = client:now() + PATIENCE
  while is_fetching(state) and client:now() < give_up_at do
    local _, closed = nap(client)
    if closed then
      return closed
    end
  end
  return state.failure
end

function Credential:__call(client, rejected)
  local state = state_of[self]
  local err = is_fetching(state) and await_other(state, client) or nil
  if is_good(state, client, rejected) then
    return state.token
  elseif not err and is_refused(state, client) then
    err = state.refusal
  end
  if err then
    return nil, err
  end
  return fetch(state, client)
end

-- ---- a client secret ----

local NEEDED = { "tenant", "client_id", "client_secret" }
local KNOWN = { tenant = true, client_id = true, client_secret = true,
  authority = true, resource = true }

local function check_secret(options)
  if type(options) ~= "table" then
    error("client_secret takes a table of options", 3)
  end
  for name, value in pairs(options) do
    if not KNOWN[name] then
      error(("unknown option '%s'"):format(tostring(name)), 3)
    elseif type(value) ~= "string" or value == "" then
      error(("option '%s' must be a string that is not empty"):format(name), 3)
    end
  end
  for _, name in ipairs(NEEDED) do
    if not options[name] then
      error(("option '%s' is missing"):format(name), 3)
    end
  end
end

--- An application's tokens, by the OAuth 2.0 client credentials flow that the
--- service documents. They are fetched through the client that asks.
---@param options cpp.token_parameters
---@return cpp.credential
function credential.client_secret(options)
  check_secret(options)
  local copy = {}
  for name, value in pairs(options) do
    copy[name] = value
  end
  return new("client secret of " .. copy.client_id, function(client)
    return client:fetch_token(copy)
  end)
end

-- ---- the Azure CLI ----

local AZ = "az account get-access-token --resource " .. RESOURCE .. " --output json"

local function refuse(code, message)
  return nil, cpp.error {
    kind = "credential", code = code, message = message, sent = false, retryable = false,
  }
end

-- Its error text ends in what a person can do: "Please run 'az login'".
local function refuse_az(output, status)
  if status == 127 then
    return refuse("az_not_found", "the Azure CLI is not installed: install az, or set "
      .. "CPP_TOKEN or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET")
  end
  local text = output:gsub("%s+", " "):sub(1, 500)
  return refuse("az_failed", ("az ended with status %s: %s"):format(status, text))
end

-- "2026-11-22 17:08:21.000000", local time: what az gave before it knew expires_on.
local function parse_local_time(text)
  local year, month, day, hour, min, sec =
    tostring(text):match "^(%d+)-(%d+)-(%d+)[ T](%d+):(%d+):(%d+)"
  return year and os.time { year = year, month = month, day = day,
    hour = hour, min = min, sec = sec }
end

local function parse_az(output)
  local good, answer = pcall(cjson.decode, output)
  if not good or type(answer) ~= "table" or type(answer.accessToken) ~= "string" then
    return refuse("az_failed", "az gave no token")
  end
  local expires = tonumber(answer.expires_on) or parse_local_time(answer.expiresOn)
  return {
    access_token = answer.accessToken,
    expires_in = expires and math.max(0, expires - os.time()) or 0,
  }
end

-- Warnings on stderr come also when all is well, so the answer is cut out.
local function run_az()
  local pipe <close> = assert(io.popen(AZ .. " 2>&1", "r"))
  local output = pipe:read "a"
  local good, _, status = pipe:close()
  if not good then
    return refuse_az(output, status)
  end
  return parse_az(output:match "{.*}" or output)
end

--- The tokens of whoever is logged in with `az login`. The whole process waits
--- for as long as `az` runs: about a second, once an hour.
---@return cpp.credential
function credential.azure_cli()
  return new("Azure CLI", run_az)
end

-- ---- the environment ----

local function environment_token()
  local token = os.getenv "CPP_TOKEN"
  return token and token ~= "" and token
end

local function environment_secret()
  local options = {
    tenant = os.getenv "AZURE_TENANT_ID", client_id = os.getenv "AZURE_CLIENT_ID",
    client_secret = os.getenv "AZURE_CLIENT_SECRET",
  }
  for _, name in ipairs(NEEDED) do
    if (options[name] or "") == "" then
      return nil
    end
  end
  return options
end

--- What the environment holds: `CPP_TOKEN`; else `AZURE_TENANT_ID`,
--- `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`; else the Azure CLI.
---@return cpp.credential
function credential.environment()
  local token = environment_token()
  if token then
    return new("CPP_TOKEN", function()
      return { access_token = token, expires_in = math.huge }
    end)
  end
  local options = environment_secret()
  if options then
    return credential.client_secret(options)
  end
  return credential.azure_cli()
end

return credential
