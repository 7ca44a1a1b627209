-- WeChat official account: pushes in (plain, compatible or safe mode, XML or
-- JSON), customer service messages out.
--
-- A push is answered "success" as soon as its message is on disk; answers go
-- out by custom/send. A file is a mark with its link until files can be
-- fetched (README). Events a rule may want are texts: [关注], [扫码] x, [菜单] x.
local json, xml, kv, crypto = require "json", require "xml", require "kv", require "crypto"
local secret, log = require "secret", require "log"
local seal, words = require "channels.wechat.seal", require "channels.wechat.words"
local api, message_of = require "channels.wechat.api", require "channels.wechat.messages"

local TEXT_BYTES = 2048

---@type Channel
local M = {
  api = 1,
  title = { zh = "微信公众号", en = "WeChat official account" },
  schema = {
    appid = {
      type = "string",
      required = true,
      title = { zh = "AppID", en = "AppID" },
      help = { zh = "公众号后台“基本配置”里的 AppID，以 wx 开头", en = "From the account's basic configuration; begins with wx" },
    },
    secret = {
      type = "secret",
      title = { zh = "AppSecret", en = "AppSecret" },
      help = { zh = "换取接口调用凭据；没有它不能发送消息", en = "Buys the access token; without it nothing can be sent" },
    },
    token = {
      type = "secret",
      title = { zh = "Token（令牌）", en = "Token" },
      help = { zh = "后台消息推送里填写的令牌，用来验证签名", en = "The token of the push settings; it verifies signatures" },
    },
    encoding_aes_key = {
      type = "secret",
      title = { zh = "EncodingAESKey", en = "EncodingAESKey" },
      help = { zh = "43 个字符；兼容或安全模式才需要", en = "43 characters; for the compatible and the safe mode only" },
    },
    previous_aes_key = {
      type = "secret",
      title = { zh = "上一个 EncodingAESKey", en = "Previous EncodingAESKey" },
      help = { zh = "更换密钥期间仍可解密旧消息", en = "Still opens messages while the key is being changed" },
    },
    original_id = {
      type = "string",
      title = { zh = "原始 ID", en = "Original id" },
      help = { zh = "以 gh_ 开头；填了就只收这个账号的消息", en = "Begins with gh_; if given, only its messages are taken" },
    },
    format = {
      type = "choice",
      choices = { "auto", "xml", "json" },
      title = { zh = "数据格式", en = "Data format" },
      help = { zh = "推送数据的格式；不填则自动识别", en = "Of what is pushed; empty means: seen from the body" },
    },
    api = {
      type = "string",
      title = { zh = "接口地址", en = "API address" },
      help = { zh = "不填则为 https://api.weixin.qq.com；经代理出网时填写", en = "Empty means https://api.weixin.qq.com; for a proxy" },
    },
  },
  capabilities = {
    text = TEXT_BYTES, text_unit = "bytes", kinds = { "text", "card", "location" }, buttons = 10,
    reply_window = "48h", per_message = 5, rate = 50, at_once = 8,
  },
}

-- --- signatures and safe mode ----------------------------------------------

local function open(config, sealed)
  local first
  for _, name in ipairs { "encoding_aes_key", "previous_aes_key" } do
    if config[name] then
      local text, why = seal.open(config[name], sealed, config.appid)
      if text then return text end
      first = first or why
    end
  end
  return nil, first or "it is encrypted, and the channel has no EncodingAESKey"
end

local function decode(config, text)
  local format = config.format
  if format ~= "xml" and format ~= "json" then format = text:find "^%s*{" and "json" or "xml" end
  local x
  if format == "json" then x = json.decode(text) else x = xml.decode(text, { root = "xml" }) end
  if type(x) == "table" then return x end
end

-- The push as a table; nil, status, why.
local function read(req, config)
  local q = req.query
  local x = decode(config, req.body)
  if not x then return nil, 400, "the body is neither XML nor JSON" end
  local sealed = x.Encrypt
  if type(sealed) ~= "string" then
    if not seal.is_signed(q.signature, config.token, q.timestamp or "", q.nonce or "") then return nil, 401, "the signature is wrong" end
    return x
  end
  if not seal.is_signed(q.msg_signature, config.token, q.timestamp or "", q.nonce or "", sealed) then
    return nil, 401, "msg_signature is wrong"
  end
  local text, why = open(config, sealed)
  if not text then return nil, 403, why end
  x = decode(config, text)
  if not x then return nil, 400, "what was encrypted is neither XML nor JSON" end
  return x
end

-- --- in --------------------------------------------------------------------

