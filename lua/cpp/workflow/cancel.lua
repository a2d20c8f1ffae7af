--- Cancels what runs on an offer, and makes sure, in three stages. Each gives a
-- result, or nil and an error; nothing, or false, where the next begins.

local before = require "cpp.workflow.before"
local follow = require "cpp.workflow.follow"
local send = require "cpp.workflow.send"

--- @param self cpp.job  with publisher, offer and, where only one operation may
--   be canceled, its id in `wanted`
return function(self)
  self.sends, self.polls = 0, {}
  local look = self.wanted and before.look_for_wanted or before.look
  for _, stage in ipairs { look, send.stage, follow } do
    local result, err = stage(self)
    if result or err then
      return result, err
    end
  end
end
