-- A Feishu (飞书) or Lark bot: events in, plain or sealed with the Encrypt Key;
-- im/v1/messages out.
--
-- A customer is an open_id; in a group `open_id@chat_id`, and the answer goes to
-- the group and names them. A file is fetched for a second and a half while the
-- event waits (3 s), then by poll().
local json, log, crypto, secret = require "json", require "log", require "crypto", require "secret"
local shared, media = require "lib.channels", require "lib.media"
local calls, message_of = require "channels.feishu.calls", require "channels.feishu.messages"
local taken = require "channels.feishu.recall"
local given, setting = shared.given, shared.setting

local FILE_TIME, TEXT_BYTES = "1500ms", 16384
local FILES = {
  image = media.rule(10, "image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/heic"),
  audio = media.rule(30, "audio/ogg", "audio/opus"), video = media.rule(30, "video/mp4"), file = media.rule(30),
}
local NAMES = { image = "image", audio = "audio", video = "media", file = "file" }

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
    text = TEXT_BYTES, text_unit = "bytes", kinds = { "text", "image", "audio", "video", "file" },
    image = "10MB", audio = "30MB", video = "30MB", file = "30MB", receipts = { "read" },
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

local function take_message(event, ctx)
  local sender, message = event.sender, event.message
  if type(sender) ~= "table" or type(message) ~= "table" or sender.sender_type ~= "user" then return true end
  local from = type(sender.sender_id) == "table" and sender.sender_id.open_id
  if not given(from) or not given(message.message_id) then return true end
  local m, pictures = message_of(message)
  m.dedupe = message.message_id
  m.from = message.chat_type == "group" and given(message.chat_id) and from .. "@" .. message.chat_id or from
  taken.note(ctx, message, m.from)
  if m.media then return media.take(ctx, m, calls.fetch, FILE_TIME) end
  if not shared.hand_over(ctx, m) then return false end
  for i, picture in ipairs(pictures or {}) do -- those after the first have no time left
    picture.dedupe, picture.from = m.dedupe .. ":" .. i, m.from
    if not media.take(ctx, picture, calls.fetch, i == 1 and FILE_TIME or "300ms") then return false end
  end
  return true
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
  if name == "im.message.recalled_v1" and not taken.recalled(event, ctx) then return 503, "" end
  if name == "im.message.message_read_v1" then
    for _, id in ipairs(type(event.message_id_list) == "table" and event.message_id_list or {}) do
      if given(id) then ctx.receipt { sent = id, status = "read" } end
    end
  end
  return 200, {}
end

function M.poll(ctx) return media.late(ctx, calls.fetch) end

-- --- out -------------------------------------------------------------------

local function texts(text) return { { msg_type = "text", content = { text = text } } } end

local function file_message(_, kind) return { msg_type = NAMES[kind], of_file = kind } end

-- The content of a message; a file is uploaded for it. nil and what is in the way.
local function content_of(message, item, config, user)
  local content, kind = message.content, message.of_file
  if kind then
    local key, trouble = calls.key_of(config, kind, item.file)
    if not key then return nil, trouble end
    content = { [kind == "image" and "image_key" or "file_key"] = key }
  elseif user then
    content = { text = ('<at user_id="%s"></at> %s'):format(user, content.text) }
  end
  return json.encode(content)
end

-- `uuid` makes a repeated one harmless for an hour.
function M.send(item, ctx)
  local config = ctx.config
  local list, no = item.kind == "text" and texts(item.text), nil
  if item.file then list, no = media.list(item, FILES, file_message, texts) end
  if not list then return no or shared.no_files(item) end
  if not config.app_secret then return { failed = "config", why = "没有填写 App Secret / there is no app secret" } end
  local user, chat = item.to:match "^(.-)@(.+)$"
  return shared.send_all(item, list, function(message, i)
    local content, trouble = content_of(message, item, config, user)
    if not content then return trouble end
    local answer
    answer, trouble = calls.call(config, "/open-apis/im/v1/messages", {
      query = { receive_id_type = chat and "chat_id" or "open_id" },
      json = { receive_id = chat or item.to, msg_type = message.msg_type, content = content,
        uuid = i == #list and item.id or item.id .. "-" .. i },
    })
    -- Sent again by hand it shall not meet the same key.
    if message.of_file and trouble and trouble.failed then calls.forget(config, message.of_file, item.file) end
    return trouble, answer and shared.tab(answer.data).message_id
  end)
end

M.recall = taken.recall

function M.check(config)
  if not config.app_id:find "^cli_" then return nil, "app_id", "App ID 应以 cli_ 开头 / the app id begins with cli_" end
  if not config.encrypt_key and not config.verification_token then
    return nil, "encrypt_key", "Encrypt Key 和 Verification Token 至少填一个 / one of these is needed"
  end
  if not config.app_secret then return nil, "app_secret", "没有填写 App Secret，只能接收 / without it nothing can be sent" end
  local answer, why = calls.fetch_token(config)
  if not answer then return nil, "unavailable", "连不上飞书接口 / Feishu does not answer: " .. tostring(why) end
  if answer.code ~= 0 then return nil, "refused", calls.sentence(answer) end
  return true
end

return M
