--- What a workflow adds to the trace events of its exchanges.

local options = require "cpp.workflow.options"

local traced = {}

local function is_callable(value)
  return type(value) == "function" or (getmetatable(value) or {}).__call ~= nil
end

--- Who is told of the exchanges of a client's workflow: the trace function of their
-- options, else the client's; nil: nobody. What is no function the calls refuse.
---@param client table
---@param calls table
---@return function|nil
function traced.by(client, calls)
  if calls.trace == nil and type(client) == "userdata" then
    return client:option "trace"
  end
  return is_callable(calls.trace) and calls.trace or nil
end

--- Options of a job's next exchange, whose event will tell which of its kind it was,
-- and how long and why the workflow waited before it.
---@param job cpp.workflow.job
---@param method "cancel"|"poll"|"operations"
---@param calls table
---@return table calls
function traced.options(job, method, calls)
  local counts, trace = job.counts or {}, job.trace
  job.counts = counts
  counts[method] = (counts[method] or 0) + 1
  local attempt, delay, reason = counts[method], job.delay or 0, job.reason or "at_once"
  job.delay, job.reason = nil, nil
  return options.merge(calls, { trace = function(event)
    event.attempt, event.delay, event.reason = attempt, delay, reason
    return trace(event)
  end })
end

return traced
