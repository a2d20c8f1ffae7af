--- Values, each due at a time: a binary heap in two arrays, which costs 32
-- bytes a timer where a table for each would cost 120.

local timers = {}
timers.__index = timers

function timers.new()
  return setmetatable({ size = 0, times = {}, values = {} }, timers)
end

--- When the next one is due, or nil.
function timers:next()
  return self.times[1]
end

local function sift_up(self, at, time, value)
  local times, values = self.times, self.values
  while at > 1 and time < times[at // 2] do
    times[at], values[at] = times[at // 2], values[at // 2]
    at = at // 2
  end
  times[at], values[at] = time, value
end

local function sift_down(self, time, value)
  local times, values, at = self.times, self.values, 1
  while 2 * at <= self.size do
    local child = 2 * at
    if child < self.size and times[child + 1] < times[child] then
      child = child + 1
    end
    if time <= times[child] then
      break
    end
    times[at], values[at] = times[child], values[child]
    at = child
  end
  times[at], values[at] = time, value
end

function timers:add(time, value)
  self.size = self.size + 1
  sift_up(self, self.size, time, value)
end

--- Takes out a value that is due at `now`; nil when none is.
function timers:due(now)
  local times, values, size = self.times, self.values, self.size
  if size == 0 or times[1] > now then
    return nil
  end
  local value = values[1]
  local last_time, last_value = times[size], values[size]
  times[size], values[size] = nil, nil
  self.size = size - 1
  if self.size > 0 then
    sift_down(self, last_time, last_value)
  end
  return value
end

return timers
