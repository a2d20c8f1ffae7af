local nearest = require "cpp.nearest"

describe("the nearest name", function()
  local known = { deadline = true, interval = true, list_lag = true, list_log = true }

  for name, expected in pairs {
    deadlin = "deadline", dedaline = "deadline", intervall = "interval", Interval = "interval",
    list_lg = "list_lag", list_logs = "list_log",
  } do
    it("to " .. name .. " is " .. expected, function()
      assert.equal(expected, nearest(name, known))
    end)
  end

  for _, name in ipairs { "", "x", "lines", "timeout", "dead", ("deadline"):rep(5) } do
    it("does not exist for '" .. name .. "'", function()
      assert.is_nil(nearest(name, known))
    end)
  end
end)
