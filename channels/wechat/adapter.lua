-- WeChat official account: pushes in (plain, compatible or safe mode, XML or
-- JSON), customer service messages out.
--
-- A push is answered "success" as soon as its message is on disk; answers go
-- out by custom/send. A file is a mark with its link until files can be
-- fetched (README). Events a rule may want are texts: [关注], [扫码] x, [菜单] x.
local http, json, xml, kv, crypto = require "http", require "json", require "xml", require "kv", require "crypto"
local secret, time, log = require "secret", require "time", require "log"

local API = "https://api.weixin.qq.com"
local TEXT_BYTES = 2048
local EARLY_MS = 300000 -- a token is renewed so long before its end

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

local function is_signed(theirs, token, ...)
  return type(theirs) == "string" and crypto.equal(crypto.sha1(secret.sorted(token, ...)), theirs)
end

-- What is sealed under a key: random(16) length(4) message appid.
local function open_by(hidden, sealed, appid)
  local key = crypto.base64_decode(secret.join(hidden, "="))
  local bytes = crypto.base64_decode(sealed)
  if not key or #key ~= 32 then return nil, "the EncodingAESKey is not 43 characters of base64" end
  if not bytes then return nil, "Encrypt is not base64" end
  local full = crypto.aes_cbc_decrypt(key, key:sub(1, 16), bytes, { block = 32 })
  if not full or #full < 20 then return nil, "it was sealed under another EncodingAESKey" end
  local a, b, c, d = full:byte(17, 20)
  local length = ((a * 256 + b) * 256 + c) * 256 + d
  if 20 + length > #full then return nil, "its length is wrong" end
  if full:sub(21 + length) ~= appid then return nil, "it is for another appid (-40005)" end
  return full:sub(21, 20 + length)
end

local function open(config, sealed)
  local first
  for _, name in ipairs { "encoding_aes_key", "previous_aes_key" } do
    if config[name] then
      local text, why = open_by(config[name], sealed, config.appid)
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
    if not is_signed(q.signature, config.token, q.timestamp or "", q.nonce or "") then return nil, 401, "the signature is wrong" end
    return x
  end
  if not is_signed(q.msg_signature, config.token, q.timestamp or "", q.nonce or "", sealed) then
    return nil, 401, "msg_signature is wrong"
  end
  local text, why = open(config, sealed)
  if not text then return nil, 403, why end
  x = decode(config, text)
  if not x then return nil, 400, "what was encrypted is neither XML nor JSON" end
  return x
end

-- --- in --------------------------------------------------------------------

