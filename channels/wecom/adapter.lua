-- WeChat customer service (微信客服) of a WeCom enterprise: a callback says that
-- there is news, poll() fetches it by a cursor, send_msg answers.
--
-- receive() only notes the account and the callback's token; poll() is one call
-- at a time, so each account has one puller, and the cursor is stored after the
-- messages are. A customer is `external_userid@open_kfid`: answers go out by
-- the account that was written to.
local time, log, shared = require "time", require "log", require "lib.channels"
local api = require "channels.wecom.api"
local messages, news = require "channels.wecom.messages", require "channels.wecom.news"

local given, setting = shared.given, shared.setting

---@type Channel
local M = {
  api = 1,
  title = { zh = "企业微信客服", en = "WeCom customer service" },
  schema = {
    corpid = setting("string", "企业 ID", "Corp id",
      "“我的企业”页面底部，以 ww 开头", "At the foot of the page \"My company\"; begins with ww", true),
    secret = setting("secret", "应用 Secret", "Secret of the app",
      "可调用微信客服接口的自建应用的 Secret", "Of a self-built app that may call the kf interfaces"),
    token = setting("secret", "Token（令牌）", "Token",
      "回调配置里的 Token", "Of the callback settings"),
    encoding_aes_key = setting("secret", "EncodingAESKey", "EncodingAESKey",
      "回调配置里的 43 个字符", "43 characters, of the callback settings"),
    open_kfid = setting("string", "客服账号 ID", "Kf account id",
      "以 wk 开头；不填则接收全部客服账号", "Begins with wk; empty means all kf accounts"),
    welcome = setting("string", "欢迎语", "Welcome",
      "客户进入会话时说的话；不填则不说", "Said when a customer comes in; empty means: nothing"),
    staff = setting("string", "接待人员对应的坐席", "Who is which agent",
      "在企业微信里回复的人是悦来的哪位坐席：zhangsan=anna@example.com, lisi=bo@example.com；不填则只显示他的账号",
      "Members who answer in WeCom and the agents they are: zhangsan=anna@example.com, lisi=bo@example.com"),
    api = setting("string", "接口地址", "API address",
      "不填则为 https://qyapi.weixin.qq.com；经代理出网时填写", "Empty means https://qyapi.weixin.qq.com; for a proxy"),
  },
  capabilities = {
    text = 2048, text_unit = "bytes", buttons = 10,
    kinds = { "text", "image", "audio", "video", "file", "card", "location" },
    image = "10MB", audio = "2MB", video = "10MB", file = "20MB",
    receipts = { "failed" }, reply_window = { time = "48h", count = 5 }, rate = 50, at_once = 8,
  },
}

-- --- callbacks -------------------------------------------------------------

local function is_signed(q, config, sealed)
  return shared.is_signed(q.msg_signature, config.token, q.timestamp or "", q.nonce or "", sealed)
end

local function refuse(status, why)
  log.warn("wecom: a callback was refused", { why = why })
  return status, why
end

function M.receive(req, ctx)
  local config, q = ctx.config, req.query
  if not config.token or not config.encoding_aes_key then
    return 403, "the channel has no token or no EncodingAESKey"
  end
  local x = req.method == "POST" and shared.decode(req.body)
  local sealed = q.echostr
  if req.method == "POST" then sealed = x and x.Encrypt end
  if not given(sealed) then return refuse(400, "there is nothing encrypted in it") end
  if not is_signed(q, config, sealed) then return refuse(401, "msg_signature is wrong") end
  local text, id = shared.open(config.encoding_aes_key, sealed)
  if not text then return refuse(403, id) end
  if id ~= config.corpid then return refuse(403, "it is for another account (-40005)") end
  if req.method == "GET" then return 200, text end
  x = shared.decode(text)
  if not x then return refuse(400, "what was encrypted is neither XML nor JSON") end
  if x.Event == "kf_msg_or_event" and news.is_ours(config, x.OpenKfId) then
    if not news.ask_soon(ctx, x.OpenKfId, { token = x.Token, at = time.now() }) then return 503, "" end
    ctx.poll_soon()
  end
  return 200, "success"
end

M.poll = news.poll

-- --- out -------------------------------------------------------------------

