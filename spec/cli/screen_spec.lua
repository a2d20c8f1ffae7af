local rows = require "cpp.cli.rows"
local screen = require "cpp.cli.screen"
local terminal = require "spec.cli.terminal"
local text = require "cpp.text"

local STEPS = {
  { stepName = "Validation", status = "complete", progressPercentage = 100.0 },
  { stepName = "Certification", status = "inProgress", progressPercentage = 40.0 },
  { stepName = "Live", status = "notStarted", progressPercentage = 0.0 },
}

local function operation(fields)
  local all = { state = "running", done = false, id = "56615b67-2185-49fe",
    progress = 23, document = { submissionType = "publish" }, steps = STEPS }
  for name, value in pairs(fields or {}) do
    all[name] = value
  end
  return all
end

-- A screen on a terminal of this size, at a time that the test sets. Enough stands above
-- it, unless it is fresh.
local function on_terminal(columns, rows_there, is_fresh)
  local self = { time = 0, terminal = terminal.new(columns, rows_there or 24) }
  self.screen = screen.new { out = self.terminal, err = self.terminal, live = true,
    clock = function() return self.time end,
    size = function() return self.terminal.columns, self.terminal.rows end }
  self.screen.above = is_fresh and 0 or 100
  return self
end

local function show(self, time)
  self.time = time
  self.screen:turn()
  return self.terminal:text()
end

describe("a cancel's live line", function()
  it("tells the state, the time and where the operation is", function()
    local here = on_terminal(80)
    local row = here.screen:add("contoso/vm", rows.cancel)
    assert.equal("contoso/vm looking 0s", show(here, 0))
    here.screen:change(row, operation())
    assert.equal("contoso/vm sending 1s (publish 5661…, Certification 40 %)",
      show(here, 1))
    row.cancel = "accepted"
    here.screen:change(row)
    assert.equal("contoso/vm canceling 1m12s (publish 5661…, Certification 40 %)",
      show(here, 72))
  end)

  it("stops its clock at the end", function()
    local here = on_terminal(80)
    local row = here.screen:add("contoso/vm", rows.cancel)
    here.time = 10
    here.screen:change(row, operation { state = "canceled", done = true })
    assert.equal("contoso/vm canceled 10s (publish 5661…, looking what else runs)",
      show(here, 20))
  end)

  it("shows a word that nobody knows as it came, but clean", function()
    local here = on_terminal(80)
    local row = here.screen:add("contoso/vm", rows.cancel)
    here.screen:change(row, operation { state = "unknown", status = "Frob\27[2J" })
    assert.matches('publish 5661…, "Frob %[2J", Certification', show(here, 0))
  end)

  it("loses its details first, then the middle of its name", function()
    local here = on_terminal(40)
    local row = here.screen:add("contoso/contoso-virtual-machine", rows.cancel)
    row.cancel = "accepted"
    here.screen:change(row, operation())
    assert.equal("contoso…-machine canceling 1m12s", show(here, 72))
  end)
end)

describe("a wait's live line", function()
  local function wait_at(columns, fields)
    local here = on_terminal(columns)
    local row = here.screen:add("contoso/vm", rows.wait)
    here.screen:change(row, operation(fields))
    return show(here, 185)
  end

  it("has a bar, the step and the time", function()
    assert.equal("contoso/vm [##----------]  23 % 3m05s Certification 40 %", wait_at(80))
  end)

  it("keeps its time in 40 columns, whatever the name", function()
    local here = on_terminal(40)
    here.screen:add("contoso/contoso-virtual-machine", rows.wait)
    assert.equal("contoso…-machine [------]   0 % 10m00s …", show(here, 600))
  end)

  it("fits in 40 columns", function()
    assert.equal("contoso/vm [#-----]  23 % 3m05s Certifi…", wait_at(40))
  end)

  it("tells of a review rather than of the step", function()
    assert.matches("3m05s waiting for publisher review$",
      wait_at(80, { state = "waiting_for_publisher_review" }))
  end)
end)

