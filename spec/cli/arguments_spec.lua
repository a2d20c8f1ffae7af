local arguments = require "cpp.cli.arguments"

-- What is given, what argparse is to see.
local CASES = {
  { "--deadline -1", "--deadline=-1" },
  { "a --speed -inf --tls", "a --speed=-inf --tls" },
  { "--deadline --json", "--deadline --json" },
  { "--deadline -h", "--deadline -h" },
  { "--deadline", "--deadline" },
  { "--email -x", "--email -x" },
  { "-- --deadline -1 --for=Completed", "-- --deadline -1 --for=Completed" },
  { "--for Completed", "--for=succeeded" },
  { "--for=complete", "--for=succeeded" },
  { "--for published", "--for=succeeded" },
  { "--for Cancelled", "--for=canceled" },
  { "--for rejected", "--for=failed" },
  { "--for waitingForPublisherReview", "--for=waiting_for_publisher_review" },
  { "--for waiting-for-publisher-review", "--for=waiting_for_publisher_review" },
  { "--for done", "--for=done" },
  { "--list-lag -1", "--list-lag=-1" },
}

describe("words of the command line", function()
  for _, case in ipairs(CASES) do
    it("are prepared: " .. case[1], function()
      local given = {}
      for word in case[1]:gmatch "%S+" do
        table.insert(given, word)
      end
      assert.equal(case[2], table.concat(arguments.prepare(given), " "))
    end)
  end
end)

describe("a proxy", function()
  local command = require "spec.cli.command"

  for _, proxy in ipairs { "http://u:secret@h", "u:secret@h", "socks5://u:secret@h",
    "socks5h://u%3Asecret@h:1", "https:/u:secret@h" } do
    it("has no password on a command line: " .. proxy, function()
      local result = command.run("status a b --dry-run --proxy " .. proxy)
      assert.equal(2, result.status)
      assert.matches("a password does not belong on a command line", result.err)
      assert.is_nil(result.err:find "secret")
    end)
  end

  it("may have a name there", function()
    assert.equal(0, command.run("status a b --dry-run --proxy socks5://u@127.0.0.1:1").status)
  end)
end)

describe("a time", function()
  local to_seconds = arguments.to("duration", "--deadline")

  for word, seconds in pairs { ["90"] = 90, ["0"] = 0, ["0.5"] = 0.5, ["5m"] = 300,
    ["1h30m"] = 5400, ["1d"] = 86400, ["1.5h"] = 5400, ["2m5s"] = 125, ["90s"] = 90 } do
    it("is read: " .. word, function()
      assert.equal(seconds, to_seconds(word))
    end)
  end

  for _, word in ipairs { "", "soon", "-1", "5x", "30m1h", "1h30", "m", "1h 30m", "nan",
    "inf", "1e999", "1H" } do
    it("is refused: '" .. word .. "'", function()
      local seconds, message = to_seconds(word)
      assert.is_nil(seconds)
      assert.equal(("option '--deadline': '%s' is not a time like 90, 0.5, 5m or 1h30m")
        :format(word), message)
    end)
  end
end)

-- Words, separated by spaces; what they name, and what is said of them.
local function each(words)
  local list = {}
  for word in words:gmatch "%S+" do
    table.insert(list, word)
  end
  return list
end

local function refused(message, fn, ...)
  local good, reason = pcall(fn, ...)
  assert.is_false(good)
  assert.equal(2, reason.status)
  assert.is_truthy(reason.message:find(message, 1, true), reason.message)
end

describe("targets", function()
  for words, expected in pairs {
    ["contoso vm"] = "contoso vm nil", ["contoso a b"] = "contoso a nil, contoso b nil",
    ["contoso/vm"] = "contoso vm nil", ["contoso/a fab/b"] = "contoso a nil, fab b nil",
    ["contoso/a/id contoso/b"] = "contoso a id, contoso b nil",
  } do
    it("are read: " .. words, function()
      local list = {}
      for i, one in ipairs(arguments.targets(each(words), true)) do
        list[i] = ("%s %s %s"):format(one.publisher, one.offer, one.operation)
      end
      assert.equal(expected, table.concat(list, ", "))
    end)
  end

  for words, message in pairs {
    ["contoso"] = "'contoso' is a publisher, and its offer is missing",
    ["contoso/"] = "'contoso/' is not PUBLISHER/OFFER", ["/vm"] = "is not PUBLISHER/OFFER",
    ["a//b"] = "'a//b' is not", ["a/b/c/d"] = "'a/b/c/d' is not",
    ["a/b c"] = "'c' is not PUBLISHER/OFFER", ["a b/c"] = "'b/c' follows the publisher 'a'",
    ["a b b"] = "offer 'a/b' is named twice", ["a/b a/b/id"] = "offer 'a/b' is named twice",
  } do
    it("are refused: " .. words, function()
      refused(message, arguments.targets, each(words), true)
    end)
  end

  it("have no operation where none is asked for", function()
    refused("'a/b/c' is not PUBLISHER/OFFER", arguments.targets, { "a/b/c" })
  end)
end)

describe("operations", function()
  for word, location in pairs {
    ["contoso/vm/id"] = "/api/publishers/contoso/offers/vm/operations/id",
    ["a b/v%/contoso$vm$2$x"] = "/api/publishers/a%20b/offers/v%25/operations/contoso$vm$2$x",
    ["/api/operations/a"] = "/api/operations/a", ["api/x"] = "api/x",
    ["HTTPS://x.example/y"] = "HTTPS://x.example/y",
  } do
    it("are read: " .. word, function()
      assert.equal(location, arguments.locations { word }[1].location)
    end)
  end

  for word, message in pairs { [""] = "'' is no operation", ["a"] = "is no operation",
    ["a/b"] = "is no operation", ["a/b/c/d"] = "is no operation", ["a/./c"] = "'.' is no id",
    ["a/b/.."] = "'..' is no id" } do
    it("are refused: '" .. word .. "'", function()
      refused(message, arguments.locations, { word })
    end)
  end
end)
