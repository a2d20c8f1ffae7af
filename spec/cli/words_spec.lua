local words = require "cpp.cli.words"

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
}

describe("words of the command line", function()
  for _, case in ipairs(CASES) do
    it("are prepared: " .. case[1], function()
      local given = {}
      for word in case[1]:gmatch "%S+" do
        table.insert(given, word)
      end
      assert.equal(case[2], table.concat(words.prepare(given), " "))
    end)
  end
end)