describe("a cancel's line", function()
  local function line_of(fields, columns)
    local row = { label = "contoso/vm" }
    if fields.operation then
      rows.learn(row, fields.operation)
    end
    row.cancel, row.unknown, row.is_other = fields.cancel, fields.unknown, fields.is_other
    return rows.cancel(row, "contoso/vm", 13, columns and { columns = columns })
  end

  local ELSE = operation { document = { cancellationRequestState = "canCancel" } }
  local CASES = {
    ["nothing is seen"] = { {}, "looking 13s" },
    ["nothing was seen running"] = { { cancel = "accepted" },
      "looking whether anything runs 13s" },
    ["the answer was lost"] = { { cancel = "unknown" },
      "checking whether the cancel arrived 13s" },
    ["it can still be canceled before"] = { { operation = ELSE },
      "sending 13s (operation 56615b67-2185-49fe, Certification 40 %)" },
    ["it can still be canceled"] = { { cancel = "accepted", operation = ELSE },
      "canceling 13s (operation 56615b67-2185-49fe, the service still calls it "
        .. "cancelable, Certification 40 %)" },
    ["another one runs"] = { { operation = ELSE, is_other = true, unknown = "some-id" },
      "looking 13s (operation some-id is not known yet, operation 56615b67-2185-49fe runs, "
        .. "Certification 40 %)" },
    ["nobody knows it yet"] = { { unknown = "some-id" },
      "looking 13s (operation some-id is not known yet)" },
  }
  for name, case in pairs(CASES) do
    it("tells where " .. name, function()
      assert.equal("contoso/vm " .. case[2], line_of(case[1]))
    end)
  end

  it("has the longer words only where there is room", function()
    assert.equal("contoso/vm looking whether anything runs 13s",
      line_of({ cancel = "accepted" }, 44))
    assert.equal("contoso/vm looking 13s", line_of({ cancel = "accepted" }, 43))
  end)
end)

