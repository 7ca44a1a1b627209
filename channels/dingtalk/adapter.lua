-- A DingTalk (钉钉) robot: signed callbacks in, answers by the session's webhook
-- while that lives, then by the robot's own interface. The sealed callbacks of
-- events are answered, so that the address can be saved there too.
--
-- A customer is a staff id (or sender id); in a group `id@conversation`, and the
-- answer goes to the group and names them. A file is fetched for a second and a
-- half while the callback waits, then by poll(). The robot's signature does not
-- cover the body: an answer is posted to hosts of DingTalk (or of the settings)
-- only, whatever address a callback names.
local http, json, kv, crypto = require "http", require "json", require "kv", require "crypto"
local secret, time, log = require "secret", require "time", require "log"
local shared, media = require "lib.channels", require "lib.media"
local calls, message_of = require "channels.dingtalk.calls", require "channels.dingtalk.messages"
local given, words, setting = shared.given, shared.words, shared.setting

local TEXT_BYTES, TOLERANCE_S, FILE_TIME = 6000, 3600, "1500ms"
-- What the robot's interface sends, and what it calls the types of files.
local ENDINGS = {
  ["application/pdf"] = "pdf", ["application/zip"] = "zip", ["application/msword"] = "doc",
  ["application/x-rar"] = "rar", ["application/x-rar-compressed"] = "rar", ["application/vnd.rar"] = "rar",
  ["application/vnd.openxmlformats-officedocument.wordprocessingml.document"] = "docx",
  ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"] = "xlsx",
}
local FILES = { image = media.rule(20, "image/jpeg", "image/png", "image/gif", "image/bmp"), file = media.rule(20) }
FILES.file.types = ENDINGS
local NO_SECRET = "没有填写 Client Secret / there is no client secret"

---@type Channel
local M = {
  api = 1,
  title = { zh = "钉钉", en = "DingTalk" },
  schema = {
    app_key = setting("string", "Client ID（AppKey）", "Client id (AppKey)",
      "应用“凭证与基础信息”里的 Client ID，以 ding 开头", "From the app's credentials; begins with ding", true),
    app_secret = setting("secret", "Client Secret（AppSecret）", "Client secret (AppSecret)",
      "验证推送签名，并换取接口凭据", "Verifies what is pushed, and buys the access token"),
    robot_code = setting("string", "机器人编码", "Robot code",
      "机器人的 robotCode；不填则与 Client ID 相同", "Empty means: the same as the client id"),
    token = setting("secret", "事件 Token", "Token of events",
      "只有订阅了 HTTP 事件推送才需要", "Only if events are pushed by HTTP, too"),
    encoding_aes_key = setting("secret", "事件 aes_key", "aes_key of events",
      "43 个字符；与事件 Token 在同一页面", "43 characters; from the same page"),
    corp_id = setting("string", "企业 CorpId", "CorpId",
      "事件推送以 CorpId 加密时填写", "If events are sealed for the CorpId, not for the client id"),
    tolerance_s = setting("integer", "签名有效秒数", "Seconds a signature is good",
      "不填则为 3600", "Empty means 3600"),
    api = setting("string", "接口地址", "API address",
      "不填则为 https://api.dingtalk.com", "Empty means https://api.dingtalk.com"),
  },
  capabilities = {
    text = TEXT_BYTES, text_unit = "bytes", kinds = { "text", "image", "file" }, image = "20MB", file = "20MB",
    per_minute = 20, rate = 10, at_once = 4,
  },
}

-- --- in --------------------------------------------------------------------

local function is_signed(req, config)
  local theirs, stamp = req.headers.sign, req.headers.timestamp
  local at = tonumber((stamp or ""):match "^%d+$")
  if not given(theirs) or not at then return false end
  local seconds = tonumber(config.tolerance_s) or TOLERANCE_S
  if math.abs(time.now() - at) > seconds * 1000 then return false end
  local signed = secret.join(stamp, "\n", config.app_secret)
  return crypto.equal(crypto.hmac("sha256", config.app_secret, signed, "base64"), theirs)
end

