-- Private messages (私信) of a Douyin business account: signed webhooks in,
-- /im/send/msg out.
--
-- An answer needs the ids of what the customer did last: a message (24 h) or
-- coming in (30 s). They are kept before a message is handed over, for an answer
-- may be quicker than this handler. poll() keeps the consent alive: the refresh
-- token must be renewed before its 30 days are over.
local json, kv, crypto, secret = require "json", require "kv", require "crypto", require "secret"
local time, log, utf8 = require "time", require "log", require "utf8"
local shared, media = require "lib.channels", require "lib.media"
local douyin, files, staff = require "channels.douyin.calls", require "channels.douyin.files",
  require "channels.douyin.staff"
local given, setting = shared.given, shared.setting

local TEXT_CHARS, ENTER_S, REPLY_MS, HOUR_MS = 1000, 30, 24 * 3600 * 1000, 3600 * 1000
local FILES = { image = media.rule(10, "image/jpeg", "image/png", "image/bmp", "image/webp") }
---@type Channel
local M = {
  api = 1,
  title = { zh = "抖音", en = "Douyin" },
  schema = {
    client_key = setting("string", "Client Key", "Client key",
      "开放平台应用的 Client Key（AppID）", "Of the app on the open platform (its AppID)", true),
    client_secret = setting("secret", "Client Secret", "Client secret",
      "换取凭据，并验证推送签名", "Buys tokens and verifies what is pushed"),
    webhook_secret = setting("secret", "Webhook Secret", "Webhook secret",
      "控制台单独给出时填写，也用它验证签名", "If the console gave one of its own; it verifies signatures, too"),
    open_id = setting("string", "企业号 open_id", "Business open_id",
      "授权的企业号；填了就只收它的消息", "Of the account that gave its consent; only its messages are taken then"),
    refresh_token = setting("secret", "Refresh Token", "Refresh token",
      "授权后得到，到期前自动续期，最多 5 次", "Given with the consent; renewed in time, at most 5 times"),
    welcome = setting("string", "欢迎语", "Welcome",
      "客户打开私信页时说的话；不填则不说", "Said when a customer opens the chat; empty means: nothing"),
    text_limit = setting("integer", "每条字数", "Characters a message",
      "更长的回复分成几条；不填则为 1000", "Longer answers go out in pieces; empty means 1000"),
    enter_seconds = setting("integer", "进入后可回复的秒数", "Seconds to answer who came in",
      "客户打开私信页、还没说话时；不填则为 30", "Who opened the chat and said nothing yet; empty means 30"),
    reply_count = setting("integer", "每次可回复的条数", "Answers a message",
      "客户说一次话之后最多回复几条；不填则为 6", "How many answers Douyin takes to one message; empty means 6"),
    api = setting("string", "接口地址", "API address",
      "不填则为 https://open.douyin.com", "Empty means https://open.douyin.com"),
  },
  capabilities = {
    text = 1000, text_unit = "characters", kinds = { "text", "image" }, image = "10MB", rate = 10, at_once = 4,
    reply_window = { time = "24h", count = 6, count_from = "reply_count" },
  },
}

-- --- in --------------------------------------------------------------------

local function is_signed(req, config)
  local theirs, good = req.headers["x-douyin-signature"] or "", false
  for _, name in ipairs { "webhook_secret", "client_secret" } do
    if config[name] and crypto.equal(crypto.sha1(secret.join(config[name], req.body)), theirs) then good = true end
  end
  return good
end

local ALIASES = { receive_msg = "im_receive_msg", enter_im = "im_enter_direct_msg" }
-- A table or the JSON text of one.
local function table_of(value)
  if type(value) == "string" then value = json.decode(value) end
  return type(value) == "table" and value or {}
end

local function talk_key(ctx, user) return ("talk:%s:%s"):format(ctx.channel.id, crypto.sha256(user):sub(1, 32)) end

