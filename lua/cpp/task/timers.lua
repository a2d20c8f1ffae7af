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

local function sift_up(times, values, at, time, value)
  local parent = at // 2
  while at > 1 and time < times[parent] do
    times[at], values[at] = times[parent], values[parent]
    at, parent = parent, parent // 2
  end
  times[at], values[at] = time, value
end

local function sift_down(times, values, size, time, value)
  local at, child = 1, 2
  while child <= size do
    local least, other = times[child], times[child + 1]
    if other and other < least then
      child, least = child + 1, other
    end
    if time <= least then
      break
    end
    times[at], values[at] = least, values[child]
    at, child = child, 2 * child
  end
  times[at], values[at] = time, value
end

function timers:add(time, value)
  local size = self.size + 1
  self.size = size
  sift_up(self.times, self.values, size, time, value)
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
  if size > 1 then
    sift_down(times, values, size - 1, last_time, last_value)
  end
  return value
end

return timers
