-- A Feishu (飞书) or Lark bot: events in, plain or sealed with the Encrypt Key;
-- im/v1/messages out.
--
-- A customer is an open_id; in a group `open_id@chat_id`, and the answer goes to
-- the group and names them. A file is a mark until files can be fetched (README).
local http, json, log = require "http", require "json", require "log"
local crypto, secret = require "crypto", require "secret"
local shared = require "lib.channels"
local given, words, setting = shared.given, shared.words, shared.setting

local API = "https://open.feishu.cn"

---@type Channel
local M = {
  api = 1,
  title = { zh = "飞书", en = "Feishu / Lark" },
  schema = {
    app_id = setting("string", "App ID", "App ID",
      "开发者后台“凭证与基础信息”里的 App ID，以 cli_ 开头", "From the app's credentials; begins with cli_", true),
    app_secret = setting("secret", "App Secret", "App secret",
      "换取接口凭据；没有它不能发送消息", "Buys the access token; without it nothing can be sent"),
    encrypt_key = setting("secret", "Encrypt Key", "Encrypt key",
      "“事件与回调”→“加密策略”里的密钥；填了就只收加密并签名的推送",
      "Of the event settings; if given, only sealed and signed pushes are taken"),
    verification_token = setting("secret", "Verification Token", "Verification token",
      "同一页面上的令牌；没有 Encrypt Key 时必须填", "From the same page; needed when there is no encrypt key"),
    api = setting("string", "接口地址", "API address",
      "不填则为 https://open.feishu.cn；Lark 填 https://open.larksuite.com",
      "Empty means https://open.feishu.cn; for Lark https://open.larksuite.com"),
  },
  capabilities = {
    text = 16384, text_unit = "bytes", kinds = { "text" }, receipts = { "read" },
    rate = 20, at_once = 4,
  },
}

-- --- in --------------------------------------------------------------------

-- AES-256-CBC under SHA-256 of the key; the first 16 bytes are the IV.
local function open(hidden, sealed)
  local bytes = crypto.base64_decode(sealed)
  local key = crypto.sha256(hidden, "raw")
  return bytes and #bytes >= 32 and crypto.aes_cbc_decrypt(key, bytes:sub(1, 16), bytes:sub(17))
end

local function is_signed(req, config)
  local h = req.headers
  local theirs, ts, nonce = h["x-lark-signature"], h["x-lark-request-timestamp"], h["x-lark-request-nonce"]
  return given(theirs) and ts and nonce
    and crypto.equal(crypto.sha256(secret.join(ts, nonce, config.encrypt_key, req.body)), theirs)
end

-- The event as a table; nil, status, why. The question that verifies the
-- address need not be signed, but must be sealed, and know the token.
local function read(req, config)
  local x = json.decode(req.body)
  if type(x) ~= "table" then return nil, 400, "the body is not a JSON object" end
  if config.encrypt_key then
    if type(x.encrypt) ~= "string" then return nil, 403, "it is not encrypted, and the channel has an Encrypt Key" end
    local text = open(config.encrypt_key, x.encrypt)
    x = text and json.decode(text)
    if type(x) ~= "table" then return nil, 403, "it was sealed under another Encrypt Key" end
    if x.type ~= "url_verification" and not is_signed(req, config) then return nil, 401, "X-Lark-Signature is wrong" end
  elseif x.encrypt then
    return nil, 403, "it is encrypted, and the channel has no Encrypt Key"
  end
  local header = type(x.header) == "table" and x.header or {}
  local token = given(header.token) and header.token or x.token
  if config.verification_token and not (given(token) and crypto.equal(config.verification_token, token)) then
    return nil, 401, "the Verification Token is wrong"
  end
  local app = header.app_id or type(x.event) == "table" and x.event.app_id
  if given(app) and app ~= config.app_id then return nil, 403, "it is for another app" end
  return x
end

-- "@_user_1 你好": who is named, by name; in a group the first is the bot.
local function with_names(text, message)
  for _, mention in ipairs(type(message.mentions) == "table" and message.mentions or {}) do
    if type(mention) == "table" and given(mention.key) then
      local at, to = text:find(mention.key, 1, true)
      local is_bot = at == 1 and message.chat_type == "group"
      if at then text = text:sub(1, at - 1) .. (is_bot and "" or "@" .. words(mention.name)) .. text:sub(to + 1) end
    end
  end
  return (text:gsub("^%s+", ""))
