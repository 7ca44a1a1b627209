-- E-mail: a mailbox is read by IMAP (told of news by IDLE), answers go out by
-- SMTP. One address is one visitor; a mail is one message.
local imap, smtp, mime, kv, log = require "imap", require "smtp", require "mime", require "kv", require "log"
local shared = require "lib.channels"
local access, auto = require "channels.email.access", require "channels.email.auto"
local read, write = require "channels.email.read", require "channels.email.write"
local time = require "time"

local LATER = shared.LATER
local MOST_BYTES, MOST = "4MB", 10
local FILES = 10           -- of one mail; further ones are named
local TRIES = 3            -- then a mail is only named
local PER_HOUR = 60        -- mails of one sender that are taken
local BOT_PER_HOUR = 20    -- answers of bots to one address
local RESCAN_MS = 3 * 86400000 -- looked through again when the mailbox was made anew

---@type Channel
local M = {
  api = 1,
  title = { zh = "电子邮件", en = "E-mail" },
  schema = require "channels.email.settings",
  capabilities = { text = 20000,
    kinds = { "text", "image", "file", "audio", "video" }, files = true,
    rate = 5, burst = 10, at_once = 4 },
}

-- --- in --------------------------------------------------------------------

-- True for the first so many of an hour.
local function within(key, most)
  local n = kv.incr(key, 1, "1h")
  return not n or n <= most
end

local function on_bounce(mail, ctx)
  local report = auto.bounce(mail)
  if not report.failed then return end
  for i, id in ipairs(report.ids) do
    if i > 20 then break end
    local ok, code = ctx.receipt { sent = id, status = "failed", why = report.why:sub(1, 300) }
    if ok then return end
    if LATER[code] then return false end
  end
  log.info("email: a bounce of no mail of ours", { channel = ctx.channel.id })
end

