-- Customer service messages of a WeChat mini program (客服消息): pushes in (plain,
-- compatible or safe mode, XML or JSON), custom/send out.
--
-- A push is answered "success" as soon as its message is on disk. A file is a
-- mark with its link until files can be fetched (README). Coming in through a
-- button with session-from is a text: [进入会话] order=42.
local http, json, kv, secret, log = require "http", require "json", require "kv", require "secret", require "log"
local shared = require "lib.channels"
local given, words = shared.given, shared.words

local API = "https://api.weixin.qq.com"
local TEXT_BYTES = 2048
-- How 云托管 tries the address; it says nothing and is not signed.
local PROBE = '^%s*{%s*"action"%s*:%s*"CheckContainerPath"%s*}%s*$'

---@type Channel
local M = {
  api = 1,
  title = { zh = "微信小程序", en = "WeChat mini program" },
  schema = {
    appid = {
      type = "string",
      required = true,
      title = { zh = "AppID", en = "AppID" },
      help = { zh = "小程序后台“开发设置”里的 AppID，以 wx 开头", en = "From the development settings; begins with wx" },
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
      help = { zh = "以 gh_ 开头；填了就只收这个小程序的消息", en = "Begins with gh_; if given, only its messages are taken" },
    },
    format = {
      type = "choice",
      choices = { "auto", "xml", "json" },
      title = { zh = "数据格式", en = "Data format" },
      help = { zh = "推送数据的格式；不填则自动识别", en = "Of what is pushed; empty means: seen from the body" },
    },
    welcome = {
      type = "string",
      title = { zh = "欢迎语", en = "Welcome" },
      help = { zh = "客户进入客服会话时说的话；不填则不说", en = "Said when a customer opens the chat; empty means: nothing" },
    },
    api = {
      type = "string",
      title = { zh = "接口地址", en = "API address" },
      help = { zh = "不填则为 https://api.weixin.qq.com；经代理时填写", en = "Empty means api.weixin.qq.com; for a proxy" },
    },
  },
  capabilities = {
    text = TEXT_BYTES, text_unit = "bytes", kinds = { "text", "card", "location" },
    reply_window = "48h", per_message = 5, rate = 50, at_once = 8,
  },
}

-- --- calls -----------------------------------------------------------------

local STALE = { [40001] = true, [40014] = true, [42001] = true }

local WORDS = {
  [-1] = "微信系统繁忙 / WeChat is busy",
  [40001] = "AppSecret 不对 / the AppSecret is wrong",
  [40003] = "openid 不属于此小程序 / the openid is not of this mini program",
  [40013] = "AppID 不对 / the AppID is wrong",
  [40125] = "AppSecret 不对 / the AppSecret is wrong",
  [40164] = "服务器的 IP 不在小程序的 IP 白名单里 / this server's IP is not in the allow-list",
  [44002] = "内容为空 / the body is empty",
  [45009] = "今日接口调用次数用完 / today's quota of calls is used up",
  [45011] = "调用太频繁 / too many calls a minute",
  [45015] = "已过 48 小时回复时限（进入会话后未说话的为 1 分钟） / the reply window is closed",
  [45047] = "已发满 5 条，等用户再说话才能继续 / no more until the user speaks again",
  [47001] = "数据格式错误 / WeChat could not read it",
  [48001] = "小程序没有客服消息接口权限 / the mini program may not use this interface",
  [87014] = "内容含违规信息 / the content breaks WeChat's rules",
}

local function sentence(answer)
  local what = WORDS[answer.errcode] or "微信返回错误 / WeChat's error"
  return ("%s (%s %s)"):format(what, tostring(answer.errcode), tostring(answer.errmsg))
end

local function post(config, path, call)
  call[1] = (given(config.api) and config.api:gsub("/+$", "") or API) .. path
  local answer, why = shared.answer_of(http.post(call))
  if answer then answer.errcode = answer.errcode or 0 end
  return answer, why
end

local function fetch_token(config)
  return post(config, "/cgi-bin/stable_token", { json = {
    grant_type = "client_credential", appid = config.appid, secret = config.secret, force_refresh = false,
  } })
end

-- Calls with the token, once more with a fresh one if WeChat says it is stale.
local function call(config, path, body, timeout)
  local key, text = "token:" .. config.appid, json.encode(body)
  for try = 1, 2 do
    local token, refusal, why = shared.token(key, function()
      local got, nobody = fetch_token(config)
      if got and got.errcode == 0 and got.access_token then return got.access_token, got.expires_in end
      return nil, got, nobody
    end)
    if not token then
      if refusal then refusal.of_token = true end
      return refusal, why
    end
    local answer, trouble = post(config, path, { query = { access_token = secret.hide(token) }, body = text,
      headers = { ["content-type"] = "application/json" }, timeout = timeout })
    if not answer then return nil, trouble end
    if try == 2 or not STALE[answer.errcode] then return answer end
    shared.forget(key, token)
  end
end

