--- The Cloud Partner Portal on this machine, for tests: nginx and its Lua module as a
-- child process on a loopback port. It checks what the service checks, and can be told
-- to behave in every way that the service is known or feared to: types/emulator.lua lists
-- its options and settings.

local cjson = require "cjson"
local application = require "cpp.emulator.application"
local certificate = require "cpp.emulator.certificate"
local ledger = require "cpp.emulator.ledger"
local options = require "cpp.emulator.options"
local server = require "cpp.emulator.server"
local shell = require "cpp.emulator.shell"

local emulator = {}

--- What the process that started a portal holds of it.
---@class cpp.emulator.handle
---@field endpoint string  "http://127.0.0.1:PORT" or "https://localhost:PORT"
---@field token string  good for as long as the portal runs, unless revoked or used up
---@field ca_file string|nil  the authority that signed the certificate; with `tls` only
---@field tenant string  what the token endpoint accepts, with client_id and client_secret
---@field client_id string
---@field client_secret string  holds characters that a form must encode
---@field authority string  origin of the token endpoints: the endpoint itself
--- File of the application's certificate; of one that is made, with its key.
---@field certificate string|nil
---@field federated_file string  holds an assertion that the directory trusts
---@field github {url: string, token: string}  where GitHub hands out assertions
---@field pipelines {url: string, token: string, service_connection: string}  Azure Pipelines
--- Where a managed identity's token is asked for; `client_id` names the user-assigned one.
---@field identity {endpoint: string, header: string, client_id: string}
---@field pid integer  nginx's process id
---@field folder string  its temporary folder
---@field private journal file*
---@field private server table
---@field private owner integer  the process that started it
---@field private application table
local handle = {}
handle.__index = handle

local TRIES = 20

-- Bytes from the system's generator: a script's own seed must not make two emulators
-- choose one port.
local function random_integer(least, most)
  local file <close> = assert(io.open("/dev/urandom", "rb"))
  return least + string.unpack("<I4", file:read(4)) % (most - least + 1)
end

-- The folder of this file, absolute: nginx runs what is in portal/ beside it.
local function module_folder()
  local folder = debug.getinfo(1, "S").source:match "^@(.*)/" or "."
  local _, path = assert(shell.run("cd -- " .. shell.quote(folder) .. " && pwd"))
  return path
end

-- mktemp makes the folder for its owner alone.
local MAKE_FOLDER = [[
folder=$(mktemp -d "${TMPDIR:-/tmp}/cpp-emulator.XXXXXX") && cd -- "$folder" || exit
mkdir -p cpp/emulator && ln -s -- "$modules/portal" cpp/emulator/portal && pwd]]

local function make_folder()
  local modules = "modules=" .. shell.quote(module_folder()) .. "\n"
  local good, output = shell.run(modules .. MAKE_FOLDER)
  return good and output or nil, output
end

-- The process that runs this code: a forked child must leave its parent's nginx alone.
local function own_pid()
  local file <close> = io.open "/proc/self/stat"
  return file and file:read "n"
end

local function write_line(self, name, patch)
  self.journal:write(cjson.encode { name = name, patch = patch }, "\n")
end

local function write_offer(self, name, settings)
  local patch = options.offer(name, settings)
  if not self.known[name] then
    self.known[name] = true
    for key, value in pairs(options.OFFER_DEFAULTS) do
      if patch[key] == nil then
        patch[key] = value
      end
    end
    patch.words = patch.words or {}
  end
  write_line(self, name, patch)
end

-- One seed gives each offer the same ids every time.
local function sorted_names(offers)
  local names = {}
  for name in pairs(offers) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- The journal's beginning: the portal, then its offers.
local function write_journal(self, start, offers)
  start.endpoint, start.ids = self.endpoint, self.application.ids
  start.thumbprints = self.application.thumbprints
  self.journal = assert(io.open(self.folder .. "/journal.jsonl", "w"))
  write_line(self, "*", start)
  self.known = {}
  for _, name in ipairs(sorted_names(offers)) do
    write_offer(self, name, offers[name])
  end
  assert(self.journal:flush())
end

