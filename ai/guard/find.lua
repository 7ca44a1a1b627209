-- Finds what is somebody's own in a text: { from, to, kind } by bytes, in order,
-- none over another. Digits may be written full-width, or with blanks and dashes
-- between; what is only a part of a longer number is left alone.
local text = require "text"

local M = {}

local WEIGHTS = { 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2 }
local LAST = "10X98765432"

local function is_date(y, m, d)
  y, m, d = tonumber(y), tonumber(m), tonumber(d)
  return y >= 1900 and y <= 2100 and m >= 1 and m <= 12 and d >= 1 and d <= 31
end

-- Resident identity card: 18 with a check sign, or the old one of 15.
function M.is_id_card(s)
  if s:find "^%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d[%dXx]$" then
    local sum = 0
    for i = 1, 17 do sum = sum + tonumber(s:sub(i, i)) * WEIGHTS[i] end
    local at = sum % 11 + 1
    return LAST:sub(at, at) == s:sub(18):upper() and is_date(s:sub(7, 10), s:sub(11, 12), s:sub(13, 14))
  end
  return s:find "^[1-8]%d%d%d%d%d%d%d%d%d%d%d%d%d%d$" ~= nil
    and is_date("19" .. s:sub(7, 8), s:sub(9, 10), s:sub(11, 12))
end

function M.is_bank_card(s)
  if not s:find "^[2-9]%d+$" or #s < 13 or #s > 19 then return false end
  local sum, double = 0, false
  for i = #s, 1, -1 do
    local d = tonumber(s:sub(i, i))
    if double then
      d = d * 2
      if d > 9 then d = d - 9 end
    end
    sum, double = sum + d, not double
  end
  return sum % 10 == 0
end

function M.is_phone(s)
  s = #s == 13 and s:sub(1, 2) == "86" and s:sub(3) or #s == 15 and s:sub(1, 4) == "0086" and s:sub(5) or s
  return s:find "^1[3-9]%d%d%d%d%d%d%d%d%d$" ~= nil
end

-- --- digits, however they are written ------------------------------------------

