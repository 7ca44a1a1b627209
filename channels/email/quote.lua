-- What a customer wrote, without what their mail program put below it: the mail
-- it answers, as Chinese and Western programs quote it, and signatures.
local M = {}

local HEADS = {}
for word in ([[from sent to subject date cc 发件人 发送时间 收件人 主题 日期 抄送 时间 寄件者 收件者 寄件日期 主旨
  von gesendet an betreff datum de envoyé à objet para asunto enviado]]):gmatch "%S+" do HEADS[word] = true end

local function trimmed(line) return (line:gsub("：", ":"):gsub("\194\160", " "):gsub("^%s+", ""):gsub("%s+$", "")) end
local function is_quoted(line) return line:find "^%s*>" ~= nil end
local function is_blank(line) return not line:find "%S" end

local function is_head(line)
  local name = line:match "^%*?([^:]+)%*?:"
  return name ~= nil and #name < 30 and HEADS[(name:gsub("[%s%*]+$", ""):gsub("　", "")):lower()] == true
end

-- "----- Original Message -----", "------------------ 原始邮件 ------------------"
local function is_rule(line)
  local words = line:match "^%-%-+%s*(.-)%s*%-%-+$"
  if not words then return false end
  words = words:lower()
  return words:find("original message", 1, true) or words:find("原始邮件", 1, true)
    or words:find("回复的原邮件", 1, true) or words:find("原邮件", 1, true)
end

local SAYS = { ["写道:"] = { "^在.+写道:$", "^.+于.*%d.+写道:$", "^.*%d%d%d%d.+写道:$" },
  ["wrote:"] = { "^on .+ wrote:$", "^.*%d%d.+ wrote:$" }, schrieb = { "^am .+ schrieb.*:$" },
  ["a écrit"] = { "^le .+ a écrit ?:$" }, ["escribió:"] = { "^el .+ escribió:$" },
  ["scritto:"] = { "^il .+ ha scritto:$" }, schreef = { "^op .+ schreef.*:$" } }
local function says(line)
  if #line > 400 or line:sub(-1) ~= ":" then return false end
  line = line:lower()
  for word, patterns in pairs(SAYS) do
    if line:find(word, 1, true) then
      for _, pattern in ipairs(patterns) do
        if line:find(pattern) then return true end
      end
    end
  end
  return false
end

-- Does history begin at line i (trimmed)? How many lines its head has.
local function begins(lines, i)
  local line = lines[i]
  if line == "" then return nil end
  if line:byte() == 45 and is_rule(line) then return 1 end
  local joined = line
  for n = 0, 2 do -- "On ... wrote:" is wrapped
    if n > 0 then
      if not lines[i + n] or lines[i + n] == "" then break end
      joined = joined .. " " .. lines[i + n]
    end
    if says(joined) then return n + 1 end
  end
  if is_head(line) then
    local heads = 0
    for n = i, math.min(i + 7, #lines) do
      if is_head(lines[n]) then heads = heads + 1 end
    end
    if heads >= 3 then return heads end
  end
end

-- answers(from): is there something of the customer's own behind quoted lines?
local function below(lines)
  local own, quoted = 0, {} -- the last own line; the next quoted one from each
  for i = #lines, 1, -1 do
    quoted[i] = is_quoted(lines[i]) and i or quoted[i + 1]
    if own == 0 and quoted[i] ~= i and not is_blank(lines[i]) then own = i end
  end
  return function(from) return quoted[from] ~= nil and quoted[from] < own end
end

local TAILS = { "^发自我的", "^从我的.+发送", "^来自我的", "^发自.*邮箱", "^来自.*邮箱", "^sent from ", "^get outlook for ",
  "^获取 ?outlook", "^von meinem .+ gesendet", "^envoyé de mon ", "^发送自", "^从 windows 版邮件发送", "^由.+发送$" }
local function is_tail(line)
  line = trimmed(line):lower()
  for _, pattern in ipairs(TAILS) do
    if line:find(pattern) and #line < 120 then return true end
  end
  return line:find "^_+$" ~= nil
end

local function drop_end(lines, is)
  while #lines > 0 and (is_blank(lines[#lines]) or is(lines[#lines])) do lines[#lines] = nil end
end

local function split(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do lines[#lines + 1] = line end
  return lines
end

function M.trim(text)
  local lines, plain, kept = split(text), {}, {}
  for i, line in ipairs(lines) do plain[i] = trimmed(line) end
  local answers = below(lines)
  for i, line in ipairs(lines) do
    local heads = begins(plain, i)
    if heads and not answers(i + heads) then break end
    if line == "-- " or line == "--" then break end
    kept[i] = line
  end
  local cut = false
  local function quoted(line) cut = cut or is_quoted(line) return is_quoted(line) end
  drop_end(kept, quoted)
  if cut and #kept > 0 and says(trimmed(kept[#kept])) then kept[#kept] = nil end
  drop_end(kept, is_tail)
  if #kept == 0 then return (text:gsub("^%s+", ""):gsub("%s+$", "")) end -- nothing but a quote
  return (table.concat(kept, "\n"):gsub("^%s*\n", ""))
end

return M