local function words(...)
  local list = {}
  for i = 1, select("#", ...) do
    local word = select(i, ...)
    if type(word) == "string" and word ~= "" then list[#list + 1] = word end
  end
  return table.concat(list, " ")
end

local function scene(key) return type(key) == "string" and key:gsub("^qrscene_", "") or nil end

local events = {
  subscribe = function(x) return words("[关注]", scene(x.EventKey)) end,
  SCAN = function(x) return words("[扫码]", scene(x.EventKey)) end,
  CLICK = function(x) return words("[菜单]", x.EventKey) end,
}

-- Files: PicUrl and MediaId are where a download would begin.
local kinds = {
  text = function(x) return { kind = "text", text = x.Content } end,
  image = function(x) return { kind = "text", text = words("[图片]", x.PicUrl) } end,
  voice = function(x) return { kind = "text", text = words("[语音]", x.Recognition) } end,
  video = function() return { kind = "text", text = "[视频]" } end,
  shortvideo = function() return { kind = "text", text = "[视频]" } end,
  link = function(x) return { kind = "text", text = words("[链接]", x.Title, x.Description, x.Url) } end,
  location = function(x)
    local lat, lng = tonumber(x.Location_X), tonumber(x.Location_Y)
    if not lat or not lng then return { kind = "text", text = words("[位置]", x.Label) } end
    return { kind = "location", lat = lat, lng = lng, label = words(x.Label) }
  end,
  event = function(x)
    local make = events[x.Event]
    return make and { kind = "text", text = make(x) }
  end,
}

-- Events have no MsgId; FromUserName is added by whoever looks for repeats.
local function dedupe_of(x)
  if type(x.MsgId) == "number" then return ("%.0f"):format(x.MsgId) end -- tostring would round it
  if x.MsgId then return tostring(x.MsgId) end
  return table.concat({ "e", tostring(x.FromUserName), tostring(x.CreateTime), tostring(x.Event), tostring(x.EventKey or "") }, ":")
end

-- A message for the house, nil for what nobody needs (VIEW, unsubscribe ...).
local function message_of(x)
  local make = kinds[x.MsgType]
  local m = make and make(x)
  if not make then m = { kind = "text", text = words("[暂不支持的消息]", x.MsgType) } end
  if not m then return nil end
  if m.kind == "text" and (type(m.text) ~= "string" or m.text == "") then m.text = "[空消息]" end
  m.dedupe, m.from = dedupe_of(x), x.FromUserName
  return m
end

function M.receive(req, ctx)
  local config, q = ctx.config, req.query
  if not config.token then return 403, "the channel has no token" end
  if req.method == "GET" then
    if not is_signed(q.signature, config.token, q.timestamp or "", q.nonce or "") then return 401, "the signature is wrong" end
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

-- --- calls -----------------------------------------------------------------

local function base(config) return config.api and config.api ~= "" and config.api:gsub("/+$", "") or API end

local STALE = { [40001] = true, [40014] = true, [42001] = true }

local WORDS = {
  [-1] = "微信系统繁忙 / WeChat is busy",
  [40001] = "AppSecret 不对 / the AppSecret is wrong",
  [40003] = "openid 不属于此公众号或用户未关注 / no follower of this account",
  [40013] = "AppID 不对 / the AppID is wrong",
  [40125] = "AppSecret 不对 / the AppSecret is wrong",
  [40164] = "服务器的 IP 不在公众号的 IP 白名单里 / this server's IP is not in the account's allow-list",
  [40243] = "AppSecret 已被冻结 / the AppSecret is frozen",
  [43004] = "用户没有关注公众号 / the user does not follow the account",
  [43019] = "用户在黑名单里 / the user is on the blacklist",
  [44004] = "内容为空 / the text is empty",
  [45002] = "内容太长 / the text is too long",
  [45009] = "今日接口调用次数用完 / today's quota of calls is used up",
  [45011] = "调用太频繁 / too many calls a minute",
  [45015] = "已过 48 小时回复时限，或用户已取消关注 / the reply window is closed",
  [45047] = "已发满 5 条，等用户再说话才能继续 / no more until the user speaks again",
  [47001] = "数据格式错误 / WeChat could not read it",
  [48001] = "公众号没有客服接口权限（通常须认证） / the account may not use this interface",
  [48002] = "用户拒收消息 / the user refuses messages",
  [48004] = "接口被封禁 / the interface is banned for this account",
  [50002] = "账号受限 / the account is restricted",
  [50005] = "用户没有关注公众号 / the user does not follow the account",
}

local function sentence(answer)
  return ("%s (%s %s)"):format(WORDS[answer.errcode] or "微信返回错误 / WeChat's error", tostring(answer.errcode), tostring(answer.errmsg))
end

-- An answer as a table, whatever its errcode; nil and why nobody answered.
local function answer_of(res, code, why)
  if not res then return nil, why or code end
  local answer = res.json
  if type(answer) ~= "table" then return nil, "HTTP " .. res.status end
  answer.errcode = answer.errcode or 0
  return answer
end

local function fetch_token(config)
  return answer_of(http.post { base(config) .. "/cgi-bin/stable_token",
    json = { grant_type = "client_credential", appid = config.appid, secret = config.secret, force_refresh = false } })
end

local function token_key(config) return "token:" .. config.appid end

-- Forgets a token, unless another handler has fetched a newer one meanwhile.
local function forget(config, token)
  kv.update(token_key(config), function(kept)
    if kept and kept.token == token then return kv.DELETE end
  end)
end

-- One fetch, however many messages wait. nil, { errcode … } or nil, nil, why.
local function token_of(config)
  local refusal, trouble
  for _ = 1, 2 do
    local kept = kv.once(token_key(config), "2h", function()
      local answer, why = fetch_token(config)
      if not answer then trouble = why return nil end
      if answer.errcode ~= 0 or not answer.access_token then refusal = answer return nil end
      return { token = answer.access_token, till = time.now() + (tonumber(answer.expires_in) or 7200) * 1000 - EARLY_MS }
    end)
    if not kept then return nil, refusal, trouble or "没有拿到接口凭据 / no access token" end
    if kept.till > time.now() then return kept.token end
    forget(config, kept.token)
  end
  return nil, nil, "接口凭据总是过期 / access tokens come expired"
end

-- Calls with the token, once more with a fresh one if WeChat says it is stale.
local function call(config, path, body)
  local text, answer = json.encode(body), nil
  for try = 1, 2 do
    local token, refusal, why = token_of(config)
    if not token then
      if refusal then refusal.of_token = true end
      return refusal, why
    end
    answer, why = answer_of(http.post { base(config) .. path, query = { access_token = secret.hide(token) },
      body = text, headers = { ["content-type"] = "application/json" } })
    if not answer then return nil, why end
    if try == 2 or not STALE[answer.errcode] then break end
    forget(config, token)
  end
  return answer
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
    return { failed = "config", why = sentence(answer) }
  end
  if RETRY[code] then return { retry = RETRY[code], why = sentence(answer), until_heard = code == 45047 or nil } end
  return { failed = FAILED[code] or "refused", why = sentence(answer) }
end

-- Pieces of at most so many bytes, never through a character.
local function pieces(text)
  local list = {}
  while #text > TEXT_BYTES do
    local cut = TEXT_BYTES
    while cut > 1 and text:byte(cut + 1) >= 128 and text:byte(cut + 1) < 192 do cut = cut - 1 end
    list[#list + 1], text = text:sub(1, cut), text:sub(cut + 1)
  end
  list[#list + 1] = text
  return list
end

local function texts(text)
  local list = {}
  for i, piece in ipairs(pieces(text)) do list[i] = { msgtype = "text", text = { content = piece } } end
  return list
end

local function card_messages(card)
  local menu, links = {}, {}
  for i, button in ipairs(card.buttons or {}) do
    if button.url then links[#links + 1] = button.label .. "：" .. button.url
    else menu[#menu + 1] = { id = tostring(100 + i), content = button.value or button.label } end
  end
  local head = words(card.title) .. (card.title and card.text and "\n" or "") .. words(card.text)
  if #menu == 0 and card.url then
    local article = { title = words(card.title), description = words(card.text), url = card.url, picurl = card.image or "" }
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
    return texts(words("[位置]", item.label, item.address, ("(%.6f,%.6f)"):format(item.lat, item.lng)))
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
    local trouble = trouble_of(call(ctx.config, "/cgi-bin/message/custom/send", list[i]))
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
  local answer, why = fetch_token(config)
  if not answer then return nil, "unavailable", "连不上微信接口 / WeChat does not answer: " .. tostring(why) end
  if answer.errcode ~= 0 then return nil, "refused", sentence(answer) end
  return true
end

return M
