-- A turn as providers want it: the question alone for those who keep the
-- conversation themselves, tools and their calls for those who do not.
local json = require "json"
local ai = require "lib.ai"

local MOST_CALLS = 16
local MOST_ARGUMENTS = 64 * 1024

local M = {}

-- Without the marks that the guard sets around it for a prompt of ours.
local function plain(text)
  return text:match "^<visitor%-%x+>\n(.*)\n</visitor%-%x+>$" or text
end

-- What the visitor has said since the last answer, in one text, and its files: for
-- a bot whose prompt is not ours.
function M.question(messages)
  local texts, files = {}, {}
  for i = #messages, 1, -1 do
    local m = messages[i]
    if m.role == "assistant" or m.role == "tool" then break end
    if m.role == "user" then
      if ai.given(m.text) then table.insert(texts, 1, plain(m.text)) end
      for n, file in ipairs(m.files or {}) do table.insert(files, n, file) end
    end
  end
  return table.concat(texts, "\n"), files
end

-- The prompt of the house: all that the system says.
function M.prompt(messages)
  local texts = {}
  for _, m in ipairs(messages) do
    if m.role == "system" and ai.given(m.text) then texts[#texts + 1] = m.text end
  end
  return table.concat(texts, "\n\n")
end

-- The results of tools that end the turn: { { id =, text = } … }
function M.results(messages)
  local list = {}
  for i = #messages, 1, -1 do
    if messages[i].role ~= "tool" then break end
    table.insert(list, 1, { id = messages[i].tool_call_id, text = messages[i].text or "" })
  end
  return list
end

-- "image", "audio", "video" or "document"
function M.kind_of(file)
  local kind = tostring(file.mime or ""):match "^(%a+)/"
  return (kind == "image" or kind == "audio" or kind == "video") and kind or "document"
end

-- Arguments are JSON in a text, perhaps an empty one. nil, "broken", detail.
function M.arguments(text)
  if text == nil or text == "" or text == json.null then return {} end
  if type(text) == "table" then return text end
  if type(text) ~= "string" or #text > MOST_ARGUMENTS then
    return nil, "broken", "the arguments of a tool are too long"
  end
  local x = json.decode(text)
  if type(x) ~= "table" then return nil, "broken", "the arguments of a tool are no JSON object" end
  return x
end

-- Hands a list of { id =, name =, text = arguments } over; true or nil, "broken",
-- detail. Nothing is handed over if one of them is no call.
function M.tell_calls(ctx, list)
  local calls = {}
  if #list > MOST_CALLS then return nil, "broken", ("%d calls of tools at once"):format(#list) end
  for i, one in ipairs(list) do
    if not ai.given(one.name) or #one.name > 128 then return nil, "broken", "a call of a tool without a name" end
    local arguments, class, detail = M.arguments(one.text)
    if not arguments then return nil, class, detail end
    calls[i] = { id = ai.given(one.id) and one.id or "call_" .. i, name = one.name, arguments = arguments }
  end
  for _, call in ipairs(calls) do ctx.tool_call(call) end
  return true
end

return M
