--- What the command says: of operations, by clean text out of their documents, results,
-- failures, what to do about them, and the line to go on with.

require "cpp" -- has cpp.state
local claims_of = require "cpp.credential.claims"
local text = require "cpp.text"
local words = require "cpp.words"

local tell = {}

--- The state that the service means by a word, else "unknown".
---@type fun(word: string): string
tell.fold = require "cpp.state"

local function field(operation, name)
  local value = text.clean(words.document(operation)[name])
  return value ~= "" and value or nil
end

--- What runs: "publish", say. Only items of a list tell.
function tell.kind(operation)
  return field(operation, "submissionType")
end

--- When it last changed, as the service wrote it.
function tell.changed(operation)
  return field(operation, "changedTime")
end

--- Whether the service says that a cancel could still be sent.
function tell.is_cancelable(operation)
  return words.of(operation, "cancellationRequestState") == "cancancel"
end

--- The steps of an operation, in order; `status` is the service's word.
---@return { name: string, status: string, progress: integer|nil }[]
function tell.steps(operation)
  local list = {}
  for _, step in ipairs(operation.steps or {}) do
    if type(step) == "table" then
      local progress = tonumber(step.progressPercentage)
      list[#list + 1] = { name = text.clean(step.stepName or step.id),
        status = text.clean(step.status), progress = progress and math.tointeger(progress // 1) }
    end
  end
  return list
end

--- Its state in words; a word that nobody knows is shown as the service wrote it.
function tell.state(operation)
  if operation.state == "unknown" and operation.status then
    return ('"%s"'):format(text.clean(operation.status))
  end
  return (operation.state:gsub("_", " "))
end

---@alias cpp.cli.subject  what the command is asked about
---| { publisher?: string, offer?: string, operation?: string, location?: string }

--- "contoso/vm", or as much of it as is known.
function tell.name(subject)
  if subject.publisher and subject.offer then
    return text.clean(subject.publisher .. "/" .. subject.offer)
  end
  local path = text.clean(subject.location):match "^[^?]*"
  return path:match "([^/]+)/*$" or "operation"
end

local function describe(operation, kind)
  kind = operation and tell.kind(operation) or kind or "operation"
  return operation and operation.id and (" (%s %s)"):format(kind, text.clean(operation.id)) or ""
end

local OUTCOMES = {
  canceled = "canceled", accepted = "cancel accepted",
  nothing_to_cancel = "nothing to cancel", too_late = "too late, it had completed",
  failed = "it had failed by itself",
}

-- Whether one may publish again, which is why people cancel.
local function describe_future(result)
  if result.may_publish then
    return "; a publish may start"
  elseif result.running then
    return ("; do not publish, now %s runs"):format(text.clean(result.running.id))
  end
  local trouble = result.trouble and ": " .. text.clean(tostring(result.trouble)) or ""
  return "; whether a publish may start is not known" .. trouble
end

--- "contoso/vm: canceled (publish 5661…); a publish may start". `looked`: a look has been
--- answered; `kind`: what a list called the operation.
function tell.cancel(result, looked, kind)
  local operation, rest = describe(result.operation, kind), describe_future(result)
  if result.outcome == "accepted" then
    rest = operation ~= "" and "" or looked and ", but nothing was seen running"
      or ", but what runs could not be looked at"
  end
  return ("%s: %s%s%s"):format(tell.name(result), OUTCOMES[result.outcome] or result.outcome,
    operation, rest)
end

--- "running, 25 % (operation 5661…)"
function tell.look(operation)
  local percent = operation.progress and (", %d %%"):format(operation.progress) or ""
  return tell.state(operation) .. percent .. describe(operation)
end

--- A line for each step.
function tell.step_lines(steps)
  local list = {}
  for i, step in ipairs(steps) do
    local percent = step.progress and ("%3d %%"):format(step.progress) or ""
    list[i] = ("  %5s  %s  %s"):format(percent, text.pad(step.status, 12), step.name)
  end
  return list
end

--- A line for each thing that went wrong.
function tell.problems(problems)
  local list = {}
  for i, problem in ipairs(problems) do
    local step = problem.step and text.clean(problem.step) .. ": " or ""
    list[i] = "  " .. step .. text.clean(problem.text)
  end
  return list
end

--- "5661…  running       publish  2026-11-22T17:08:21Z", one of a list. The time is to the
--- second; one without a zone is shown as it came.
function tell.item(operation)
  local time = tell.changed(operation) or ""
  time = time:gsub("^(%d+%-%d+%-%d+T%d+:%d+:%d+)[%d.]*", "%1")
  local line = ("%s  %s  %s  %s"):format(operation.id and text.clean(operation.id) or "-",
    text.pad(tell.state(operation), 11), text.pad(tell.kind(operation) or "", 8), time)
  return (line:gsub(" +$", ""))
end

local FATES = {
  not_sent = "no cancel was sent", refused = "the cancel was refused",
  accepted = "the cancel was accepted",
  unknown = "whether the cancel arrived is not known",
}

--- What an error means for the cancel; `refusal` is the HTTP status that refused it.
function tell.fate(err, refusal)
  local fate = FATES[err.cancel] or FATES.unknown
  return err.cancel == "refused" and refusal and ("%s with HTTP %d"):format(fate, refusal)
    or fate
end

local ENDS = { deadline = "not ended", interrupted = "stopped", refused = "refused",
  not_sent = "not sent", not_canceled = "not canceled" }

--- A word or two for the sum of several.
function tell.word(result)
  local err = result.err
  if err then
    return ENDS[err.code] or ENDS[err.cancel] or "not made sure of"
  end
  return (result.outcome:gsub("_", " "))
end

-- Only a token from the environment can be out of date: others are fetched anew.
local function expiry()
  local claims = claims_of(os.getenv "CPP_TOKEN" or "") or {}
  local ago = os.time() - (tonumber(claims.exp) or math.huge)
  return ago > 0 and ago < math.huge
    and ("the token in CPP_TOKEN expired %s ago; "):format(text.duration(ago)) or ""
end

-- An endpoint is https, or on this machine.
local function of_foreign(location)
  local origin = text.clean(location):lower():match "^%a+://[^/?#]+" or ""
  if origin:find "^https://" or origin:find "^http://127%."
    or origin:find "^http://localhost%f[:\0]" then
    return ("if the service is there, say so with --endpoint %s or in CPP_ENDPOINT; "
      .. "the token goes there then"):format(text.quote(origin))
  end
  return "--endpoint, or CPP_ENDPOINT, says where the service is"
end

local PROXY_PASSWORD = "the proxy wants a name and a password, in https_proxy: "
  .. "http://NAME:PASSWORD@HOST:PORT"
local PROXY = "the proxy lets nothing through to this host; --proxy \"\" goes without it"

-- By an error's code or HTTP status.
local HINTS = {
  tls_verification = "its certificate is not trusted: --ca-file or SSL_CERT_FILE names "
    .. "the authority, also that of a proxy which opens TLS; is the clock right?",
  could_not_resolve = "is the host name right, in --endpoint or CPP_ENDPOINT? where only "
    .. "a proxy knows names, https_proxy or --proxy names it",
  could_not_resolve_proxy = "is the proxy's name right, in --proxy or https_proxy?",
  could_not_connect = "are host and port right, in --endpoint or CPP_ENDPOINT, and those "
    .. "of a proxy? where the network wants one, https_proxy or --proxy names it",
  invalid_token = "a token is the text alone, as `az account get-access-token --query "
    .. "accessToken --output tsv` prints it",
  foreign_origin = function(err, subject)
    return of_foreign(subject.location or err.location)
  end,
  proxy_refused = function(err)
    return err.status == 407 and PROXY_PASSWORD or PROXY
  end,
  [401] = function()
    return expiry() .. "`cloudpartner whoami` shows whose token it is, for which service, "
      .. "and when it expires"
  end,
  [403] = "is the publisher's id right? `cloudpartner whoami` shows whose token it is",
  [404] = function(_, subject)
    if not subject.location then
      return "are both ids right? they are those in the portal's address, not the names it shows"
    elseif subject.offer then
      return ("`cloudpartner operations %s` shows those that the service knows"):format(
        text.quote_word(tell.name(subject)))
    end
    return "the service does not know it any more, or is another one: is --endpoint, or "
      .. "CPP_ENDPOINT, the one it came from?"
  end,
  [409] = function(_, subject)
    local name = subject.offer and text.quote_word(tell.name(subject)) or "PUBLISHER/OFFER"
    return ("the service says why; `cloudpartner operations %s` shows what is under way")
      :format(name)
  end,
}

--- What to do about an error, or about what caused it, where the command knows more than
--- the service says.
function tell.hint(err, subject)
  local hint = HINTS[err.code] or HINTS[err.status]
    or err.cause and tell.hint(err.cause, subject)
  return type(hint) == "function" and hint(err, subject) or hint
end

---@class cpp.cli.next
---@field name string  whose
---@field known cpp.cli.known|nil  of a cancel, what was known
---@field sort "wait"|"cancel"|"operations"
---@field word string  the target
---@field intro string

local INTRO = {
  wait = "to go on elsewhere:",
  cancel = "to go on, a cancel goes out only if that still runs:",
  again = "to try again:",
  operations = "to look what runs:",
  nothing = "nothing was seen running; to look elsewhere:",
  blind = "what runs could not be looked at; to look elsewhere:",
}

--- How to go on with a wait for a subject, by what was seen of it.
function tell.next_of_wait(subject)
  local word = subject.operation and ("%s/%s/%s"):format(subject.publisher, subject.offer,
    subject.operation) or subject.location
  return { name = tell.name(subject.seen or subject), sort = "wait", word = word,
    intro = INTRO.wait }
end

---@class cpp.cli.known  of an offer on which a cancel is under way
---@field publisher string
---@field offer string
---@field wanted string|nil  id of the operation that alone may be canceled
---@field seen cpp.operation|nil  that runs, as last seen
---@field is_other boolean|nil  which is not the wanted one
---@field looked boolean|nil  a look has been answered
---@field cancel "not_sent"|"refused"|"accepted"|"unknown"

--- Codes after which there is a way to go on.
tell.LEADS_ON = { deadline = true, interrupted = true, not_canceled = true,
  unverified = true }

--- How to go on with a cancel, by what is known of it, and the code of what ended it.
function tell.next_of_cancel(known, code)
  local name, fate = known.publisher .. "/" .. known.offer, known.cancel
  local seen = not known.is_other and known.seen or nil
  local id = known.wanted or (seen and seen.id)
  local word = id and name .. "/" .. id
  local function with(sort, target, intro)
    return { known = known, name = tell.name(known), sort = sort, word = target,
      intro = INTRO[intro or sort] }
  end
  if seen and (code == "unverified" or seen.done) then
    return with("operations", name)
  elseif id and (fate ~= "accepted" or code == "not_canceled") then
    return with("cancel", word)
  elseif seen and fate == "accepted" then
    return with("wait", word or seen.location)
  elseif fate == "not_sent" and not known.looked then
    return with("cancel", name, "again")
  end
  return with("operations", name, known.looked and "nothing" or "blind")
end

-- For use in another folder. Lua knows this one from the shell alone, and a program in
-- between may have changed it: then the path stays as it was given.
local function absolute(path)
  local full = (os.getenv "PWD" or "") .. "/" .. path
  local is_better = path:sub(1, 1) ~= "/" and full:find "^/[^/]"
  local file <close> = is_better and io.open(full) or nil
  return file and full or path
end

-- With what says which service it is, and how it was to be asked.
local function line_of(sort, given, targets)
  local parts = { "cloudpartner", sort }
  local function add(option, value)
    parts[#parts + 1] = value and option or nil
    parts[#parts + 1] = type(value) == "string" and text.quote_word(value) or nil
  end
  if sort == "wait" then
    add("--for", given.command == "cancel" and "canceled" or given.wanted)
    add("--through-review", given.through_review)
  end
  add("--endpoint", given.endpoint)
  add("--ca-file", given.ca_file and absolute(given.ca_file))
  add("--proxy", given.proxy)
  local lag = sort ~= "operations" and given.list_lag
  add("--list-lag", lag and ("%g"):format(lag):gsub(",", "."))
  for _, address in ipairs(sort == "cancel" and given.emails or {}) do
    add("--email", address)
  end
  add("--ignore-idle", sort == "cancel" and given.ignore_idle)
  parts[#parts + 1] = text.quote_words(targets)
  return table.concat(parts, " ")
end

local function intro_of(group)
  local intro = group[1].intro
  for _, one in ipairs(group) do
    intro = one.intro == intro and intro or INTRO[one.sort]
  end
  return (#group == 1 and group[1].name or #group .. " of them") .. ": " .. intro
end

--- One line of each sort.
function tell.lines_to_go_on(list, given)
  local lines = {}
  for _, sort in ipairs { "wait", "cancel", "operations" } do
    local group, targets = {}, {}
    for _, one in ipairs(list) do
      if one.sort == sort then
        group[#group + 1], targets[#targets + 1] = one, one.word
      end
    end
    if #group > 0 then
      lines[#lines + 1] = { intro = intro_of(group), line = line_of(sort, given, targets) }
    end
  end
  return lines
end

return tell