local RETRY = { [-1] = 5, [40014] = 60, [42001] = 60, [41001] = 60, [45009] = 60, [45033] = 5, [95001] = 600 }
local FAILED = {
  [95002] = "window_closed", [95013] = "window_closed", [95018] = "not_allowed", [95030] = "unsupported",
  [40201] = "refused", [95003] = "not_allowed",
  [40001] = "config", [40013] = "config", [48002] = "config", [60020] = "config",
  [95000] = "config", [40004] = "unsupported", [40005] = "unsupported", [40006] = "unsupported",
  [45001] = "unsupported",
  [95004] = "config", [95011] = "config", [95012] = "config", [95017] = "config", [95023] = "config",
}

-- A retry that is refused for its msgid: the first try had come through.
local function is_known(answer, item)
  return item.attempt > 1 and shared.words(answer.errmsg):lower():find("msgid", 1, true) ~= nil
end

local function trouble_of(answer, why, item)
  if not answer then return { retry = 5, why = why } end
  local code = answer.errcode
  if code == 0 or is_known(answer, item) then return nil end
  if RETRY[code] then return { retry = RETRY[code], why = api.sentence(answer), until_heard = code == 95001 or nil } end
  return { failed = FAILED[code] or (answer.of_token and "config") or "refused", why = api.sentence(answer) }
end

-- Sends one, once more after taking the session over from 智能接待.
local function say(ctx, body, item)
  local answer, why = api.call(ctx, "send_msg", body)
  if answer and answer.errcode == 95018 then
    local moved = api.call(ctx, "service_state/trans",
      { open_kfid = body.open_kfid, external_userid = body.touser, service_state = 1 })
    if moved and moved.errcode == 0 then answer, why = api.call(ctx, "send_msg", body) end
  end
  return trouble_of(answer, why, item), answer and answer.errcode
end

-- A message whose media_id is of the item's file; uploaded again if WeCom does
-- not know it any more.
local function say_file(ctx, body, item)
  local kind = body.msgtype
  for _ = 1, 2 do
    local id, trouble = api.media_id(ctx, kind, item, trouble_of)
    if not id then return trouble end
    local code
    body[kind].media_id = id
    trouble, code = say(ctx, body, item)
    if code ~= 40007 then return trouble end
    api.forget_media(ctx, kind, item)
  end
  return { retry = 60, why = api.sentence { errcode = 40007 } }
end

function M.send(item, ctx)
  local user, kfid = item.to:match "^(.-)@(.+)$"
  local list, trouble = messages.messages_of(item)
  if not user then return { failed = "no_recipient", why = "不知道是哪个客服账号 / the kf account is not known" } end
  if not list then return trouble or shared.no_files(item) end
  if not ctx.config.secret then return { failed = "config", why = "没有填写应用 Secret / there is no secret" } end
  return shared.send_all(item, list, function(message, i)
    message.touser, message.open_kfid = user, kfid
    message.msgid = i == #list and item.id or item.id .. "-" .. i -- WeCom knows a repeated one
    local no
    if message.of_file then
      message.of_file = nil
      no = say_file(ctx, message, item)
    else
      no = say(ctx, message, item)
    end
    return no, message.msgid
  end)
end

-- Within two minutes; it still counts as one of the five.
function M.recall(item, ctx)
  return shared.recall_all(item, function(msgid)
    local answer, why = api.call(ctx, "recall_msg", { open_kfid = item.to:match "@(.+)$", msgid = msgid })
    return trouble_of(answer, why, { attempt = 1 })
  end)
end

function M.check(config)
  if not given(config.corpid) then return nil, "corpid", "没有填写企业 ID / there is no corp id" end
  if not config.token then return nil, "token", "没有填写 Token，回调无法验证 / without a Token no callback can be verified" end
  if not config.encoding_aes_key or not shared.is_key(config.encoding_aes_key) then
    return nil, "encoding_aes_key", "EncodingAESKey 应为 43 个字符 / the EncodingAESKey has 43 characters"
  end
  if not config.secret then return nil, "secret", "没有填写应用 Secret / there is no secret" end
  local answer, why = api.fetch_token(config)
  if not answer then return nil, "unavailable", "连不上企业微信接口 / WeCom does not answer: " .. tostring(why) end
  if answer.errcode ~= 0 then return nil, "refused", api.sentence(answer) end
  return true
end

return M
