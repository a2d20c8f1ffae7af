---@meta _
-- luacheck: no unused

-- What the functions of `require "cpp.workflow"` take and give. An unknown option that
-- looks like a known one, a wrong type or an impossible value raises an error that names
-- the culprit; any other option goes to every call.

---@alias cpp.workflow.on_change fun(operation: cpp.operation, target: any)
---@alias cpp.workflow.on_result
---| fun(result: cpp.workflow.result, target: cpp.workflow.target)

--- Options of every workflow. Those of a call go to each of its calls.
---@class (exact) cpp.workflow.options: cpp.options
---@field deadline? number  seconds from the call (default 3600)
---@field interval? number  seconds between two looks at first (default 5)
---@field max_interval? number  seconds to which that grows (default 60)
--- Seconds for which lists and documents may be behind (default 120).
---@field list_lag? number
--- Called when something changed; of a cancel first with what runs, before it leaves,
--- then as `accepted`, with an `id` where that was seen to run before.
---@field on_change? cpp.workflow.on_change
--- Seconds for one exchange, shorter near the deadline (default: the client's).
---@field timeout? number

--- Options of `workflow.wait`.
---@class (exact) cpp.workflow.wait_options: cpp.workflow.options
--- Waits on while a person must review, which can take days (default false).
---@field through_review? boolean

--- Options of `workflow.cancel`.
---@class (exact) cpp.workflow.cancel_options: cpp.workflow.options
---@field operation? string  id: cancels only if this is what runs
--- Ends with the outcome `accepted` as soon as the cancel is (default false).
---@field no_wait? boolean

--- Options of `workflow.cancel_all`.
---@class (exact) cpp.workflow.batch_options: cpp.workflow.options
---@field concurrency? integer  exchanges in flight (default 16)
--- Ends each with the outcome `accepted` as soon as its cancel is (default false).
---@field no_wait? boolean
---@field on_result? cpp.workflow.on_result  called once per target, when it has ended

--- One of the offers of `workflow.cancel_all`: { publisher, offer } for short.
--- Options of a call count before those of the batch.
---@class (exact) cpp.workflow.target: cpp.options
---@field publisher? string
---@field offer? string
---@field [1]? string  the publisher, for short
---@field [2]? string  the offer
---@field operation? string  id: cancels only if this is what runs

--- What a workflow remembers of a poll.
---@class cpp.workflow.poll
---@field status integer|string  HTTP status, or the error's code where none came
---@field delay number  seconds waited before it
---@field reason "at_once"|"backoff"|"retry_after"|"deadline"  why so long

--- What became of one offer.
---@class cpp.workflow.result
--- Absent in a batch, where `err` stands instead. `accepted` with `no_wait` alone.
---@field outcome "canceled"|"nothing_to_cancel"|"too_late"|"failed"|"accepted"|nil
--- The one that ran; none for `nothing_to_cancel`.
---@field operation cpp.operation|nil
---@field location string|nil  that operation's own
--- Whether a publish may start; nil: nobody could tell in time, and `trouble` says
--- why.
---@field may_publish boolean|nil
--- What runs now, where `may_publish` is false.
---@field running cpp.operation|nil
---@field trouble string|nil
--- What became of the cancel itself: no request left, the service said no, it said
--- yes, or that is not known.
---@field cancel "not_sent"|"refused"|"accepted"|"unknown"
---@field publisher string
---@field offer string
---@field polls cpp.workflow.poll[]  the last 16
---@field err cpp.error|nil  in a batch only
