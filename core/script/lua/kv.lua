-- SPDX-License-Identifier: Apache-2.0
-- kv.lua - the calls of kv and its spaces that run the author's function, or
-- wait several times. `calls` has the natives of bind_kv.c and bind_once.c.
local env, calls, kv, space = ...
local error, pcall, type = env.error, env.pcall, env.type
local gate = calls.gate
local TRIES = 10

-- Raises where the call of that name may not be made, and for what is no
-- function, before anything is asked.
function calls.check(name, fn)
  gate[name]()
  if type(fn) ~= "function" then error(name .. ": a function is needed", 3) end
end

-- change(old) gives what to keep, nil to leave it, kv.DELETE; and true if the
-- end it has is kept whatever ttl says.
local function swap(name, where, key, change, ttl, tries)
  local raw, expires, old = calls.kv_there(where, key)
  if raw == nil then return nil, expires, old end -- nil, code, detail
  for _ = 1, tries do
    local new, keep = change(old)
    if new == nil then return old end
    local value, span = new, ttl
    if new == kv.DELETE then value = nil end
    if keep then span = nil end
    local done, raw2, expires2, old2 = calls.kv_swap(where, key, raw, value, span, expires)
    if done then return value end
    if done == nil then return nil, raw2, expires2 end
    raw, expires, old = raw2, expires2, old2
  end
  return nil, "conflict", name .. ": others were faster " .. tries .. " times"
end

local function update(name, where, key, change, ttl)
  calls.check(name, change)
  return swap(name, where, key, function(old) return (change(old)) end, ttl, TRIES)
end

local function incr(name, where, key, n, ttl)
  gate[name]()
  n = n == nil and 1 or n
  if type(n) ~= "number" then error(name .. ": n must be a number", 3) end
  return swap(name, where, key, function(old)
    if old == nil then return n end
    if type(old) ~= "number" then
      error(name .. ": the value of '" .. key .. "' is not a number", 0)
    end
    return old + n, true
  end, ttl, env.math.huge) -- each round someone gets on; the handler's time ends it
end

local function add(name, where, key, value, ttl)
  gate[name]()
  if value == nil then error(name .. ": a value is needed", 3) end
  local done, code, detail = calls.kv_swap(where, key, "", value, ttl, 0)
  if done == nil then return nil, code, detail end
  return done
end

-- what(...) are the results of the author's function.
local function made(where, key, ttl, ok, value, ...)
  if not ok then
    calls.once_fail(where, key)
    error(value, 0)
  end
  if value == nil then
    calls.once_fail(where, key)
    return nil, ...
  end
  local fine, why = pcall(calls.once_give, where, key, ttl, value)
  if not fine then -- it has no JSON form
    calls.once_fail(where, key)
    error(why, 0)
  end
  return value
end

function calls.once(where, key, ttl, make)
  local how, value, detail = calls.once_ask(where, key, ttl)
  if how == nil then return nil, value, detail end
  if how == "kept" then return value end
  return made(where, key, ttl, pcall(make))
end

local function kv_once(name, where, key, ttl, make)
  calls.check(name, make)
  if ttl == nil then error(name .. ": a ttl is needed", 3) end
  return calls.once(where, key, ttl, make)
end

for name, fn in env.next, { update = update, incr = incr, add = add, once = kv_once } do
  local own, shared = "kv." .. name, "Space." .. name
  kv[name] = function(...) return fn(own, false, ...) end
  space[name] = function(self, ...)
    if type(self) ~= "table" then error("call the methods of a space with a colon", 2) end
    return fn(shared, self, ...)
  end
end
