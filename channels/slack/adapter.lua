-- Slack: signed events in, chat.postMessage out.
--
-- Who writes to the app directly is a visitor of that chat; who mentions it in a
-- channel is one of that thread, and is answered there. Buttons come as
-- interactions, to the same address. A file is fetched for two seconds while its
-- push waits, then by poll().
local http, json, kv, crypto = require "http", require "json", require "kv", require "crypto"
local utf8, time, url = require "utf8", require "time", require "url"
local shared, media, files = require "lib.channels", require "lib.media", require "channels.slack.files"
local back = require "channels.slack.recall"

local given, tab, words, setting = shared.given, shared.tab, shared.words, shared.setting

local API = "https://slack.com/api"
local TOLERANCE_S = 300
local TEXT_CHARS, BLOCK_CHARS = 16384, 3000

---@type Channel
local M = {
  api = 1,
  title = { zh = "Slack", en = "Slack" },
  schema = {
    signing_secret = setting("secret", "Signing Secret", "Signing secret",
      "应用的 Basic Information 页；没有它不收任何消息", "Basic Information; without it nothing is taken"),
    bot_token = setting("secret", "Bot Token", "Bot token",
      "OAuth & Permissions 页，以 xoxb- 开头；没有它不能发送", "OAuth & Permissions, begins with xoxb-; needed to send"),
    api = setting("string", "接口地址", "API address",
      "不填则为 https://slack.com/api；经代理时填写", "Empty means https://slack.com/api; for a proxy"),
  },
  capabilities = {
    text = TEXT_CHARS, kinds = { "text", "image", "file", "audio", "video", "card" }, buttons = 10, rate = 20,
    at_once = 4,
  },
}

-- Slack's answer, ok or not, and the HTTP answer; nil and why there is none.
local function call(config, method, how)
  local base = shared.base(config, API)
  how.url, how.auth, how.timeout = base .. "/" .. method, { bearer = config.bot_token }, how.timeout or "15s"
  local res, code, why = http.post(how)
  if not res then return nil, why or code end
  if type(res.json) == "table" and (res.json.ok ~= nil or res.status == 429) then return res.json, nil, res end
  if res.status == 429 then return { ok = false, error = "ratelimited" }, nil, res end
  return nil, "HTTP " .. res.status
end

-- --- in ------------------------------------------------------------------------

local function is_signed(req, config)
  local stamp, theirs = req.headers["x-slack-request-timestamp"] or "", req.headers["x-slack-signature"] or ""
  local at = tonumber(stamp:match "^%d+$")
  if not at or math.abs(time.now() / 1000 - at) > TOLERANCE_S then return false end
  return crypto.equal("v0=" .. crypto.hmac("sha256", config.signing_secret, "v0:" .. stamp .. ":" .. req.body), theirs)
end

-- Slack's marks as plain text: <https://x|name>, <@U1>, &amp; …
local function plain(text, bot)
  if not given(text) then return "" end
  if given(bot) then text = text:gsub("<@" .. bot:gsub("%W", "") .. "[^>]*>%s*", "") end
  text = text:gsub("<([^<>]*)>", function(inner)
    local target, label = inner:match "^([^|]*)|(.+)$"
    target = target or inner
    if target:find "^[@#!]" then return label and target:sub(1, 1):gsub("!", "") .. label or target end
    target = target:gsub("^mailto:", "")
    if not label or label == target or target:gsub("^https?://", "") == label then return target end
    return label .. " " .. target
  end)
  return (text:gsub("&lt;", "<"):gsub("&gt;", ">"):gsub("&amp;", "&"):gsub("^%s+", ""):gsub("%s+$", ""))
end

-- The name of who writes, if Slack tells it soon: only somebody new needs it.
local function profile_of(user, ctx)
  if not ctx.config.bot_token then return nil end
  return kv.once("user:" .. ctx.channel.id .. ":" .. user, "7d", function()
    local answer = call(ctx.config, "users.info", { form = { user = user }, timeout = "1s" })
    local it = answer and answer.ok and tab(tab(answer.user).profile)
    if not it then return nil end
    return { name = given(it.display_name) and it.display_name or it.real_name, email = it.email }
  end)