-- The answer to an event must be sealed, too.
local function sealed_success(config, id)
  local stamp, nonce = tostring(math.floor(time.now())), crypto.random(8, "hex")
  local sealed = shared.seal(config.encoding_aes_key, "success", id)
  return 200, { msg_signature = crypto.sha1(secret.sorted(config.token, stamp, nonce, sealed)),
    timeStamp = stamp, nonce = nonce, encrypt = sealed }
end

local function take_event(req, sealed, config)
  if not config.token or not config.encoding_aes_key then return 403, "the channel has no token and key of events" end
  local q = req.query
  local theirs, ts, nonce = q.msg_signature or q.signature, q.timestamp or "", q.nonce or ""
  if not shared.is_signed(theirs, config.token, ts, nonce, sealed) then return 401, "the signature is wrong" end
  local text, id = shared.open(config.encoding_aes_key, sealed)
  if not text then return 403, id end
  if id ~= config.app_key and id ~= config.corp_id then return 403, "it is for another app" end
  return sealed_success(config, id)
end

local function talk_key(ctx, user) return ("talk:%s:%s"):format(ctx.channel.id, crypto.sha256(user):sub(1, 32)) end

-- DingTalk's hosts, and the one that the settings name.
local function is_theirs(url, config)
  if not given(url) then return false end
  local base = given(config.api) and config.api:gsub("/+$", "") .. "/"
  return url:find "^https://[%w%-%.]+%.dingtalk%.com/" ~= nil or base and url:sub(1, #base) == base or false
end

-- Where to answer, before anybody can.
local function note(ctx, user, x)
  local till = tonumber(x.sessionWebhookExpiredTime)
  if not is_theirs(x.sessionWebhook, ctx.config) or not till then return end
  kv.update(talk_key(ctx, user), function() return { url = x.sessionWebhook, till = till } end, "1d")
end

-- False if the house can take it later only.
local function take(x, from, ctx)
  local m, pictures = message_of(x)
  m.dedupe, m.from, m.name = x.msgId, from, given(x.senderNick) and x.senderNick or nil
  if m.media then return media.take(ctx, m, calls.fetch, FILE_TIME) end
  if not shared.hand_over(ctx, m) then return false end
  for i, picture in ipairs(pictures) do -- those after the first have no time left
    picture.dedupe, picture.from, picture.name = m.dedupe .. ":" .. i, from, m.name
    if not media.take(ctx, picture, calls.fetch, i == 1 and FILE_TIME or "300ms") then return false end
  end
  return true
end

function M.receive(req, ctx)
  local config = ctx.config
  if not config.app_secret then return 403, "the channel has no client secret" end
  if req.method ~= "POST" then return 405 end
  local x = json.decode(req.body)
  if type(x) ~= "table" then return 400, "the body is not a JSON object" end
  if type(x.encrypt) == "string" then return take_event(req, x.encrypt, config) end
  if not is_signed(req, config) then
    log.warn("dingtalk: a push was refused", { why = "the signature is wrong or old" })
    return 401, "the signature is wrong or old"
  end
  local from = given(x.senderStaffId) and x.senderStaffId or x.senderId
  if not given(from) or not given(x.msgId) then return 200, {} end
  if x.conversationType == "2" and given(x.conversationId) then from = from .. "@" .. x.conversationId end
  note(ctx, from, x)
  if not take(x, from, ctx) then return 503, "" end -- pushed again
  return 200, {}
end

function M.poll(ctx) return media.late(ctx, calls.fetch) end

-- --- out -------------------------------------------------------------------

local WORDS = {
  [130101] = "发送太快，每分钟最多 20 条 / too many: 20 a minute",
  [310000] = "消息被钉钉拒绝 / DingTalk refused it",
  [400013] = "群已解散 / the group is gone",
  [400101] = "会话地址失效 / the session's address is no good",
}

local function trouble(kind, code, why)
  return { [type(kind) == "number" and "retry" or "failed"] = kind, why = ("%s (%s)"):format(why, tostring(code)) }
end

local function text_body(piece, staff)
  return { msgtype = "text", text = { content = piece }, at = staff and { atUserIds = { staff } } or nil }
end

-- By the session's webhook. nil and true if it went; nil and nil if that is no
-- way any more; else what is in the way.
local function by_session(ctx, item, piece, staff)
  local talk = kv.get(talk_key(ctx, item.to))
  if not talk or talk.till - 5000 <= time.now() then return nil end
  local answer, why = shared.answer_of(http.post { talk.url, json = text_body(piece, staff) })
  if not answer then return { retry = 5, why = why } end
  local code = answer.errcode or 0
  if code == 0 then return nil, true end
  if code == 130101 or code == -1 then return trouble(60, code, WORDS[code] or "钉钉繁忙 / DingTalk is busy") end
  if code == 310000 then return trouble("refused", code, WORDS[code] .. ": " .. words(answer.errmsg)) end
  log.warn("dingtalk: a session's webhook does not work", { code = code, why = words(WORDS[code], answer.errmsg) })
end

-- By the robot's own interface.
local function by_robot(config, user, conversation, key, param)
  local body = { robotCode = calls.robot_of(config), msgKey = key, msgParam = json.encode(param) }
  if conversation then body.openConversationId = conversation else body.userIds = { user } end
  local path = conversation and "groupMessages/send" or "oToMessages/batchSend"
  local answer, in_the_way = calls.call(config, "/v1.0/robot/" .. path, body)
  if not answer then return in_the_way end
  if type(answer.flowControlledStaffIdList) == "table" and #answer.flowControlledStaffIdList > 0 then
    return { retry = 60, why = "发送太快 / too many at once" }
  end
  if type(answer.invalidStaffIdList) == "table" and #answer.invalidStaffIdList > 0 then
    return { failed = "no_recipient", why = "对方不是企业成员，且会话已过期 / no member, and the session is over" }
  end
  return nil, answer.processQueryKey
end

local function say(ctx, item, text, user, conversation)
  local in_the_way, went = by_session(ctx, item, text, user)
  if in_the_way or went then return in_the_way end
  return by_robot(ctx.config, user or item.to, conversation, "sampleText", { content = text })
end

-- Files go by the robot's interface only; who is no member gets the link.
local function say_file(ctx, item, kind, user, conversation)
  local id, why = calls.media_id(ctx.config, kind, item.file)
  if not id then return why end
  local key, param = "sampleImageMsg", { photoURL = id }
  if kind == "file" then
    key, param = "sampleFile", { mediaId = id, fileName = item.file.name, fileType = ENDINGS[item.file.mime:lower()] }
  end
  local in_the_way, query = by_robot(ctx.config, user or item.to, conversation, key, param)
  if not in_the_way then return nil, query end
  local link = in_the_way.failed == "no_recipient" and media.link_of(item)
  if link then return say(ctx, item, link, user, conversation) end
  if in_the_way.failed then calls.forget(ctx.config, kind, item.file) end
  return in_the_way
end

local function texts(text) return shared.pieces(text, TEXT_BYTES) end

function M.send(item, ctx)
  local list, no = item.kind == "text" and texts(item.text), nil
  if item.file then list, no = media.list(item, FILES, function(_, kind) return { kind = kind } end, texts) end
  if not list then return no or shared.no_files(item) end
  if not ctx.config.app_secret then return { failed = "config", why = NO_SECRET } end
  local user, conversation = item.to:match "^(.-)@(.+)$"
  return shared.send_all(item, list, function(piece)
    if type(piece) == "table" then return say_file(ctx, item, piece.kind, user, conversation) end
    return say(ctx, item, piece, user, conversation)
  end)
end

function M.check(config)
  if not given(config.app_key) then return nil, "app_key", "没有填写 Client ID / there is no client id" end
  if not config.app_secret then return nil, "app_secret", NO_SECRET end
  if config.encoding_aes_key and not shared.is_key(config.encoding_aes_key) then
    return nil, "encoding_aes_key", "aes_key 应为 43 个字符 / the aes_key has 43 characters"
  end
  local answer, why = calls.fetch_token(config)
  if not answer then return nil, "unavailable", "连不上钉钉接口 / DingTalk does not answer: " .. tostring(why) end
  if not given(answer.accessToken) then return nil, "refused", calls.WRONG .. calls.sentence(answer) end
  return true
end

return M
