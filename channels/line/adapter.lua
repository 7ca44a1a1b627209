-- LINE official account: signed webhooks in, the Messaging API out.
--
-- An answer that comes soon takes the reply token of what was said (free);
-- later ones are pushed (of the monthly quota) under a retry key, so that none
-- arrives twice. A file is fetched for two seconds while its push waits, then by
-- poll(). Only chats with one person: groups and rooms are left alone.
local http, json, kv, crypto = require "http", require "json", require "kv", require "crypto"
local utf8, time = require "utf8", require "time"
local shared, media, files = require "lib.channels", require "lib.media", require "channels.line.files"

local given, tab, words, setting = shared.given, shared.tab, shared.words, shared.setting

local API = "https://api.line.me"
local TEXT_CHARS, MESSAGES = 5000, 5 -- of a text, of a call
local REPLY_S, TOKEN_S = 30, 50      -- how long a reply token is trusted; how long it surely lives

---@type Channel
local M = {
  api = 1,
  title = { zh = "LINE", en = "LINE" },
  schema = {
    channel_secret = setting("secret", "Channel secret", "Channel secret",
      "LINE Developers → Basic settings；没有它不收任何消息", "Basic settings; without it nothing is taken"),
    access_token = setting("secret", "Channel access token", "Channel access token",
      "LINE Developers → Messaging API；没有它不能发送", "Messaging API tab; without it nothing is sent"),
    reply_seconds = setting("integer", "回复令牌有效秒数", "Seconds a reply token is good",
      "不填为 30：这么快的回复不计入每月额度；0 则一律推送", "Empty means 30: answers so soon are free; 0: always push"),
    tell_leaving = setting("boolean", "被屏蔽时告知", "Tell when someone blocks the account",
      "作为一条“[取消关注]”消息收进来", "As a message “[取消关注]”"),
    api = setting("string", "接口地址", "API address",
      "不填则为 https://api.line.me；经代理时填写", "Empty means https://api.line.me; for a proxy"),
  },
  capabilities = {
    text = TEXT_CHARS, kinds = { "text", "image", "location", "card" }, image = "1MB", buttons = 10, rate = 100,
    at_once = 8,
  },
}

-- LINE's answer: the HTTP answer; nil and why there is none.
local function call(config, method, path, body, headers, timeout)
  local base = shared.base(config, API)
  local res, code, why = http.request { base .. path, method = method, json = body, headers = headers,
    auth = { bearer = config.access_token }, timeout = timeout or "15s" }
  if not res then return nil, why or code end
  return res
end

-- --- in ------------------------------------------------------------------------

local function text(...) return { kind = "text", text = words(...) } end

local kinds = {
  text = function(m) return text(m.text) end,
  image = files.bearing "image", video = files.bearing "video", audio = files.bearing "audio",
  file = files.bearing "file",
  sticker = function(m) return text("[表情]", m.text or tab(m.keywords)[1]) end,
  location = function(m)
    local lat, lng = tonumber(m.latitude), tonumber(m.longitude)
    if not (lat and lng) then return text("[位置]", m.title, m.address) end
    return { kind = "location", lat = lat, lng = lng, label = words(m.title), address = words(m.address) }
  end,
}

local events = {
  message = function(e)
    local m = tab(e.message)
    local make = kinds[m.type]
    if make then return make(m) end
    return text("[暂不支持的消息]", m.type)
  end,
  postback = function(e)
    local picked = tab(tab(e.postback).params)
    return text(tab(e.postback).data, picked.datetime or picked.date or picked.time)
  end,
  follow = function() return text "[关注]" end,
  unfollow = function(_, config) return config.tell_leaving == true and text "[取消关注]" or nil end,
  unsend = function() return text "[撤回了一条消息]" end,
}

-- The name of who writes, if LINE tells it soon: only somebody new needs it.
local function name_of(id, config)
  if not config.access_token then return nil end
  return kv.once("name:" .. id, "7d", function()
    local res = call(config, "GET", "/v2/bot/profile/" .. id, nil, nil, "1s")
    local name = res and res.ok and tab(res.json).displayName
    return given(name) and name or nil
  end)