-- What they did last, before anybody can answer.
local function note(ctx, event, content, what)
  if not given(content.server_message_id) or not given(content.conversation_short_id) then return end
  local at = tonumber(content.create_time) or time.now()
  kv.update(talk_key(ctx, event.from_user_id), function(old)
    old = old or {}
    if old[what] and old[what].at > at then return nil end
    old.us = event.to_user_id
    old[what] = { msg = content.server_message_id, conversation = content.conversation_short_id, at = at }
    return old
  end, "25h")
end

local function hand_over(ctx, event, content, dedupe, text)
  local from = event.from_user_id
  local m = { dedupe = dedupe, from = from, name = files.name_of(content, from), kind = "text", text = text }
  if not text then
    m.kind, m.media = files.bearing(content, event.to_user_id)
    return media.take(ctx, m, files.fetch)
  end
  return shared.hand_over(ctx, m)
end

local say -- below

local events = {}

function events.im_receive_msg(event, content, ctx, id)
  note(ctx, event, content, "message")
  return hand_over(ctx, event, content, id, files.text_of(content))
end

-- Nobody can type within 30 s: the welcome goes at once.
function events.im_enter_direct_msg(event, content, ctx, id)
  note(ctx, event, content, "enter")
  local config = ctx.config
  if not given(config.welcome) or not config.refresh_token then return true end
  if not kv.add("welcome:" .. crypto.sha1(id), true, "10m") then return true end
  local trouble = say(ctx, event.from_user_id, { msg_type = 1, text = { text = config.welcome } }, "3s")
  if trouble then log.warn("douyin: the welcome was not sent", { why = trouble.why }) end
  return true
end

-- Of the customer's, or of the account's own.
function events.im_recall_msg(event, _, ctx, id)
  if event.from_user_id == ctx.config.open_id then return staff.recalled(ctx, id) end
  return shared.taken_back(ctx, event.from_user_id, id)
end

events.im_send_msg, events.im_authorize = staff.im_send_msg, staff.im_authorize
function events.unauthorize() return log.error "douyin: the account has taken its consent back" or true end

-- The number as it is written: it may be too long for Lua.
local function challenge(event, body)
  local digits = body:match '"challenge\\?"%s*:%s*(%d+)'
  if digits then return 200, '{"challenge":' .. digits .. "}", { ["content-type"] = "application/json" } end
  return 200, { challenge = table_of(event.content).challenge }
end

function M.receive(req, ctx)
  local config = ctx.config
  if not config.client_secret and not config.webhook_secret then return 403, "the channel has no secret" end
  if req.method ~= "POST" then return 405 end
  if not is_signed(req, config) then return 401, "X-Douyin-Signature is wrong" end
  local event = json.decode(req.body)
  if type(event) ~= "table" then return 400, "the body is not a JSON object" end
  if event.event == "verify_webhook" then return challenge(event, req.body) end
  local content, handle = table_of(event.content), events[ALIASES[event.event] or event.event]
  if not handle or not staff.is_ours(event, config) or content.conversation_type == 2 then
    return 200, { err_no = 0 }
  end
  -- The header is not signed, the id in the body is.
  local id = given(content.server_message_id) and content.server_message_id
  id = id or req.headers["msg-id"] or crypto.sha1(req.body)
  if handle ~= events.unauthorize and not given(event.from_user_id) then return 200, { err_no = 0 } end
  if not handle(event, content, ctx, id) then return 503, "" end -- pushed again
  return 200, { err_no = 0 }
end

-- --- out -------------------------------------------------------------------

-- The right by which we may speak to them now: its ids, and its scene.
local function right(config, talk)
  local now, enter, message = time.now(), talk.enter, talk.message
  local seconds = tonumber(config.enter_seconds) or ENTER_S
  if enter and now - enter.at < seconds * 1000 and not (message and message.at > enter.at) then
    return enter, "im_enter_direct_msg"
  end
  if message and now - message.at < REPLY_MS then return message end
end

