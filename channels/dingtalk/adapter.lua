-- A DingTalk (钉钉) robot: signed callbacks in, answers by the session's webhook
-- while that lives, then by the robot's own interface. The sealed callbacks of
-- events are answered, so that the address can be saved there too.
--
-- A customer is a staff id (or sender id); in a group `id@conversation`, and the
-- answer goes to the group and names them. A file is a mark until files can be
-- fetched (README). The robot's signature does not cover the body: an answer is
-- posted to hosts of DingTalk (or of the settings) only, whatever address a callback names.
local http, json, kv, crypto = require "http", require "json", require "kv", require "crypto"
local secret, time, log = require "secret", require "time", require "log"
local shared = require "lib.channels"
local given, words, setting = shared.given, shared.words, shared.setting

local API = "https://api.dingtalk.com"
local TEXT_BYTES, TOLERANCE_S = 6000, 3600
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
    text = TEXT_BYTES, text_unit = "bytes", kinds = { "text" },
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

local function rich(content)
  local parts = {}
  for _, part in ipairs(type(content.richText) == "table" and content.richText or {}) do
    if type(part) == "table" then parts[#parts + 1] = part.type == "picture" and "[图片]" or words(part.text) end
  end
  return table.concat(parts)
end

local MARKS = { picture = "[图片]", video = "[视频]", file = "[文件]", audio = "[语音]" }

local function text_of(x)
  local content, mark = type(x.content) == "table" and x.content or {}, MARKS[x.msgtype]
  local text = words(mark or "[暂不支持的消息]", content.recognition, content.fileName, not mark and x.msgtype)
  if x.msgtype == "text" then text = type(x.text) == "table" and words(x.text.content) or "" end
  if x.msgtype == "richText" then text = rich(content) end
  text = text:match "^%s*(.-)%s*$"
  return text ~= "" and text or "[空消息]"
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
  local m = { dedupe = x.msgId, from = from, kind = "text", text = text_of(x) }
  m.name = given(x.senderNick) and x.senderNick or nil
  if not shared.hand_over(ctx, m) then return 503, "" end -- pushed again
  return 200, {}
end

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

local function post(config, path, call)
  call[1] = (given(config.api) and config.api:gsub("/+$", "") or API) .. path
  local res, code, why = http.post(call)
  local answer, nobody = shared.answer_of(res, code, why)
  return answer, nobody, res and res.status
end

local function fetch_token(config)
  return post(config, "/v1.0/oauth2/accessToken", { json = { appKey = config.app_key, appSecret = config.app_secret } })
end

local WRONG = "Client ID 或 Client Secret 不对 / wrong credentials: "

local function sentence(answer) return ("%s (%s)"):format(words(answer.message), tostring(answer.code)) end

-- The answer, or nil and what is in the way.
local function call(config, path, body)
  local key = "token:" .. config.app_key
  for try = 1, 2 do
    local token, refusal, why = shared.token(key, function()
      local got, nobody, status = fetch_token(config)
      if got and given(got.accessToken) then return got.accessToken, got.expireIn end
      return nil, got and status < 500 and status ~= 429 and got or nil, nobody
    end)
    if refusal then return nil, { failed = "config", why = WRONG .. sentence(refusal) } end
    if not token then return nil, { retry = 5, why = why } end
    local answer, nobody, status = post(config, path,
      { json = body, headers = { ["x-acs-dingtalk-access-token"] = secret.hide(token) } })
    if not answer then return nil, { retry = 5, why = nobody } end
    if status < 300 then return answer end
    local name = tostring(answer.code):lower()
    local stale = status == 401 or name:find "invalidauthentication" ~= nil
    if stale and try == 2 then return nil, { retry = 60, why = sentence(answer) } end
    local busy = status == 429 or name:find "throttl" or name:find "qps"
    if busy or status >= 500 then return nil, { retry = busy and 60 or 5, why = sentence(answer) } end
    if not stale then
      local code = status == 403 and "not_allowed" or name:find "robotcode" and "config" or "refused"
      return nil, { failed = code, why = sentence(answer) }
    end
    shared.forget(key, token)
  end
end

-- By the robot's own interface.
local function by_robot(config, user, conversation, piece)
  local body = { robotCode = given(config.robot_code) and config.robot_code or config.app_key, msgKey = "sampleText",
    msgParam = json.encode { content = piece } }
  if conversation then body.openConversationId = conversation else body.userIds = { user } end
  local path = conversation and "groupMessages/send" or "oToMessages/batchSend"
  local answer, in_the_way = call(config, "/v1.0/robot/" .. path, body)
  if not answer then return in_the_way end
  if type(answer.flowControlledStaffIdList) == "table" and #answer.flowControlledStaffIdList > 0 then
    return { retry = 60, why = "发送太快 / too many at once" }
  end
  if type(answer.invalidStaffIdList) == "table" and #answer.invalidStaffIdList > 0 then
    return { failed = "no_recipient", why = "对方不是企业成员，且会话已过期 / no member, and the session is over" }
  end
  return nil, answer.processQueryKey
end

function M.send(item, ctx)
  local text = item.kind == "text" and item.text
  if not text then return shared.no_files(item) end
  if not ctx.config.app_secret then return { failed = "config", why = NO_SECRET } end
  local user, conversation = item.to:match "^(.-)@(.+)$"
  return shared.send_all(item, shared.pieces(text, TEXT_BYTES), function(piece)
    local in_the_way, went = by_session(ctx, item, piece, user)
    if in_the_way or went then return in_the_way end
    return by_robot(ctx.config, user or item.to, conversation, piece)
  end)
end

function M.check(config)
  if not given(config.app_key) then return nil, "app_key", "没有填写 Client ID / there is no client id" end
  if not config.app_secret then return nil, "app_secret", NO_SECRET end
  if config.encoding_aes_key and not shared.is_key(config.encoding_aes_key) then
    return nil, "encoding_aes_key", "aes_key 应为 43 个字符 / the aes_key has 43 characters"
  end
  local answer, why = fetch_token(config)
  if not answer then return nil, "unavailable", "连不上钉钉接口 / DingTalk does not answer: " .. tostring(why) end
  if not given(answer.accessToken) then return nil, "refused", WRONG .. sentence(answer) end
  return true
end

return M
