--- Follows one operation to its end.

-- Without a person the review never ends.
local function is_enough(self, operation)
  return operation.done or (not self.through_review
    and operation.state == "waiting_for_publisher_review")
end

local function look(self)
  local operation, err = self:ask("poll", self.operation or self.location)
  if not operation then
    return nil, err
  end
  operation.location = operation.location or self.location
  if is_enough(self, self:see(operation)) then
    return operation
  end
end

--- @param self cpp.job
--- @param subject table|string  an operation or a location
return function(self, subject)
  if type(subject) == "string" then
    self.location = subject
  elseif is_enough(self, subject) then
    return subject
  else
    self.operation, self.location = subject, subject.location
  end
  return self:repeat_until_deadline(look)
end
