-- SPDX-License-Identifier: Apache-2.0
-- flow.lua - the Lua half of flow.*: what calls the author's functions, and
-- what is made of other waits: ask, choose, step. (Sagas and machines of states
-- have files of their own; flow_env.lua is for files below scripts/flows only.)
local env, native, flow = ...
local byte, char = env.string.byte, env.string.char
local error, next, pcall, rawget, type = env.error, env.next, env.pcall, env.rawget, env.type
local ipairs, tostring = env.ipairs, env.tostring

-- level: how many functions of ours are between this one and the author.
local function refuse(text, level) error(text, (level or 1) + 2) end

-- The fields of options, all known.
local function check(what, options, known)
  if options == nil then return {} end
  if type(options) ~= "table" then refuse(what .. ": options must be a table", 2) end
  for name in next, options do
    if not known[name] then refuse(what .. ": unknown option '" .. tostring(name) .. "'", 2) end
  end
  return options
end

local function ms(duration, what)
  return duration ~= nil and native.flow_ms(duration, what) or nil
end

-- What to call a question in the log and for people: its first line.
local function head(message)
  local text = type(message) == "table" and rawget(message, "text") or message
  return type(text) == "string" and text:match "^[^\n]*" or "card"
end

local ask_options = { timeout = true, name = true }
function flow.ask(message, options)
  local o = check("ask", options, ask_options)
  local timeout = ms(o.timeout, "ask: timeout")
  if type(message) ~= "string" and type(message) ~= "table" then refuse "ask: what to say must be a text or a table" end
  native.flow_conv():reply(message)
  return native.flow_wait(o.name or head(message), timeout)
end

-- choose -----------------------------------------------------------------------

-- "２。" and " 2) " are "2"; letters in lower case.
local function plain(text)
  text = text:gsub("\239\188([\144-\153])", function(c) return char(byte(c) - 96) end)
  text = text:lower():match "^%s*(.-)%s*$"
  return (text:gsub("^(%d+)[%.%)]$", "%1"):gsub("^(%d+)\227\128[\129\130]$", "%1"))
end

native.flow_plain = plain

local function read_options(list)
  if type(list) ~= "table" or #list == 0 or #list > 50 then
    refuse("choose: options must be a list of 1 to 50", 2)
  end
  local options = {}
  for i, o in ipairs(list) do
    local label, value = o, o
    if type(o) == "table" then
      label, value = o.label, o.value
      if value == nil then value = label end
    end
    if type(label) ~= "string" then refuse("choose: option " .. i .. " has no label", 2) end
    options[i] = { label = label, value = value }
  end
  return options
end

local function chosen(options, text)
  local want = plain(text)
  for i, o in ipairs(options) do
    if want == tostring(i) then return o.value end
  end
  for _, o in ipairs(options) do
    if want == plain(o.label) or want == plain(tostring(o.value)) then return o.value end
  end
end

local choose_options = { prompt = true, options = true, tries = true, timeout = true, again = true, name = true }
function flow.choose(what)
  local o = check("choose", what, choose_options)
  local options = read_options(o.options)
  if type(o.prompt) ~= "string" then refuse "choose: prompt must be a text" end
  local lines = o.prompt
  for i, option in ipairs(options) do lines = lines .. "\n" .. i .. ". " .. option.label end
  local again = o.again and o.again .. lines:sub(#o.prompt + 1) or lines
  for try = 1, o.tries or 3 do
    local msg, why = flow.ask(try == 1 and lines or again, { timeout = o.timeout, name = o.name or o.prompt })
    if not msg then return nil, why end
    local value = chosen(options, msg.text)
    if value ~= nil then return value end
  end
  return nil, "no_choice"
end

-- steps ------------------------------------------------------------------------

-- An answer of http has its JSON made only when it is asked for: ask now. The
-- body is not kept twice.
local function whole(ok, first, ...)
  if ok and type(first) == "table" and rawget(first, "status") and rawget(first, "headers") then
    local json = first.json
    first = { status = first.status, headers = first.headers, json = json, body = json == nil and first.body or nil }
  end
  return ok, first, ...
end

local function count(n, otherwise, what)
  if n == nil then return otherwise end
  if type(n) ~= "number" or n < 0 or n > 100 or n % 1 ~= 0 then refuse(what .. ": retry must be 0 to 100", 3) end
  return n
end

-- Calls told(tries), then gives what is kept or does it now.
local function now_or_kept(now, told, kept, tries, ...)
  if told then told(tries) end
  if kept then return true, ... end
  return now(tries)
end

-- One durable step: true, values... or, of kind "step" only, false, error.
function native.flow_durable(kind, name, o, fn, told, data, result)
  local most = count(o.retry, 0, kind)
  local backoff = ms(o.backoff, kind .. ": backoff") or 5000
  if type(name) ~= "string" or name == "" then refuse(kind .. ": the name must be a text", 2) end
  if type(fn) ~= "function" then refuse(kind .. " '" .. name .. "': a function is needed", 2) end
  local function now(tries)
    return native.flow_step_end(kind, name, tries, most, backoff, whole(pcall(fn, data, result)))
  end
  return now_or_kept(now, told, native.flow_step_begin(kind, name))
end

local function result_of(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

local step_options = { retry = true, backoff = true }
function flow.step(name, fn, options)
  return result_of(native.flow_durable("step", name, check("flow.step", options, step_options), fn))
end
