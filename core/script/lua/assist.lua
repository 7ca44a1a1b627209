-- SPDX-License-Identifier: Apache-2.0
-- assist.lua - around a connector's ask and embed: the guard (ai/guard.lua)
-- looks at what goes out and at what comes in (unless the assistant says guard =
-- false) and says when a person is wanted (always); usage, tools, sources, state
-- and that wish are kept, and come home as one table.
local env = ...
local type, next, tostring, tonumber, error = env.type, env.next, env.tostring, env.tonumber, env.error
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

local function entry_ask(ask, guard)
  return function(turn, base)
    local out = { ok = false }
    local guards = guard and base.guard ~= false
    local watch = { vault = {}, assistant = base.assistant, conversation = base.conv, contact = base.contact }
    if guards and guard.outgoing then
      local safe, class, why = guard.outgoing(turn, watch)
      if not safe then return { ok = false, class = class or "refused", detail = why, by = "guard" } end
      turn = safe
    elseif guard and guard.look then
      guard.look(turn, watch)
    end
    local incoming = guards and guard.incoming
    local held, said, stopped, heard = "", {}, false, false

    -- To the visitor: true, or nil, "cancelled".
    local function tell(text)
      if text == "" then return true end
      said[#said + 1] = text
      local ok, why = base.write(text)
      stopped = not ok
      return ok, why
    end
    local function write(text)
      if stopped then return nil, "cancelled" end
      if type(text) ~= "string" then error("ctx.write: a text is needed", 2) end
      if not incoming then return tell(text) end
      held = held .. text
      local n = cut_at(held, guard)
      if n <= 0 then
        if heard or text == "" then return true end
        heard = true -- the model speaks, though nothing of it may go yet
        local ok, why = base.write("")
        stopped = not ok
        return ok, why
      end
      heard = true
      local piece = sub(held, 1, n)
      held = sub(held, n + 1)
      return tell(incoming(piece, watch) or "")
    end
    local function flush()
      local rest = held
      held = ""
      if rest ~= "" and not stopped then tell(incoming(rest, watch) or "") end
    end
    local restore = guards and (guard.restore or guard.incoming)

    local ctx = { config = base.config, assistant = base.assistant, timeout = base.timeout, write = write }
    function ctx.tool_call(call)
      if type(call) ~= "table" or type(call.name) ~= "string" then
        error("ctx.tool_call: { id =, name =, arguments = } is needed", 2)
      end
      out.calls = out.calls or {}
      if #out.calls >= CALLS then return end
      local args = type(call.arguments) == "table" and call.arguments or {}
      if restore then args = each_text(args, function(s) return restore(s, watch) or "" end, 0) end
      out.calls[#out.calls + 1] = { id = tostring(call.id or #out.calls + 1), name = call.name, arguments = args }
    end
    function ctx.usage(u) out.usage = usage_of(u) end
    function ctx.state(s) out.state = s end
    function ctx.source(s)
      if type(s) ~= "table" then error("ctx.source: a table is needed", 2) end
      out.sources = out.sources or {}
      if #out.sources < SOURCES then
        out.sources[#out.sources + 1] = { title = s.title, url = s.url, text = s.text }
      end
    end
    function ctx.handover(reason) out.handover = tostring(reason or "handover") end

    local ok, class, detail, seconds = ask(turn, ctx)
    if incoming then flush() end
    out.ok = ok and true or false
    if not ok then
      out.class = type(class) == "string" and class or "broken"
      out.detail = detail and tostring(detail) or nil
      out.seconds = tonumber(seconds)
    end
    -- Who asks for a person gets one, whatever may leave the house.
    if guard and guard.handover and base.message and not stopped and not out.calls then
      local result = { ok = out.ok, class = out.class, text = concat(said), handover = out.handover,
        usage = out.usage, sources = out.sources }
      local reason = guard.handover(base.conv, base.message, result, watch)
      if reason then out.handover = tostring(reason) end
    end
    return out
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
