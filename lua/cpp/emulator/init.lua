--- The Cloud Partner Portal on this machine, for tests: nginx and its Lua module as a
-- child process on a loopback port. It checks what the service checks, and can be told
-- to behave in every way that the service is known or feared to.

local cjson = require "cjson"
local application = require "cpp.emulator.application"
local certificate = require "cpp.emulator.certificate"
local ledger = require "cpp.emulator.ledger"
local options = require "cpp.emulator.options"
local server = require "cpp.emulator.server"
local shell = require "cpp.emulator.shell"

local emulator = {}

---@class cpp.emulator.offer  settings of an offer, all optional
--- What runs; a `preview` waits for its publisher's review. Setting it at run time ends
--- what runs and starts anew (false).
---@field running? "publish"|"preview"|false
---@field id? string  GUID of the next operation to start (default: random)
---@field own_id? string  GUID of the next operation of a cancel's own (default: random)
---@field elapsed? number  virtual seconds a "publish" has been running (default 0)
---@field publish_seconds? number  virtual seconds a publish takes (default 86400)
---@field queued_seconds? number  virtual seconds it is first "not started" (default 0)
---@field signoff? boolean  a publish stops at publisher-signoff (default false)
---@field ending? "succeeded"|"failed"  how the run ends by itself (default "succeeded")
---@field errors? string[]  HTML messages of a failed or blocked step
---@field blocked? boolean  the current step says `blocked` (default false)
--- Another publish starts when the current run ends; where none runs, when the one
--- that is started next does.
---@field next? {id?: string}
---@field cancel_seconds? number  virtual seconds from accepted to canceled (default 120)
--- False: a cancel is accepted, then given up, and the operation goes on (default
--- true).
---@field cancelable? boolean
---@field too_late? boolean  the run ends as `ending` says when the cancel is accepted
---@field synchronous? boolean  a cancel is answered 200, done (default false)
--- "F1".."F4", the forms in which the service gives an operation location; "none";
--- anything else is the header's value (default "F1").
---@field location? string
--- Its name, or "both" for Operation-Location and Location (default: Operation-Location
--- for F1 and F2 and other values, Location for F3 and F4).
---@field location_header? string
--- Whether a cancel's location names the operation that ran (the last one, if none
--- does) or an operation of its own (default "canceled").
---@field names? "canceled"|"own"
---@field accepted_body? string  the body of a cancel's 202 (default "")
---@field document? "object"|"array"  shape of an operation document (default "object")
--- Canonical state -> the word used for it; states: never_published, not_started,
--- running, blocked, waiting_for_publisher_review, succeeded, failed, canceled.
---@field words? table<string, string>
--- HTTP status of a poll before the end; 202 brings the location again (default 200).
---@field running_status? integer
---@field done_status? integer  HTTP status of a poll after the end (default 200)
--- `cancellationRequestState` of an operation: true for canCancel, and cancelRequested
--- after a cancel; false for none (default true).
---@field cancellation_state? boolean|string
--- Earlier operations, oldest first; state succeeded, failed or canceled; `ago`:
--- virtual seconds since then.
---@field history? {id?: string, state?: string, ago?: number}[]
---@field list? "normal"|"empty"  (default "normal")
---@field list_order? "newest"|"oldest"|"shuffled"  (default "newest")
---@field list_lag? number  virtual seconds by which the list is behind (default 0)
---@field list_own? boolean  the list shows a cancel's own operations too (default false)
---@field foreign? boolean  403: the caller is no member of the publisher (default false)
---@field delay? number  virtual seconds before each answer (default 0)
---@field [string] cpp.no_such_option

