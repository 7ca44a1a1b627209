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

function M.wanted(p, conv, said, result, ctx)
  local h = p.handover
  local contact = ctx.contact or type(conv) == "table" and conv.contact
  if is(p.is.asked, said) and not is(p.is.not_asked, said) then return "asked" end
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
