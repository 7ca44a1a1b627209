-- SPDX-License-Identifier: Apache-2.0
-- test_house.lua - require "test": what is stored, time, fakes, other files.
local native = ...
local t, http, ai, kb = native.test, {}, {}, {}
local show, conversation_of = native.show, native.conversation_of
local function step(...) return native.step(...) end
local loaded -- by t.load, in this test

-- --- the house --------------------------------------------------------------

function t.conversation(x)
  local c = conversation_of(x)
  return step("conversation", { who = c.who, conversation = c.conversation })
end
function t.queue(team) return step("queue", { team = team }).items end
function t.only(units) step("only", { units = units }) end
function t.settle() step "settle" end
function t.restart() step "restart" end
function t.reload(name, source) return step("reload", { name = name, source = source }) end
function t.errors() return step("errors").items end
function t.flows(state) return step("flows", { state = state }).items end
function t.dead_letters() return step("dead_letters").items end
function t.trace(message)
  return step("trace", { message = type(message) == "table" and message.id or message })
end
function t.secrets(values) step("secrets", { values = values }) end

function t.kv(unit)
  return {
    get = function(key) return step("kv_get", { unit = unit, key = key }).value end,
    set = function(key, value, ttl)
      step("kv_set", { unit = unit, key = key, value = value, ttl = ttl and native.duration(ttl) })
    end,
  }
end

-- --- time -------------------------------------------------------------------

function native.moment_of(text)
  if text == nil or type(text) == "number" then return text end
  local ms, zone = native.moment(text)
  if not ms then native.fail("t.at wants \"2030-01-05 22:00 Asia/Shanghai\", not " .. show(text)) end
  return ms, zone
end
function t.now() return step("now").now end
-- Before the house is used for the first time the zone is the machine's too.
function t.at(text)
  local at, zone = native.moment_of(text)
  step("at", { at = at, zone = zone })
end
function t.advance(time)
  step("advance", { ms = type(time) == "number" and time or native.duration(time) })
end

-- --- fakes ------------------------------------------------------------------

t.http, t.ai, t.kb = http, ai, kb

local function answer_of(data, answer)
  if type(answer) == "function" then
    data.fake = native.fake(answer)
  else
    data.answer = answer or {}
  end
  return data
end

-- http.on("POST https://api.x.com/orders/*", { status, json, headers, body, delay, times } or function(req))
function http.on(what, answer)
  local method, url = tostring(what):match "^(%u+) (%S+)$"
  if not method then native.fail("http.on wants \"GET https://...\", not " .. show(what)) end
  local data = { method = method, url = url }
  if type(answer) == "table" then
    data.times = answer.times
    data.delay = answer.delay and native.duration(answer.delay)
  end
  step("http_on", answer_of(data, answer))
end
function http.calls() return step("http_calls").items end
function http.fixtures(name) step("http_fixtures", { name = name }) end

-- ai.says "text", or { text = …, … }: the next answer of any assistant
function ai.says(answer)
  if type(answer) == "string" then answer = { text = answer } end
  step("ai_on", { answer = answer })
end
function ai.fails(code, detail) step("ai_on", { answer = { fails = code, detail = detail } }) end
function ai.on(f) step("ai_on", { fake = native.fake(f) }) end
function ai.calls() return step("ai_calls").items end
function kb.says(answer) step("kb_on", { answer = answer }) end

-- Runs a connector's ask(turn, ctx) and gives all it did: { ok, class, detail,
-- seconds, text, pieces, usage, state, tool_calls, sources, handover }. After
-- options.cancel_after pieces (0: at once) write() gives nil, "cancelled".
function ai.run(connector, turn, options)
  options = options or {}
  local got = { text = "", pieces = {}, tool_calls = {}, sources = {} }
  local ctx = {
    config = options.config or {},
    timeout = options.timeout,
    write = function(text)
      if type(text) ~= "string" then native.fail("ctx.write wants a text, not " .. show(text)) end
      if options.cancel_after and #got.pieces >= options.cancel_after then return nil, "cancelled" end
      got.pieces[#got.pieces + 1] = text
      got.text = got.text .. text
      return true
    end,
    tool_call = function(call) got.tool_calls[#got.tool_calls + 1] = call end,
    usage = function(usage) got.usage = usage end,
    state = function(state) got.state = state end,
    source = function(source) got.sources[#got.sources + 1] = source end,
    handover = function(reason) got.handover = reason end,
  }
  got.ok, got.class, got.detail, got.seconds = connector.ask(turn, ctx)
  return got
end

-- fixtures/NAME.json beside the test, as it is
function t.fixture(name) return step("fixture", { name = name }).value end

-- --- other files ------------------------------------------------------------

-- Whose top level runs: a file of this name, or (none) the test's own. What is
-- no kit may not ask for one, as it could not in the server.
local asking = {}
local function left(ok, ...)
  asking[#asking] = nil
  if not ok then error((...), 0) end
  return ...
end
function native.within(name, f, ...)
  local by = asking[#asking] or "tests.own"
  if name:find "^tests%." and not by:find "^tests%." then
    error("require '" .. name .. "': only a *_test.lua has kits", 0)
  end
  asking[#asking + 1] = name
  return left(pcall(f, ...))
end

-- A fresh copy of a file: t.load "channels/name", "rules/20-refund", "lib/words"
function t.load(name)
  local got = step("source", { name = name })
  local chunk, why = native.compile(got.text, got.file)
  if not chunk then native.fail(why) end
  return native.within("a file", chunk)
end

local host_require = require
local function host(name)
  if type(name) ~= "string" or not name:find(".", 1, true) then return host_require(name) end
  return native.within(name, host_require, name)
end
local function own_require(name)
  if name == "test" then return t end
  local room = type(name) == "string" and name:match "^(%a+)%."
  if not loaded or room ~= "lib" and room ~= "channels" and room ~= "ai" then
    return host(name)
  end
  if loaded[name] == nil then
    loaded[name] = t.load((name:gsub("%.", "/"))) or true
  end
  return loaded[name]
end
native.define("require", own_require)

-- A new test begins.
function native.forget() loaded, asking = {}, {} end

t.json = json