function M.receive(req, ctx)
  local config, q = ctx.config, req.query
  if not config.token then return 403, "the channel has no token" end
  if req.method == "GET" then
    if not seal.is_signed(q.signature, config.token, q.timestamp or "", q.nonce or "") then return 401, "the signature is wrong" end
    return 200, q.echostr or ""
  end
  local x, status, why = read(req, config)
  if not x then
    log.warn("wechat: a push was refused", { why = why })
    return status, why
  end
  if config.original_id and config.original_id ~= "" and x.ToUserName ~= config.original_id then
    return 403, "it is for another account"
  end
  local m = message_of(x)
  if not m then return 200, "success" end
  local ok, code, detail = ctx.deliver(m)
  if not ok and (code == "unavailable" or code == "internal" or code == "rate_limited" or code == "timeout") then
    return 503, "" -- pushed again
  end
  if not ok then log.error("wechat: a message could not be taken", { code = code, why = detail, id = m.dedupe }) end
  return 200, "success"
end

-- --- out -------------------------------------------------------------------

local RETRY = { [-1] = 5, [40001] = 60, [40014] = 60, [42001] = 60, [45009] = 600, [45011] = 60, [45047] = 600 }
local FAILED = {
  [40003] = "no_recipient", [43004] = "no_recipient", [50005] = "no_recipient",
  [43019] = "refused", [48002] = "refused",
  [45015] = "window_closed",
  [48001] = "not_allowed", [48004] = "not_allowed", [50002] = "not_allowed",
}

-- nil when it went well.
local function trouble_of(answer, why)
  if not answer then return { retry = 5, why = why } end
  local code = answer.errcode
  if code == 0 then return nil end
  if answer.of_token and code ~= -1 and code ~= 45009 and code ~= 45011 then
    return { failed = "config", why = api.sentence(answer) }
  end
  if RETRY[code] then return { retry = RETRY[code], why = api.sentence(answer), until_heard = code == 45047 or nil } end
  return { failed = FAILED[code] or "refused", why = api.sentence(answer) }
end

local function texts(text)
  local list = {}
  for i, piece in ipairs(words.pieces(text, TEXT_BYTES)) do list[i] = { msgtype = "text", text = { content = piece } } end
  return list
end

local function card_messages(card)
  local menu, links = {}, {}
  for i, button in ipairs(card.buttons or {}) do
    if button.url then links[#links + 1] = button.label .. "：" .. button.url
    else menu[#menu + 1] = { id = tostring(100 + i), content = button.value or button.label } end
  end
  local head = words.join(card.title) .. (card.title and card.text and "\n" or "") .. words.join(card.text)
  if #menu == 0 and card.url then
    local article = { title = words.join(card.title), description = words.join(card.text), url = card.url, picurl = card.image or "" }
    return { { msgtype = "news", news = { articles = { article } } } }
  end
  if card.url then links[#links + 1] = card.url end
  if #links > 0 then head = head .. (head ~= "" and "\n" or "") .. table.concat(links, "\n") end
  if #menu == 0 then return texts(head) end
  return { { msgtype = "msgmenu", msgmenu = { head_content = head, list = menu, tail_content = "" } } }
end

-- What WeChat is sent for an item; nil if it cannot show that.
local function messages_of(item)
  if item.kind == "text" then return texts(item.text) end
  if item.kind == "card" then return card_messages(item.card) end
  if item.kind == "location" then
    return texts(words.join("[位置]", item.label, item.address, ("(%.6f,%.6f)"):format(item.lat, item.lng)))
  end
end

-- How many pieces went out is kept, so that a retry does not say them again.
function M.send(item, ctx)
  local list = messages_of(item)
  if not list then return { failed = "unsupported", why = "公众号渠道还不能发送文件 / files cannot be sent here yet: " .. item.kind } end
  if not ctx.config.secret then return { failed = "config", why = "没有填写 AppSecret / there is no AppSecret" } end
  local key = "sent:" .. item.id
  local done = #list > 1 and kv.get(key) or 0
  for i = done + 1, #list do
    list[i].touser = item.to
    local trouble = trouble_of(api.call(ctx.config, "/cgi-bin/message/custom/send", list[i]))
    if trouble then return trouble end
    if #list > 1 then kv.set(key, i, "2d") end
  end
  return { sent = item.id }
end

-- --- check -----------------------------------------------------------------

function M.check(config)
  if not config.appid:find "^wx%w+$" then return nil, "appid", "AppID 应以 wx 开头 / the AppID begins with wx" end
  if not config.token then return nil, "token", "没有填写 Token，推送无法验证 / without a Token no push can be verified" end
  if config.encoding_aes_key then
    local key = crypto.base64_decode(secret.join(config.encoding_aes_key, "="))
    if not key or #key ~= 32 then
      return nil, "encoding_aes_key", "EncodingAESKey 应为 43 个字符 / the EncodingAESKey has 43 characters"
    end
  end
  if not config.secret then return nil, "secret", "没有填写 AppSecret，只能接收 / without an AppSecret nothing can be sent" end
  local answer, why = api.fetch_token(config)
  if not answer then return nil, "unavailable", "连不上微信接口 / WeChat does not answer: " .. tostring(why) end
  if answer.errcode ~= 0 then return nil, "refused", api.sentence(answer) end
  return true
end

return M
