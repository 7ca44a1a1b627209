-- SPDX-License-Identifier: Apache-2.0
-- assist.lua - around a connector's ask and embed: the guard (ai/guard.lua)
-- looks at what goes out and at what comes in (unless the assistant says guard =
-- false) and says when a person is wanted (always); usage, tools, sources, state
-- and that wish are kept, and come home as one table.
-- more() reads what the roof said beside the turn: { conv =, contact =, message = … }.
local env, more = ...
local type, next, tostring, tonumber, error = env.type, env.next, env.tostring, env.tonumber, env.error
local setmetatable, rawget = env.setmetatable, env.rawget
local sub, byte, find, concat = env.string.sub, env.string.byte, env.string.find, env.table.concat

local SOURCES, CALLS, HELD = 20, 16, 32

-- How much of the text may go now: all but its end, which may be the start of
-- a word of the guard's, and never up to the middle of one in brackets.
local function cut_at(text, guard)
  if guard.cut then return guard.cut(text) end
  local n = #text - HELD
  if n <= 0 then return 0 end
  local from = n > 64 and n - 64 or 1
  local open = nil
  local i = from
  while i <= n do
    local at, _, mark = find(text, "([%[%]{}<>])", i)
    if not at or at > n then break end
    open = (mark == "[" or mark == "{" or mark == "<") and at or nil
    i = at + 1
  end
  if open then n = open - 1 end
  while n > 0 and byte(text, n + 1) and byte(text, n + 1) >= 0x80 and byte(text, n + 1) < 0xC0 do n = n - 1 end
  return n
end

-- Every text in a table, through fn; a copy.
local function each_text(value, fn, depth)
  if type(value) == "string" then return fn(value) end
  if type(value) ~= "table" or depth > 16 then return value end
  local copy = {}
  for k, v in next, value do copy[k] = each_text(v, fn, depth + 1) end
  return copy
end

local function number(v) return tonumber(v) or 0 end

local function usage_of(u)
  if type(u) ~= "table" then error("ctx.usage: a table is needed", 3) end
  return { input = number(u.input), output = number(u.output), cached = number(u.cached), cost = number(u.cost),
    currency = type(u.currency) == "string" and u.currency or nil }
end

-- --- a turn --------------------------------------------------------------------
-- Thousands wait at the same time for their answer to grow, so what waits holds
-- little: not the turn once the connector has asked, nothing of the conversation
-- (more() reads it again), no function before it is called.