local RETRY = { [-1] = 5, [40001] = 60, [40014] = 60, [42001] = 60, [45009] = 600, [45011] = 60, [45047] = 600 }
local FAILED = {
  [40003] = "no_recipient", [45015] = "window_closed", [48001] = "not_allowed", [87014] = "content_refused",
}

-- nil when it went well.
local function trouble_of(answer, why)
  if not answer then return { retry = 5, why = why } end
  local code = answer.errcode
  if answer.of_token and code ~= -1 and code ~= 45009 and code ~= 45011 then
    return { failed = "config", why = sentence(answer) }
  end
  if code == 0 then return nil end
  if RETRY[code] then return { retry = RETRY[code], why = sentence(answer), until_heard = code == 45047 or nil } end
  return { failed = FAILED[code] or "refused", why = sentence(answer) }
end

-- --- in --------------------------------------------------------------------

local function text_of(x)
  if x.MsgType == "text" then return given(x.Content) and x.Content or "[空消息]" end
  if x.MsgType == "image" then return words("[图片]", x.PicUrl) end
  if x.MsgType == "miniprogrampage" then return words("[小程序卡片]", x.Title, x.PagePath) end
  if x.MsgType ~= "event" then return words("[暂不支持的消息]", x.MsgType) end
  if x.Event == "user_enter_tempsession" and given(x.SessionFrom) then return words("[进入会话]", x.SessionFrom) end
end

-- Events have no MsgId.
local function dedupe_of(x)
  if x.MsgId then return tostring(x.MsgId) end
  return table.concat({ "e", tostring(x.FromUserName), tostring(x.CreateTime), tostring(x.Event) }, ":")
end

-- Two answers are allowed within a minute; nobody could type that fast.
local function welcome(x, config)
  if x.Event ~= "user_enter_tempsession" or not given(config.welcome) or not config.secret then return end
  if not kv.add("welcome:" .. dedupe_of(x), true, "10m") then return end
  local body = { touser = x.FromUserName, msgtype = "text", text = { content = config.welcome } }
  local trouble = trouble_of(call(config, "/cgi-bin/message/custom/send", body, "3s"))
  if trouble then log.warn("weapp: the welcome was not sent", { why = trouble.why }) end
end

function M.receive(req, ctx)
  local config, q = ctx.config, req.query
  if req.body:find(PROBE) then return 200, "success" end
  if not config.token then return 403, "the channel has no token" end
  if req.method == "GET" then
    local signed = shared.is_signed(q.signature, config.token, q.timestamp or "", q.nonce or "")
    if signed then return 200, q.echostr or "" end
    return 401, "the signature is wrong"
  end
  local x, status, why = shared.read_push(req, config)
  if not x then
    log.warn("weapp: a push was refused", { why = why })
    return status, why
  end
  if given(config.original_id) and x.ToUserName ~= config.original_id then return 403, "for another mini program" end
  local text = text_of(x)
  if text then
    local m = { dedupe = dedupe_of(x), from = x.FromUserName, kind = "text", text = text }
    if not shared.hand_over(ctx, m) then return 503, "" end -- pushed again
  end
  welcome(x, config)
  return 200, "success"
end

-- --- out -------------------------------------------------------------------

-- What WeChat is sent for an item; nil if it cannot show that.
local function messages_of(item)
  local card = item.kind == "card" and item.card
  if card and given(card.url) and #(card.buttons or {}) == 0 then
    return { { msgtype = "link", link = {
      title = words(card.title), description = words(card.text), url = card.url, thumb_url = card.image or "",
    } } }
  end
  local text, list = shared.words_of(item), {}
  if not text then return nil end
  for i, piece in ipairs(shared.pieces(text, TEXT_BYTES)) do
    list[i] = { msgtype = "text", text = { content = piece } }
  end
  return list
end

function M.send(item, ctx)
  local list = messages_of(item)
  if not list then return shared.no_files(item) end
  if not ctx.config.secret then return { failed = "config", why = "没有填写 AppSecret / there is no AppSecret" } end
  return shared.send_all(item, list, function(message)
    message.touser = item.to
    return trouble_of(call(ctx.config, "/cgi-bin/message/custom/send", message))
  end)
end

function M.check(config)
  if not config.appid:find "^wx%w+$" then return nil, "appid", "AppID 应以 wx 开头 / the AppID begins with wx" end
  if not config.token then return nil, "token", "没有填写 Token，推送无法验证 / without a Token no push can be verified" end
  if config.encoding_aes_key and not shared.is_key(config.encoding_aes_key) then
    return nil, "encoding_aes_key", "EncodingAESKey 应为 43 个字符 / the EncodingAESKey has 43 characters"
  end
  if not config.secret then return nil, "secret", "没有填写 AppSecret，只能接收 / without an AppSecret nothing can be sent" end
  local answer, why = fetch_token(config)
  if not answer then return nil, "unavailable", "连不上微信接口 / WeChat does not answer: " .. tostring(why) end
  if answer.errcode ~= 0 then return nil, "refused", sentence(answer) end
  return true
end

return M
