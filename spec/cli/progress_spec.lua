local console = require "cpp.cli.console"
local lines = require "cpp.cli.lines"
local progress = require "cpp.cli.progress"
local screen = require "spec.cli.screen"
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

-- Progress on a terminal of this size, at a time that the test sets.
local function on_terminal(columns, rows)
  local self = { time = 0, columns = columns, rows = rows or 24 }
  self.screen = screen.new(columns)
  self.console = console.new { out = self.screen, err = self.screen, size = function()
    return { columns = self.columns, rows = self.rows }
  end }
  self.progress = progress.new(self.console, function() return self.time end)
  return self
end

local function show(self, time)
  self.time = time
  self.progress:tick()
  return self.screen:text()
end

describe("a cancel's live line", function()
  it("tells the state, the time and where the operation is", function()
    local terminal = on_terminal(80)
    local row = terminal.progress:add("contoso/vm", lines.cancel)
    assert.equal("contoso/vm looking 0s", show(terminal, 0))
    terminal.progress:change(row, operation())
    assert.equal("contoso/vm sending 1s (publish 5661…, Certification 40 %)",
      show(terminal, 1))
    row.accepted = true
    terminal.progress:change(row)
    assert.equal("contoso/vm canceling 1m12s (publish 5661…, Certification 40 %)",
      show(terminal, 72))
  end)

  it("stops its clock at the end", function()
    local terminal = on_terminal(80)
    local row = terminal.progress:add("contoso/vm", lines.cancel)
    terminal.time = 10
    terminal.progress:change(row, operation { state = "canceled", done = true })
    assert.matches("^contoso/vm canceled 10s ", show(terminal, 20))
  end)

  it("shows a word that nobody knows as it came, but clean", function()
    local terminal = on_terminal(80)
    local row = terminal.progress:add("contoso/vm", lines.cancel)
    terminal.progress:change(row, operation { state = "unknown", status = "Frob\27[2J" })
    assert.matches('publish 5661…, "Frob %[2J", Certification', show(terminal, 0))
  end)

  it("loses its details first, then the middle of its name", function()
    local terminal = on_terminal(40)
    local row = terminal.progress:add("contoso/contoso-virtual-machine", lines.cancel)
    row.accepted = true
    terminal.progress:change(row, operation())
    assert.equal("contoso…-machine canceling 1m12s", show(terminal, 72))
  end)
end)

describe("a wait's live line", function()
  local function wait_at(columns, fields)
    local terminal = on_terminal(columns)
    local row = terminal.progress:add("contoso/vm", lines.wait)
    terminal.progress:change(row, operation(fields))
    return show(terminal, 185)
  end

  it("has a bar, the step and the time", function()
    assert.equal("contoso/vm [####----------------]  23 % 3m05s Certification 40 %",
      wait_at(120))
    assert.equal("contoso/vm [##----------]  23 % 3m05s Certification 40 %", wait_at(80))
  end)

  it("keeps its time in 40 columns, whatever the name", function()
    local terminal = on_terminal(40)
    terminal.progress:add("contoso/contoso-virtual-machine", lines.wait)
    assert.equal("contoso…-machine [------]   0 % 10m00s …", show(terminal, 600))
  end)

  it("fits in 40 columns", function()
    assert.equal("contoso/vm [#-----]  23 % 3m05s Certifi…", wait_at(40))
  end)

  it("tells of a review rather than of the step", function()
    assert.matches("3m05s waiting for publisher review$",
      wait_at(80, { state = "waiting_for_publisher_review" }))
  end)
end)

