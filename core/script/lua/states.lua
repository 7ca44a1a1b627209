-- SPDX-License-Identifier: Apache-2.0
-- states.lua - flow.states: a flow declared as a machine of states. Everything
-- that can be wrong with it is said while the file is loaded. Entering a state
-- begins the log anew, so that such a flow may go round for years.
local env, native, flow = ...
local error, next, pairs, type, tostring = env.error, env.next, env.pairs, env.type, env.tostring
local concat, sort = env.table.concat, env.table.sort

local known = { enter = true, on = true, to = true, final = true }
local reasons = { taken = true, closed = true }
local kinds = { text = true, image = true, file = true, audio = true, video = true, location = true, card = true,
  any = true }

local function names(set)
  local list = {}
  for name in next, set do list[#list + 1] = name end
  sort(list)
  return list
end

-- All targets of a state, as a set; what is wrong goes to `say`.
local function targets_of(name, s, say)
  local out = {}
  local function add(where, to)
    if type(to) == "string" then out[to] = where
    else say("state '" .. name .. "': " .. where .. " must be the name of a state") end
  end
  if type(s.to) == "table" then
    for _, to in pairs(s.to) do add("to", to) end
  elseif s.to ~= nil then
    add("to", s.to)
  end
  if type(s.on) == "table" then
    for key, to in pairs(s.on) do
      local where = "on." .. tostring(key)
      if type(key) ~= "string" then say("state '" .. name .. "': " .. where .. " must be written as a text")
      elseif key ~= "timeout" then add(where, to)
      elseif type(to) == "table" and type(to[1]) == "string" then
        native.flow_ms(to[1], "state '" .. name .. "': on.timeout")
        add(where, to[2])
      else say("state '" .. name .. "': on.timeout must be { \"10m\", \"state\" }") end
    end
  elseif s.on ~= nil then
    say("state '" .. name .. "': on must be a table")
  end
  return out
end

local function check_state(name, s, say)
  for field in next, s do
    if not known[field] then say("state '" .. name .. "': unknown field '" .. tostring(field) .. "'") end
  end
  if s.enter ~= nil and type(s.enter) ~= "function" then say("state '" .. name .. "': enter must be a function") end
  if s.to ~= nil and not s.enter then say("state '" .. name .. "': to needs enter, which says where to go") end
  if s.final and (s.on or s.to) then say("state '" .. name .. "' is final and cannot go on") end
end

-- What leads to what: edges[name] = set of names.
local function read(machine, say)
  local states, edges = {}, {}
  for name, s in pairs(machine) do
    if name ~= "initial" and (type(name) ~= "string" or type(s) ~= "table") then
      say("'" .. tostring(name) .. "' is no state")
    elseif name ~= "initial" then
      states[name] = s
    end
  end
  for _, name in env.ipairs(names(states)) do
    check_state(name, states[name], say)
    edges[name] = targets_of(name, states[name], say)
    for _, to in env.ipairs(names(edges[name])) do
      if not states[to] then
        say("state '" .. name .. "': " .. edges[name][to] .. " leads to '" .. to .. "', which is not there")
      end
    end
  end
  return states, edges
end

-- All that can be reached from the set `from`.
local function reach(from, edges)
  local seen, list = {}, names(from)
  for _, name in env.ipairs(list) do seen[name] = true end
  local i = 1
  while list[i] do
    for to in next, edges[list[i]] or {} do
      if not seen[to] then
        seen[to] = true
        list[#list + 1] = to
      end
    end
    i = i + 1
  end
  return seen
end

local function backwards(edges)
  local back = {}
  for from, set in next, edges do
    for to in next, set do
      back[to] = back[to] or {}
      back[to][from] = true
    end
  end
  return back
end

local function check(machine)
  local wrong = {}
  local function say(text) wrong[#wrong + 1] = text end
  if type(machine) ~= "table" then error("flow.states: a table is needed", 3) end
  local states, edges = read(machine, say)
  local initial, finals = machine.initial, {}
  for name, s in next, states do finals[name] = s.final and true or nil end
  if type(initial) ~= "string" then say("initial must name the first state")
  elseif not states[initial] then say("initial is '" .. initial .. "', which is not there")
  elseif #wrong == 0 then
    local seen, alive = reach({ [initial] = true }, edges), reach(finals, backwards(edges))
    for _, name in env.ipairs(names(states)) do
      if not seen[name] then say("state '" .. name .. "' is never reached")
      elseif not alive[name] then say("state '" .. name .. "' never comes to a final one (final = true)") end
    end
  end
  if #wrong > 0 then error("flow.states: " .. concat(wrong, "; "), 3) end
  return states, edges
end

-- running ----------------------------------------------------------------------

local function target(on, msg)
  local want = native.flow_plain(msg.text or "")
  for _, key in env.ipairs(names(on)) do
    if key ~= "timeout" and not kinds[key] and not reasons[key] and native.flow_plain(key) == want then
      return on[key]
    end
  end
  return on[msg.kind] or on.any
end

-- Where a message, time or a person leads; nil: the flow is over.
local function wait_in(name, on)
  local timeout = on.timeout
  local until_at = timeout and flow.now() + native.flow_ms(timeout[1], "timeout")
  while true do
    local left = until_at and env.math.max(until_at - flow.now(), 0)
    local msg, why = native.flow_wait(name, left)
    if not msg then
      if why == "timeout" then return timeout[2] end
      return on[why]
    end
    local to = target(on, msg)
    if to then return to, msg.text end
  end
end

local function go(states, edges, conv, name, data, text)
  local s = states[name]
  if not s then error("the flow is in state '" .. name .. "', which is not there any more", 0) end
  native.flow_view("state", name)
  local to
  if s.enter then to = s.enter(conv, data, text) end
  if s.final then return nil end
  if to ~= nil and not edges[name][to] then
    error("state '" .. name .. "': enter gave '" .. tostring(to) .. "', which is not in its `to`", 0)
  end
  if to == nil and not s.on then error("state '" .. name .. "': enter must say where to go", 0) end
  if to ~= nil then return to end
  return wait_in(name, s.on)
end

function flow.states(machine)
  local states, edges = check(machine)
  local initial = machine.initial
  return function(conv, args)
    local name, data, text = native.flow_state()
    if not name then
      name = initial
      data, text = native.flow_enter(name, args == nil and {} or args)
    end
    while true do
      local to, said = go(states, edges, conv, name, data, text)
      if not to then return true end
      name = to
      data, text = native.flow_enter(name, data, said)
    end
  end
end