-- To the visitor: true, or nil, "cancelled".
local function tell(s, text)
  if text == "" then return true end
  s.said[#s.said + 1] = text
  local ok, why = s.write(text)
  s.stopped = not ok
  return ok, why
end

local function say(s, text)
  if s.stopped then return nil, "cancelled" end
  if type(text) ~= "string" then error("ctx.write: a text is needed", 2) end
  local guard = s.guard
  if not guard or not guard.incoming then return tell(s, text) end
  local held = s.held .. text
  local n = cut_at(held, guard)
  if n <= 0 then
    s.held = held
    if s.heard or text == "" then return true end
    s.heard = true -- the model speaks, though nothing of it may go yet
    local ok, why = s.write("")
    s.stopped = not ok
    return ok, why
  end
  s.heard, s.held = true, sub(held, n + 1)
  return tell(s, guard.incoming(sub(held, 1, n), s.watch) or "")
end

local function flush(s)
  local rest, guard = s.held, s.guard
  s.held = ""
  if rest ~= "" and not s.stopped then tell(s, guard.incoming(rest, s.watch) or "") end
end

local function take_call(s, call)
  if type(call) ~= "table" or type(call.name) ~= "string" then
    error("ctx.tool_call: { id =, name =, arguments = } is needed", 2)
  end
  local out, guard = s.out, s.guard
  out.calls = out.calls or {}
  if #out.calls >= CALLS then return end
  local restore = guard and (guard.restore or guard.incoming)
  local args = type(call.arguments) == "table" and call.arguments or {}
  if restore then args = each_text(args, function(text) return restore(text, s.watch) or "" end, 0) end
  out.calls[#out.calls + 1] = { id = tostring(call.id or #out.calls + 1), name = call.name, arguments = args }
end

local function take_source(s, source)
  if type(source) ~= "table" then error("ctx.source: a table is needed", 2) end
  local out = s.out
  out.sources = out.sources or {}
  if #out.sources < SOURCES then
    out.sources[#out.sources + 1] = { title = source.title, url = source.url, text = source.text }
  end
end

local late = {
  tool_call = function(s) return function(call) return take_call(s, call) end end,
  usage = function(s) return function(u) s.out.usage = usage_of(u) end end,
  state = function(s) return function(kept) s.out.state = kept end end,
  source = function(s) return function(source) return take_source(s, source) end end,
  handover = function(s) return function(reason) s.out.handover = tostring(reason or "handover") end end,
}
local states = setmetatable({}, { __mode = "k" }) -- of each ctx
local CONTEXT = { __metatable = false, __index = function(ctx, name)
  local make = late[name]
  if make then ctx[name] = make(states[ctx]) end
  return rawget(ctx, name)
end }

local function context(s, base)
  local ctx = { config = base.config, assistant = base.assistant, timeout = base.timeout,
    write = function(text) return say(s, text) end }
  states[ctx] = s
  return setmetatable(ctx, CONTEXT)
end

-- What the guard may want to know beside.
local WATCH = { __metatable = false, __index = function(watch, name)
  if name ~= "conversation" and name ~= "contact" then return nil end
  local base = more()
  watch.conversation, watch.contact = base.conv, base.contact
  return rawget(watch, name)
end }

local function watch_of(base)
  return setmetatable({ vault = {}, assistant = base.assistant }, WATCH)
end

local function taken(s)
  local turn = s.turn
  s.turn = nil
  return turn
end

-- Why a person is wanted, or nil: who asks for one gets one, whatever may leave
-- the house.
local function wanted(s, guard, out)
  local watch, base = s.watch, guard and guard.handover and not s.stopped and not out.calls and more()
  if not base or not base.message then return nil end
  watch.conversation, watch.contact = base.conv, base.contact
  local result = { ok = out.ok, class = out.class, text = concat(s.said), handover = out.handover,
    usage = out.usage, sources = out.sources }
  return guard.handover(base.conv, base.message, result, watch)
end

local function finish(s, guard, ok, class, detail, seconds)
  local out = s.out
  flush(s)
  out.ok = ok and true or false
  if not ok then
    out.class = type(class) == "string" and class or "broken"
    out.detail = detail and tostring(detail) or nil
    out.seconds = tonumber(seconds)
  end
  local reason = wanted(s, guard, out)
  if reason then out.handover = tostring(reason) end
  return out
end

local function entry_ask(ask, guard)
  return function(turn, base)
    local s = { guard = base.guard ~= false and guard or nil, watch = watch_of(base), write = base.write, said = {},
      held = "", out = { ok = false }, turn = turn }
    if s.guard and s.guard.outgoing then
      local safe, class, why = s.guard.outgoing(turn, s.watch)
      if not safe then return { ok = false, class = class or "refused", detail = why, by = "guard" } end
      s.turn = safe
    elseif guard and guard.look then
      guard.look(turn, s.watch)
    end
    local ctx = context(s, base)
    turn, base = nil, nil -- luacheck: ignore 311
    return finish(s, guard, ask(taken(s), ctx))
  end
end

-- What is looked up goes out without anybody's numbers too: no way back is needed.
local function entry_embed(embed, guard)
  return function(texts, base)
    local out = { ok = false }
    if guard and guard.redact and base.guard ~= false then
      local watch, safe = { vault = {}, assistant = base.assistant }, {}
      for i = 1, #texts do safe[i] = guard.redact(texts[i], watch) end
      texts = safe
    end
    local ctx = { config = base.config, assistant = base.assistant, timeout = base.timeout }
    function ctx.usage(u) out.usage = usage_of(u) end
    local vectors, class, detail, seconds = embed(texts, ctx)
    if type(vectors) == "table" then
      out.ok, out.vectors = true, vectors
    else
      out.class = type(class) == "string" and class or "broken"
      out.detail, out.seconds = detail and tostring(detail) or nil, tonumber(seconds)
    end
    return out
  end
end

return { ask = entry_ask, embed = entry_embed }