end

-- A rich text: its title, its lines, and what is in them. In a list of
-- languages, the first.
local function flat(content)
  if type(content.content) ~= "table" then
    for _, one in pairs(content) do
      if type(one) == "table" and type(one.content) == "table" then content = one break end
    end
  end
  local lines = { given(content.title) and content.title or nil }
  for _, line in ipairs(type(content.content) == "table" and content.content or {}) do
    local parts = {}
    for _, part in ipairs(type(line) == "table" and line or {}) do
      if type(part) == "table" then
        local mark = part.tag == "img" and "[图片]" or part.tag == "media" and "[视频]" or part.tag == "emotion" and "[表情]"
        parts[#parts + 1] = mark or part.tag == "at" and "@" .. words(part.user_name) or words(part.text, part.href)
      end
    end
    lines[#lines + 1] = table.concat(parts)
  end
  return table.concat(lines, "\n")
end

local MARKS = {
  image = "[图片]", file = "[文件]", folder = "[文件夹]", audio = "[语音]", media = "[视频]", sticker = "[表情]",
  interactive = "[卡片]", share_chat = "[群名片]", share_user = "[个人名片]", location = "[位置]",
}

local function message_of(message)
  local kind, content = message.message_type, type(message.content) == "string" and json.decode(message.content)
  if type(content) ~= "table" then content = {} end
  local lat, lng = tonumber(content.latitude), tonumber(content.longitude)
  if kind == "location" and lat and lng then
    return { kind = "location", lat = lat, lng = lng, label = given(content.name) and content.name or nil }
  end
  local text = words(MARKS[kind] or "[暂不支持的消息]", content.file_name, content.name, not MARKS[kind] and kind)
  if kind == "text" then text = words(content.text) elseif kind == "post" then text = flat(content) end
  text = with_names(text, message)
  return { kind = "text", text = given(text) and text or "[空消息]" }
end

local function take_message(event, ctx)
  local sender, message = event.sender, event.message
  if type(sender) ~= "table" or type(message) ~= "table" or sender.sender_type ~= "user" then return true end
  local from = type(sender.sender_id) == "table" and sender.sender_id.open_id
  if not given(from) or not given(message.message_id) then return true end
  local m = message_of(message)
  m.dedupe = message.message_id
  m.from = message.chat_type == "group" and given(message.chat_id) and from .. "@" .. message.chat_id or from
  return shared.hand_over(ctx, m)
end

function M.receive(req, ctx)
  local config = ctx.config
  if not config.encrypt_key and not config.verification_token then return 403, "the channel has no key and no token" end
  if req.method ~= "POST" then return 405 end
  local x, status, why = read(req, config)
  if not x then
    log.warn("feishu: a push was refused", { why = why })
    return status, why
  end
  if x.type == "url_verification" then return 200, { challenge = x.challenge } end
  local event = type(x.event) == "table" and x.event or {}
  local name = type(x.header) == "table" and x.header.event_type
  if name == "im.message.receive_v1" and not take_message(event, ctx) then return 503, "" end -- pushed again
  if name == "im.message.message_read_v1" then
    for _, id in ipairs(type(event.message_id_list) == "table" and event.message_id_list or {}) do
      if given(id) then ctx.receipt { sent = id, status = "read" } end
    end
  end
  return 200, {}
end

-- --- out -------------------------------------------------------------------

local STALE = { [99991661] = true, [99991663] = true, [99991664] = true, [99991668] = true, [99991671] = true }
local RETRY = { [99991400] = 5, [230020] = 5, [230049] = 5 }
local FAILED = {
  [230002] = "no_recipient", [230013] = "no_recipient", [230028] = "content_refused", [230006] = "config",
  [99991672] = "not_allowed", [230018] = "not_allowed", [230035] = "not_allowed",
}
local WORDS = {
  [10003] = "App ID 或 App Secret 不对 / the app id or the app secret is wrong",
  [10014] = "App Secret 不对 / the app secret is wrong",
  [230002] = "机器人不在这个群里 / the bot is not in the group",
  [230006] = "应用没有启用机器人能力 / the app has no bot",
  [230013] = "对方不在应用的可用范围内 / the app is not available to this user",
  [230018] = "群设置不允许机器人发言 / the group does not let bots speak",
  [230028] = "内容违规 / the content was refused",
  [99991400] = "发送太快 / too many at once",
  [99991672] = "应用没有发消息的权限（im:message） / the app lacks the scope im:message",
}

local function sentence(answer)
  local what = WORDS[answer.code] or "飞书返回错误 / Feishu's error"
  return ("%s (%s %s)"):format(what, tostring(answer.code), words(answer.msg))
end

-- The answer, nil, seconds to wait; or nil and why nobody answered.
local function post(config, path, call)
  call[1] = (given(config.api) and config.api:gsub("/+$", "") or API) .. path
  local res, code, why = http.post(call)
  local answer, trouble = shared.answer_of(res, code, why)
  local busy = res and (res.status == 429 or answer and answer.code == 99991400)
  return answer, trouble, busy and (tonumber(res.headers["x-ogw-ratelimit-reset"]) or 5) or nil
end

local function fetch_token(config)
  return post(config, "/open-apis/auth/v3/tenant_access_token/internal",
    { json = { app_id = config.app_id, app_secret = config.app_secret } })
end

local function call(config, path, call_)
  local key = "token:" .. config.app_id
  for try = 1, 2 do
    local token, refusal, why = shared.token(key, function()
      local got, nobody, wait = fetch_token(config)
      if got and got.code == 0 and given(got.tenant_access_token) then return got.tenant_access_token, got.expire end
      return nil, not wait and got or nil, nobody
    end)
    if refusal then return nil, { failed = "config", why = sentence(refusal) } end
    if not token then return nil, { retry = 5, why = why } end
    call_.auth = { bearer = secret.hide(token) }
    local answer, nobody, wait = post(config, path, call_)
    if wait then return nil, { retry = math.max(1, math.ceil(wait)), why = WORDS[99991400] } end
    if not answer then return nil, { retry = 5, why = nobody } end
    local code, again = answer.code, RETRY[answer.code] or try == 2 and STALE[answer.code] and 60
    if code == 0 then return answer end
    if again then return nil, { retry = again, why = sentence(answer) } end
    if not STALE[code] then return nil, { failed = FAILED[code] or "refused", why = sentence(answer) } end
    shared.forget(key, token)
  end
end

-- `uuid` makes a repeated one harmless for an hour.
function M.send(item, ctx)
  local text = item.kind == "text" and item.text
  if not text then return shared.no_files(item) end
  if not ctx.config.app_secret then return { failed = "config", why = "没有填写 App Secret / there is no app secret" } end
  local user, chat = item.to:match "^(.-)@(.+)$"
  if chat then text = ('<at user_id="%s"></at> %s'):format(user, text) end
  local answer, trouble = call(ctx.config, "/open-apis/im/v1/messages", {
    query = { receive_id_type = chat and "chat_id" or "open_id" },
    json = { receive_id = chat or item.to, msg_type = "text", content = json.encode { text = text }, uuid = item.id },
  })
  if not answer then return trouble end
  local id = type(answer.data) == "table" and answer.data.message_id
  return { sent = given(id) and id or item.id }
end

function M.check(config)
  if not config.app_id:find "^cli_" then return nil, "app_id", "App ID 应以 cli_ 开头 / the app id begins with cli_" end
  if not config.encrypt_key and not config.verification_token then
    return nil, "encrypt_key", "Encrypt Key 和 Verification Token 至少填一个 / one of these is needed"
  end
  if not config.app_secret then return nil, "app_secret", "没有填写 App Secret，只能接收 / without it nothing can be sent" end
  local answer, why = fetch_token(config)
  if not answer then return nil, "unavailable", "连不上飞书接口 / Feishu does not answer: " .. tostring(why) end
  if answer.code ~= 0 then return nil, "refused", sentence(answer) end
  return true
end

return M
