-- types/cpp.lua against the module: what is bound, accepted or returned is
-- annotated, and what is annotated is there.
local cpp = require "cpp"
local emulator = require "cpp.emulator"
local workflow = require "cpp.workflow"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local types = read "types/cpp.lua"

local function keys(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do
    set[name] = true
  end
  return set
end

-- ---- reading annotations ----

-- One pass over the lines. `pending` is what stands above a field or a function
-- and belongs to it.
local function parse(text)
  local found = { classes = {}, aliases = {}, functions = {} }
  local class, alias, pending

  local function clear()
    pending = { doc = "", params = {}, returns = 0 }
  end

  local function define(kind, name, value)
    assert(found[kind][name] == nil, name .. " is annotated twice")
    found[kind][name] = value
    return value
  end

  local function read_tag(tag, rest)
    if tag == "class" then
      local name, parent = rest:match "^%(exact%)%s+([%w_.]+):?%s*([%w_.]*)"
      if not name then
        name, parent = rest:match "^([%w_.]+):?%s*([%w_.]*)"
      end
      class = define("classes", name, { fields = {}, parent = parent })
      clear()
    elseif tag == "alias" then
      alias = define("aliases", rest:match "^[%w_.]+", {})
      clear()
    elseif tag == "field" then
      local other = rest:match "^%[string%] (%S+)$"
      if other then
        class.others = other
        return clear()
      end
      local name, mark, kind = rest:match "^%[?([%w_]+)%]?(%??)%s+(.+)$"
      assert(class.fields[name] == nil, name .. " is annotated twice")
      class.fields[name] = { kind = kind, optional = mark == "?", doc = pending.doc }
      clear()
    elseif tag == "param" then
      table.insert(pending.params, rest:match "^[%w_.]+")
    elseif tag == "return" then
      pending.returns = pending.returns + 1
    end
  end

  clear()
  for line in text:gmatch "[^\n]*" do
    local tag, rest = line:match "^%-%-%-@(%a+)%s*(.*)$"
    local value = line:match "^%-%-%-| (.+)$"
    local doc = line:match "^%-%-%- ?(.*)$" or line:match "^%-%- (.*)$"
    local name, params = line:match "^function ([%w_.:]+)%((.-)%)"
    if tag then
      read_tag(tag, rest)
    elseif value then
      table.insert(alias, value)
    elseif doc then
      pending.doc = pending.doc .. doc .. "\n"
    elseif name then
      pending.takes = {}
      for param in params:gmatch "[%w_.]+" do
        table.insert(pending.takes, param)
      end
      define("functions", name, pending)
      clear()
    else
      clear()
    end
  end
  return found
end

local annotated = parse(types)

-- The fields of a class, its parents' included, as parsed from `source`.
local function fields_of(name, source)
  source = source or annotated
  local fields = {}
  while name ~= "" and source.classes[name] do
    local class = source.classes[name]
    for field, value in pairs(class.fields) do
      fields[field] = fields[field] or value
    end
    name = class.parent
  end
  return fields
end

-- The functions annotated as members of `object`: "cpp." or "client:".
local function functions_of(object, source)
  local names = {}
  for name in pairs((source or annotated).functions) do
    if name:sub(1, #object) == object then
      names[name:sub(#object + 1)] = true
    end
  end
  return keys(names)
end

-- The words of an alias, and what stands behind each.
local function words_of(alias)
  local words = {}
  for _, value in ipairs(annotated.aliases[alias]) do
    local word, note = value:match '^"(.-)"%s*#?%s*(.*)$'
    if word then
      words[word] = note
    end
  end
  return words
end

-- ---- reading C ----

local function block(path, first)
  local text = read(path)
  local from = assert(text:find(first, 1, true), path .. " has no " .. first)
  return text:sub(from, assert(text:find("\n};?\n", from)))
end

local function c_list(path, first)
  local text = read(path)
  local from = select(2, text:find(first, 1, true))
  assert(from, path .. " has no " .. first)
  local names = {}
  for name in text:sub(from + 1, text:find("}", from, true)):gmatch '"(.-)"' do
    table.insert(names, name)
  end
  return names
end

local function c_options()
  local text = block("csrc/settings.c", "static const struct option options[]")
  local options, rows = {}, select(2, text:gsub("{%s*\"", ""))
  for name, scope in text:gmatch '{%s*"([%w_]+)",%s*[%w_]+,%s*[%w_()]+,%s*([%w_]+),' do
    options[name] = scope
  end
  assert(rows == #keys(options), "a row of options[] is not understood")
  return options
end

-- ---- the spec ----

describe("the reader of annotations", function()
  local function without(line)
    local text, count = types:gsub(line:gsub("%p", "%%%0") .. "[^\n]*\n", "", 1)
    assert.equal(1, count)
    return parse(text)
  end

  it("misses a function that is taken out", function()
    local source = without "function client:poll("
    assert.same({ "poll" }, keys((function()
      local left = set_of(functions_of "client:")
      for _, name in ipairs(functions_of("client:", source)) do
        left[name] = nil
      end
      return left
    end)()))
  end)

  it("misses an option and a field that are taken out", function()
    assert.is_nil(fields_of("cpp.call_options", without "---@field proxy?").proxy)
    assert.is_nil(fields_of("cpp.operation", without "---@field progress?").progress)
    assert.is_table(fields_of "cpp.call_options".proxy)
    assert.is_table(fields_of "cpp.operation".progress)
  end)

  it("sees a name that is annotated twice", function()
    assert.has_error(function() parse(types .. types) end)
  end)
end)

describe("functions", function()
  local methods = debug.getregistry()["cpp.client"].__index

  it("of the module are those that are bound", function()
    local bound, values = {}, {}
    for name, value in pairs(cpp) do
      (type(value) == "function" and bound or values)[name] = true
    end
    assert.is_true(bound.cancel and bound.poll and bound.client)
    assert.same(keys(bound), functions_of "cpp.")
    assert.same(keys(values), keys(annotated.classes.cpp.fields))
  end)

  it("of a client are those that are bound", function()
    assert.is_function(methods.fetch_token)
    assert.same(keys(methods), functions_of "client:")
    assert.same({}, annotated.classes["cpp.client"].fields)
  end)

  for name, annotation in pairs(annotated.functions) do
    it(("%s says what it takes"):format(name), function()
      assert.same(annotation.takes, annotation.params)
      assert.is_true(#annotation.doc > 20)
    end)
  end

  it("say what they give", function()
    local silent = {}
    for name, annotation in pairs(annotated.functions) do
      silent[name] = annotation.returns == 0 or nil
    end
    assert.same({ "client:close", "client:step", "client:wake" }, keys(silent))
  end)
end)

describe("options", function()
  local SCOPES = {
    client = { class = "cpp.client_options", accepts = { EVERYWHERE = true, SCOPE_CLIENT = true } },
    call = { class = "cpp.call_options", accepts = { EVERYWHERE = true, ANY_CALL = true } },
    list = { class = "cpp.list_options", accepts = { EVERYWHERE = true, ANY_CALL = true,
      SCOPE_LIST = true } },
  }
  local options = c_options()
  local client

  setup(function() client = cpp.client { endpoint = "https://localhost:9" } end)
  teardown(function() client:close() end)

  -- No option takes a thread: what is known complains of its type.
  local function complaint(scope, name)
    local wrong = { [name] = coroutine.create(print) }
    local _, message
    if scope == "client" then
      _, message = pcall(cpp.client, wrong)
    else
      local method = scope == "call" and client.cancel or client.operations
      _, message = pcall(method, client, "contoso", "vm", wrong)
    end
    return message
  end

  for scope, rule in pairs(SCOPES) do
    it(("of a %s are those that it knows"):format(scope), function()
      local known = {}
      for name, where in pairs(options) do
        known[name] = rule.accepts[where]
      end
      assert.is_true(#keys(known) > 15)
      assert.same(keys(known), keys(fields_of(rule.class)))
    end)

    it(("of a %s are accepted by one"):format(scope), function()
      for name in pairs(fields_of(rule.class)) do
        assert.matches("^option '" .. name .. "': .* expected, got thread$",
          complaint(scope, name))
      end
      assert.matches("^unknown option 'tokeN'", complaint(scope, "tokeN"))
    end)
  end

  it("can all be left out", function()
    for _, rule in pairs(SCOPES) do
      for name, field in pairs(fields_of(rule.class)) do
        assert.is_true(field.optional, name)
      end
    end
  end)

  it("say their default, and the right one", function()
    for name, field in pairs(fields_of "cpp.list_options") do
      assert.matches("Default:%s", field.doc, name)
    end
    local set = block("csrc/settings.c", "const struct settings *settings_default(")
    local checked = 0
    for name, field in pairs(fields_of "cpp.client_options") do
      local number, shift = set:match("s%->" .. name .. " = [%a()_]-%s*(%d+)( ?[<%d ]*);")
      local text = set:match("s%->" .. name .. ' = "([^"]+)"')
      if number then
        local value = shift:find "<<" and number + 0 << shift:match "%d+" + 0 or number
        assert.matches("Default: " .. value, field.doc)
        checked = checked + 1
      elseif text then
        assert.is_truthy(field.doc:find('"' .. text .. '"', 1, true), name)
        checked = checked + 1
      end
    end
    assert.equal(7, checked)
  end)

  -- No value is a cpp.no_such_option: an editor flags whatever has another name.
  it("of any other name are flagged by an editor", function()
    assert.same({}, annotated.classes["cpp.no_such_option"].fields)
    for _, class in ipairs { "cpp.options", "cpp.token_parameters", "cpp.json_parameters" } do
      assert.equal("cpp.no_such_option", annotated.classes[class].others)
    end
    for _, rule in pairs(SCOPES) do
      local class = rule.class
      while class ~= "cpp.options" do
        class = annotated.classes[class].parent
      end
    end
  end)

  it("of fetch_json are those that it knows", function()
    local names = c_list("csrc/fetch.c", 'names[] = {"url"')
    table.insert(names, "url")
    assert.same(keys(set_of(names)), keys(fields_of "cpp.json_parameters"))
  end)

  it("of fetch_token are those that it knows", function()
    local names = c_list("csrc/fetch.c", "static const char *const names[] = {")
    assert.same(keys(set_of(names)), keys(fields_of "cpp.token_parameters"))
    assert.has_error(function() client:fetch_token { tenant = "t", secret = "s" } end,
      "unknown option 'secret'")
  end)
end)

describe("words", function()
  local function fold(word)
    return (word:lower():gsub("[ _-]", ""))
  end

  it("for states are those of the module", function()
    local names = c_list("csrc/operation.c", "static const char *const state_names[] = {")
    assert.equal(8, #names)
    assert.same(keys(set_of(names)), keys(words_of "cpp.state"))
  end)

  it("of the service are named with the state that they are folded to", function()
    local states, c, ours = {}, {}, {}
    for word in block("csrc/cpp.h", "enum state {"):gmatch "%u[%u_]+" do
      table.insert(states, word)
    end
    local names = c_list("csrc/operation.c", "static const char *const state_names[] = {")
    local folded = block("csrc/operation.c", "const char *word;")
    for word, state in folded:gmatch '{"(%l-)", ([%u_]+)}' do
      for i, name in ipairs(states) do
        if name == state then
          c[word .. " " .. names[i]] = true
        end
      end
    end
    for state, note in pairs(words_of "cpp.state") do
      for word in note:gmatch '"(.-)"' do
        ours[fold(word) .. " " .. state] = true
      end
    end
    assert.is_true(#keys(c) > 10)
    assert.same(keys(c), keys(ours))
  end)

  it("for kinds of errors are those that cpp.error takes", function()
    local names = c_list("csrc/error.c", "static const char *const kinds[] = {")
    assert.same(keys(set_of(names)), keys(words_of "cpp.error_kind"))
    for kind in pairs(words_of "cpp.error_kind") do
      cpp.error { kind = kind, code = "x", message = "x" }
    end
  end)

  local function codes_in_source()
    local codes = {}
    -- The pattern captures kind and code, or the code alone, of this kind.
    local function gather(path, pattern, kind)
      for first, second in read(path):gmatch(pattern) do
        codes[second or first] = second and first or kind
      end
    end
    for _, path in ipairs { "calls", "error", "failure", "request", "response", "wire" } do
      path = "csrc/" .. path .. ".c"
      gather(path, 'error_set%(L, [^,]-,%s*"(%l+)",%s*"([%l%d_]+)"')
      gather(path, 'fail_protocol%(L, r,%s*"([%l%d_]+)"', "protocol")
      gather(path, 'refuse_token%(L,%s*"([%l%d_]+)"', "credential")
      gather(path, 'set_word%(L, "(%l+)",%s*"([%l%d_]+)"')
      gather(path, '{"(%l+)", "([%l%d_]+)", CURLE_')
      gather(path, 'other = {"(%l+)", "([%l%d_]+)", CURLE_')
    end
    for path in io.popen "find lua/cpp/credential* -name '*.lua'":lines() do
      gather(path, 'refuse%("([%l_]+)"', "credential")
    end
    gather("lua/cpp/workflow/verdict.lua", ' code = "([%l_]+)"', "workflow")
    return codes
  end

  it("for errors are those in the source, each with its kind", function()
    local found, ours = {}, {}
    for code, kind in pairs(codes_in_source()) do
      found[code .. " " .. kind] = true
    end
    for code, note in pairs(words_of "cpp.error_code") do
      ours[code .. " " .. note:match "^%l+"] = true
    end
    assert.is_true(#keys(found) > 25)
    assert.same(keys(found), keys(ours))
  end)
end)

describe("fields", function()
  local portal, client

  setup(function()
    portal = assert(emulator.start {
      tls = true, speed = 0,
      offers = { ["contoso/vm"] = { running = "publish", history = { {} } } },
    })
    client = cpp.client {
      endpoint = portal.endpoint, token = portal.token, ca_file = portal.ca_file,
    }
  end)

  teardown(function()
    client:close()
    portal:close()
  end)

  local LAZY = { "document", "steps", "messages" }

  -- Collects what tables hold, by name: a table of values each.
  local function gather(...)
    local seen = {}
    for _, one in ipairs { ... } do
      for name, value in pairs(one) do
        seen[name] = seen[name] or {}
        table.insert(seen[name], value)
      end
    end
    return seen
  end

  -- As gather, with what an operation decodes when it is read.
  local function gather_operations(...)
    local seen = gather(...)
    for _, operation in ipairs { ... } do
      for _, name in ipairs(LAZY) do
        if operation[name] ~= nil then
          seen[name] = seen[name] or {}
          table.insert(seen[name], operation[name])
        end
      end
    end
    return seen
  end

  local function fits(value, kind)
    for one in kind:gmatch "[^|]+" do
      local literal = one:match '^"(.*)"$'
      local base = one:match "^%a+"
      local good = literal and value == literal
        or one == "cpp.state" and words_of "cpp.state"[value]
        or one == "cpp.error_kind" and words_of "cpp.error_kind"[value]
        or one == "cpp.error_code" and type(value) == "string"
        or one:find "%[%]$" and type(value) == "table"
        or base == "integer" and math.type(value) == "integer"
        or base == type(value)
        or (base == "table" or base == "cpp") and type(value) == "table"
      if good then
        return true
      end
    end
    return false
  end

  local function assert_annotated(seen, class)
    local fields = fields_of(class)
    assert.is_true(#keys(seen) > 1)
    assert.same(keys(seen), keys(fields))
    for name, values in pairs(seen) do
      for _, value in ipairs(values) do
        assert.is_true(fits(value, fields[name].kind),
          ("%s: %s is no %s"):format(name, tostring(value), fields[name].kind))
      end
    end
  end

  local function polled()
    portal:set("*", { faults = { { on = "poll", retry_after = "7" } } })
    local operation = assert(client:cancel("contoso", "vm"))
    return assert(client:poll(operation)), operation
  end

  it("of an operation are those that calls give", function()
    local operation, accepted = polled()
    local seen = gather_operations(operation, assert(client:status("contoso", "vm")),
      assert(client:poll(operation)))
    for name, values in pairs(gather(accepted)) do
      table.insert(seen[name], values[1])
    end
    assert.same({ 7 }, seen.retry_after)
    assert_annotated(seen, "cpp.operation")
  end)

  it("that only an exchange has are absent in an item", function()
    polled()
    local items = assert(client:operations("contoso", "vm"))
    assert.equal(2, #items)
    local seen = gather_operations(table.unpack(items))
    -- What an item with steps or messages has, which the service's lists lack.
    seen.progress, seen.steps, seen.messages = { 0 }, { {} }, { {} }
    for name, field in pairs(fields_of "cpp.operation") do
      local said = field.doc:find "absent in an%s+item of a list" ~= nil
      assert.equal(seen[name] == nil, said, name)
    end
  end)

  it("that are not optional are always there", function()
    local operation, accepted = polled()
    local any = { operation, accepted, assert(client:status("contoso", "vm")),
      assert(client:operations("contoso", "vm"))[1] }
    for name, field in pairs(fields_of "cpp.operation") do
      for _, one in ipairs(any) do
        assert.is_true(field.optional or one[name] ~= nil, name)
      end
    end
  end)

  it("of a dry run are those that it gives", function()
    local run = assert(client:cancel("contoso", "vm", { dry_run = true }))
    assert_annotated(gather(run), "cpp.dry_run")
  end)

  it("of a token are those that the endpoint's answer gives", function()
    local token = assert(client:fetch_token {
      tenant = portal.tenant, client_id = portal.client_id,
      client_secret = portal.client_secret, authority = portal.authority,
    })
    assert_annotated(gather(token), "cpp.token")
  end)

  it("of a trace event are those that it has", function()
    local events = {}
    local function trace(event)
      table.insert(events, event)
    end
    client:status("contoso", "vm", { trace = trace })
    client:status("contoso", "nobody's", { trace = trace })
    client:status("contoso", "vm", { trace = trace, endpoint = "https://localhost:1" })
    portal:set("*", { faults = { { on = "status", status = 429, retry_after = "7" } } })
    client:status("contoso", "vm", { trace = trace })
    assert.equal(4, #events)
    workflow.wait(client, client:operations("contoso", "vm")[1],
      { trace = trace, deadline = 0 })
    assert_annotated(gather(table.unpack(events)), "cpp.trace_event")
    for name, field in pairs(fields_of "cpp.trace_event") do
      for _, event in ipairs(events) do
        assert.is_true(field.optional or event[name] ~= nil, name)
      end
    end
  end)

  it("of an error are those that calls and workflows give", function()
    portal:set("*", { faults = {
      { on = "status", status = 429, retry_after = "9" },
      { on = "poll", skip = 2, times = -1, status = 503 },
      { on = "operations", skip = 1, times = -1, status = 503 },
    } })
    local _, slow = client:status("contoso", "vm")
    local path = "/api/publishers/contoso/offers/vm/operations/"
    local _, gone = client:poll(path .. "00000000-0000-4000-8000-000000000000")
    local _, late = workflow.cancel(client, "contoso", "vm",
      { deadline = 0.3, interval = 0.05 })
    assert.same({ 429, 404, "deadline" }, { slow.status, gone.status, late.code })
    local seen = gather(slow, gone, late)
    assert_annotated(seen, "cpp.error")
    for name, values in pairs(seen) do
      assert.is_true(fields_of "cpp.error"[name].optional or #values == 3, name)
    end
  end)
end)

describe("Lua modules", function()
  local paths = {}
  for path in io.popen "find lua/cpp types -name '*.lua' | sort":lines() do
    table.insert(paths, path)
  end

  it("name no type that nobody defines", function()
    local defined, named = {}, {}
    for _, path in ipairs(paths) do
      local text = read(path)
      for name in text:gmatch "%-%-%-@class ([^\n]+)" do
        name = name:gsub("^%(exact%) ", ""):match "^[%w_.]+"
        assert.is_nil(defined[name], name .. " is defined twice")
        defined[name] = path
      end
      for name in text:gmatch "%-%-%-@alias ([%w_.]+)" do
        defined[name] = path
      end
      for rest in text:gmatch "%-%-%-[@|]([^\n]+)" do
        rest = " " .. rest:gsub("#.*", ""):gsub("  .*", "")
        for name in rest:gmatch "[^%w_.](cpp%.[%w_.]+)" do
          named[name] = path
        end
      end
    end
    assert.is_truthy(named["cpp.client"] and defined["cpp.workflow.result"])
    for name, path in pairs(named) do
      assert.is_truthy(defined[name], ("%s: %s"):format(path, name))
    end
  end)

  for _, module in ipairs { "cpp.workflow", "cpp.task", "cpp.credential" } do
    it(("%s annotates its functions"):format(module), function()
      local source = parse(read("lua/" .. module:gsub("%.", "/") .. ".lua"))
      local prefix = module:match "%w+$" .. "."
      local bound = require(module)
      assert.is_true(#keys(bound) > 1)
      assert.same(keys(bound), functions_of(prefix, source))
      for name in pairs(bound) do
        local annotation = source.functions[prefix .. name]
        assert.same(annotation.takes, annotation.params, name)
        assert.is_true(#annotation.doc > 20, name)
      end
    end)
  end

  local OPTIONS = { "wait_options", "cancel_options", "batch_options", "target" }

  it("take the options of calls where a workflow takes its own", function()
    local source = parse(read "types/workflow.lua")
    for _, name in ipairs(OPTIONS) do
      local class = "cpp.workflow." .. name
      while source.classes[class] do
        class = source.classes[class].parent
      end
      assert.equal("cpp.options", class)
    end
    assert.same({ "1", "2", "offer", "operation", "publisher" },
      keys(source.classes["cpp.workflow.target"].fields))
  end)

  -- As LuaLS reads them: a note that goes on in the next line would be the next
  -- field's, and a `--` between the text and its tags parts the two.
  for _, path in ipairs(paths) do
    it(("has comments that an editor can show: %s"):format(path), function()
      local text = read(path)
      assert.is_nil(text:match "\n(%-%-%-@[^\n]*\n%-%-%-  [^\n]*)")
      local documents = "lua/cpp/workflow.lua lua/cpp/task.lua lua/cpp/credential.lua"
      if documents:find(path, 1, true) then
        assert.is_nil(text:match "\n(%-%- [^\n]*\n%-%-%-@[^\n]*)")
      end
    end)
  end

  it("name each option of a call where a workflow looks for a misspelt one", function()
    local known = require "cpp.workflow.options".CALL
    local single = set_of { "dry_run", "start_by" }
    for name in pairs(fields_of "cpp.call_options") do
      assert.is_true(known[name] or single[name], name)
    end
  end)

  it("annotate each option of a workflow, and no other", function()
    local options = require "cpp.workflow.options"
    local source = parse(read "types/workflow.lua")
    local CLASSES = { WAIT = "wait_options", CANCEL = "cancel_options",
      CANCEL_ALL = "batch_options" }
    for known, class in pairs(CLASSES) do
      local fields = {}
      for name in pairs(fields_of("cpp.workflow." .. class, source)) do
        -- An option of calls, with more to say in a workflow.
        fields[name] = not fields_of "cpp.options"[name] or nil
      end
      assert.is_true(#keys(options[known]) > 4)
      assert.same(keys(options[known]), keys(fields))
    end
  end)
end)