describe("twenty live lines", function()
  local function twenty(columns, rows)
    local terminal = on_terminal(columns, rows)
    for i = 1, 20 do
      local label = ("contoso/virtual-machine-offer-%02d"):format(i)
      local row = terminal.progress:add(label, i % 2 == 0 and lines.cancel or lines.wait)
      terminal.progress:change(row, operation { done = i > 15 })
    end
    return terminal
  end

  for _, columns in ipairs { 20, 40, 80, 200 } do
    it(("stand below each other in %d columns"):format(columns), function()
      local terminal = twenty(columns)
      for time = 0, 300, 7 do
        show(terminal, time)
      end
      assert.equal(21, #terminal.screen.lines)
      for i = 1, 20 do
        local line = terminal.screen.lines[i]
        assert.is_true(text.columns(line) <= columns, line)
        assert.matches("^c.*" .. ("%02d "):format(i), line)
      end
      assert.is_true(terminal.screen.wraps)
    end)
  end

  it("show those that go on, and a count, where there is no room for all", function()
    local terminal = twenty(80, 11)
    show(terminal, 0)
    assert.equal(11, #terminal.screen.lines)
    assert.matches("%-09 ", terminal.screen.lines[9])
    assert.equal("… and 11 more; 5 of 20 have ended", terminal.screen.lines[10])
  end)

  it("count those that are gone, too", function()
    local terminal = twenty(80, 11)
    for _ = 1, 3 do
      terminal.progress:remove(terminal.progress.rows[18])
    end
    show(terminal, 0)
    assert.equal("… and 8 more; 5 of 20 have ended", terminal.screen.lines[10])
  end)

  it("stay below what is printed", function()
    local terminal = twenty(80)
    show(terminal, 0)
    terminal.console:note "a note"
    terminal.console:print "a result"
    show(terminal, 1)
    assert.same({ "a note", "a result" }, { table.unpack(terminal.screen.lines, 1, 2) })
    assert.equal(23, #terminal.screen.lines)
  end)

  it("leave nothing behind when they are taken away", function()
    local terminal = twenty(80)
    show(terminal, 0)
    terminal.console:clear()
    assert.equal("", terminal.screen:text())
  end)

  -- The terminal has wrapped each of the old lines once.
  it("find their beginning after the window became narrower", function()
    local terminal = on_terminal(80)
    local row = terminal.progress:add("contoso/contoso-vm", lines.cancel)
    terminal.progress:change(row, operation())
    show(terminal, 0)
    local line = terminal.screen.lines[1]
    terminal.columns, terminal.screen.columns = 40, 40
    terminal.screen.lines = { line:sub(1, 40), line:sub(41), "" }
    terminal.screen.row = 3
    assert.equal("contoso…ntoso-vm sending 1s (publish 56…", show(terminal, 1))
  end)
end)

describe("drawing", function()
  it("waits for a second, or for news a tenth of one", function()
    local terminal = on_terminal(80)
    local row = terminal.progress:add("contoso/vm", lines.cancel)
    assert.equal(1, terminal.progress:tick())
    terminal.time = 0.25
    assert.equal(0.75, terminal.progress:tick())
    terminal.progress:change(row, operation())
    assert.equal(1, terminal.progress:tick())
    terminal.progress:change(row, operation())
    assert.is_true(terminal.progress:tick() <= 0.1)
  end)

  it("never lets the client sleep past its turn", function()
    local terminal = on_terminal(80)
    terminal.progress:add("contoso/vm", lines.cancel)
    local turns = {}
    for i, seconds in ipairs { 60, false, 0.5 } do
      turns[i] = terminal.progress:turn(seconds or nil)
    end
    assert.same({ 1, 1, 0.5 }, turns)
  end)
end)

describe("without a terminal", function()
  local function log()
    local self = { written = {}, time = 0 }
    local stream = { write = function(_, ...)
      table.insert(self.written, table.concat { ... })
    end }
    local plain = console.new { out = stream, err = stream }
    self.progress = progress.new(plain, function() return self.time end)
    return self
  end

  it("has nothing to draw", function()
    local self = log()
    self.progress:add("contoso/vm", lines.cancel)
    assert.equal(60, self.progress:turn(60))
    assert.is_nil(self.progress:turn(nil))
    assert.same({}, self.written)
  end)

  it("prints whole lines, one for each change", function()
    local self = log()
    local row = self.progress:add("contoso/vm", lines.cancel)
    self.progress:change(row, operation())
    self.time = 10
    self.progress:change(row, operation())
    row.accepted = true
    self.progress:change(row)
    assert.same({
      "contoso/vm sending 0s (publish 56615b67-2185-49fe, Certification 40 %)\n",
      "contoso/vm canceling 10s (publish 56615b67-2185-49fe, Certification 40 %)\n",
    }, self.written)
  end)

  it("draws no bar", function()
    local self = log()
    self.progress:change(self.progress:add("contoso/vm", lines.wait), operation())
    assert.same({ "contoso/vm  23 % 0s Certification 40 %\n" }, self.written)
  end)
end)

describe("a result that cannot be written", function()
  it("is remembered, and raises nothing", function()
    local full = { write = function() return nil, "no space left" end }
    local broken = console.new { out = full, err = full }
    broken:print "a result"
    assert.equal("no space left", broken.failure)
  end)
end)