end

-- False if the house cannot take it now.
local function take(e, ctx)
  local from, config = tab(e.source).userId, ctx.config
  local alone = tab(e.source).type == "user" and given(from) and from:find "^%w+$" and e.mode ~= "standby"
  local make = events[e.type]
  local m = alone and make and make(e, config)
  if not m then return true end
  if m.text == "" then m.text = "[空消息]" end
  local id = given(e.webhookEventId) and e.webhookEventId or tab(e.message).id
  m.dedupe, m.from, m.name = given(id) and id or nil, from, e.type ~= "unfollow" and name_of(from, config) or nil
  local taken, ok
  if m.media then taken = media.take(ctx, m, files.fetch) else taken, ok = shared.hand_over(ctx, m) end
  local anew = m.media and taken and tab(e.deliveryContext).isRedelivery ~= true or ok and not ok.duplicate
  if anew and given(e.replyToken) then
    kv.set("reply:" .. ctx.channel.id .. ":" .. from, { token = e.replyToken, at = time.now() }, "10m")
  end
  return taken
end

function M.receive(req, ctx)
  if not ctx.config.channel_secret then return 403, "the channel has no channel secret" end
  local mine = crypto.hmac("sha256", ctx.config.channel_secret, req.body, "base64")
  if not crypto.equal(mine, req.headers["x-line-signature"] or "") then return 401 end
  local push, all = json.decode(req.body), true
  if type(push) ~= "table" then return 400 end
  for _, e in ipairs(tab(push.events)) do all = take(tab(e), ctx) and all end
  return all and 200 or 503, ""
end

function M.poll(ctx) return media.late(ctx, files.fetch) end
M.typing = require "channels.line.typing"
-- --- out -----------------------------------------------------------------------

local function texts(all)
  local list = {}
  for i, piece in ipairs(shared.chars(all, TEXT_CHARS)) do list[i] = { type = "text", text = piece } end
  return list
end

local function action_of(b)
  local label = utf8.sub(b.label, 1, 20)
  if b.url then return { type = "uri", label = label, uri = b.url } end
  return { type = "postback", label = label, data = utf8.sub(b.value or b.label, 1, 300), displayText = b.label }
end