---@class cpp.emulator.fault  the first fault in the list that strikes a request counts
--- The call: "cancel", "publish", "golive", "poll", "operations", "status", "token" (the
--- directory's endpoints), "github", "pipelines", "identity", or "*" for all.
---@field on string
---@field offer? string  only for this "publisher/offer"
---@field skip? integer  requests to let pass first (default 0)
---@field times? integer  how often it strikes; -1 for ever (default 1)
---@field probability? number  of striking (default 1)
---@field seed? integer  of the random numbers for `probability` (default 1)
--- Closes the connection (over HTTP/2, resets the stream) unanswered, before or after
--- the request is carried out.
---@field drop? "before"|"after"
---@field reset? boolean  for `drop`: resets the connection (RST) instead (HTTP/1.1 only)
---@field status? integer  answers this instead
--- For `status` and `raw`: whether the request is carried out first (default "before":
--- it is not).
---@field when? "before"|"after"
---@field retry_after? string  the header's value: seconds or an HTTP date
---@field headers? table<string, string>  added to the answer
---@field body? string  instead of the answer's
---@field delay? number  virtual seconds between carrying out and answering
--- Sent as it is instead of an answer, then the connection is closed; numbers are
--- pauses in real seconds (HTTP/1.1 only; over HTTP/2 the stream is reset).
---@field raw? string|(string|number)[]
---@field early? boolean  answers a POST without reading, or checking, its body
---@field [string] cpp.no_such_option

---@class cpp.emulator.settings  portal-wide settings
---@field faults? cpp.emulator.fault[]  replaces all faults
---@field speed? number  virtual seconds per real second; 0 stops the clock
---@field advance? number  virtual seconds to jump forward once
---@field token_seconds? integer  life of tokens issued from now on, in real seconds
--- Calls after which a token is refused, counted anew from now; -1 for no limit.
---@field token_calls? integer
---@field revoke? boolean  refuses every token given out so far
--- Assertions of a federated identity that the directory trusts; replaces those it trusted,
--- the one in `federated_file` included.
---@field assertions? string[]
--- Life of the assertions that GitHub and Pipelines hand out from now on, in real seconds.
---@field assertion_seconds? integer
--- How a token's life is told, in the answers of all routes: as each route does, or as a
--- string, a number, a number with a fraction, null, or not at all.
---@field expires_in? "usual"|"string"|"number"|"fraction"|"null"|"none"
---@field expires_on? "usual"|"string"|"number"|"fraction"|"null"|"none"
--- False: the host has no managed identity but the one with a client id.
---@field system_identity? boolean

--- Options of `emulator.start`.
---@class (exact) cpp.emulator.options
---@field tls? boolean  https and HTTP/2 (default false)
---@field offers? table<string, cpp.emulator.offer>  "publisher/offer" -> settings
---@field faults? cpp.emulator.fault[]
---@field speed? number  virtual seconds per real second (default 1)
---@field token_seconds? integer  life of an issued token, in real seconds (default 3599)
---@field token_calls? integer  calls that a token is good for (default -1: any number)
--- The application's certificate: true to make one, or the path of a PEM file (default:
--- it has none).
---@field certificate? true|string
---@field certificate_password? string  encrypts the key of the one that is made
---@field assertions? string[]  trusted beside the one in `federated_file`
---@field assertion_seconds? integer  (default 300)
---@field expires_in? "usual"|"string"|"number"|"fraction"|"null"|"none"  (default "usual")
---@field expires_on? "usual"|"string"|"number"|"fraction"|"null"|"none"  (default "usual")
---@field system_identity? boolean  (default true)
---@field seed? integer  of ids and of shuffling (default: random)
---@field nginx? string  the program's path (default: searched)
--- IPv4 addresses of this machine to listen on beside loopback, where whoever reaches
--- them may ask; the first stands in `endpoint`.
---@field addresses? string[]
---@field [string] cpp.no_such_option

---@class cpp.emulator.portal
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
local portal = {}
portal.__index = portal

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
---@return cpp.emulator.portal|nil
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
  setmetatable(self, portal)
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
function portal:set(name, settings)
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
function portal:environment(route)
  check_open(self)
  local variables = application.environment(self.application, self, route)
  if not variables then
    error(("there is no route '%s'"):format(tostring(route)), 2)
  end
  return variables
end

---@class cpp.emulator.counts
---@field requests integer  all
---@field cancels integer  POSTs received, whatever became of them
---@field acted integer  cancels that told something running to stop
---@field idle integer  cancels accepted while nothing ran
---@field publishes integer
---@field golives integer
---@field polls integer
---@field lists integer
---@field statuses integer
---@field tokens integer  requests to the directory's endpoints, v1 and v2
---@field github integer  requests for an assertion
---@field pipelines integer  requests for an assertion
---@field identity integer  requests for a managed identity's token
---@field unknown integer

---@class cpp.emulator.ledger: cpp.emulator.counts
---@field offers table<string, cpp.emulator.counts>  for each offer that was asked about
--- Each request in order: seq, time (virtual), method, uri (as received), offer, call,
--- acted, idle, status (absent when it got none), faulted, request_id,
--- client_request_id, connection, protocol, content_type, content_length, if_match,
--- user_agent, accept, accept_encoding, body; never a token or a secret.
---@field entries table[]

--- What the portal was asked, and did, so far: complete for every request that has an
--- answer.
---@return cpp.emulator.ledger
function portal:ledger()
  check_open(self)
  return ledger.read(self.folder .. "/ledger.jsonl")
end

--- Ends nginx and removes its folder. Closing twice is harmless.
function portal:close()
  if self.closed or self.owner ~= own_pid() then
    return
  end
  self.closed = true
  self.journal:close()
  self.server:stop()
  remove_folder(self)
end

portal.__close = portal.close
portal.__gc = portal.close

return emulator