-- The text with full-width signs and blanks as plain ones, and where those stood
-- in it: each has become two bytes shorter.
local function plain_of(s)
  local parts, places, from, length = {}, {}, 1, 0
  local search = 1
  while true do
    local i = s:find("[\227\239][\128\188\189][\128-\191]", search)
    if not i then break end
    local b, c, d = s:byte(i, i + 2)
    local code = b == 0xEF and (c - 0x80) * 64 + d - 0x80 + 0xF000 or (c == 0x80 and d == 0x80) and 0xFF00 or 0
    if code >= 0xFF00 and code <= 0xFF5E then
      parts[#parts + 1] = s:sub(from, i - 1)
      parts[#parts + 1] = string.char(code - 0xFEE0)
      length = length + i - from + 1
      places[#places + 1], from = length, i + 3
    end
    search = i + 3
  end
  parts[#parts + 1] = s:sub(from)
  return table.concat(parts), places
end

-- Where a byte of the plain text stands in the other one.
local function place_of(at, places)
  local low, high = 0, #places -- how many stand before it
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    if places[middle] < at then low = middle else high = middle - 1 end
  end
  return at + 2 * low
end

-- Runs of digits (and a last X) with single blanks, dots or dashes between.
local function each_number(plain, found)
  local from = 1
  while true do
    local a = plain:find("%d", from)
    if not a then return end
    local b = a
    while true do
      local _, e = plain:find("^[ %-%.]?%d", b + 1)
      if not e then break end
      b = e
    end
    if plain:find("^[Xx]%f[^%w]", b + 1) or plain:find("^[Xx]$", b + 1) then b = b + 1 end
    found(a, b)
    from = b + 1
  end
end

local KINDS = { { "id_card", M.is_id_card }, { "phone", M.is_phone }, { "bank_card", M.is_bank_card } }

local function kind_of(digits)
  for _, kind in ipairs(KINDS) do
    if kind[2](digits) then return kind[1] end
  end
end

-- A run may hold several numbers: 110101199003074477 13800138000. Those between
-- blanks are tried alone and together, the longest first.
local function numbers_in(plain, a, b, add)
  local words = {}
  local from = a
  while from <= b do
    local s, e = plain:find("^[%dXx]+", from)
    if not s then
      from = from + 1
    else
      e = math.min(e, b)
      words[#words + 1] = { s, e }
      from = e + 1
    end
  end
  local i = 1
  while i <= #words do
    local digits, hit, kind = "", nil, nil
    for j = i, #words do
      digits = digits .. plain:sub(words[j][1], words[j][2])
      if #digits > 19 then break end
      local is = kind_of(digits)
      if is then hit, kind = j, is end
    end
    if hit then add(words[i][1], words[hit][2], kind) end
    i = (hit or i) + 1
  end
end

-- --- the others -----------------------------------------------------------------

local function edge(plain, a, b)
  return not plain:sub(a - 1, a - 1):find "[%w]" and not plain:sub(b + 1, b + 1):find "[%w]"
end

local SHAPES = {
  { "passport", "[EeGgDdSsPpHh][A-Za-z]?%d%d%d%d%d%d%d%d?%d?", true },
  { "secret", "sk%-[%w%-_]+", nil, 20 }, { "secret", "AKIA[%u%d]+", nil, 20 },
  { "secret", "%-%-%-%-%-BEGIN [%u ]-PRIVATE KEY%-%-%-%-%-.-%-%-%-%-%-END [%u ]-PRIVATE KEY%-%-%-%-%-" },
}
local PROVINCES = text.matcher { "京", "津", "沪", "渝", "冀", "豫", "云", "辽", "黑", "湘", "皖", "鲁", "新", "苏", "浙", "赣", "鄂",
  "桂", "甘", "晋", "蒙", "陕", "吉", "闽", "贵", "粤", "青", "藏", "川", "宁", "琼" }

-- From the @ outwards, or a long text without one would be gone through again and
-- again.
local function mails_in(plain, add)
  local from = 1
  while true do
    local at = plain:find("@", from, true)
    if not at then return end
    local near = plain:find("^[%w%._%%%+%-]@%w", at - 1)
    local head = near and plain:sub(math.max(1, at - 64), at - 1):match "[%w%._%%%+%-]+$"
    local tail = near and plain:sub(at + 1, at + 255):match "^[%w%-]+%.[%w%.%-]*%w"
    if head and tail then add(at - #head, at + #tail, "email") end
    from = at + 1
  end
end

local function shapes_in(plain, add, own)
  mails_in(plain, add)
  for _, shape in ipairs(SHAPES) do
    local from = 1
    while true do
      local a, b = plain:find(shape[2], from)
      if not a then break end
      if (not shape[3] or edge(plain, a, b)) and b - a + 1 >= (shape[4] or 1) then add(a, b, shape[1]) end
      from = b + 1
    end
  end
  for _, hit in ipairs(PROVINCES:all(plain)) do
    local _, letter = plain:find("^[A-HJ-Z]", hit.to + 1)
    local _, dot = plain:find("^·", (letter or hit.to) + 1)
    local _, e = plain:find("^[%u%d][%u%d][%u%d][%u%d][%u%d][%u%d]?", (dot or letter or #plain) + 1)
    if e and plain:sub(hit.to + 1, e):find "%d" and not plain:find("^%w", e + 1) then add(hit.from, e, "plate") end
  end
  for name, pattern in pairs(own) do
    local from = 1
    while from <= #plain do
      local a, b = plain:find(pattern, from)
      if not a or b < a then break end
      add(a, b, name)
      from = b + 1
    end
  end
end

-- redact: which kinds; own: the shop's patterns by name; allow: texts to be left.
function M.all(s, redact, own, allow)
  local plain, places = plain_of(s)
  local hits, list = {}, {}
  local function add(a, b, kind)
    local allowed
    for _, word in ipairs(allow or {}) do allowed = allowed or plain:sub(a, b) == word end
    if not allowed and (redact[kind] or own[kind]) then
      hits[#hits + 1] = { from = place_of(a, places), to = place_of(b + 1, places) - 1, kind = kind }
    end
  end
  each_number(plain, function(a, b) numbers_in(plain, a, b, add) end)
  shapes_in(plain, add, own or {})
  table.sort(hits, function(x, y)
    if x.from ~= y.from then return x.from < y.from end
    return x.to > y.to
  end)
  for _, hit in ipairs(hits) do
    if not list[#list] or hit.from > list[#list].to then list[#list + 1] = hit end
  end
  return list
end

return M