describe("many live lines", function()
  -- Odd ones wait, even ones are canceled, and the last quarter has ended.
  local function many(count, columns, rows_there, is_fresh)
    local here = on_terminal(columns, rows_there, is_fresh)
    for i = 1, count do
      local label = ("contoso/virtual-machine-offer-%02d"):format(i)
      local row = here.screen:add(label, i % 2 == 0 and rows.cancel or rows.wait)
      here.screen:change(row, operation { done = i > count * 3 // 4 })
    end
    return here
  end

  for _, columns in ipairs { 20, 40, 80, 200 } do
    it(("stand below each other in %d columns"):format(columns), function()
      local here = many(11, columns, 50)
      for time = 0, 300, 7 do
        show(here, time)
      end
      assert.equal(12, #here.terminal.lines)
      for i = 1, 11 do
        local line = here.terminal.lines[i]
        assert.is_true(text.columns(line) <= columns, line)
        assert.matches("^c.*" .. ("%02d "):format(i), line)
      end
      assert.is_true(here.terminal.wraps)
    end)
  end

  -- A high window may be made low.
  for _, height in ipairs { 24, 50 } do
    it("are those that go on, and a count, where there is no room for all: " .. height,
      function()
        local here = many(20, 80, height)
        show(here, 0)
        assert.equal(12, #here.terminal.lines)
        assert.matches("%-10 ", here.terminal.lines[10])
        assert.equal("… and 10 more; 5 of 20 have ended", here.terminal.lines[11])
      end)
  end

  it("count those that are gone, too", function()
    local here = many(20, 80)
    for _ = 1, 3 do
      here.screen:remove(here.screen.rows[18])
    end
    show(here, 0)
    assert.equal("… and 7 more; 5 of 20 have ended", here.terminal.lines[11])
  end)

  it("stay below what is printed", function()
    local here = many(5, 80)
    show(here, 0)
    here.screen:note "a note"
    here.screen:print "a result"
    show(here, 1)
    assert.same({ "a note", "a result" }, { table.unpack(here.terminal.lines, 1, 2) })
    assert.equal(8, #here.terminal.lines)
  end)

  it("leave nothing behind when they are taken away", function()
    local here = many(20, 80)
    show(here, 0)
    here.screen:clear()
    assert.equal("", here.terminal:text():gsub("\n", ""))
    assert.same({}, here.terminal.scrollback)
  end)

  it("are gone when all have ended", function()
    local here = many(2, 80)
    show(here, 0)
    here.screen:remove(here.screen.rows[2])
    here.screen:remove(here.screen.rows[1])
    show(here, 1)
    assert.equal("", here.terminal:text():gsub("\n", ""))
  end)

  -- What has left the terminal and is no result.
  local function dead_lines(here)
    local dead = {}
    for _, line in ipairs(here.terminal.scrollback) do
      if line ~= "" and not line:find "^result" and not line:find "^%$ "
        and not line:find "^r+$" then
        table.insert(dead, line)
      end
    end
    return dead
  end

  for _, count in ipairs { 1, 5, 40 } do
    for _, columns in ipairs { 40, 80, 200 } do
      it(("leave no dead ones: %d in %d columns"):format(count, columns), function()
        local here = many(count, columns, 24, true)
        for time = 1, count do
          show(here, time)
          here.screen:print("result " .. time)
          here.screen:remove(here.screen.rows[1])
          show(here, time + 0.5)
        end
        assert.same({}, dead_lines(here))
        assert.equal(math.max(0, count - #here.terminal.lines + 1) > 0,
          #here.terminal.scrollback > 0)
      end)

      it(("find their beginning when made narrow: %d from %d"):format(count, columns),
        function()
          local here = many(count, columns, 24, true)
          here.terminal:write "$ cloudpartner\n"
          show(here, 1)
          here.screen:note "result"
          show(here, 2)
          here.terminal:resize(40, 24)
          show(here, 4)
          assert.same({}, dead_lines(here))
          here.screen:clear()
          local left = table.concat(here.terminal.scrollback, "\n") .. "\n"
            .. here.terminal:text()
          assert.equal("$ cloudpartner result", left:gsub("%s+", " "):match "^%s*(.-) ?$")
        end)
    end
  end

  it("have empty ones above them on a fresh terminal, until enough is printed", function()
    local here = many(3, 80, 24, true)
    show(here, 1)
    assert.matches("^\n\n\ncontoso", here.terminal:text())
    here.screen:note "a note"
    show(here, 2)
    assert.matches("^a note\n\n\ncontoso", here.terminal:text())
    here.screen:paste(("r"):rep(100))
    show(here, 3)
    assert.matches("^a note\nr+\nr+\ncontoso", here.terminal:text())
  end)

  for _, case in ipairs { { 5, { 200, 24 }, { 40, 24 }, { 80, 24 } },
    { 40, { 200, 24 }, { 40, 24 }, { 80, 24 } }, { 40, { 200, 50 }, { 60, 24 } },
    { 40, { 60, 50 }, { 60, 16 }, { 120, 16 }, { 60, 50 } },
    { 12, { 200, 50 }, { 40, 30 }, { 80, 12 } }, { 40, { 80, 50 }, { 40, 24 }, { 80, 50 } },
  } do
    local count, sizes = case[1], table.move(case, 2, #case, 1, {})
    local words = {}
    for i, size in ipairs(sizes) do
      words[i] = table.concat(size, "x")
    end
    it(("leave no dead ones: %d, %s"):format(count, table.concat(words, ", ")), function()
      local here = many(count, sizes[1][1], sizes[1][2], true)
      here.screen:note "result"
      for i, size in ipairs(sizes) do
        here.terminal:resize(table.unpack(size))
        show(here, 2 * i)
      end
      here.screen:clear()
      local left = table.concat(here.terminal.scrollback) .. here.terminal:text()
      assert.equal("result", (left:gsub("%s+", "")))
    end)
  end

  it("leave no dead ones when made narrow again and again", function()
    local here = many(5, 200, 24, true)
    here.terminal:write "$ cloudpartner\n"
    here.screen:note "result 1"
    here.screen:paste(("r"):rep(140))
    for i, columns in ipairs { 200, 60, 50, 45, 40 } do
      here.terminal:resize(columns, 24)
      show(here, 2 * i)
    end
    assert.same({}, dead_lines(here))
  end)
end)

describe("drawing", function()
  it("waits for a second, or for news a tenth of one", function()
    local here = on_terminal(80)
    local row = here.screen:add("contoso/vm", rows.cancel)
    assert.equal(1, here.screen:turn())
    here.time = 0.25
    assert.equal(0.75, here.screen:turn())
    here.screen:change(row, operation())
    assert.equal(1, here.screen:turn())
    here.screen:change(row, operation())
    assert.is_true(here.screen:turn() <= 0.1)
  end)
end)

describe("what stays", function()
  it("breaks between words on a terminal, and what is to be copied stays whole", function()
    local here = on_terminal(40)
    local id = "56615b67-2185-49fe-80d2-c4ddf77bb2e8"
    here.screen:print("contoso/vm: canceled (operation " .. id .. "); a publish may start")
    here.screen:paste("cloudpartner wait contoso/vm/" .. id)
    assert.equal("contoso/vm: canceled (operation\n  " .. id
      .. ");\n  a publish may start\ncloudpartner wait contoso/vm/" .. id:sub(1, 11) .. "\n"
      .. id:sub(12), here.terminal:text())
  end)
end)

describe("what is no text", function()
  it("is written as it is: the name of a file, in a line to copy", function()
    local here = on_terminal(80)
    local written = {}
    here.terminal.write = function(file, ...)
      table.insert(written, table.concat { ... })
      return file
    end
    here.screen:paste "cloudpartner cancel --ca-file 'caf\xE9' contoso/vm"
    assert.same({ "cloudpartner cancel --ca-file 'caf\xE9' contoso/vm\n" }, written)
  end)
end)

describe("without a terminal", function()
  local function log(more)
    local self = { written = {}, time = 0 }
    local stream = { flush = function(file) return file end, write = function(file, ...)
      table.insert(self.written, table.concat { ... })
      return file
    end }
    local given = { out = stream, err = stream, live = false, size = function() end,
      clock = function() return self.time end }
    for name, value in pairs(more or {}) do
      given[name] = value
    end
    self.screen = screen.new(given)
    return self
  end

  it("prints whole lines, one for each change", function()
    local self = log()
    local row = self.screen:add("contoso/vm", rows.cancel)
    self.screen:change(row, operation())
    self.time = 10
    self.screen:change(row, operation())
    row.cancel = "accepted"
    self.screen:change(row)
    assert.same({
      "contoso/vm sending 0s (publish 56615b67-2185-49fe, Certification 40 %)\n",
      "contoso/vm canceling 10s (publish 56615b67-2185-49fe, Certification 40 %)\n",
    }, self.written)
  end)

  it("draws no bar", function()
    local self = log()
    self.screen:change(self.screen:add("contoso/vm", rows.wait), operation())
    assert.same({ "contoso/vm  23 % 0s Certification 40 %\n" }, self.written)
  end)

  it("says the time of day, with its zone, where it takes time", function()
    local self = log { timed = true }
    self.screen:note "a note"
    self.screen:paste "a line"
    assert.matches("^%d%d:%d%d:%d%dZ a note\n$", self.written[1])
    assert.equal("a line\n", self.written[2])
  end)

  it("says something a minute, and sooner nothing", function()
    local self = log()
    local row = self.screen:add("contoso/vm", rows.cancel)
    assert.equal(60, self.screen:turn())
    self.time = 59
    assert.equal(1, self.screen:turn())
    assert.same({}, self.written)
    self.time = 60
    assert.equal(60, self.screen:turn())
    self.time = 90
    self.screen:note "between"
    self.time = 120
    assert.equal(30, self.screen:turn())
    assert.same({ "contoso/vm looking 1m00s\n", "between\n" }, self.written)
    self.screen:remove(row)
    self.time = 600
    assert.equal(math.huge, self.screen:turn())
  end)

  it("sums up a minute of several", function()
    local self = log()
    local kinds = { rows.cancel, rows.cancel, rows.cancel, rows.wait }
    for i, kind in ipairs(kinds) do
      self.screen:add("contoso/vm-" .. i, kind)
    end
    self.screen.rows[2].cancel, self.screen.rows[2].id = "accepted", "x"
    self.screen:remove(self.screen.rows[1])
    self.time = 60
    self.screen:turn()
    assert.same({ "1 of 4 have ended; canceling 1, looking 1, waiting 1\n" }, self.written)
  end)

  it("says nothing that is no result where it is to be quiet", function()
    local self = log { quiet = true }
    self.screen:change(self.screen:add("contoso/vm", rows.cancel), operation())
    self.screen:note "a note"
    self.time = 3600
    assert.equal(math.huge, self.screen:turn())
    assert.same({}, self.written)
    self.screen:tell "an error"
    self.screen:print "a result"
    assert.same({ "an error\n", "a result\n" }, self.written)
  end)

  it("remembers that a result cannot be written, raises nothing, and says it elsewhere",
    function()
      local full = { write = function() return nil, "no space left" end }
      local self = log { out = full }
      self.screen:print "a result"
      assert.equal("no space left", self.screen.failure)
      assert.same({ "a result\n" }, self.written)
    end)
end)
