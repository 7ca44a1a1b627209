-- Mails that no person wrote to us: our own, bounces, answers of machines,
-- lists (RFC 3834, RFC 3464, and what mailers make of them).
local mime = require "mime"
local M = {}

function M.header(mail, name)
  local value = mail.headers[name]
  if type(value) == "table" then value = value[1] end
  return type(value) == "string" and value or nil
end

local function has(mail, name, ...)
  local value = M.header(mail, name)
  if not value then return false end
  value = value:lower()
  for i = 1, select("#", ...) do
    if value:find((select(i, ...)), 1, true) then return true end
  end
  return select("#", ...) == 0
end

local SUBJECTS = { "^自动回复", "^automatic reply", "^out of office", "^auto:", "^autoreply", "^auto%-reply",
  "^automatische antwort", "^réponse automatique", "^系统退信", "^假期自动回复" }

local function sender(mail) return mail.from and mail.from.address:lower() or "" end

local function is_daemon(mail)
  local name = sender(mail):match "^[^@]*" or ""
  return name:find "^mailer%-daemon" ~= nil or name:find "^postmaster" ~= nil
end

local function is_report(mail)
  return has(mail, "content-type", "multipart/report") or has(mail, "x-failed-recipients")
end

local function is_ours(mail, ctx)
  local mark = M.header(mail, "x-yuelai-channel")
  return mark == ctx.channel.id or sender(mail) == ctx.config.address:lower()
end

local function is_auto(mail)
  local subject = (mail.subject or ""):lower()
  for _, pattern in ipairs(SUBJECTS) do
    if subject:find(pattern) then return true end
  end
  if M.header(mail, "return-path") == "<>" then return true end
  return has(mail, "auto-submitted", "auto-") or has(mail, "precedence", "bulk", "list", "junk", "auto_reply")
    or has(mail, "x-auto-response-suppress", "all", "oof", "autoreply") or has(mail, "x-autoreply")
    or has(mail, "x-autorespond") or has(mail, "list-id") or has(mail, "list-unsubscribe") or has(mail, "list-post")
end

-- "own", "bounce", "auto", or nil for a mail of a person.
function M.kind(mail, ctx)
  if is_report(mail) or is_daemon(mail) then return "bounce" end
  if is_ours(mail, ctx) then return "own" end
  if is_auto(mail) then return "auto" end
end

-- --- bounces ---------------------------------------------------------------

-- The groups of a message/delivery-status: names in lower case.
local function groups(text)
  local list, group = {}, {}
  for line in (text .. "\n\n"):gmatch "(.-)\r?\n" do
    local name, value = line:match "^([%w%-]+):%s*(.-)%s*$"
    if name then
      group[name:lower()] = value
    elseif line:find "^%s+%S" and group.last then
      group[group.last] = group[group.last] .. " " .. line:gsub("^%s+", "")
    elseif line == "" and next(group) then
      list[#list + 1], group = group, {}
    end
    if name then group.last = name:lower() end
  end
  return list
end

local function ids_in(list, text)
  for id in text:gmatch "<([%w%.%-_=%+]+@[%w%.%-]+)>" do list[#list + 1] = id end
end

-- { failed = bool, why = text, ids = the mails it may be about }
function M.bounce(mail)
  local report = { ids = {}, failed = is_daemon(mail) and not is_report(mail), why = mail.subject or "" }
  for _, part in ipairs(mail.attachments) do
    if part.type == "message/delivery-status" then
      for _, group in ipairs(groups(part.bytes)) do
        local action = (group.action or ""):lower()
        if action == "failed" then
          report.failed = true
          report.why = group["diagnostic-code"] or group.status or report.why
        end
      end
    elseif part.type == "message/rfc822" or part.type == "text/rfc822-headers" or part.type == "message/global" then
      local original = mime.parse(part.bytes)
      if original and original.message_id then report.ids[#report.ids + 1] = original.message_id end
    end
  end
  if has(mail, "x-failed-recipients") then report.failed = true end
  for _, id in ipairs(mail.references) do report.ids[#report.ids + 1] = id end
  if mail.in_reply_to then report.ids[#report.ids + 1] = mail.in_reply_to end
  ids_in(report.ids, mail.text or "")
  ids_in(report.ids, mail.html and mail.html:gsub("&lt;", "<"):gsub("&gt;", ">") or "")
  return report
end

return M
