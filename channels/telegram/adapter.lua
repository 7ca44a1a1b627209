-- Telegram bots: private chats only. With a webhook secret Telegram pushes,
-- without one we ask (getUpdates), which needs no public address.
local http, json, kv, crypto, secret = require "http", require "json", require "kv", require "crypto", require "secret"
local log, utf8, recall = require "log", require "utf8", require "channels.telegram.recall"
local shared, media, files = require "lib.channels", require "lib.media", require "channels.telegram.files"

local given, words, setting = shared.given, shared.words, shared.setting

local API = "https://api.telegram.org"
local TEXT_UNITS = 4096 -- UTF-16 units
local DATA_BYTES = 64   -- of a button
local WAIT_S = 20       -- how long Telegram holds a question
local UPDATES = { "message", "edited_message", "callback_query" }

---@type Channel
local M = {
  api = 1,
  title = { zh = "Telegram", en = "Telegram" },
  schema = {
    token = setting("secret", "机器人 Token", "Bot token",
      "@BotFather 给出的，形如 123456:ABC…", "From @BotFather, as in 123456:ABC…", true),
    webhook_secret = setting("secret", "Webhook 密钥", "Webhook secret",
      "设了 webhook 才填，与 setWebhook 的 secret_token 相同；不填则由我们主动拉取",
      "Only with a webhook, as its secret_token; empty means: we ask Telegram"),
    api = setting("string", "接口地址", "API address",
      "不填则为 https://api.telegram.org；经代理或自建服务时填写",
      "Empty means https://api.telegram.org; for a proxy or a server of your own"),
  },
  capabilities = {
    text = TEXT_UNITS, kinds = { "text", "image", "file", "audio", "video", "card", "location" }, buttons = 10,
    image = "50MB", file = "50MB", audio = "50MB", video = "50MB", rate = 25, burst = 25, at_once = 8,
  },
}

-- Ids have up to 52 bits; tostring would round them.
local function id_text(id) return type(id) == "number" and ("%.0f"):format(id) or tostring(id) end

-- --- calls -----------------------------------------------------------------

local function base(config) return shared.base(config, API) end

-- What Telegram answers, { ok = …, result = … }; nil and why it does not.
local function call(config, method, body, timeout)
  return shared.answer_of(http.post { url = secret.join(base(config), "/bot", config.token, "/", method), json = body,
    timeout = timeout, max_bytes = "4MB" })
end

local function sentence(answer)
  local code = answer.error_code
  local what = code == 401 and "机器人 Token 不对 / the bot token is wrong"
    or code == 403 and "用户停用了机器人 / the user has blocked the bot"
    or code == 429 and "发得太快 / too many messages"
    or "Telegram 返回错误 / Telegram's error"
  return ("%s (%s %s)"):format(what, tostring(code), tostring(answer.description))
end

-- --- in --------------------------------------------------------------------

local fetch = files.fetcher(base, call)
-- What is no file and no text.
local marks = { { "sticker", "[表情]" }, { "contact", "[联系人]" } }

local function content_of(m)
  if given(m.text) then return { kind = "text", text = m.text } end
  if type(m.location) == "table" then
    local venue = type(m.venue) == "table" and m.venue or {}
    return { kind = "location", lat = m.location.latitude, lng = m.location.longitude,
      label = words(venue.title), address = words(venue.address) }
  end
  local bears = files.of(m)
  if bears then return bears end
  for _, mark in ipairs(marks) do
    local x = m[mark[1]]
    if type(x) == "table" then
      return { kind = "text", text = words(mark[2], x.emoji, x.first_name, x.phone_number, m.caption) }
    end
  end
  return { kind = "text", text = "[暂不支持的消息]" }
end

local function message_of(update)
  local m, pressed, edited = update.message, update.callback_query, update.edited_message
  local out
  if type(pressed) == "table" and type(pressed.message) == "table" then
    m = { chat = pressed.message.chat, from = pressed.from }
    out = { kind = "text", text = given(pressed.data) and pressed.data or "[按钮]" }
  elseif type(edited) == "table" and not edited.location then -- a live location moves all the time
    local now = content_of(edited)
    m, out = edited, { kind = "text", text = words("[修改]", media.MARKS[now.kind], now.name_of_file, now.text) }
  elseif type(m) == "table" then
    out = content_of(m)
  end
  if not out or type(m.chat) ~= "table" or m.chat.type ~= "private" or type(m.chat.id) ~= "number" then return nil end
  local from = type(m.from) == "table" and m.from or {}
  out.name = words(from.first_name, from.last_name)
  out.dedupe, out.from = id_text(update.update_id), id_text(m.chat.id)
  return out
end

-- True when it is on disk, or is none of ours to keep.
local function take(update, ctx)
  local m = message_of(update)
  if not m then return true end
  if m.media then return media.take(ctx, m, fetch) end
  local taken, ok = shared.hand_over(ctx, m)
  if ok and update.callback_query and not ok.duplicate then -- or its button keeps turning
    call(ctx.config, "answerCallbackQuery", { callback_query_id = update.callback_query.id }, "2s")
  end
  return taken
end

