-- Finds what nobody should have to read in a chat, and hides it.
-- 脱敏：银行卡号、身份证号、手机号。
--
-- Numbers are checked by their check digit where they have one: an order number
-- of 16 digits is no bank card.
local M = {}

-- The Luhn sum, which all bank cards obey.
local function is_card(digits)
  local sum, double = 0, false
  for i = #digits, 1, -1 do
    local n = tonumber(digits:sub(i, i))
    if double then n = n * 2 > 9 and n * 2 - 9 or n * 2 end
    sum, double = sum + n, not double
  end
  return #digits >= 13 and #digits <= 19 and sum % 10 == 0
end

-- The 18th character of an ID number (GB 11643) is made of the other 17.
local weights = { 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2 }
local check = "10X98765432"
local function is_id_number(text)
  local sum = 0
  for i = 1, 17 do sum = sum + tonumber(text:sub(i, i)) * weights[i] end
  local n = sum % 11 + 1
  return check:sub(n, n) == text:sub(18):upper()
end

local function is_phone(digits)
  return #digits == 11 and digits:find "^1[3-9]" ~= nil
end

-- Gives the text with the numbers hidden, and what was found: { "card", … }.
-- Digits may stand in groups: 6222 0212 3456 7894.
function M.redact(said)
  local found = {}
  local function hide(what, shown)
    found[#found + 1] = what
    return shown
  end
  local clean = said:gsub("%d[%d %-]*[%dXx]", function(run)
    local digits = run:gsub("[ %-]", "")
    if #digits == 18 and digits:find "^%d+[%dXx]$" and is_id_number(digits) then
      return hide("id_number", "［身份证号已隐藏］")
    elseif digits:find "%D" then
      return nil -- leave it as it is
    elseif is_card(digits) then
      return hide("card", "［银行卡号已隐藏，尾号 " .. digits:sub(-4) .. "］")
    elseif is_phone(digits) then
      return hide("phone", digits:sub(1, 3) .. "****" .. digits:sub(-4))
    end
  end)
  return clean, found
end

return M
