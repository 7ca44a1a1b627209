-- A mail as the message that agents see, and whose conversation it belongs to.
local kv, crypto, text = require "kv", require "crypto", require "text"
local html, quote = require "channels.email.html", require "channels.email.quote"

local M = {}
local TEXT_BYTES = 15000 -- of a message
local REFERENCES = 20
local ADORNS_BYTES = 10240
M.KEPT = "180d" -- how long a mail can be answered to the right conversation

function M.hash(value) return crypto.sha256(value):sub(1, 32) end

-- "Re: 回复：AW: words" -> "words"
local REPLY = { "^re%s*:%s*", "^re%[%d+%]%s*:%s*", "^fwd?%s*:%s*", "^aw%s*:%s*", "^sv%s*:%s*", "^wg%s*:%s*",
  "^回复%s*:%s*", "^答复%s*:%s*", "^转发%s*:%s*", "^回覆%s*:%s*", "^轉寄%s*:%s*" }
function M.subject(subject)
  local s = (subject or ""):gsub("：", ":"):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  local again = true
  while again do
    again = false
    for _, pattern in ipairs(REPLY) do
      local _, n = s:lower():find(pattern)
      if n then s, again = s:sub(n + 1), true end
    end
  end
  return s
end

local function cut(words, bytes)
  if #words <= bytes then return words, false end
  while bytes > 1 and words:byte(bytes + 1) >= 128 and words:byte(bytes + 1) < 192 do bytes = bytes - 1 end
  return words:sub(1, bytes), true
end

local function size_of(bytes)
  if bytes < 1024 then return bytes .. " B" end
  if bytes < 1024 * 1024 then return ("%.0f KB"):format(bytes / 1024) end
  return ("%.1f MB"):format(bytes / 1024 / 1024)
end

-- What is attached: no signature, and no small picture that only adorns the HTML.
function M.files(mail)
  local list = {}
  for _, part in ipairs(mail.attachments) do
    local signature = part.type:find "pkcs7%-signature" or part.type:find "pgp%-signature"
    local adorns = part.inline and part.cid and part.type:find "^image/" and #part.bytes < ADORNS_BYTES
    if not signature and not adorns and #(part.bytes or "") > 0 then list[#list + 1] = part end
  end
  return list
end

function M.kind(part)
  return part.type:match "^(image)/" or part.type:match "^(audio)/" or part.type:match "^(video)/" or "file"
end

local MARKS = { image = "图片", audio = "语音", video = "视频", file = "附件" }

function M.body(mail)
  if mail.text and mail.text:find "%S" then return quote.trim(mail.text) end
  if mail.html then return quote.trim(html.text(mail.html)) end
  return ""
end

-- The mail's words: its subject if it says something new, then its body, then
-- the files that are not shown otherwise.
function M.words(mail, raw, was, files)
  local lines, subject = {}, M.subject(mail.subject)
  if subject ~= "" and subject ~= was then lines[1] = "【" .. cut(subject, 300) .. "】" end
  local body, long = cut(text.trim(M.body(mail)) or "", TEXT_BYTES)
  if body ~= "" then lines[#lines + 1] = body end
  if long then lines[#lines + 1] = "……（邮件过长，其余请在邮箱中查看 / the rest is in the mailbox）" end
  for i, part in ipairs(files) do
    if i > 20 then break end
    lines[#lines + 1] = ("[%s] %s (%s)"):format(MARKS[M.kind(part)], part.name or part.type, size_of(#part.bytes))
  end
  if raw.cut then
    lines[#lines + 1] = ("（邮件共 %s，附件未取回，请在邮箱中查看 / too large: its attachments are in the mailbox）")
      :format(size_of(raw.size))
  end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

-- --- threads ---------------------------------------------------------------

function M.sent_key(ctx, id) return "sent:" .. ctx.channel.id .. ":" .. M.hash(id) end
function M.thread_key(ctx, identity) return "in:" .. ctx.channel.id .. ":" .. M.hash(identity) end

-- The visitor whose mail we answered with one of these ids; nil.
local function answered(mail, ctx)
  local ids = { mail.in_reply_to }
  for i = #mail.references, math.max(1, #mail.references - REFERENCES), -1 do ids[#ids + 1] = mail.references[i] end
  for i = 1, math.min(#ids, REFERENCES) do
    local kept = kv.get(M.sent_key(ctx, ids[i]))
    if kept then return kept.to end
  end
end

-- Who writes: the address, or the visitor to whom we wrote what is answered
-- here (a colleague answers, or the same person from elsewhere).
function M.identity(mail, ctx)
  local address = mail.from.address:lower()
  local to = answered(mail, ctx)
  if to and to ~= address then return to, address end
  return address
end

-- What an answer needs to be shown below this mail.
function M.thread(mail, id, address)
  local list, reply = {}, mail.reply_to[1] and mail.reply_to[1].address:lower()
  local ids = #mail.references > 0 and mail.references or { mail.in_reply_to }
  for i = math.max(1, #ids - REFERENCES + 1), #ids do list[#list + 1] = ids[i] end
  if #ids > REFERENCES then list[1] = ids[1] end
  return { id = mail.message_id and id or nil, references = list, subject = M.subject(mail.subject),
    reply = reply and reply ~= address and reply or nil, name = mail.from.name }
end

return M
