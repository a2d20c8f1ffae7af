--- 200,000 polls on one client leave nothing behind: `make soak`. An nginx of
-- this file's own answers them, one half always the same, the other always new.
--
-- As many go before: until then the allocator's free blocks settle, by 300 kB.

local cpp = require "cpp"
local lfs = require "lfs"
local server = require "cpp.emulator.server"
local shell = require "cpp.emulator.shell"
local task = require "cpp.task"

local POLLS, AT_A_TIME = 200000, 16

local CONFIG = [[
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t;
  scgi_temp_path t;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  default_type application/json;
  server {
    listen 127.0.0.1:@PORT@;
    location = /same { return 200 '@DOCUMENT@'; }
    location = /new { return 200 '@NEW@'; }
  }
}
]]

local START = [[
cd %s && echo $$ && exec timeout 600 %s -p ./ -c nginx.conf %s]]

local STEP = '{"id":"s%d","stepName":"Step %d","description":"d","status":"running",'
  .. '"messages":[{"messageHtml":"<p>m</p>","level":"error","timestamp":"t"}],'
  .. '"progressPercentage":41}'

-- As large as the service's own.
local function document(extra)
  local steps = {}
  for i = 1, 6 do
    steps[i] = STEP:format(i, i)
  end
  return ('{"status":"running","messages":["%s"],"steps":[%s],"previewLinks":[]}'):format(
    extra, table.concat(steps, ","))
end

local function write_config(folder, port)
  local file <close> = assert(io.open(folder .. "/nginx.conf", "w"))
  file:write((CONFIG:gsub("@(%u+)@", { PORT = port, DOCUMENT = document "",
    NEW = document "$request_id" })))
end

local function start(nginx, folder, port)
  write_config(folder, port)
  local pipe = shell.open(START:format(shell.quote(folder), shell.quote(nginx.path),
    nginx.errors))
  return { pipe = pipe, pid = pipe:read "n", folder = folder,
    endpoint = "http://127.0.0.1:" .. port }
end

local function stop(self)
  os.execute(("kill %d"):format(self.pid))
  self.pipe:close()
  os.execute("rm -rf " .. shell.quote(self.folder))
end

-- Resident kilobytes.
local function rss()
  collectgarbage()
  collectgarbage()
  local file <close> = assert(io.open "/proc/self/status")
  return tonumber(file:read "a":match "VmRSS:%s*(%d+)")
end

local function descriptors()
  local count = 0
  for _ in lfs.dir "/proc/self/fd" do
    count = count + 1
  end
  return count
end

local function until_ready(client)
  for _ = 1, 100 do
    if client:poll "/same" then
      return
    end
    client:sleep(0.05)
  end
  error "nginx does not answer"
end

-- Each of the tasks follows two operations.
local function poll_many(client, count)
  task.run(client, function()
    for _ = 1, AT_A_TIME do
      task.spawn(function()
        local same, new = "/same", "/new"
        for _ = 1, count // AT_A_TIME // 2 do
          same = assert(client:poll(same))
          new = assert(client:poll(new))
          assert(same.state == "running" and new.changed and new.steps[6])
        end
      end)
    end
  end)
end

describe("200,000 polls on one client", function()
  local nginx = assert(server.find())
  local _, folder = shell.run "mktemp -d"
  local running = start(nginx, folder, math.random(32000, 32700))
  local client = cpp.client { endpoint = running.endpoint, token = "fixed",
    http_version = "1.1" }
  until_ready(client)
  poll_many(client, POLLS)
  local begun, tenths = client:now(), {}
  for tenth = 1, 10 do
    poll_many(client, POLLS // 10)
    tenths[tenth] = { rss = rss(), lua = collectgarbage "count",
      descriptors = descriptors() }
  end
  local seconds = client:now() - begun
  client:close()
  stop(running)

  it("leave the memory as it was after the first tenth", function()
    print(("%d polls in %.0f s; resident %d kB after the first tenth, %d kB after the last")
      :format(POLLS, seconds, tenths[1].rss, tenths[10].rss))
    assert.is_true(tenths[10].rss <= tenths[1].rss * 1.01)
  end)

  -- A leak of Lua's may fit into what the allocator holds free.
  it("leave Lua's memory as it was, but for weakly held trees", function()
    print(("%.1f kB of Lua after the first tenth, %.1f kB after the last"):format(
      tenths[1].lua, tenths[10].lua))
    assert.is_true(tenths[10].lua <= tenths[1].lua + 16)
  end)

  it("leave the descriptors as they were", function()
    print(("%d descriptors open throughout"):format(tenths[1].descriptors))
    for tenth = 2, 10 do
      assert.equal(tenths[1].descriptors, tenths[tenth].descriptors)
    end
  end)
end)
