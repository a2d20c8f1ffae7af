---@meta cpp
-- luacheck: no unused

-- The reference of `require "cpp"`, the C module: one HTTP exchange at a time,
-- no policy. The functions of cpp.workflow, cpp.task, cpp.credential and
-- cpp.emulator are annotated in their own files, below lua/cpp/; what a workflow
-- takes and gives is in workflow.lua beside this file.
--
-- Wrong use (an unknown option, a wrong type, an impossible value, a closed
-- client) raises an error that names the culprit. Whatever happens at run time
-- returns nil and a cpp.error. Times are seconds, sizes are bytes.
--
-- Where something is a fact about the service, its source is said: "documented
-- by Microsoft", "seen in public clients", or "reported by users".

-- ---- options ---------------------------------------------------------------

--- What the option `token` may be, if no string: called once per exchange, it
--- returns the token, or nil and why there is none (a text, or an error, whose
--- code, message and retryable the call's own error then carries). It may
--- yield and may call the client, which gives it no more time than is left of the
--- call. `rejected` is the token that last got a 401
--- on this client: a cache must not give that one again.
---@alias cpp.token_function
---| fun(client: cpp.client, rejected: string?): string?, string|cpp.error?

--- How a client waits: returns when the client's `pollfd` is ready, when its
--- `timeout` has passed, or when `seconds` have; early is harmless, and it may
--- yield. A call passes its `request`, a sleep its `seconds`. `cqueues.poll` is
--- such a function. Where a coroutine cannot yield (inside `string.gsub`,
--- `table.sort`, `require`, a finalizer) it is not called: the call blocks.
---@alias cpp.wait_function
---| fun(client: cpp.client, seconds: number?, request: cpp.request?)

--- Called after an exchange, never from inside libcurl. An error in it becomes
--- a Lua warning; the result of the call stays what it was.
---@alias cpp.trace_function fun(event: cpp.trace_event)

--- What an option of any other name would have to be. No value is one, so that an
--- editor flags a name that is misspelt.
---@class cpp.no_such_option: userdata

--- Options of a client that a call may override.
---@class (exact) cpp.options
--- Scheme, host and port of the service: no path, query or user info. Plain
--- http is for loopback only. Default: the environment's CPP_ENDPOINT, else
--- "https://cloudpartner.azure.com".
---@field endpoint? string
--- Bearer token, or where it comes from. White space and a byte order mark
--- around it are dropped; what is no token (quotes, `Bearer `, az's JSON, a line
--- break within) raises. Default: the environment's CPP_TOKEN, of which the same
--- is an error of the calls that need it: `credential`, `invalid_token`. Without
--- either, a call fails: `credential`, `no_token`.
---@field token? string|cpp.token_function|cpp.credential
--- Query parameter api-version, for calls and for locations that lack it.
--- Default: "2017-10-31", the only one documented by Microsoft.
---@field api_version? string
--- Whom the service tells by e-mail about the cancel: "a@x.com,b@y.com" or an
--- array. Default: nobody. Ignored for offers that have moved to Partner Center
--- (documented by Microsoft).
---@field notification_emails? string|string[]
--- Header If-Match of a cancel: an ETag or "*". Documented by Microsoft for
--- every publishing call; no public client is seen to send it. Default: not
--- sent.
---@field if_match? string
--- Seconds for a whole call, above 0: the token function, waiting for a
--- connection and name resolution included. Default: 60.
---@field timeout? number
--- Seconds for name resolution, TCP and TLS, above 0, within `timeout`.
--- Default: 10.
---@field connect_timeout? number
--- More request headers: name -> value. Those that the module sets itself are
--- refused; the message names the option that changes them. Default: none.
---@field headers? table<string, string>
--- Header User-Agent. Default: "cloud-partner-portal/" .. cpp._VERSION.
---@field user_agent? string
--- Header x-ms-client-request-id, for support requests. Default: a new random
--- UUID for each exchange.
---@field client_request_id? string
--- PEM file of certificate authorities, in place of the system's store.
--- Default: the environment's SSL_CERT_FILE, else the system's.
---@field ca_file? string
--- Folder of certificate authorities, named by hash (`openssl rehash`), in
--- place of the system's store. Default: the environment's SSL_CERT_DIR, else
--- the system's.
---@field ca_path? string
--- URL of a proxy, with user:password@ if it wants them; "" is none at all.
--- Plain http to loopback never goes through one. Default: libcurl's rules
--- for the environment (https_proxy, all_proxy, no_proxy).
---@field proxy? string
--- "1.1": nothing newer. "2": over https what the server negotiates, as
--- without the option; to loopback over plain http, HTTP/2 at once. Default:
--- HTTP/2 where TLS negotiates it, else HTTP/1.1.
---@field http_version? "1.1"|"2"
--- Bytes of an answer's body after decompression, 1 to 2147483647; more is an
--- error: `protocol`, `body_too_large`. Default: 16777216 (16 MiB).
---@field max_body? integer
--- Called with a `cpp.trace_event` after each exchange. Default: none.
---@field trace? cpp.trace_function
---@field [string] cpp.no_such_option

--- Options of `cpp.client`.
---@class (exact) cpp.client_options: cpp.options
--- Connections at a time to one host, 1 to 100000; more calls in flight wait
--- for one, except where HTTP/2 lets them share it. Default: 16.
---@field max_connections? integer
--- How calls wait. Default: the call blocks in C, and Ctrl-C interrupts it.
---@field wait? cpp.wait_function

--- Options of one call.
---@class (exact) cpp.call_options: cpp.options
--- A time of `client:now()`: a request that has not begun to leave by then,
--- whatever held it up, is not sent: `transport`, `not_started`. Default: none.
---@field start_by? number
--- true: asks for no token, sends nothing, and returns the request as a
--- `cpp.dry_run`. Default: false.
---@field dry_run? boolean

--- Options of `client:operations`.
---@class (exact) cpp.list_options: cpp.call_options
--- Only operations in this state: one of `cpp.state`, or a word of the service.
--- The service is asked to filter (documented by Microsoft), and its answer is
--- filtered again. Default: all.
---@field status? cpp.state|string

--- Options with `dry_run`, for the calls whose result it changes.
---@class (exact) cpp.dry_options: cpp.list_options
---@field dry_run true

-- ---- results ---------------------------------------------------------------

--- The states that the service's words are folded to, whatever their case,
--- spaces, "-" and "_". Words: "not started", "running", "failed", "completed"
--- are documented by Microsoft; the others are seen in its samples and in
--- public clients. What waits for a publisher's review goes on when a person
--- signs off.
---@alias cpp.state
---| "accepted" # the cancel was answered 202; so it is where nothing runs (reported by users)
---| "not_started" # "not started", "never published"
---| "running" # "running", "in progress"; or a poll was answered 202
---| "waiting_for_publisher_review" # "waiting for publisher review", also of its current step
---| "succeeded" # "succeeded", "completed", "complete", "published"; or a poll was answered 204
---| "failed" # "failed", "rejected"
---| "canceled" # "canceled", "cancelled"; or a cancel was answered 200
---| "unknown" # another word or none: not an end, and never a success

--- A message of a step or an operation, in the service's own names.
---@class cpp.message
--- HTML written by a server: `workflow.problems` makes plain text of it.
---@field messageHtml? string
--- "error" for what must be mended, and others.
---@field level? string
---@field timestamp? string

--- A step of an operation, in the service's own names.
---@class cpp.step
---@field id? string
---@field stepName? string
---@field description? string
---@field estimatedTimeFrame? string
--- The service's word, not folded: "notStarted", "inProgress", "complete" …
---@field status? string
---@field messages? cpp.message[]
--- 0 to 100.
---@field progressPercentage? number

--- A decoded document: of these fields, whose names are documented by
--- Microsoft, and of any others those that the service sent. JSON null is
--- `cpp.null`. Numbers are what the installed lua-cjson makes of them: floats
--- with Debian's, which lose digits beyond 2^53; `body` has them all.
---@class cpp.document
---@field id? string
---@field status? string
--- The word for the state, in an item of a list.
---@field submissionState? string
---@field submissionType? string
---@field messages? cpp.message[]
---@field steps? cpp.step[]
--- "canCancel" while a cancel is possible.
---@field cancellationRequestState? string
---@field offerId? string
---@field publisherId? string
---@field offerVersion? integer|number
---@field publishingVersion? integer|number
--- ISO 8601, in an item of a list.
---@field changedTime? string

--- What the service said about an operation. `tostring` of it is one line
--- without control characters. A field that the service said nothing about is
--- absent. A call never changes the operation that it is given.
---@class cpp.operation
---@field state cpp.state
--- Whether the state is an end: succeeded, failed or canceled.
---@field done boolean
--- The service's own word for the state.
---@field status? string
--- HTTP status of the answer; absent in an item of a list.
---@field http_status? integer
--- Where to poll it: absolute, with api-version, good in another process too.
--- Absent after a cancel that was answered 200, and in an offer's status.
---@field location? string
--- The operation's own id: the document's, or the location's where that is
--- below /publishers/. After a cancel it may be the id of the operation that is
--- being canceled (seen in public clients).
---@field id? string
---@field publisher? string
---@field offer? string
--- Per cent, 0 to 100: the mean over the steps. Absent without steps.
---@field progress? integer
--- The steps of the document, decoded when the field is read.
---@field steps? cpp.step[]
--- The messages of the document, decoded when the field is read.
---@field messages? cpp.message[]
--- false: HTTP status, location and body are those of the operation that was
--- given to `poll`.
---@field changed boolean
--- Seconds that the service asks to wait before the next poll: its Retry-After,
--- whether sent as seconds or as a date; absent in an item of a list. Documented
--- nowhere.
---@field retry_after? integer
--- The service's id for the exchange, x-ms-request-id or
--- x-ms-correlation-id; absent in an item of a list.
---@field request_id? string
--- What was sent as x-ms-client-request-id; absent in an item of a list.
---@field client_request_id? string
--- The decoded body, decoded when the field is read. The documentation shows an
--- array of one, public clients read an object: it is what was sent.
---@field document? cpp.document|cpp.document[]
--- The body as text; absent in an item of a list.
---@field body? string

--- An operation in a list: it says nothing of an exchange (http_status, body,
--- retry_after, request_id, client_request_id), and its location is built from
--- its id, in a form that is documented by Microsoft.
---@class cpp.item: cpp.operation
---@field publisher string
---@field offer string
---@field document cpp.document

--- The request that a call with `dry_run` would have sent. `tostring` of it is
--- a curl command line, which takes the token from $CPP_TOKEN.
---@class cpp.dry_run
---@field method "GET"|"POST"
---@field url string
--- Name -> value, the token masked; libcurl adds its own (Host,
--- Accept-Encoding, Content-Length).
---@field headers table<string, string>
--- Of a POST.
---@field body? string

--- One ended exchange. Times are seconds from its start and 0 for a stage that
--- it did not come to or did not need.
---@class cpp.trace_event
---@field method "GET"|"POST"
---@field url string
--- HTTP status; absent without an answer.
---@field status? integer
--- The code of the error, if the call ended in one.
---@field code? string
--- Of that error: whether trying again may help.
---@field retryable? boolean
--- false: the request provably never left.
---@field sent boolean
--- Seconds after which the service wants to be asked again.
---@field retry_after? integer
--- Name resolved.
---@field dns number
--- TCP connected.
---@field connect number
--- TLS negotiated.
---@field tls number
--- First byte of the answer received.
---@field first_byte number
--- All over.
---@field total number
--- Bytes of the request's body.
---@field bytes_sent integer
--- Bytes of the answer's body as they came, compressed or not.
---@field bytes_received integer
--- Whether it rode a connection that was open already.
---@field reused boolean
--- Numeric address of the peer.
---@field address? string
---@field protocol? "HTTP/1.0"|"HTTP/1.1"|"HTTP/2"
---@field request_id? string
---@field client_request_id string
--- From a workflow: which of its exchanges of this kind (cancel, poll, operations),
--- from 1.
---@field attempt? integer
--- From a workflow: seconds waited before it.
---@field delay? number
--- From a workflow: why it waited so long.
---@field reason? "at_once"|"backoff"|"retry_after"|"deadline"

--- What `client:fetch_token` returns.
---@class cpp.token
---@field access_token string
--- Seconds. The service sends numbers or strings; whole ones are integers here,
--- anything else is as it came.
---@field expires_in? integer|number|string
--- Seconds since 1970, or the text that the service gave.
---@field expires_on? integer|number|string

--- What `client:fetch_token` takes: a secret or an assertion.
---@class (exact) cpp.token_parameters
--- Directory of the application: its id or a domain name.
---@field tenant string
---@field client_id string
--- Asks the endpoint of v1, `{authority}/{tenant}/oauth2/token`.
---@field client_secret? string
--- A JWT that stands for the application. Asks the endpoint of v2,
--- `{authority}/{tenant}/oauth2/v2.0/token`, with `{resource}/.default` as scope.
---@field client_assertion? string
--- Origin of the token endpoint. Default: "https://login.microsoftonline.com".
---@field authority? string
--- What the token is for. Default: "https://cloudpartner.azure.com".
---@field resource? string
---@field [string] cpp.no_such_option

--- What `client:fetch_json` takes.
---@class (exact) cpp.json_parameters
--- https, or http to loopback; never a link-local address.
---@field url string
--- A POST has no body. Default: "GET".
---@field method? "GET"|"POST"
--- The only ones of the caller's that are sent; `Authorization` may be among
--- them. Their values are masked in errors and trace events.
---@field headers? table<string, string>
---@field [string] cpp.no_such_option

-- ---- errors ----------------------------------------------------------------

---@alias cpp.error_kind
---| "transport" # no whole answer came
---| "http" # the service, or something before it, answered 3xx, 4xx or 5xx
---| "protocol" # an answer that no rule of the service's allows
---| "origin" # the location is not one to send the token to
---| "credential" # no token could be had
---| "closed" # the client was closed meanwhile
---| "workflow" # the exchanges went well; what was asked for did not come about

--- Stable words. Of kind `http` and `credential` the code is the service's own
--- where it sends one ("InvalidAPIVersion", "invalid_client"), else "http_"
--- and the status.
---@alias cpp.error_code
---| "could_not_resolve" # transport: no such host, or no DNS
---| "could_not_resolve_proxy" # transport
---| "could_not_connect" # transport: refused or unreachable
---| "timeout" # transport: not over within `timeout`, or not connected within `connect_timeout`
---| "tls_handshake" # transport: no TLS there, or none in common
---| "tls_verification" # transport: the certificate is not trusted
---| "ca_file" # transport: ca_file, or a system's store, cannot be read
---| "connection_lost" # transport: broken before a whole head of an answer; it may have acted
---| "incomplete_answer" # transport: broken after the head of the answer (HTTP/1.x)
---| "proxy_refused" # transport: the proxy said no; its status, if it has one, is in `status`
---| "invalid_proxy" # transport: the environment names a proxy that is no proxy's URL
---| "out_of_memory" # transport
---| "no_descriptors" # transport: this process may open no more
---| "not_started" # transport: not sent, since it had not begun to leave by `start_by`
---| "transfer_failed" # transport: anything else
---| "invalid_http" # protocol: the answer is not HTTP
---| "invalid_encoding" # protocol: the body cannot be decompressed
---| "invalid_json" # protocol: the body is not JSON
---| "body_too_large" # protocol: larger than max_body
---| "headers_too_large" # protocol: the headers never end, or one is longer than 100 kB
---| "request_too_large" # protocol: URL, token and headers of the request; nothing was sent
---| "unexpected_status" # protocol: a 2xx that this call does not know
---| "unexpected_document" # protocol: the list is not an array, or the document no table
---| "invalid_token_answer" # protocol: the token endpoint sent no token
---| "no_location" # protocol: the operation has no location to poll
---| "foreign_origin" # origin: another scheme, host or port than the endpoint's
---| "invalid_location" # origin: not a URL
---| "user_info" # origin: user:password@ in the URL
---| "invalid_url" # origin: not one of http or https (fetch_json)
---| "insecure_url" # origin: plain http to a host that is not loopback (fetch_json)
---| "link_local" # origin: nothing talks to such an address (fetch_json)
---| "no_token" # credential: none was given
---| "invalid_token" # credential: no string, or no bearer token; the message names what held it
---| "no_credential" # credential: the environment holds none
---| "credential_incomplete" # credential: a variable is missing; the message names it
---| "invalid_variable" # credential: a variable holds what cannot be; the message names it
---| "rejected_again" # credential: the renewed token is the one that was rejected
---| "login_timeout" # credential: another call logs in, and has not ended in time
---| "az_not_found" # credential: the Azure CLI is not installed
---| "az_failed" # credential: the Azure CLI gave no token; the message is its own
---| "az_timeout" # credential: the Azure CLI gave none within the client's timeout
---| "openssl_not_found" # credential: a certificate needs the command
---| "openssl_failed" # credential: the certificate or its key cannot be used
---| "unreadable_file" # credential: the certificate, or the federated token, cannot be read
---| "no_assertion" # credential: the CI system answered, but without one
---| "no_identity_token" # credential: the managed identity answered, but without a token
---| "closed" # closed
---| "deadline" # workflow: not ended by then; the operation goes on, or may
---| "other_operation" # workflow: another one runs than was asked for; no cancel was taken
---| "not_canceled" # workflow: the service gave the cancel up, the operation goes on
---| "unverified" # workflow: what can be seen does not tell what became of the cancel
---| string

--- What went wrong. `tostring` of it is one line, without control characters
--- and without the token. A field of which nothing is known is absent.
---@class cpp.error
---@field kind cpp.error_kind
---@field code cpp.error_code
---@field message string
--- HTTP status of the answer.
---@field status? integer
--- Whether the same exchange may succeed later. That it is safe to repeat is
--- another question: see `sent`.
---@field retryable? boolean
--- false: the request provably never left this machine. After true, a cancel
--- may have acted, whatever the error.
---@field sent? boolean
--- Seconds that the service asks to wait.
---@field retry_after? integer
--- The service's id for the exchange.
---@field request_id? string
--- What was sent as x-ms-client-request-id.
---@field client_request_id? string
--- The body of the answer, as text.
---@field body? string
--- Where to go on polling: what was polled, or what a 202 brought before it was
--- cut.
---@field location? string
--- From a workflow, on an error of any kind, where known.
---@field publisher? string
--- From a workflow, where known.
---@field offer? string
--- From a workflow: what is followed, as last seen.
---@field operation? cpp.operation
--- From a workflow: what became of the cancel. `not_sent`: no request left;
--- `refused`: the service said no, with a 4xx but 408; `unknown`: the answer was lost, or
--- says neither.
---@field cancel? "not_sent"|"refused"|"accepted"|"unknown"
--- From `workflow.cancel`: its last polls.
---@field polls? cpp.workflow.poll[]
--- From a workflow that ran out of time: what the last look met.
---@field cause? cpp.error

-- ---- the module ------------------------------------------------------------

--- Cancels operations on offers of the Cloud Partner Portal and polls them.
---@class cpp
--- Version of the rock.
---@field _VERSION string
--- What JSON null is inside `document`; the same value as lua-cjson's.
---@field null lightuserdata
local cpp = {}

--- Cancels what runs on an offer, through a default client that is made at
--- first use with no options. See `client:cancel`.
---@param publisher string
---@param offer string
---@param opts? cpp.call_options
---@return cpp.operation|nil operation
---@return cpp.error|nil err
---@overload fun(publisher, offer, opts: cpp.dry_options): cpp.dry_run?, cpp.error?
function cpp.cancel(publisher, offer, opts) end

--- Asks once how an operation stands, through the default client. See
--- `client:poll`.
---@param where string|cpp.operation a location, absolute or relative, or an operation
---@param opts? cpp.call_options
---@return cpp.operation|nil operation
---@return cpp.error|nil err
---@overload fun(where, opts: cpp.dry_options): cpp.dry_run?, cpp.error?
function cpp.poll(where, opts) end

--- Makes a client: options, connections that are kept between calls, and a
--- place in an event loop. Opens no connection yet. One client is enough for
--- any number of calls at a time, on one thread. Raises where an option is
--- wrong.
---@param opts? cpp.client_options
---@return cpp.client
function cpp.client(opts) end

--- Makes an error like the module's own, for policy written in Lua. Raises
--- unless `kind` is one of `cpp.error_kind` and `code` and `message` are
--- strings; other fields are copied as they are.
---@param fields { kind: cpp.error_kind, code: string, message: string, [string]: any }
---@return cpp.error
function cpp.error(fields) end

-- ---- clients ---------------------------------------------------------------

--- A call under way, as a wait function sees it. It has no fields.
---@class cpp.request: userdata

--- Made by `cpp.client`. Each call is one HTTP exchange: no retry, no redirect,
--- no second request. It closes with `close`, with its to-be-closed variable, or
--- when it is collected. A client belongs to the process that made it: after a
--- fork, calls in the child raise. `tostring` names its endpoint.
---@class cpp.client: userdata
local client = {}

--- Cancels what runs on an offer: POST …/offers/{offer}/cancel. The call names
--- no operation (documented by Microsoft). Answered 200, the operation is
--- `canceled`, and done; answered 202, it is `accepted`: followed by polling,
--- or better by `workflow.cancel`, since the same 202 comes when nothing runs
--- (reported by users). The request reaches the server at most once.
---@param publisher string
---@param offer string
---@param opts? cpp.call_options
---@return cpp.operation|nil operation
---@return cpp.error|nil err
---@overload fun(self, publisher, offer, opts: cpp.dry_options): cpp.dry_run?, cpp.error?
function client:cancel(publisher, offer, opts) end

--- Asks once how an operation stands: GET its location. The state is that of
--- the document, since an operation that still runs is answered 200 (documented
--- by Microsoft). Given the operation of the poll before, tells whether
--- something `changed`, and decodes nothing where nothing did. A location on
--- another origin than the endpoint's is refused before a socket opens:
--- `origin`, `foreign_origin`.
---@param where string|cpp.operation a location, absolute or relative, or an operation
---@param opts? cpp.call_options
---@return cpp.operation|nil operation
---@return cpp.error|nil err
---@overload fun(self, where, opts: cpp.dry_options): cpp.dry_run?, cpp.error?
function client:poll(where, opts) end

--- Lists the operations of an offer: GET …/offers/{offer}/submissions/. Their
--- order is documented nowhere. The list can lag behind. An item that is no object
--- is an operation in state `unknown`.
---@param publisher string
---@param offer string
---@param opts? cpp.list_options
---@return cpp.item[]|nil items
---@return cpp.error|nil err
---@overload fun(self, publisher, offer, opts: cpp.dry_options): cpp.dry_run?, cpp.error?
function client:operations(publisher, offer, opts) end

--- Asks for the status of an offer, in the shape of an operation:
--- GET …/offers/{offer}/status.
---@param publisher string
---@param offer string
---@param opts? cpp.call_options
---@return cpp.operation|nil operation
---@return cpp.error|nil err
---@overload fun(self, publisher, offer, opts: cpp.dry_options): cpp.dry_run?, cpp.error?
function client:status(publisher, offer, opts) end

--- Asks the token endpoint for a token, in the form that is documented by
--- Microsoft for an application with a secret, or with an assertion. It is not
--- kept: `credential.client_secret` does that, and is what the option `token`
--- takes. Refusals are of kind `credential`.
---@param parameters cpp.token_parameters
---@return cpp.token|nil token
---@return cpp.error|nil err of kind `credential` where the endpoint refuses
function client:fetch_token(parameters) end

--- Asks somebody else than the portal for a JSON document, without the client's
--- token and headers and without a redirect: what a credential is granted an
--- assertion by. A URL that is not talked to is an error of kind `origin`.
---@param parameters cpp.json_parameters
---@return table|nil document decoded; JSON null is `null` of the module
---@return cpp.error|nil err of kind `credential` where the other side refuses
function client:fetch_json(parameters) end

--- Waits, as calls do: through the client's wait function, which may yield.
---@param seconds number 0 or more
---@return true|nil slept
---@return cpp.error|nil err of kind `closed`, when the client closes meanwhile
function client:sleep(seconds) end

--- The client's clock, which nothing sets back.
---@return number seconds since some point in the past
function client:now() end

--- For event loops: the descriptor to watch for reading. It is also ready while
--- an ended call has not been collected, and when the client closes. nil of a
--- closed client, and on systems without epoll, where a loop has to call `step`
--- by itself.
---@return integer|nil descriptor
function client:pollfd() end

--- For event loops: what to watch the descriptor for.
---@return "r"
function client:events() end

--- For event loops: when the client wants a `step` at the latest.
---@return number|nil seconds from now; nil: whenever the descriptor is ready
function client:timeout() end

--- For event loops: does what is ready; if nothing is, waits for it, for at
--- most `seconds` and at most one second. Ends no call by itself: a call
--- returns when its own wait function does.
---@param seconds? number 0 or more (default 0)
function client:step(seconds) end

--- Takes one ended call whose wait function still waits out of the queue: what
--- that function was given as its third argument. A scheduler resumes the
--- coroutine that it belongs to.
---@return cpp.request|nil request
function client:finished() end

--- Has whoever waits for this client, in an event loop or in the next step, go on at
--- once: for policy that has made something ready itself.
function client:wake() end

--- Sets how the client's calls wait; nil: they block in C. Without an argument
--- nothing changes.
---@param fn? cpp.wait_function|nil
---@return cpp.wait_function|nil previous
function client:wait(fn) end

--- An option of the client's, for policy that sets some for a call: `timeout` in
--- seconds (in a token function, what is left of the call that asks, if that is
--- less), or `trace`, nil where it was not given.
---@overload fun(self: cpp.client, name: "trace"): cpp.trace_function|nil
---@param name "timeout"
---@return number
function client:option(name) end

--- Ends every call and sleep in progress, with an error of kind `closed`, and
--- closes the connections. Closing twice is harmless; a new call raises.
function client:close() end

--- Whether the client has been closed.
---@return boolean
function client:closed() end

return cpp
