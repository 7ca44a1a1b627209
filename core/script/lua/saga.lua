-- SPDX-License-Identifier: Apache-2.0
-- saga.lua - flow.saga: steps that are undone, the last one first, when a later
-- one fails for good. What people see of it is written before each step.
local env, native, flow = ...
local error, ipairs, next, type = env.error, env.ipairs, env.next, env.type
local UNDO_TRIES = 20

local known = { name = true, run = true, undo = true, retry = true, backoff = true }
local function check(name, steps)
  local seen = {}
  if type(name) ~= "string" or name == "" then error("flow.saga: the name must be a text", 3) end
  if type(steps) ~= "table" or #steps == 0 then error("flow.saga: a list of steps is needed", 3) end
  for i, s in ipairs(steps) do
    local who = "flow.saga '" .. name .. "': step " .. i
    if type(s) ~= "table" or type(s.name) ~= "string" then error(who .. " has no name", 3) end
    if seen[s.name] then error(who .. ": there are two of the name '" .. s.name .. "'", 3) end
    seen[s.name] = true
    for field in next, s do
      if not known[field] then error(who .. ": unknown field '" .. env.tostring(field) .. "'", 3) end
    end
    if type(s.run) ~= "function" then error(who .. " has no run", 3) end
    if s.undo ~= nil and type(s.undo) ~= "function" then error(who .. ": undo must be a function", 3) end
  end
end

local function show(view) native.flow_view("saga", view) end

local function undo_all(name, steps, view, from, data, results)
  view.state = "compensating"
  for i = from, 1, -1 do
    local s, row = steps[i], view.steps[i]
    local function told(tries)
      row.state, row.attempts = "undoing", tries + 1
      view.state = tries + 1 >= UNDO_TRIES and "stuck" or "compensating"
      show(view)
    end
    if s.undo then
      native.flow_durable("undo", name .. "/" .. s.name, { retry = UNDO_TRIES - 1, backoff = s.backoff },
        s.undo, told, data, results[s.name])
      row.state = "undone"
    end
  end
  view.state = "undone"
  show(view)
end

function flow.saga(name, steps, data)
  check(name, steps)
  if data == nil then data = {} end
  local view, results = { name = name, state = "running", steps = {} }, {}
  for i, s in ipairs(steps) do view.steps[i] = { name = s.name, state = "waiting", attempts = 0 } end
  for i, s in ipairs(steps) do
    local row = view.steps[i]
    local function told(tries)
      row.attempts = tries + 1
      show(view)
    end
    local _, value, code, detail = native.flow_durable("saga", name .. "/" .. s.name, s, s.run, told, data, results)
    if value == nil and type(code) == "string" then
      row.state, row.error = "failed", detail or code
      undo_all(name, steps, view, i - 1, data, results)
      return nil, code, detail
    end
    row.state, results[s.name] = "done", value
  end
  view.state = "done"
  show(view)
  return true
end
