-- WeChat customer service (微信客服) of a WeCom enterprise: a callback says that
-- there is news, poll() fetches it by a cursor, send_msg answers.
--
-- receive() only notes the account and the callback's token; poll() is one call
-- at a time, so each account has one puller, and the cursor is stored after the
-- messages are. A customer is `external_userid@open_kfid`: answers go out by
-- the account that was written to.
local http, json, xml, kv, crypto = require "http", require "json", require "xml", require "kv", require "crypto"
local secret, time, log = require "secret", require "time", require "log"

local API = "https://qyapi.weixin.qq.com"
local TEXT_BYTES = 2048
local EARLY_MS = 300000    -- a token is renewed so long before its end
local LOOK_S = 0.3         -- how often poll() looks whether a callback came
local SWEEP_MS = 300000    -- asks without a callback, in case one was missed
local TOKEN_MS = 9 * 60000 -- how long a callback's token is used (10 min)
local PULL_MS = 15000      -- of one poll; the rest is for the next
local WELCOME_S = 18       -- a welcome_code lives 20 s

---@type Channel
local M = {
  api = 1,
  title = { zh = "企业微信客服", en = "WeCom customer service" },
  schema = {
    corpid = {
      type = "string",
      required = true,
      title = { zh = "企业 ID", en = "Corp id" },
      help = { zh = "“我的企业”页面底部，以 ww 开头", en = "At the foot of the page \"My company\"; begins with ww" },
    },
    secret = {
      type = "secret",
      title = { zh = "应用 Secret", en = "Secret of the app" },
      help = { zh = "可调用微信客服接口的自建应用的 Secret", en = "Of a self-built app that may call the kf interfaces" },
    },
    token = {
      type = "secret",
      title = { zh = "Token（令牌）", en = "Token" },
      help = { zh = "回调配置里的 Token", en = "Of the callback settings" },
    },
    encoding_aes_key = {
      type = "secret",
      title = { zh = "EncodingAESKey", en = "EncodingAESKey" },
      help = { zh = "回调配置里的 43 个字符", en = "43 characters, of the callback settings" },
    },
    open_kfid = {
      type = "string",
      title = { zh = "客服账号 ID", en = "Kf account id" },
      help = { zh = "以 wk 开头；不填则接收全部客服账号", en = "Begins with wk; empty means all kf accounts" },
    },
    welcome = {
      type = "string",
      title = { zh = "欢迎语", en = "Welcome" },
      help = { zh = "客户进入会话时说的话；不填则不说", en = "Said when a customer comes in; empty means: nothing" },
    },
    api = {
      type = "string",
      title = { zh = "接口地址", en = "API address" },
      help = { zh = "不填则为 https://qyapi.weixin.qq.com；经代理出网时填写", en = "Empty means https://qyapi.weixin.qq.com; for a proxy" },
    },
  },
  capabilities = {
    text = TEXT_BYTES, text_unit = "bytes", kinds = { "text", "card", "location" }, buttons = 10,
    receipts = { "failed" }, reply_window = "48h", per_message = 5, rate = 50, at_once = 8,
  },
}

local function given(text) return type(text) == "string" and text ~= "" end

