-- Finds what nobody should have to read in a chat, and hides it.
-- 脱敏：银行卡号、身份证号、手机号。
--
-- Numbers are checked by their check digit where they have one: nine of ten order
-- numbers of 16 digits are no bank card, and stay.
local M = {}

local GROUPS = 5 -- a number is written in at most so many: 4111 1111 1111 1111 123
local SHORTEST = 11 -- a telephone number

-- The Luhn sum, which all bank cards obey.
local function is_card(digits)
  if #digits < 13 or #digits > 19 then return false end
  local sum, double = 0, false
  for i = #digits, 1, -1 do
    local n = tonumber(digits:sub(i, i))
    if double then n = n * 2 > 9 and n * 2 - 9 or n * 2 end
    sum, double = sum + n, not double
  end
  return sum % 10 == 0
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

-- What is shown in place of a number, and what it was; nil if it may stay.
local function shown_for(digits)
  if #digits == 18 and digits:find "^%d+[%dXx]$" and is_id_number(digits) then
    return "［身份证号已隐藏］", "id_number"
  elseif digits:find "%D" then
    return nil
  elseif is_card(digits) then
    return "［银行卡号已隐藏，尾号 " .. digits:sub(-4) .. "］", "card"
  elseif is_phone(digits) then
    return digits:sub(1, 3) .. "****" .. digits:sub(-4), "phone"
  end
end

-- A row of groups of digits. Two numbers may stand side by side, so from each
-- group on the longest row that is something is hidden.
local function hide(row, found)
  if #row < SHORTEST then return row end
  local groups, out = {}, {}
  for gap, digits in row:gmatch "([ %-]*)([%dXx]+)" do
    groups[#groups + 1] = digits
    out[#groups] = gap
  end
  local i = 1
  while i <= #groups do
    local j = math.min(#groups, i + GROUPS - 1)
    local digits = table.concat(groups, "", i, j)
    local shown, what
    while #digits >= SHORTEST do
      shown, what = shown_for(digits)
      if shown or j == i then break end
      digits = digits:sub(1, #digits - #groups[j]) -- without the last group
      j = j - 1
    end
    local last = shown and j or i
    out[i] = out[i] .. (shown or groups[i])
    found[#found + 1] = what
    for k = i + 1, last do out[k] = "" end -- these were hidden with the first
    i = last + 1
  end
  return table.concat(out)
end

-- Gives the text with the numbers hidden, and what was found: { "card", … }.
-- Digits may stand in groups, and be full-width: １３８ 1234 5678.
function M.redact(said)
  local found = {}
  local plain = said:gsub("\239\188([\144-\153])", function(c)
    return string.char(c:byte() - 144 + 48)
  end)
  local clean = plain:gsub("%d[%d %-]*[%dXx]", function(row) return hide(row, found) end)
  return #found > 0 and clean or said, found
end

return M