local function account_of(config, talk) return given(config.open_id) and config.open_id or talk.us end

-- nil and the id of what was said, or what was in the way.
function say(ctx, to, content, timeout)
  local config, talk = ctx.config, kv.get(talk_key(ctx, to)) or {}
  local ids, scene = right(config, talk)
  if not ids then return { failed = "window_closed", why = "客户 24 小时内没有说话 / no word from them for 24 hours" } end
  local body = { msg_id = ids.msg, conversation_id = ids.conversation, to_user_id = to, scene = scene,
    content = content }
  local trouble, answer = douyin.as_account(config, account_of(config, talk), "/im/send/msg/", body, timeout)
  return trouble, answer and answer.msg_id
end

-- Pieces of a text as what Douyin is sent.
local function texts(text, config)
  local list, most = {}, math.max(1, tonumber(config.text_limit) or TEXT_CHARS)
  for at = 1, utf8.len(text) or 0, most do
    list[#list + 1] = { msg_type = 1, text = { text = utf8.sub(text, at, at + most - 1) } }
  end
  return list
end

-- A picture is uploaded; what Douyin did not take is uploaded anew by hand.
local function say_image(ctx, item)
  local id, why = files.image_id(ctx.config, item.file)
  if not id then return why end
  local trouble, said = say(ctx, item.to, { msg_type = 2, image = { media_id = id } })
  if trouble and trouble.failed == "refused" then files.forget(ctx.config, item.file) end
  return trouble, said
end

local NO_CONSENT =
  { failed = "config", why = "没有填写 Refresh Token，只能接收 / without a refresh token nothing can be sent" }

function M.send(item, ctx)
  local config = ctx.config
  local list, no = item.kind == "text" and texts(item.text, config), nil
  if item.file then
    list, no = media.list(item, FILES, function() return { image = true } end,
      function(text) return texts(text, config) end)
  end
  if not list then return no or shared.no_files(item) end
  if not config.refresh_token then return NO_CONSENT end
  return shared.send_all(item, list, function(content)
    if content.image then return say_image(ctx, item) end
    return say(ctx, item.to, content)
  end)
end

local looked = {} -- consent -> when it was looked after

-- Douyin wants the conversation, too: the one in which the customer did something last.
function M.recall(item, ctx)
  local config, talk = ctx.config, kv.get(talk_key(ctx, item.to)) or {}
  local ids = talk.message or talk.enter
  if not config.refresh_token then return NO_CONSENT end
  if not ids then return { failed = "unsupported", why = "没有会话编号 / its conversation is not known any more" } end
  return shared.recall_all(item, function(id)
    return (douyin.as_account(config, account_of(config, talk), "/im/recall/msg/",
      { msg_id = id, conversation_id = ids.conversation, conversation_type = 1 }))
  end)
end

-- The consent dies when nobody looks after it.
function M.poll(ctx)
  if not ctx.config.refresh_token then return { again = 3600 } end
  local consent = ctx.channel.id .. crypto.sha256(ctx.config.refresh_token)
  if time.now() - (looked[consent] or 0) >= HOUR_MS then
    looked[consent] = time.now()
    douyin.token(ctx.config)
    douyin.renew(ctx.config)
  end
  return media.late(ctx, files.fetch)
end

function M.check(config)
  if not given(config.client_key) then return nil, "client_key", "没有填写 Client Key / there is no client key" end
  if not config.client_secret and not config.webhook_secret then
    return nil, "client_secret", "没有填写 Client Secret，推送无法验证 / without a client secret no push can be verified"
  end
  if not config.refresh_token then
    return nil, "refresh_token", "没有填写 Refresh Token，只能接收 / without a refresh token nothing can be sent"
  end
  local good, refusal, why = douyin.try(config)
  if good then return true end
  if refusal then return nil, "refused", douyin.sentence(refusal.code, refusal.answer) end
  return nil, "unavailable", "连不上抖音接口 / Douyin does not answer: " .. tostring(why)
end

return M
