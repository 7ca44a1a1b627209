-- SPDX-License-Identifier: Apache-2.0
-- flow_env.lua - what is different in a file below scripts/flows: the plain
-- names of the waits, and what must give the same whenever a flow is played
-- again. Inside flow.step everything is as in any script.
local env, native = ...
local flow = native.module "flow"
local next, type, tostring, sort = env.next, env.type, env.tostring, env.table.sort
local error, rawget = env.error, env.rawget

-- The environment is closed by now.
for _, name in next, { "ask", "choose", "wait_reply" } do env.rawset(env, name, flow[name]) end

local short_sleep = env.sleep
function env.sleep(duration)
  if native.flow_runs() then return flow.sleep(duration) end
  return short_sleep(duration)
end
env.rawset(native.module "time", "sleep", env.sleep)

local random = env.math.random
function env.math.random(...)
  if native.flow_runs() then return native.flow_random(...) end
  return random(...)
end

local clock = env.os.clock
function env.os.clock()
  if native.flow_runs() then error("in a flow put os.clock into flow.step(name, function() ... end)", 2) end
  return clock()
end

-- By order of keys: a table's own order is another one in each process.
local rank = { number = 1, string = 2, boolean = 3 }
local function before(a, b)
  local x, y = rank[type(a)] or 4, rank[type(b)] or 4
  if x ~= y then return x < y end
  if x <= 2 then return a < b end
  return tostring(a) < tostring(b)
end
function env.pairs(t)
  if type(t) ~= "table" then error("pairs: a table is needed", 2) end
  local keys, i = {}, 0
  for k in next, t do keys[#keys + 1] = k end
  sort(keys, before)
  return function()
    repeat
      i = i + 1
    until keys[i] == nil or rawget(t, keys[i]) ~= nil
    local key = keys[i]
    if key ~= nil then return key, t[key] end
  end
end
