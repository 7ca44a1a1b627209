-- WhatsApp by Meta's Cloud API: signed webhooks in, the Graph API out.
--
-- A push may hold many messages and statuses: it is answered 200 when all of
-- them are on disk; else Meta pushes it again, and what is known changes
-- nothing. A file is fetched for two seconds meanwhile, then by poll().
local http, json, kv, crypto = require "http", require "json", require "kv", require "crypto"
local log, utf8 = require "log", require "utf8"
local shared, media, messages = require "lib.channels", require "lib.media", require "channels.whatsapp.messages"
local errors, files = require "channels.whatsapp.errors", require "channels.whatsapp.files"

local given, tab, setting = shared.given, shared.tab, shared.setting

local API, VERSION = "https://graph.facebook.com", "v21.0"
local TEXT_CHARS, BODY_CHARS = 4096, 1024 -- of a text; of one with buttons

---@type Channel
local M = {
  api = 1,
  title = { zh = "WhatsApp", en = "WhatsApp" },
  schema = {
    phone_number_id = setting("string", "电话号码 ID", "Phone number ID",
      "Meta 后台 WhatsApp → API 设置里的编号，不是电话号码", "From WhatsApp → API Setup; not the number itself", true),
    access_token = setting("secret", "访问令牌", "Access token",
      "系统用户的永久令牌；没有它不能发送", "A system user's permanent token; without it nothing is sent"),
    app_secret = setting("secret", "应用密钥", "App secret",
      "应用设置 → 基本里的密钥；没有它不收任何消息", "App settings → Basic; without it nothing is taken"),
    verify_token = setting("secret", "验证令牌", "Verify token",
      "自己想一个，在 Meta 后台填同样的", "Of your own; the same goes into Meta's form"),
    version = setting("string", "Graph 版本", "Graph version", "不填则为 v21.0", "Empty means v21.0"),
    api = setting("string", "接口地址", "API address",
      "不填则为 https://graph.facebook.com；经代理时填写", "Empty means https://graph.facebook.com; for a proxy"),
  },
  capabilities = {
    text = TEXT_CHARS, kinds = { "text", "image", "file", "audio", "video", "location", "card" }, buttons = 10,
    image = "100MB", file = "100MB", audio = "100MB", video = "100MB",
    receipts = { "delivered", "read", "failed" }, reply_window = "24h", rate = 80, at_once = 8,
  },
}

-- --- calls -------------------------------------------------------------------

local function root(config)
  return shared.base(config, API) .. "/" .. (given(config.version) and config.version or VERSION) .. "/"
end

-- The answer, why there is none, and the HTTP answer.
local function request(config, method, path, body, timeout)
  local res, code, why = http.request { root(config) .. path, method = method, json = body,
    auth = { bearer = config.access_token }, timeout = timeout or "15s" }
  local answer, trouble = shared.answer_of(res, code, why)
  return answer, trouble, res
end

local function call(config, method, path, body, timeout)
  return request(config, method, config.phone_number_id .. path, body, timeout)
end

local fetch = files.fetcher(function(config, id, timeout) return request(config, "GET", id, nil, timeout) end)

-- --- in ----------------------------------------------------------------------

-- False if the house cannot take it now: then Meta pushes it again.
local function take_status(s, ctx)
  if s.status ~= "delivered" and s.status ~= "read" and s.status ~= "failed" or not given(s.id) then return true end
  local e = tab(tab(s.errors)[1])
  local said = s.status == "failed" and errors.sentence(e) or nil
  local ok, code, why = ctx.receipt { sent = s.id, status = s.status, why = said }
  if ok or code == "not_found" then return true end -- a message that another system sent
  if shared.LATER[code] then return false end
  log.error("whatsapp: a receipt could not be taken", { code = code, why = why, id = s.id })
  return true
end

-- Their last message: what typing() must name; of so many in a push.
local NOTED = 10
local function last_key(ctx, from) return ("last:%s:%s"):format(ctx.channel.id, from) end

local function note(last, ctx)
  local noted = 0
  for from, id in pairs(ctx.config.access_token and last or {}) do
    noted = noted + 1
    if noted <= NOTED and given(id) then kv.set(last_key(ctx, from), id, "1d") end
  end
end

local function take(value, ctx, last)
  local names, all = messages.names_of(value), true
  for _, m in ipairs(tab(value.messages or value.message_echoes)) do
    local out = messages.message_of(tab(m), names, not value.messages)
    local taken = true
    if out and out.media then taken = media.take(ctx, out, fetch)
    elseif out then taken = shared.hand_over(ctx, out) end
    if out and taken and out.from then last[out.from] = out.dedupe end
    all = taken and all
  end
  for _, s in ipairs(tab(value.statuses)) do all = take_status(tab(s), ctx) and all end
  return all
end

-- Echoes: what was said in the WhatsApp Business app to which the number belongs, too.
local FIELDS = { messages = true, smb_message_echoes = true }

local function verify(q, config)
  if q["hub.mode"] ~= "subscribe" or not config.verify_token then return 403 end
  if not crypto.equal(config.verify_token, q["hub.verify_token"] or "") then return 403, "another verify token" end
  return 200, q["hub.challenge"] or ""
end

