--- Virtual time: seconds since the epoch, running `speed` times as fast as real
-- time, or standing still at speed 0.

local clock = { speed = 1 }

local real_start, virtual_start

local function real_now()
  ngx.update_time()
  return ngx.now()
end

--- Real seconds, for what the client measures with its own clock.
clock.real = real_now

function clock.start()
  real_start = real_now()
  virtual_start = real_start
end

function clock.now()
  return virtual_start + (real_now() - real_start) * clock.speed
end

--- Changes the speed from now on.
function clock.set_speed(speed)
  virtual_start, real_start = clock.now(), real_now()
  clock.speed = speed
end

--- Jumps forward.
function clock.advance(seconds)
  virtual_start = virtual_start + seconds
end

--- Suspends the request for a virtual duration (a real one at speed 0).
function clock.sleep(seconds)
  ngx.sleep(seconds / (clock.speed > 0 and clock.speed or 1))
end

-- Seconds since the year 1 at the epoch: the zero of .NET's tick count.
local EPOCH = 62135596800

-- Seven digits of a second, the last one odd: such a tick count has no exact
-- double, so a client that reads it as one shows.
local function seventh_digits(time)
  local digits = math.floor(time % 1 * 1e7)
  return ("%07d"):format(digits + 1 - digits % 2)
end

--- A .NET tick count (100 ns), as digits.
function clock.ticks(time)
  return ("%.0f"):format(EPOCH + math.floor(time)) .. seventh_digits(time)
end

--- `2018-04-25T12:03:01.1234567Z`.
function clock.iso(time)
  local date = os.date("!%Y-%m-%dT%H:%M:%S", math.floor(time))
  return date .. "." .. seventh_digits(time) .. "Z"
end

return clock