local function try_port(self, nginx, port, start, given)
  local origin = given.tls and "https://%s:%d" or "http://%s:%d"
  local host = given.tls and "localhost" or "127.0.0.1"
  self.endpoint = origin:format(given.addresses and given.addresses[1] or host, port)
  write_journal(self, start, given.offers or {})
  local running, message = server.start(self.folder, nginx, port, given.tls,
    given.addresses or {})
  if not running then
    self.journal:close()
  end
  return running, message
end

-- nginx refuses port 0, so ports are tried. These lie below Linux's ephemeral range,
-- where a connection of any process could sit.
local function run(self, nginx, start, given)
  local running, message
  for _ = 1, TRIES do
    running, message = try_port(self, nginx, random_integer(20000, 32000), start, given)
    if running or not (message or ""):find "Address already in use" then
      break
    end
  end
  return running, message
end

local function remove_folder(self)
  os.execute("rm -rf -- " .. shell.quote(self.folder))
end

-- The files that a portal needs before it runs.
local function make_files(self, given)
  local message
  self.folder, message = make_folder()
  if self.folder and given.tls then
    local made
    made, message = certificate.make(self.folder, given.addresses or {})
    self.ca_file = self.folder .. "/ca.pem"
    if not made then
      return nil, message
    end
  end
  if self.folder then
    self.application, message = application.make(self.folder, given)
  end
  return self.application, message
end

local function prepare(self, given)
  local nginx, message = server.find(given.nginx)
  if nginx then
    local made
    made, message = make_files(self, given)
    nginx = made and nginx
  end
  return nginx, message
end

local function check_offers(offers)
  for name, settings in pairs(offers) do
    options.offer(tostring(name), settings)
  end
end

-- Calls a check so that its error points at the caller of the public function.
local function checked(check, ...)
  local good, result = pcall(check, ...)
  if not good then
    error(result, 3)
  end
  return result
end

--- Starts a portal and returns when it answers. It ends with `close`, or with the
--- process (on Linux, the thread) that started it, however that ends.
---@param given? cpp.emulator.options
---@return cpp.emulator.handle|nil
---@return string|nil  without nginx, its Lua module or openssl: what to install
function emulator.start(given)
  given = given or {}
  local start = checked(options.start, given)
  checked(check_offers, given.offers or {})
  start.seed = given.seed or random_integer(1, 2 ^ 31 - 2 | 0)
  local self = { owner = own_pid() }
  local nginx, message = prepare(self, given)
  if nginx then
    start.assertions = self.application.assertions
    self.server, message = run(self, nginx, start, given)
  end
  if not self.server then
    return self.folder and remove_folder(self) and nil, message
  end
  self.token, self.pid = self.server.token, self.server.pid
  for name, value in pairs(application.fields(self.application, self.endpoint)) do
    self[name] = value
  end
  setmetatable(self, handle)
  return self
end

local function check_open(self)
  if self.closed then
    error("attempt to use a closed emulator", 3)
  end
end

--- Changes settings; every request that arrives after the call sees them.
---@param name string  "publisher/offer" (a new offer is added), or "*" for the portal
---@param settings cpp.emulator.offer|cpp.emulator.settings  merged into the present ones
function handle:set(name, settings)
  check_open(self)
  if name == "*" then
    write_line(self, name, checked(options.portal, settings))
  else
    checked(options.offer, name, settings)
    write_offer(self, name, settings)
  end
  assert(self.journal:flush())
end

--- The variables in which automation finds a route to a token, for a process of its own:
--- "token" (CPP_TOKEN), "secret", "certificate", "workload" (a federated file), "github",
--- "pipelines" or "identity" (managed); and those that lead to this portal. "certificate"
--- lacks its own where the portal was started without one.
---@param route string
---@return table<string, string>
function handle:environment(route)
  check_open(self)
  local variables = application.environment(self.application, self, route)
  if not variables then
    error(("there is no route '%s'"):format(tostring(route)), 2)
  end
  return variables
end

--- What the portal was asked, and did, so far: complete for every request that has an
--- answer.
---@return cpp.emulator.ledger
function handle:ledger()
  check_open(self)
  return ledger.read(self.folder .. "/ledger.jsonl")
end

--- Ends nginx and removes its folder. Closing twice is harmless.
function handle:close()
  if self.closed or self.owner ~= own_pid() then
    return
  end
  self.closed = true
  self.journal:close()
  self.server:stop()
  remove_folder(self)
end

handle.__close = handle.close
handle.__gc = handle.close

return emulator