-- Up to four buttons below a short text stay there; else they are quick
-- replies, which go with the next message.
local function card_messages(card)
  local body, actions = shared.head_of(card), {}
  for i, b in ipairs(card.buttons or {}) do actions[i] = action_of(b) end
  if #actions == 0 then return texts(body) end
  if #actions <= 4 and utf8.len(body) <= 160 then
    return { { type = "template", altText = body, template = { type = "buttons", text = body, actions = actions } } }
  end
  local list, items = texts(body), {}
  for i, action in ipairs(actions) do items[i] = { type = "action", action = action } end
  list[#list].quickReply = { items = items }
  return list
end

-- What LINE is sent for an item; nil, if it cannot show that, and why.
local function messages_of(item)
  if item.file then return files.messages(item, texts) end
  if item.kind == "text" then return texts(item.text) end
  if item.kind == "card" then return card_messages(item.card) end
  if item.kind == "location" then
    local label, address = given(item.label) and item.label or "位置", given(item.address) and item.address
    return { { type = "location", title = utf8.sub(label, 1, 100), address = utf8.sub(address or label, 1, 100),
      latitude = item.lat, longitude = item.lng } }
  end
end

-- A UUID that is the same at each try.
local function retry_key(id)
  local h = crypto.sha256(id)
  return ("%s-%s-4%s-8%s-%s"):format(h:sub(1, 8), h:sub(9, 12), h:sub(14, 16), h:sub(18, 20), h:sub(21, 32))
end

local WORDS = {
  invalid_token = "Channel access token 不对或已失效 / the channel access token is wrong or was revoked",
  not_allowed = "账号没有这个权限 / the account may not do this",
  quota_used = "本月推送额度用完了 / this month's quota of pushes is used up",
  no_recipient = "对方不是好友，或屏蔽了账号 / no friend of the account, or it is blocked",
  refused = "LINE 拒绝了 / LINE refuses",
  later = "LINE 忙或太频繁 / LINE is busy, or too many messages",
}
local BY_STATUS = { [401] = "invalid_token", [403] = "not_allowed", [404] = "no_recipient" }

local function failure(res)
  local said = words(tab(res.json).message)
  local name = BY_STATUS[res.status] or "refused"
  if res.status == 429 and said:lower():find("monthly limit", 1, true) then name = "quota_used"
  elseif res.status == 429 or res.status >= 500 then name = "later"
  elseif res.status == 400 and (said:find("'to'", 1, true) or said:find("Failed to send", 1, true)) then
    name = "no_recipient"
  end
  return name, ("%s (%d %s)"):format(WORDS[name], res.status, said)
end

local function outcome(res, why, item)
  if not res then return { retry = 5, why = why } end
  if res.ok or res.status == 409 then -- 409: it was taken at an earlier try
    return { sent = tab(tab(tab(res.json).sentMessages)[1]).id or item.id }
  end
  local name, sentence = failure(res)
  if name ~= "later" then return { failed = name, why = sentence } end
  return { retry = tonumber(res.headers["retry-after"]) or (res.status == 429 and 30 or 5), why = sentence }
end

-- By the reply token, if there is one that may still be good; nil: push it. No
-- retry key helps a reply: if its answer was lost, the same token tells later
-- whether it was taken, for it is good once.
local function reply(item, list, ctx)
  local key, good = "reply:" .. ctx.channel.id .. ":" .. item.to, ctx.config.reply_seconds or REPLY_S
  local tried = item.attempt > 1 and kv.get("tried:" .. item.id)
  local kept = tried or item.attempt == 1 and good > 0 and kv.get(key)
  if not kept then return nil end
  if not tried then kv.del(key) end -- good for one call
  if time.now() - kept.at >= (tried and TOKEN_S or good) * 1000 then return nil end
  local res, why = call(ctx.config, "POST", "/v2/bot/message/reply", { replyToken = kept.token, messages = list })
  if not res then kv.set("tried:" .. item.id, kept, "2m") end
  if res and res.status == 400 then -- used before, or it had expired
    return tried and { sent = item.id } or nil
  end
  return outcome(res, why, item)
end

function M.send(item, ctx)
  local list, unfit = messages_of(item)
  if not list then return unfit or shared.no_files(item) end
  if not ctx.config.access_token then return { failed = "config", why = "没有填写 access token / no access token" } end
  if #list > MESSAGES then return { failed = "too_large", why = "内容太长 / the text is too long" } end
  local done = reply(item, list, ctx)
  if done then return done end
  local res, why = call(ctx.config, "POST", "/v2/bot/message/push", { to = item.to, messages = list },
    { ["x-line-retry-key"] = retry_key(item.id) })
  return outcome(res, why, item)
end

-- --- check -----------------------------------------------------------------------

function M.check(config, ctx)
  for _, name in ipairs { "channel_secret", "access_token" } do
    if not config[name] then return nil, name, ("没有填写 %s / there is no %s"):format(name, name) end
  end
  local res, why = call(config, "GET", "/v2/bot/info")
  if not res then return nil, "unavailable", "连不上 LINE / LINE does not answer: " .. tostring(why) end
  if not res.ok then return nil, failure(res) end
  res, why = call(config, "GET", "/v2/bot/channel/webhook/endpoint")
  if not res then return nil, "unavailable", "连不上 LINE / LINE does not answer: " .. tostring(why) end
  local hook = tab(res.json)
  if not words(hook.endpoint):find("/hooks/" .. ctx.channel.id, 1, true) then
    return nil, "webhook", "LINE 后台的 Webhook URL 不是这个渠道的地址 / LINE's webhook URL is not this channel's"
  end
  if hook.active ~= true then
    return nil, "webhook", "LINE 后台没有打开 Use webhook / “Use webhook” is off at LINE"
  end
  return true
end

return M
