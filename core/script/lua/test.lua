-- SPDX-License-Identifier: Apache-2.0
-- test.lua - describe, it, before_each, after_each, pending; running them.
--
-- While the file is loaded its tests are only collected. Then the house (the
-- stage of app/testing) asks for the list and runs one after the other. Each
-- runs in a coroutine of its own, so that a failure still has its stack.
local native = ...
local create, resume, status = coroutine.create, coroutine.resume, coroutine.status
local tests, fakes = {}, {}
local shared_groups = 0
local group = { names = {}, before = {}, after = {} }

-- --- steps ------------------------------------------------------------------

local in_fake = false

-- Asks the house and waits. An answer with `error` is a failure of the test.
function native.step(name, data)
  if in_fake and name ~= "result" then
    native.fail("a fake's function cannot use the house, only answer")
  end
  native.start(name, data or {})
  local answer = native.finish()
  if type(answer) == "table" and answer.error then native.fail(answer.error, answer.more) end
  return answer
end
local step = native.step

-- A function that the house may call while the test waits.
function native.fake(f)
  fakes[#fakes + 1] = f
  return #fakes
end

-- --- collecting -------------------------------------------------------------

local collecting = true
local function only_at_top(what)
  if not collecting then native.fail(what .. " belongs outside of a test") end
end

local function full_name(name)
  local list = {}
  for i, n in ipairs(group.names) do list[i] = n end
  list[#list + 1] = name
  return table.concat(list, " › ")
end

native.define("describe", function(name, options, body)
  only_at_top "describe"
  if type(options) == "function" then options, body = {}, options end
  local outer = group
  group = { names = {}, outer = outer, before = {}, after = {}, only = options.only, at = options.at,
    shared = outer.shared }
  for i, n in ipairs(outer.names) do group.names[i] = n end
  group.names[#group.names + 1] = tostring(name)
  if options.shared and not group.shared then
    shared_groups = shared_groups + 1
    group.shared = shared_groups
  end
  body()
  group = outer
end)

local function add(name, body)
  only_at_top "it"
  local file, line = native.place()
  tests[#tests + 1] = { name = full_name(tostring(name)), body = body, file = file, line = line, group = group }
end
native.define("it", function(name, body)
  if body ~= nil and type(body) ~= "function" then native.fail "it(name, function): the second is no function" end
  add(name, body)
end)
native.define("pending", function(name) add(name, nil) end)
native.define("before_each", function(f)
  only_at_top "before_each"
  group.before[#group.before + 1] = f
end)
native.define("after_each", function(f)
  only_at_top "after_each"
  group.after[#group.after + 1] = f
end)

-- --- running ----------------------------------------------------------------

local function frames(co)
  local list = {}
  for line in native.traceback(co):gmatch "[^\n]+" do
    line = line:match "^%s+(.*)$"
    if line and not line:find "^test[%w_]*:" and not line:find "^%[C%]" and not line:find "^sandbox:" then
      list[#list + 1] = line
    end
  end
  return list
end

-- Lua cuts long paths in front: "...les/01-echo/x_test.lua".
local function whole(file)
  local own, rest = tests[1] and tests[1].file or "", file:match "^%.%.%.(.*)$"
  if rest and own:sub(-#rest) == rest then return own end
  return file
end

-- What was raised, as {message, expected, actual, file, line, trace}
local function failure_of(co, raised)
  local f = type(raised) == "table" and raised.failure and raised or nil
  if not f then
    f = { message = type(raised) == "string" and raised or "an error that is a " .. type(raised) }
    local file, line, rest = f.message:match "^([^:\n]+):(%d+): (.*)$"
    if file then f.file, f.line, f.message = whole(file), tonumber(line), rest end
  end
  f.failure = nil
  f.trace = frames(co)
  return f
end

-- nil, or how f failed; the second: what it returned
local function try(f, ...)
  local co = create(f)
  local ok, value = resume(co, ...)
  while status(co) == "suspended" do
    native.up()
    ok, value = resume(co)
  end
  if ok then return nil, value end
  return failure_of(co, value)
end

local function before(g)
  if g.outer then before(g.outer) end
  for _, f in ipairs(g.before) do f() end
end

local function inherited(g, field)
  while g do
    if g[field] ~= nil then return g[field] end
    g = g.outer
  end
end

local function run(test)
  fakes = {}
  native.forget()
  local at, zone = native.moment_of(inherited(test.group, "at"))
  step("begin", { only = inherited(test.group, "only"), at = at, zone = zone })
  local failed = try(function()
    before(test.group)
    test.body()
  end)
  local g = test.group
  while g do
    for i = #g.after, 1, -1 do failed = failed or try(g.after[i]) end
    g = g.outer
  end
  step("end", { failure = failed })
end

local function list()
  local out = {}
  for i, test in ipairs(tests) do
    out[i] = { name = test.name, file = test.file, line = test.line, pending = test.body == nil,
      shared = test.group.shared }
  end
  step("list", { tests = out })
end

local function call(data)
  in_fake = true
  local failed, value = try(fakes[data.fake], data.argument)
  in_fake = false -- who asked goes on before we do
  native.start("result", { call = data.call, value = value, failure = failed })
  native.finish()
end

-- on_timer(conv, what, data)
return function(_, what, data)
  collecting = false
  if what == "list" then return list() end
  if what == "run" then return run(tests[data.index]) end
  return call(data)
end