local function words(...)
  local list = {}
  for i = 1, select("#", ...) do
    local word = select(i, ...)
    if given(word) then list[#list + 1] = word end
  end
  return table.concat(list, " ")
end

-- --- callbacks -------------------------------------------------------------

local function is_signed(q, config, sealed)
  local mine = crypto.sha1(secret.sorted(config.token, q.timestamp or "", q.nonce or "", sealed))
  return given(q.msg_signature) and crypto.equal(mine, q.msg_signature)
end

-- random(16) length(4) message corpid, sealed by AES; nil and why not.
local function open(config, sealed)
  local key = crypto.base64_decode(secret.join(config.encoding_aes_key, "="))
  local bytes = crypto.base64_decode(sealed)
  if not key or #key ~= 32 then return nil, "the EncodingAESKey is not 43 characters of base64" end
  if not bytes then return nil, "Encrypt is not base64" end
  local full = crypto.aes_cbc_decrypt(key, key:sub(1, 16), bytes, { block = 32 })
  if not full or #full < 20 then return nil, "it was sealed under another EncodingAESKey" end
  local a, b, c, d = full:byte(17, 20)
  local length = ((a * 256 + b) * 256 + c) * 256 + d
  if 20 + length > #full then return nil, "its length is wrong" end
  if full:sub(21 + length) ~= config.corpid then return nil, "it is for another enterprise (-40005)" end
  return full:sub(21, 20 + length)
end

local function decode(text)
  local x
  if text:find "^%s*{" then x = json.decode(text) else x = xml.decode(text, { root = "xml" }) end
  if type(x) == "table" then return x end
end

local function key_of(what, ctx, kfid) return ("%s:%s:%s"):format(what, ctx.channel.id, kfid or "") end

local function is_ours(config, kfid) return given(kfid) and (not given(config.open_kfid) or config.open_kfid == kfid) end

-- At once, not with this handler's end: poll() may be looking.
local function ask_soon(ctx, kfid, note)
  return kv.update(key_of("due", ctx, kfid), function() return note end, "1d")
end

local function refuse(status, why)
  log.warn("wecom: a callback was refused", { why = why })
  return status, why
end

function M.receive(req, ctx)
  local config, q = ctx.config, req.query
  if not config.token or not config.encoding_aes_key then return 403, "the channel has no token or no EncodingAESKey" end
  local x = req.method == "POST" and decode(req.body)
  local sealed = q.echostr
  if req.method == "POST" then sealed = x and x.Encrypt end
  if not given(sealed) then return refuse(400, "there is nothing encrypted in it") end
  if not is_signed(q, config, sealed) then return refuse(401, "msg_signature is wrong") end
  local text, why = open(config, sealed)
  if not text then return refuse(403, why) end
  if req.method == "GET" then return 200, text end
  x = decode(text)
  if not x then return refuse(400, "what was encrypted is neither XML nor JSON") end
  if x.Event == "kf_msg_or_event" and is_ours(config, x.OpenKfId) then
    if not ask_soon(ctx, x.OpenKfId, { token = x.Token, at = time.now() }) then return 503, "" end
  end
  return 200, "success"
end

-- --- calls -----------------------------------------------------------------

local function base(config) return given(config.api) and config.api:gsub("/+$", "") or API end

local STALE = { [40014] = true, [42001] = true, [41001] = true }

local WORDS = {
  [-1] = "企业微信繁忙 / WeCom is busy",
  [40001] = "Secret 不对 / the secret is wrong",
  [40013] = "企业 ID 不对 / the corp id is wrong",
  [40201] = "内容被判为敏感 / the content was blocked",
  [45009] = "调用太频繁 / too many calls",
  [45033] = "同时调用太多 / too many calls at once",
  [48002] = "应用没有微信客服接口权限 / the app may not use the kf interface",
  [60020] = "服务器的 IP 不在应用的可信 IP 里 / this server's IP is not a trusted IP of the app",
  [95000] = "客服账号 ID 不对 / the kf account id is wrong",
  [95001] = "已发满 5 条，等客户再说话才能继续 / no more until the customer speaks again",
  [95002] = "已过 48 小时回复时限 / the reply window is closed",
  [95003] = "企业未认证，接待人数已满 / the enterprise is not verified: its limit is reached",
  [95004] = "客服账号不存在 / there is no such kf account",
  [95011] = "客服账号属于另一种接入方式 / the account runs in the other mode",
  [95012] = "客服账号属于另一种接入方式 / the account runs in the other mode",
  [95013] = "会话已结束 / the session has ended",
  [95017] = "客服账号没有开启 API 管理 / the account's API switch is off",
  [95018] = "会话正由企业微信里的人员接待，或已过 48 小时 / the session is with people in WeCom, or over 48 h old",
  [95023] = "客服账号已授权给其他应用 / the account is managed by another app",
  [95030] = "不支持的消息类型 / this type is not allowed",
}

local function sentence(answer)
  return ("%s (%s %s)"):format(WORDS[answer.errcode] or "企业微信返回错误 / WeCom's error", tostring(answer.errcode), tostring(answer.errmsg))
end

local function answer_of(res, code, why)
  if not res then return nil, why or code end
  local answer = res.json
  if type(answer) ~= "table" then return nil, "HTTP " .. res.status end
  answer.errcode = answer.errcode or 0
  return answer
end

local function fetch_token(config)
  return answer_of(http.get { base(config) .. "/cgi-bin/gettoken", query = { corpid = config.corpid, corpsecret = config.secret } })
end

-- Forgets a token, unless another handler has fetched a newer one meanwhile.
local function forget(ctx, token)
  kv.update(key_of("token", ctx), function(kept)
    if kept and kept.token == token then return kv.DELETE end
  end)
end

-- One fetch, however many wait. nil, { errcode … } or nil, nil, why.
local function token_of(ctx)
  local refusal, trouble
  for _ = 1, 2 do
    local kept = kv.once(key_of("token", ctx), "2h", function()
      local answer, why = fetch_token(ctx.config)
      if not answer then trouble = why return nil end
      if answer.errcode ~= 0 or not answer.access_token then refusal = answer return nil end
      return { token = answer.access_token, till = time.now() + (tonumber(answer.expires_in) or 7200) * 1000 - EARLY_MS }
    end)
    if not kept then return nil, refusal, trouble or "没有拿到接口凭据 / no access token" end
    if kept.till > time.now() then return kept.token end
    forget(ctx, kept.token)
  end
  return nil, nil, "接口凭据总是过期 / access tokens come expired"
end

local function call(ctx, path, body)
  local answer
  for try = 1, 2 do
    local token, refusal, why = token_of(ctx)
    if not token then
      if refusal then refusal.of_token = true end
      return refusal, why
    end
    answer, why = answer_of(http.post { base(ctx.config) .. "/cgi-bin/kf/" .. path,
      query = { access_token = secret.hide(token) }, json = body, max_bytes = "8MB" })
    if not answer then return nil, why end
    if try == 2 or not STALE[answer.errcode] then break end
    forget(ctx, token)
  end
  return answer
end

-- --- in --------------------------------------------------------------------

-- Files: media_id is where a download would begin.
local function mark(text, ...)
  local names = { ... }
  return function(x)
    local list = { text }
    for _, name in ipairs(names) do
      if given(x[name]) then list[#list + 1] = x[name] end
    end
    return { kind = "text", text = table.concat(list, " ") }
  end
end

local kinds = {
  text = function(x) return { kind = "text", text = x.content } end,
  image = mark "[图片]", voice = mark "[语音]", video = mark "[视频]", file = mark "[文件]", business_card = mark "[名片]",
  link = mark("[链接]", "title", "desc", "url"),
  miniprogram = mark("[小程序]", "title"),
  merged_msg = mark("[聊天记录]", "title"),
  channels = mark("[视频号]", "nickname", "title"),
  location = function(x)
    local lat, lng = tonumber(x.latitude), tonumber(x.longitude)
    if not lat or not lng then return { kind = "text", text = words("[位置]", x.name, x.address) } end
    return { kind = "location", lat = lat, lng = lng, label = words(x.name), address = words(x.address) }
  end,
}

local function message_of(m)
  local make = kinds[m.msgtype]
  local content = type(m[m.msgtype]) == "table" and m[m.msgtype] or {}
  local out = make and make(content) or { kind = "text", text = words("[暂不支持的消息]", m.msgtype) }
  if out.kind == "text" and not given(out.text) then out.text = "[空消息]" end
  out.dedupe, out.from = m.msgid, m.external_userid .. "@" .. m.open_kfid
  return out
end

local FAIL = {
  [1] = "客服账号已删除 / the account was deleted", [2] = "应用已关闭 / the app was closed",
  [4] = "会话超过 48 小时 / the session is over 48 h old", [5] = "会话已关闭 / the session is closed",
  [6] = "超过 5 条 / over 5 messages", [8] = "企业未认证 / the enterprise is not verified",
  [10] = "用户拒收 / the user refuses messages", [11] = "企业没有成员登录过企业微信 / no member is logged in to WeCom",
  [12] = "组件不允许此类型 / the type is not allowed",
}

local function welcome(m, e, ctx)
  local text = ctx.config.welcome
  local age = time.now() / 1000 - (tonumber(m.send_time) or 0)
  if not given(text) or not given(e.welcome_code) or age > WELCOME_S then return end
  local answer, why = call(ctx, "send_msg_on_event", { code = e.welcome_code, msgtype = "text", text = { content = text } })
  if not answer or answer.errcode ~= 0 then
    log.warn("wecom: the welcome was not sent", { why = answer and sentence(answer) or why })
  end
end

local events = {
  enter_session = welcome,
  msg_send_fail = function(_, e, ctx)
    if not given(e.fail_msgid) then return end
    ctx.receipt { sent = (e.fail_msgid:gsub("%-%d+$", "")), status = "failed", why = FAIL[e.fail_type] or "没有送达 / it was not delivered" }
  end,
}

-- True when it is on disk, or is none of ours to keep.
local function take(m, ctx)
  if type(m) ~= "table" or not given(m.msgid) then return true end
  if m.msgtype == "event" then
    local e = type(m.event) == "table" and m.event or {}
    local handle = events[e.event_type]
    if handle then handle(m, e, ctx) end
    return true
  end
  if m.origin ~= 3 or not given(m.external_userid) or not given(m.open_kfid) then return true end -- 5: people in the WeCom app
  local ok, code, why = ctx.deliver(message_of(m))
  if ok then return true end
  log.error("wecom: a message could not be taken", { code = code, why = why, id = m.msgid })
  return code ~= "unavailable" and code ~= "internal" and code ~= "rate_limited" and code ~= "timeout"
end

-- All news of an account: the cursor so far, and true, or false and why it must
-- be asked again.
local function pages(ctx, kfid, token, cursor)
  local till = time.now() + PULL_MS
  repeat
    local answer, why = call(ctx, "sync_msg", { cursor = cursor, token = token, limit = 1000, voice_format = 0, open_kfid = kfid })
    if not answer then return cursor, false, why end
    if answer.errcode == 95007 and token then -- its ten minutes are over
      token, answer = nil, { errcode = 0, has_more = 1, msg_list = {} }
    elseif answer.errcode ~= 0 then
      return cursor, false, sentence(answer)
    end
    for _, m in ipairs(type(answer.msg_list) == "table" and answer.msg_list or {}) do
      if not take(m, ctx) then return cursor, false, "the house could not take it" end
    end
    if given(answer.next_cursor) then cursor = answer.next_cursor end
    if answer.has_more ~= 1 then return cursor, true end
  until time.now() > till
  return cursor, false -- the rest is for the next poll
end

-- The cursor is stored when this poll ends; until then `dedupe` helps.
local function pull(ctx, kfid, token)
  local key = key_of("cursor", ctx, kfid)
  local before = kv.get(key)
  local cursor, ok, why = pages(ctx, kfid, token, before)
  if cursor ~= before then kv.set(key, cursor) end
  return ok, why
end

local swept = {} -- channel -> when all its accounts were asked last

local function accounts(ctx, prefix)
  local list, from = {}, #key_of(prefix, ctx) + 1
  for _, key in ipairs(kv.keys(key_of(prefix, ctx)) or {}) do list[#list + 1] = key:sub(from) end
  return list
end

-- Accounts to ask now: those with a callback, now and then all.
local function due(ctx)
  local list = {}
  for _, kfid in ipairs(accounts(ctx, "due")) do
    local note
    kv.update(key_of("due", ctx, kfid), function(kept)
      note = kept
      return kept and kv.DELETE
    end)
    if note then list[kfid] = note end
  end
  if time.now() - (swept[ctx.channel.id] or 0) > SWEEP_MS then
    swept[ctx.channel.id] = time.now()
    local known = accounts(ctx, "cursor")
    if given(ctx.config.open_kfid) then known[#known + 1] = ctx.config.open_kfid end
    for _, kfid in ipairs(known) do
      if is_ours(ctx.config, kfid) then list[kfid] = list[kfid] or { at = 0 } end
    end
  end
  return list
end

function M.poll(ctx)
  if not ctx.config.secret then return { again = 60 } end
  local again = LOOK_S
  for kfid, note in pairs(due(ctx)) do
    local ok, why = pull(ctx, kfid, time.now() - note.at < TOKEN_MS and note.token or nil)
    if not ok then
      ask_soon(ctx, kfid, note)
      if why then
        log.warn("wecom: an account could not be asked", { why = why, open_kfid = kfid })
        again = 10
      end
    end
  end
  return { again = again }
end

-- --- out -------------------------------------------------------------------

local RETRY = { [-1] = 5, [40014] = 60, [42001] = 60, [41001] = 60, [45009] = 60, [45033] = 5, [95001] = 600 }
local FAILED = {
  [95002] = "window_closed", [95013] = "window_closed", [95018] = "not_allowed", [95030] = "unsupported", [40201] = "refused",
  [95003] = "not_allowed", [40001] = "config", [40013] = "config", [48002] = "config", [60020] = "config", [95000] = "config",
  [95004] = "config", [95011] = "config", [95012] = "config", [95017] = "config", [95023] = "config",
}

local function trouble_of(answer, why)
  if not answer then return { retry = 5, why = why } end
  local code = answer.errcode
  if code == 0 then return nil end
  if RETRY[code] then return { retry = RETRY[code], why = sentence(answer), until_heard = code == 95001 or nil } end
  return { failed = FAILED[code] or (answer.of_token and "config") or "refused", why = sentence(answer) }
end

local function texts(text)
  local list = {}
  while #text > TEXT_BYTES do
    local cut = TEXT_BYTES
    while cut > 1 and text:byte(cut + 1) >= 128 and text:byte(cut + 1) < 192 do cut = cut - 1 end
    list[#list + 1], text = { msgtype = "text", text = { content = text:sub(1, cut) } }, text:sub(cut + 1)
  end
  list[#list + 1] = { msgtype = "text", text = { content = text } }
  return list
end

local function card_messages(card)
  local list = {}
  for i, button in ipairs(card.buttons or {}) do
    list[i] = button.url and { type = "view", view = { url = button.url, content = button.label } }
      or { type = "click", click = { id = tostring(100 + i), content = button.value or button.label } }
  end
  if card.url then list[#list + 1] = { type = "view", view = { url = card.url, content = words(card.title) ~= "" and card.title or card.url } } end
  local head = words(card.title) .. (card.title and card.text and "\n" or "") .. words(card.text)
  if #list == 0 then return texts(head) end
  return { { msgtype = "msgmenu", msgmenu = { head_content = head, list = list } } }
end

local function messages_of(item)
  if item.kind == "text" then return texts(item.text) end
  if item.kind == "card" then return card_messages(item.card) end
  if item.kind == "location" then
    return { { msgtype = "location", location = { name = words(item.label), address = words(item.address), latitude = item.lat, longitude = item.lng } } }
  end
end

-- Sends one, once more after taking the session over from 智能接待.
local function say(ctx, body)
  local answer, why = call(ctx, "send_msg", body)
  if answer and answer.errcode == 95018 then
    local moved = call(ctx, "service_state/trans", { open_kfid = body.open_kfid, external_userid = body.touser, service_state = 1 })
    if moved and moved.errcode == 0 then answer, why = call(ctx, "send_msg", body) end
  end
  return trouble_of(answer, why)
end

function M.send(item, ctx)
  local user, kfid = item.to:match "^(.-)@(.+)$"
  local list = messages_of(item)
  if not user then return { failed = "no_recipient", why = "不知道是哪个客服账号 / the kf account is not known" } end
  if not list then return { failed = "unsupported", why = "微信客服渠道还不能发送文件 / files cannot be sent here yet: " .. item.kind } end
  if not ctx.config.secret then return { failed = "config", why = "没有填写应用 Secret / there is no secret" } end
  local key = "sent:" .. item.id
  local done = #list > 1 and kv.get(key) or 0
  for i = done + 1, #list do
    list[i].touser, list[i].open_kfid = user, kfid
    list[i].msgid = i == #list and item.id or item.id .. "-" .. i -- WeCom knows a repeated one
    local trouble = say(ctx, list[i])
    if trouble then return trouble end
    if #list > 1 then kv.set(key, i, "2d") end
  end
  return { sent = item.id }
end

function M.check(config)
  if not given(config.corpid) then return nil, "corpid", "没有填写企业 ID / there is no corp id" end
  if not config.token then return nil, "token", "没有填写 Token，回调无法验证 / without a Token no callback can be verified" end
  local key = config.encoding_aes_key and crypto.base64_decode(secret.join(config.encoding_aes_key, "="))
  if not key or #key ~= 32 then
    return nil, "encoding_aes_key", "EncodingAESKey 应为 43 个字符 / the EncodingAESKey has 43 characters"
  end
  if not config.secret then return nil, "secret", "没有填写应用 Secret / there is no secret" end
  local answer, why = fetch_token(config)
  if not answer then return nil, "unavailable", "连不上企业微信接口 / WeCom does not answer: " .. tostring(why) end
  if answer.errcode ~= 0 then return nil, "refused", sentence(answer) end
  return true
end

return M
