-- When a person shall take over from a bot (ai/guard.lua, ai/guard/policy.lua).
local M = {}

local function is(matcher, s) return matcher ~= nil and matcher:find(s) ~= nil end

-- An answer that says nothing but that it does not know.
function M.is_lost(p, s) return is(p.is.lost, s) end

-- The largest amount in a text: 1,200.50 or 3万.
function M.amount(s)
  local most = 0
  for number, unit in s:gmatch "(%d[%d,]*%.?%d*)%s*([\128-\255]*)" do
    local n = tonumber((number:gsub(",", ""))) or 0
    if unit:sub(1, 3) == "万" then n = n * 10000 end
    if n < 1e9 then most = math.max(most, n) end
  end
  return most
end

-- How often in a row the bot has just said that it does not understand.
function M.misses(p, messages)
  local n = 0
  for i = #messages, 1, -1 do
    local m = messages[i]
    if m.role == "assistant" and m.text and m.text ~= "" then
      if not M.is_lost(p, m.text) then break end
      n = n + 1
    end
  end
  return n
end

-- All that the visitor said since the last answer, the newest first.
function M.said(messages)
  local out = {}
  for i = #messages, 1, -1 do
    local m = messages[i]
    if m.role == "assistant" and not m.tool_calls then break end
    if m.role == "user" and m.text and m.text ~= "" then out[#out + 1] = m.text end
  end
  return out
end

-- The last word on it counts.
local function has_asked(p, texts)
  for _, one in ipairs(texts) do
    if is(p.is.not_asked, one) then return false end
    if is(p.is.asked, one) then return true end
  end
  return false
end

function M.wanted(p, conv, texts, result, ctx)
  local h, said = p.handover, table.concat(texts, "\n")
  local contact = ctx.contact or type(conv) == "table" and conv.contact
  if has_asked(p, texts) then return "asked" end
  if result.handover then return tostring(result.handover) end
  for _, tier in ipairs(h.tiers or {}) do
    if type(contact) == "table" and contact.tier == tier then return "tier" end
  end
  if is(p.is.angry, said) then return "angry" end
  if h.money and is(p.is.money, said) and M.amount(said) >= h.money then return "money" end
  if result.text and M.is_lost(p, result.text) and (ctx.misses or 0) + 1 >= (h.not_understood_times or 2) then
    return "not_understood"
  end
end

return M