-- What is attached goes to the house's files. The messages that bear them, and
-- what is only named; nil: the house cannot take it now.
local function files_of(mail, ctx)
  local taken, named = {}, {}
  for i, part in ipairs(read.files(mail)) do
    local file, code
    if #taken < FILES then
      file, code = ctx.file { body = part.bytes, name = part.name or "file", mime = part.type }
      if not file and LATER[code] then return nil end
    end
    if file then
      taken[#taken + 1] = { number = i, kind = read.kind(part), file = file }
    else
      named[#named + 1] = part
    end
  end
  return taken, named
end

local function message_of(mail, raw, ctx, id, named)
  local identity, instead = read.identity(mail, ctx)
  local key = read.thread_key(ctx, identity)
  local before = kv.get(key) or {}
  local words = read.words(mail, raw, before.subject, named)
  if instead then words = ("（%s 来信 / written by %s）\n%s"):format(instead, instead, words or "") end
  kv.set(key, read.thread(mail, id, mail.from.address:lower()), read.KEPT)
  return { dedupe = "mail:" .. read.hash(id), from = identity, name = mail.from.name,
    profile = { name = mail.from.name, email = identity }, kind = "text", text = words }
end

local function on_person(mail, raw, ctx, id)
  local sender = read.hash(mail.from.address:lower())
  if not within("rate:" .. ctx.channel.id .. ":" .. sender, PER_HOUR) then
    log.warn("email: too many mails of one sender; this one stays in the mailbox only", { channel = ctx.channel.id })
    return
  end
  local files, named = files_of(mail, ctx)
  if not files then return false end
  local message = message_of(mail, raw, ctx, id, named)
  if not message.text and #files == 0 then message.text = "（空邮件 / an empty mail）" end
  if message.text and not shared.hand_over(ctx, message) then return false end
  for _, file in ipairs(files) do
    local ok = shared.hand_over(ctx, { dedupe = message.dedupe .. ":" .. file.number, from = message.from,
      name = message.name, profile = message.profile, kind = file.kind, file = file.file })
    if not ok then return false end
  end
  return true
end

-- A mail that has ended the handler again and again is only named, so that those
-- behind it come in. What is counted here is on disk at once.
local function is_poison(raw, ctx)
  local n = kv.incr(("try:%s:%.0f"):format(ctx.channel.id, raw.uid), 1, "1d")
  return n ~= nil and n > TRIES
end

-- False: it is to come again, the house cannot take it now.
local function take(raw, ctx)
  if is_poison(raw, ctx) then raw.bytes = raw.bytes:match "^(.-\r?\n\r?\n)" or "" end
  local mail = mime.parse(raw.bytes)
  if not mail then
    log.warn("email: a mail that cannot be read", { channel = ctx.channel.id, uid = raw.uid })
    return true
  end
  local id = mail.message_id or read.hash(raw.bytes) .. "@none"
  local seen = "seen:" .. ctx.channel.id .. ":" .. read.hash(id)
  if kv.get(seen) then return true end
  local kind, taken = auto.kind(mail, ctx), nil
  if kind == "bounce" then
    taken = on_bounce(mail, ctx)
  elseif kind == "own" or not mail.from then
    taken = true
  elseif kind == "auto" and ctx.config.automatic ~= "take" then
    log.info("email: not of a person, left in the mailbox", { channel = ctx.channel.id, uid = raw.uid })
  else
    taken = on_person(mail, raw, ctx, id)
  end
  if taken == false then
    kv.del(("try:%s:%.0f"):format(ctx.channel.id, raw.uid))
    return false
  end
  kv.set(seen, true, "30d")
  return true
end

local function look(ctx, call)
  local login, code, why = access.login(ctx, "imap")
  if not login then return nil, code, why end
  for name, value in pairs(login) do call[name] = value end
  call.folder = shared.given(ctx.config.folder) and ctx.config.folder or nil
  local box
  box, code, why = imap.look(call)
  if code == "unauthorized" then access.refused(ctx) end
  return box, code, why
end

-- The first look, and after the mailbox was made anew: where do we begin?
local function begin(ctx, key, state)
  local box, code, why = look(ctx, { most = 0, timeout = "20s" })
  if not box then return nil, code, why end
  if not state then
    state = { validity = box.validity, uid = math.max(0, box.next - 1) }
  else -- all uids are others: what came lately is looked through, what we had is known by its id
    state = { validity = box.validity, uid = 0, since = time.now() - RESCAN_MS }
  end
  kv.set(key, state)
  return state
end

local function waits(code, why, ctx)
  log.warn("email: the mailbox could not be read", { channel = ctx.channel.id, code = code, why = why })
  return { again = code == "unauthorized" and 300 or code == "not_found" and 120 or 10 }
end

local function started(ctx, state, code, why)
  return state and { again = 0.2 } or waits(code, why, ctx)
end

function M.poll(ctx)
  local key = "box:" .. ctx.channel.id
  local state = kv.get(key)
  if not state then return started(ctx, begin(ctx, key)) end
  local box, code, why = look(ctx, { after = state.uid, validity = state.validity, since = state.since, most = MOST,
    max_bytes = MOST_BYTES, wait = "18s", timeout = "27s" })
  if not box then return waits(code, why, ctx) end
  if box.validity ~= state.validity then
    log.info("email: the mailbox was made anew", { channel = ctx.channel.id })
    return started(ctx, begin(ctx, key, state))
  end
  local again = box.idles and 0.2 or 15
  for _, raw in ipairs(box.mails) do
    if not take(raw, ctx) then
      kv.set(key, state)
      return { again = 5 }
    end
    state.uid = raw.uid
  end
  if not box.more and state.since then state.since = nil end
  if #box.mails > 0 or box.more then kv.set(key, state) end
  return { again = box.more and 0.2 or again }
end

-- --- out -------------------------------------------------------------------

function M.send(item, ctx)
  local text, attachments = item.kind == "text" and item.text, nil
  if item.file then
    local missing
    attachments, missing = write.attached(item, ctx)
    if not attachments then return missing end
    text = shared.given(item.text) and item.text or item.file.name
  elseif not text then
    return shared.no_files(item)
  end
  if item.sender and item.sender.role == "bot" and item.attempt == 1
    and not within("bot:" .. ctx.channel.id .. ":" .. read.hash(item.to), BOT_PER_HOUR) then
    return { failed = "rate_limited", why = "自动回复过多，可能是邮件循环 / too many automatic answers: a loop?" }
  end
  local login, code, why = access.login(ctx, "smtp")
  if not login then return { retry = 300, why = why or code } end
  local bytes, id, to = write.mail(item, text, ctx, attachments)
  if not bytes then return { failed = to == "too_large" and to or "bad_address", why = id } end
  login.from, login.to, login.bytes, login.timeout = ctx.config.address, to, bytes, "25s"
  local said
  said, code, why = smtp.send(login)
  if code == "unauthorized" then access.refused(ctx) end
  local trouble = write.trouble(said, code, why)
  if trouble then return trouble end
  kv.set(read.sent_key(ctx, id), { to = item.to }, read.KEPT)
  return { sent = id }
end

-- --- check -----------------------------------------------------------------

local function sentence(kind, code, why)
  local server = kind == "imap" and "IMAP（收信）" or "SMTP（发信）"
  local words = code == "unauthorized" and "不接受登录名和密码（QQ、163 等须用授权码，Gmail 须用应用专用密码）"
    .. " / refuses name and password (many providers want an app password)"
    or code == "not_found" and "没有这个文件夹 / has no such folder"
    or code == "timeout" and "太慢 / is too slow"
    or "连不上 / cannot be reached"
  return ("%s %s: %s"):format(server, words, tostring(why))
end

function M.check(_, ctx)
  local box, code, why = look(ctx, { most = 0, timeout = "12s" })
  if not box then return nil, code, sentence("imap", code, why) end
  local login
  login, code, why = access.login(ctx, "smtp")
  if not login then return nil, code, why end
  login.timeout = "12s"
  local said
  said, code, why = smtp.check(login)
  if not said then return nil, code, sentence("smtp", code, why) end
  return true
end

return M