end

-- Answers its status. What Slack shall not say again is 200. list: files.
local function deliver(dedupe, from, user, text, ctx, list)
  local known, all = tab(profile_of(user, ctx)), true
  local name, email = given(known.name) and known.name or nil, given(known.email) and known.email or nil
  local function hand(m, n)
    m.dedupe, m.from, m.name = n and dedupe .. ":" .. n or dedupe, from, name
    m.profile = email and { email = email } or nil
    local taken
    if m.media then taken = media.take(ctx, m, files.fetch) else taken = shared.hand_over(ctx, m) end
    all = taken and all
  end
  list = tab(list)
  if #list == 0 then hand { kind = "text", text = given(text) and text or "[空消息]" } end
  for i, f in ipairs(list) do
    local m = files.message_of(tab(f))
    m.text = i == 1 and given(text) and text or nil
    hand(m, i > 1 and i or nil)
  end
  return all and 200 or 503, ""
end

M.poll = files.late

local SAID = { file_share = true, thread_broadcast = true, me_message = true }

-- A chat with the app, answered where it was said last; or a mention.
local function take_event(push, ctx)
  local e = tab(push.event)
  if e.type == "message" and e.subtype == "message_deleted" then return back.deleted(e, ctx) end
  local direct = e.type == "message" and e.channel_type == "im"
  local said = e.subtype == nil or SAID[e.subtype]
  local sane = given(e.channel) and given(e.user) and e.user:find "^%w+$" and given(e.ts) and given(push.event_id)
  if not sane or not said or e.bot_id or not (direct or e.type == "app_mention") then return 200, "" end
  local from, thread = e.channel, given(e.thread_ts) and e.thread_ts or nil
  if direct then
    local key = "thread:" .. ctx.channel.id .. ":" .. from
    if kv.get(key) ~= thread then kv.set(key, thread, "30d") end
  else
    from = e.channel .. ":" .. (thread or e.ts)
  end
  return deliver(e.ts, from, e.user, plain(e.text, tab(tab(push.authorizations)[1]).user_id), ctx, e.files)
end

-- The press of a button of ours says its value.
local function take_press(press, ctx)
  local action, channel, user = tab(tab(press.actions)[1]), tab(press.channel).id, tab(press.user).id
  if press.type ~= "block_actions" or not given(action.value) or not given(channel) or not given(user) then
    return 200, ""
  end
  local message = tab(press.message)
  local thread = given(message.thread_ts) and message.thread_ts or words(message.ts)
  local from = channel:find "^D" and channel or channel .. ":" .. thread
  return deliver(words(action.action_ts, user), from, user, action.value, ctx)
end

function M.receive(req, ctx)
  if not ctx.config.signing_secret then return 403, "the channel has no signing secret" end
  if not is_signed(req, ctx.config) then return 401 end
  local push = json.decode(req.body)
  if type(push) == "table" then
    if push.type == "url_verification" then return 200, words(push.challenge) end
    if push.type == "event_callback" then return take_event(push, ctx) end
    return 200, ""
  end
  local form = (req.headers["content-type"] or ""):find("form-urlencoded", 1, true) and tab(url.query_decode(req.body))
  if not form then return 400 end
  return take_press(tab(given(form.payload) and json.decode(form.payload)), ctx)
end

-- --- out -----------------------------------------------------------------------

