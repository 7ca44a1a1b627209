-- SPDX-License-Identifier: Apache-2.0
-- test_assert.lua - what a test can claim, and how a broken claim is told.
--
-- A failure is a table {failure = true, message, expected, actual, file,
-- line}; texts in it are ready to be read.
local native = ...
local huge = math.huge

-- --- values as text ---------------------------------------------------------

local function key_text(k)
  if type(k) == "string" and k:match "^[%a_][%w_]*$" then return k end
  return "[" .. native.show(k) .. "]"
end

local function by_text(a, b)
  if type(a) == type(b) and type(a) ~= "boolean" and type(a) ~= "table" then return a < b end
  return type(a) < type(b)
end

local function show_table(v, indent, seen)
  local keys, list, length = {}, {}, 0
  if seen[v] then return "<itself>" end
  seen[v] = true
  for k in next, v do keys[#keys + 1] = k end
  table.sort(keys, by_text)
  local inner = indent .. "  "
  for i, k in ipairs(keys) do
    if i > 50 then
      list[i] = "... " .. (#keys - 50) .. " more"
      break
    end
    local value = native.show(rawget(v, k), inner, seen)
    list[i] = k == i and value or key_text(k) .. " = " .. value
    length = length + #list[i] + 2
  end
  seen[v] = nil
  if #list == 0 then return "{}" end
  if length < 70 then return "{ " .. table.concat(list, ", ") .. " }" end
  return "{\n" .. inner .. table.concat(list, ",\n" .. inner) .. "\n" .. indent .. "}"
end

function native.show(v, indent, seen)
  if type(v) == "string" then
    v = #v > 2000 and v:sub(1, 2000) .. "..." or v
    return '"' .. v:gsub('[%c"\\]', function(c)
      return c == "\n" and "\\n" or c == '"' and '\\"' or c == "\\" and "\\\\"
        or ("\\%03d"):format(c:byte())
    end) .. '"'
  end
  if type(v) == "number" and v == math.floor(v) and v < 1e15 and v > -1e15 then return ("%d"):format(v) end
  if type(v) == "table" then return show_table(v, indent or "", seen or {}) end
  return tostring(v)
end
local show = native.show

-- --- equality ---------------------------------------------------------------

-- nil, or the path of the first difference: "items[2].name"
local function difference(a, b, path, seen)
  if rawequal(a, b) or (a ~= a and b ~= b) then return nil end
  if type(a) ~= "table" or type(b) ~= "table" then return path end
  if seen[a] == b then return nil end
  seen[a] = b
  for k, v in next, a do
    local deeper = type(k) == "number" and path .. "[" .. k .. "]" or path .. "." .. tostring(k)
    local found = difference(v, rawget(b, k), deeper, seen)
    if found then return found end
  end
  for k in next, b do
    if rawget(a, k) == nil then return path .. "." .. tostring(k) end
  end
  return nil
end

-- --- failing ----------------------------------------------------------------

-- Raises a failure at the first line that is not the house's.
function native.fail(message, more)
  local f = { failure = true, message = message }
  f.file, f.line = native.place()
  for k, v in next, more or {} do f[k] = v end
  error(f, 0)
end
local fail = native.fail

local function claim(holds, message, said, expected, actual)
  if holds then return end
  if said ~= nil then message = tostring(said) .. ": " .. message end
  fail(message, { expected = expected, actual = actual })
end

local A = {}

function A.equal(expected, actual, said)
  claim(expected == actual or (expected ~= expected and actual ~= actual),
    "the values are not equal", said, show(expected), show(actual))
end

function A.not_equal(unwanted, actual, said)
  claim(unwanted ~= actual, "the values are equal", said, "not " .. show(unwanted), show(actual))
end

function A.same(expected, actual, said)
  local at = difference(expected, actual, "", {})
  if not at then return end
  local message = "the values are not the same"
  if at ~= "" then message = message .. " (first at " .. at:gsub("^%.", "") .. ")" end
  claim(false, message, said, show(expected), show(actual))
end

function A.is_true(v, said) claim(v == true, "this is not true", said, "true", show(v)) end
function A.is_false(v, said) claim(v == false, "this is not false", said, "false", show(v)) end
function A.is_nil(v, said) claim(v == nil, "this is not nil", said, "nil", show(v)) end
function A.is_not_nil(v, said) claim(v ~= nil, "this is nil", said, "a value", "nil") end

function A.matches(pattern, text, said)
  claim(type(text) == "string" and text:find(pattern) ~= nil, "the text does not match", said,
    "a text like " .. show(pattern), show(text))
end

function A.contains(needle, hay, said)
  local found = false
  if type(hay) == "string" then
    found = hay:find(tostring(needle), 1, true) ~= nil
  elseif type(hay) == "table" then
    for _, v in next, hay do found = found or not difference(needle, v, "", {}) end
  end
  claim(found, "it is not in there", said, "something with " .. show(needle), show(hay))
end

function A.near(expected, actual, by, said)
  local off = type(actual) == "number" and math.abs(expected - actual) or huge
  claim(off <= by, "the numbers are too far apart", said, show(expected) .. " +- " .. show(by), show(actual))
end

-- Calls f; it must fail, with `text` in its message. Returns the message.
function A.error(f, text, said)
  local ok, why = pcall(f)
  claim(not ok, "nothing was raised", said, text and "an error with " .. show(text) or "an error", "none")
  local message = type(why) == "table" and why.message or why
  if text == nil then return message end
  claim(type(message) == "string" and message:find(text, 1, true) ~= nil, "another error was raised", said,
    "an error with " .. show(text), show(message))
  return message
end

A.equals, A.is_equal, A.are_equal = A.equal, A.equal, A.equal
A.are_same, A.not_nil, A.has_error = A.same, A.is_not_nil, A.error

native.define("assert", setmetatable(A, {
  __metatable = false,
  __call = function(_, v, message, ...)
    if v then return v, message, ... end
    fail(type(message) == "table" and show(message) or message == nil and "assertion failed!" or tostring(message))
  end,
  __index = function(_, name) fail("there is no assert." .. tostring(name)) end,
}))