function M.receive(req, ctx)
  local config = ctx.config
  if req.method == "GET" then return verify(req.query, config) end
  if not config.app_secret then return 403, "the channel has no app secret" end
  local theirs = (req.headers["x-hub-signature-256"] or ""):gsub("^sha256=", "")
  if not crypto.equal(crypto.hmac("sha256", config.app_secret, req.body), theirs) then return 401 end
  local push, all, last = json.decode(req.body), true, {}
  if type(push) ~= "table" then return 400 end
  for _, entry in ipairs(tab(push.entry)) do
    for _, change in ipairs(tab(tab(entry).changes)) do
      local value = tab(tab(change).value)
      local ours = tostring(tab(value.metadata).phone_number_id) == config.phone_number_id
      if FIELDS[tab(change).field] and ours then all = take(value, ctx, last) and all end
    end
  end
  note(last, ctx)
  return all and 200 or 503, ""
end

function M.poll(ctx) return media.late(ctx, fetch) end

-- --- out -----------------------------------------------------------------------

-- nil when it went well.
local function trouble_of(answer, why, res)
  if not answer then return { retry = 5, why = why } end
  if res.ok then return nil end
  local e = tab(answer.error)
  local code, name = errors.code_of(e)
  local wait = errors.RETRY[code] or (res.status == 429 or res.status >= 500) and 5
  local said = errors.sentence(e)
  if wait then return { retry = math.max(wait, tonumber(res.headers["retry-after"]) or 0), why = said } end
  return { failed = name, why = said }
end

local function texts(all)
  local list = {}
  for i, piece in ipairs(shared.chars(all, TEXT_CHARS)) do
    list[i] = { type = "text", text = { body = piece, preview_url = true } }
  end
  return list
end

-- Up to three buttons are buttons, more are a list; a text too long to stand
-- over them goes before. Links are text: WhatsApp makes them live.
local function card_messages(card)
  local rows, parts = {}, {}
  local function add(part) if given(part) then parts[#parts + 1] = part end end
  add(card.title) add(card.text)
  for _, b in ipairs(card.buttons or {}) do
    if b.url then add(b.label .. ": " .. b.url)
    else rows[#rows + 1] = { id = utf8.sub(b.value or b.label, 1, 200), title = utf8.sub(b.label, 1, 20) } end
  end
  add(card.url) add(card.image)
  local body = #parts > 0 and table.concat(parts, "\n") or "…"
  if #rows == 0 then return texts(body) end
  local list = utf8.len(body) > BODY_CHARS and texts(body) or {}
  local action = { button = "选择 / Choose", sections = { { rows = rows } } }
  if #rows <= 3 then
    action = { buttons = {} }
    for i, row in ipairs(rows) do action.buttons[i] = { type = "reply", reply = row } end
  end
  local it = { type = #rows <= 3 and "button" or "list", body = { text = #list == 0 and body or "…" }, action = action }
  list[#list + 1] = { type = "interactive", interactive = it }
  return list
end

-- What WhatsApp is sent for an item; nil, if it cannot show that, and why.
local function messages_of(item)
  if item.file then return files.messages(item, texts) end
  if item.kind == "text" then return texts(item.text) end
  if item.kind == "card" then return card_messages(item.card) end
  if item.kind == "location" then
    local at = { latitude = item.lat, longitude = item.lng, name = item.label, address = item.address }
    return { { type = "location", location = at } }
  end
end

function M.send(item, ctx)
  local config, list, unfit = ctx.config, messages_of(item)
  if not list then return unfit or shared.no_files(item) end
  if not config.access_token then return { failed = "config", why = "没有填写访问令牌 / there is no access token" } end
  return shared.send_all(item, list, function(one)
    local body, unready
    if one.file then
      body, unready = files.ready(config, one, root(config) .. config.phone_number_id .. "/media", trouble_of)
    else
      body = one
    end
    if not body then return unready end
    body.messaging_product, body.recipient_type = "whatsapp", "individual"
    body[item.to:find "^%d+$" and "to" or "recipient"] = item.to
    local answer, why, res = call(config, "POST", "/messages", body)
    local trouble = trouble_of(answer, why, res)
    if trouble and one.file and trouble.failed == "refused" and item.attempt == 1 then
      files.forget(config, one) -- its id may be over: once more, with a new one
      return { retry = 1, why = trouble.why }
    end
    if trouble then return trouble end
    return nil, tab(tab(answer.messages)[1]).id
  end)
end

-- Shown for 25 s at most, or until the next message; their message is marked as read by
-- it, for WhatsApp has no other way.
function M.typing(item, ctx)
  local id = kv.get(last_key(ctx, item.to))
  if not id or not ctx.config.access_token then return end
  call(ctx.config, "POST", "/messages", { messaging_product = "whatsapp", status = "read", message_id = id,
    typing_indicator = { type = "text" } }, "3s")
end

-- --- check ---------------------------------------------------------------------

local NEEDED = {
  { "app_secret", "没有填写应用密钥，推送都会被拒绝 / without the app secret every push is refused" },
  { "verify_token", "没有填写验证令牌，Meta 无法验证地址 / without a verify token Meta cannot verify the address" },
  { "access_token", "没有填写访问令牌，只能接收 / without an access token nothing can be sent" },
}

function M.check(config)
  for _, need in ipairs(NEEDED) do
    if not config[need[1]] then return nil, need[1], need[2] end
  end
  if not config.phone_number_id:find "^%d+$" then
    return nil, "phone_number_id", "电话号码 ID 只有数字 / the phone number ID is digits only"
  end
  local answer, why, res = call(config, "GET", "?fields=display_phone_number,verified_name")
  if not answer then return nil, "unavailable", "连不上 WhatsApp / WhatsApp does not answer: " .. tostring(why) end
  if res.ok then return true end
  local e = tab(answer.error)
  local _, name = errors.code_of(e)
  return nil, name, tonumber(e.code) == 100 and "没有这个电话号码 ID / there is no such phone number ID" or errors.sentence(e)
end

return M