function M.receive(req, ctx)
  local expected, theirs = ctx.config.webhook_secret, req.headers["x-telegram-bot-api-secret-token"]
  if not expected or not theirs or not crypto.equal(expected, theirs) then return 401 end
  local update = json.decode(req.body)
  if type(update) ~= "table" or not update.update_id then return 400 end
  if not take(update, ctx) then return 503 end
  return 200, ""
end

function M.poll(ctx)
  local late = media.late(ctx, fetch)
  if ctx.config.webhook_secret then return late end
  local key = "offset:" .. ctx.channel.id
  local answer, why = call(ctx.config, "getUpdates",
    { offset = kv.get(key), timeout = WAIT_S, allowed_updates = UPDATES }, "28s")
  if not answer or not answer.ok then
    log.warn("telegram: it could not be asked", { why = answer and sentence(answer) or why })
    return { again = 30 }
  end
  local offset, again
  for _, update in ipairs(answer.result) do
    if not take(update, ctx) then again = 5 break end
    offset = update.update_id + 1
  end
  if offset then kv.set(key, offset) end
  return { again = again or 0.2 }
end

-- --- out -------------------------------------------------------------------

-- Pieces of at most 4096 UTF-16 units, never through a character.
local function pieces(text)
  local list, chars, units = {}, {}, 0
  for char in utf8.chars(text) do
    local n = #char == 4 and 2 or 1
    if units + n > TEXT_UNITS then
      list[#list + 1] = table.concat(chars)
      chars, units = {}, 0
    end
    chars[#chars + 1], units = char, units + n
  end
  list[#list + 1] = table.concat(chars)
  return list
end

local function cut(text, bytes)
  if #text <= bytes then return text end
  while bytes > 1 and text:byte(bytes + 1) >= 128 and text:byte(bytes + 1) < 192 do bytes = bytes - 1 end
  return text:sub(1, bytes)
end

local function texts(text, buttons)
  local list = {}
  for i, piece in ipairs(pieces(text)) do list[i] = { method = "sendMessage", body = { text = piece } } end
  if buttons and #buttons > 0 then list[#list].body.reply_markup = { inline_keyboard = buttons } end
  return list
end

local function button_of(b)
  if b.url then return { text = b.label, url = b.url } end
  return { text = b.label, callback_data = cut(b.value or b.label, DATA_BYTES) }
end

local function card_messages(card)
  local buttons = {}
  for i, b in ipairs(card.buttons or {}) do buttons[i] = { button_of(b) } end
  return texts(shared.head_of(card), buttons)
end

-- What Telegram is sent for an item; nil, if it cannot show that, and why.
local function messages_of(item)
  if item.file then return files.messages(item, texts) end
  if item.kind == "text" then return texts(item.text) end
  if item.kind == "card" then return card_messages(item.card) end
  if item.kind == "location" then
    local body = { latitude = item.lat, longitude = item.lng }
    if not given(item.label) then return { { method = "sendLocation", body = body } } end
    body.title, body.address = item.label, given(item.address) and item.address or item.label
    return { { method = "sendVenue", body = body } }
  end
end

local function trouble_of(answer, why)
  if not answer then return { retry = 5, why = why } end
  if answer.ok then return nil end
  local code = answer.error_code or 0
  if code == 429 or code >= 500 then
    local wait = type(answer.parameters) == "table" and tonumber(answer.parameters.retry_after)
    return { retry = wait or 5, why = sentence(answer) }
  end
  local gone = tostring(answer.description):lower():find("chat not found", 1, true)
  local failed = (code == 401 or code == 404) and "invalid_token" or code == 403 and "blocked"
  return { failed = failed or gone and "no_recipient" or "refused", why = sentence(answer) }
end

function M.send(item, ctx)
  local list, unfit = messages_of(item)
  if not list then return unfit or shared.no_files(item) end
  return shared.send_all(item, list, function(message)
    message.body.chat_id = item.to
    local answer, why
    if message.file then
      answer, why = files.send(ctx.config, base, call, ctx.channel.id, message)
    else
      answer, why = call(ctx.config, message.method, message.body)
    end
    local trouble = trouble_of(answer, why)
    if trouble then return trouble end
    local id = type(answer.result) == "table" and answer.result.message_id
    return nil, id and item.to .. ":" .. id_text(id)
  end)
end

function M.recall(item, ctx) return recall(item, ctx, call, trouble_of) end

-- Shown for five seconds, or until the next message.
function M.typing(item, ctx)
  call(ctx.config, "sendChatAction", { chat_id = item.to, action = "typing" }, "3s")
end

-- --- check -----------------------------------------------------------------

function M.check(config)
  if not config.token then return nil, "token", "没有填写机器人 Token / there is no bot token" end
  local answer, why = call(config, "getWebhookInfo", {})
  if not answer then return nil, "unavailable", "连不上 Telegram / Telegram does not answer: " .. tostring(why) end
  if not answer.ok then return nil, "refused", sentence(answer) end
  local has = given(answer.result.url)
  if config.webhook_secret and not has then
    return nil, "webhook", "Telegram 那边还没有设 webhook（setWebhook）/ no webhook is set at Telegram yet"
  end
  if has and not config.webhook_secret then
    return nil, "webhook", "Telegram 那边设着 webhook，无法拉取；请 deleteWebhook 或填写密钥"
      .. " / a webhook is set at Telegram: delete it or give its secret"
  end
  return true
end

return M