local function escaped(text) return (text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;")) end

local function button_of(b, i)
  return { type = "button", action_id = "b" .. i, url = b.url, value = utf8.sub(b.value or b.label, 1, 2000),
    text = { type = "plain_text", text = utf8.sub(b.label, 1, 75), emoji = true } }
end

local function card_of(card)
  local all, blocks = shared.head_of(card), nil
  if card.buttons and #card.buttons > 0 then
    local elements = {}
    for i, b in ipairs(card.buttons) do elements[i] = button_of(b, i) end
    local shown = { type = "plain_text", text = utf8.sub(all, 1, BLOCK_CHARS), emoji = true }
    blocks = { { type = "section", text = shown }, { type = "actions", elements = elements } }
  end
  return { text = escaped(all), blocks = blocks }
end

local function message_of(item)
  if item.kind == "card" then return card_of(item.card) end
  local text = item.kind == "text" and item.text
  return text and { text = escaped(text) }
end

local FAILED = {}
for name, list in pairs {
  invalid_token = "invalid_auth not_authed account_inactive token_revoked token_expired org_login_required",
  no_recipient = "channel_not_found user_not_found is_archived user_disabled cannot_dm_bot messages_tab_disabled",
  not_allowed = "not_in_channel missing_scope no_permission restricted_action access_denied team_access_not_granted",
} do
  for code in list:gmatch "%S+" do FAILED[code] = name end
end
local RETRY = { ratelimited = 5, rate_limited = 5, fatal_error = 5, internal_error = 5, service_unavailable = 5,
  request_timeout = 5 }
local WORDS = {
  invalid_token = "Bot Token 不对或已撤销 / the bot token is wrong or was revoked",
  no_recipient = "找不到这个聊天，或对方已离开 / no such chat, or they have left",
  not_allowed = "应用缺少权限，或不在频道里 / the app lacks a scope, or is not in the channel",
}

local function sentence(answer)
  local code = words(answer.error)
  local what = WORDS[FAILED[code]] or RETRY[code] and "Slack 忙 / Slack is busy" or "Slack 拒绝了 / Slack refuses"
  return ("%s (%s)"):format(what, words(code, answer.needed))
end

-- nil when it went well.
local function trouble_of(answer, why, res)
  if not answer then return { retry = 5, why = why } end
  if answer.ok then return nil end
  local code = words(answer.error)
  if res.status == 429 or res.status >= 500 or RETRY[code] then
    return { retry = tonumber(res.headers["retry-after"]) or 5, why = sentence(answer) }
  end
  return { failed = FAILED[code] or "refused", why = sentence(answer) }
end

function M.send(item, ctx)
  local config, body = ctx.config, not item.file and message_of(item) or {}
  if not item.file and not body.text then return shared.no_files(item) end
  if not config.bot_token then return { failed = "config", why = "没有填写 Bot Token / there is no bot token" } end
  local channel, thread = item.to:match "^([^:]+):(.+)$"
  channel = channel or item.to
  thread = thread or kv.get("thread:" .. ctx.channel.id .. ":" .. item.to)
  if item.file then
    local text = given(item.text) and escaped(item.text) or nil
    return files.send(call, http.post, config, item, { channel = channel, thread = thread, text = text }, trouble_of)
  end
  body.channel, body.mrkdwn, body.thread_ts = channel, false, thread
  local answer, why, res = call(config, "chat.postMessage", { json = body })
  return trouble_of(answer, why, res) or { sent = given(answer.ts) and answer.ts or item.id }
end

function M.recall(item, ctx) return back.recall(item, ctx, call, trouble_of) end

-- --- check -----------------------------------------------------------------------

local SCOPES = { "chat:write", "im:history", "users:read" }

function M.check(config)
  if not config.signing_secret then return nil, "signing_secret", "没有填写 Signing Secret / there is no signing secret" end
  if not config.bot_token then return nil, "bot_token", "没有填写 Bot Token / there is no bot token" end
  local answer, why, res = call(config, "auth.test", { form = {} })
  if not answer then return nil, "unavailable", "连不上 Slack / Slack does not answer: " .. tostring(why) end
  if not answer.ok then return nil, FAILED[answer.error] or "refused", sentence(answer) end
  local has = "," .. (res.headers["x-oauth-scopes"] or ""):gsub("%s", "") .. ","
  for _, scope in ipairs(has ~= ",," and SCOPES or {}) do
    if not has:find("," .. scope .. ",", 1, true) then
      return nil, "not_allowed", ("应用缺少权限 %s，加上后重新安装 / the app lacks %s: add it, install anew"):format(scope, scope)
    end
  end
  return true
end

return M
