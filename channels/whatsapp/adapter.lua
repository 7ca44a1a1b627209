-- WhatsApp by Meta's Cloud API: signed webhooks in, the Graph API out.
--
-- A push may hold many messages and statuses: it is answered 200 when all of
-- them are on disk; else Meta pushes it again, and what is known changes
-- nothing. Files are marks until they can be fetched (README).
local http, json, kv, crypto = require "http", require "json", require "kv", require "crypto"
local log, utf8 = require "log", require "utf8"

local API, VERSION = "https://graph.facebook.com", "v21.0"
local TEXT_CHARS, BODY_CHARS = 4096, 1024 -- of a text; of one with buttons

local function field(kind, title, help, required)
  local zh_en = function(two) return { zh = two[1], en = two[2] } end
  return { type = kind, required = required, title = zh_en(title), help = zh_en(help) }
end

---@type Channel
local M = {
  api = 1,
  title = { zh = "WhatsApp", en = "WhatsApp" },
  schema = {
    phone_number_id = field("string", { "电话号码 ID", "Phone number ID" },
      { "Meta 后台 WhatsApp → API 设置里的编号，不是电话号码", "From WhatsApp → API Setup; not the number itself" }, true),
    access_token = field("secret", { "访问令牌", "Access token" },
      { "系统用户的永久令牌；没有它不能发送", "A system user's permanent token; without it nothing is sent" }),
    app_secret = field("secret", { "应用密钥", "App secret" },
      { "应用设置 → 基本里的密钥；没有它不收任何消息", "App settings → Basic; without it nothing is taken" }),
    verify_token = field("secret", { "验证令牌", "Verify token" },
      { "自己想一个，在 Meta 后台填同样的", "Of your own; the same goes into Meta's form" }),
    version = field("string", { "Graph 版本", "Graph version" }, { "不填则为 v21.0", "Empty means v21.0" }),
    api = field("string", { "接口地址", "API address" },
      { "不填则为 https://graph.facebook.com；经代理时填写", "Empty means https://graph.facebook.com; for a proxy" }),
  },
  capabilities = {
    text = TEXT_CHARS, kinds = { "text", "location", "card" }, buttons = 10, files = false,
    receipts = { "delivered", "read", "failed" }, reply_window = "24h", rate = 80, at_once = 8,
  },
}

local function given(value) return type(value) == "string" and value ~= "" end
local function tab(value) return type(value) == "table" and value or {} end

local function words(...)
  local list = {}
  for i = 1, select("#", ...) do
    local word = select(i, ...)
    if given(word) then list[#list + 1] = word end
  end
  return table.concat(list, " ")
end

-- --- what Meta's errors mean -------------------------------------------------

local RETRY = { [1] = 5, [2] = 5, [4] = 60, [80007] = 60, [130429] = 10, [131000] = 10, [131016] = 30, [131056] = 6,
  [131048] = 3600, [131057] = 600, [133004] = 30 }
local FAILED = { [0] = "invalid_token", [190] = "invalid_token", [3] = "not_allowed", [10] = "not_allowed",
  [368] = "restricted", [131031] = "restricted", [131042] = "not_paid", [131026] = "no_recipient",
  [131030] = "not_allowed", [131047] = "window_closed", [131050] = "blocked", [131051] = "unsupported",
  [131062] = "unsupported", [133010] = "config" }
local WORDS = {
  invalid_token = "访问令牌不对或已过期 / the access token is wrong or has expired",
  not_allowed = "没有权限，或收信人不在测试名单里 / not allowed, or a test number's recipient is not on its list",
  restricted = "账号被限制 / the account is restricted",
  not_paid = "Meta 账单有问题 / there is a problem with the payment method at Meta",
  no_recipient = "对方收不到：没有 WhatsApp、版本太旧或屏蔽了你 / cannot be delivered: no WhatsApp, too old, or blocked",
  window_closed = "已过 24 小时回复时限，等客户再说话 / 24 hours have passed since the customer's last word",
  blocked = "客户不愿再收消息 / the customer has opted out",
  config = "号码没有在 Cloud API 注册 / the number is not registered with the Cloud API",
}

local function code_of(e)
  local code = tonumber(e.code) or -1
  return code, FAILED[code] or code >= 200 and code <= 299 and "not_allowed" or "refused"
end

local function sentence(e)
  local code, name = code_of(e)
  local what = RETRY[code] and "暂时不能发送 / not now" or WORDS[name] or "WhatsApp 拒绝了 / WhatsApp refuses"
  return ("%s (%d %s)"):format(what, code, words(e.title or e.message, tab(e.error_data).details))
end

-- --- in ----------------------------------------------------------------------

local function text(...) return { kind = "text", text = words(...) } end
local function file(mark) return function(x) return text(mark, x.filename, x.caption) end end

local kinds = {
  text = function(x) return text(x.body) end,
  image = file "[图片]", video = file "[视频]", audio = file "[语音]", document = file "[文件]", sticker = file "[表情]",
  button = function(x) return text(x.text or x.payload) end,
  reaction = function(x) return given(x.emoji) and text("[回应]", x.emoji) or nil end,
  system = function(x) return text("[系统]", x.body) end,
  order = function(x) return text("[订单]", x.text) end,
  interactive = function(x)
    local picked = tab(x.button_reply or x.list_reply)
    return text(given(picked.id) and picked.id or picked.title or "[暂不支持的消息]")
  end,
  location = function(x)
    local lat, lng = tonumber(x.latitude), tonumber(x.longitude)
    if not lat or not lng then return text("[位置]", x.name, x.address) end
    return { kind = "location", lat = lat, lng = lng, label = words(x.name), address = words(x.address) }
  end,
  contacts = function(x)
    local first = tab(x[1])
    return text("[名片]", tab(first.name).formatted_name, tab(tab(first.phones)[1]).phone)
  end,
}

-- Who is what: by number, or by the id that people without a visible one have.
local function names_of(value)
  local names = {}
  for _, c in ipairs(tab(value.contacts)) do
    local name = tab(tab(c).profile).name
    for _, id in ipairs { tab(c).wa_id or "", tab(c).user_id or "" } do names[id] = given(name) and name or nil end
  end
  return names
end

local function message_of(m, names)
  local from = given(m.from) and m.from or m.from_user_id
  if not given(from) or not given(m.id) then return nil end
  local make = kinds[m.type]
  local out
  if make then out = make(tab(m[m.type])) else out = text("[暂不支持的消息]", m.type) end
  if not out then return nil end
  if out.text == "" then out.text = "[空消息]" end
  out.dedupe, out.from, out.name = m.id, from, names[from] or names[m.from_user_id or ""]
  local number = from:match "^%d+$"
  out.profile = number and { phone = "+" .. number } or nil
  return out
end

-- False if the house cannot take it now: then Meta pushes it again.
local LATER = { unavailable = true, timeout = true, internal = true, busy = true, rate_limited = true }
local function settled(ok, code, why, what)
  if ok or code == "not_found" then return true end -- a message that another system sent
  if not LATER[code] then log.error("whatsapp: it could not be taken", { code = code, why = why, id = what }) end
  return not LATER[code]
end

local function take_status(s, ctx)
  if s.status ~= "delivered" and s.status ~= "read" and s.status ~= "failed" or not given(s.id) then return true end
  local e = tab(tab(s.errors)[1])
  local why = s.status == "failed" and sentence(e) or nil
  local ok, code, detail = ctx.receipt { sent = s.id, status = s.status, why = why }
  return settled(ok, code, detail, s.id)
end

local function take(value, ctx)
  local names, all = names_of(value), true
  for _, m in ipairs(tab(value.messages)) do
    local out = message_of(tab(m), names)
    if out then
      local ok, code, why = ctx.deliver(out)
      all = settled(ok, code, why, out.dedupe) and all
    end
  end
  for _, s in ipairs(tab(value.statuses)) do all = take_status(tab(s), ctx) and all end
  return all
end

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
  local push, all = json.decode(req.body), true
  if type(push) ~= "table" then return 400 end
  for _, entry in ipairs(tab(push.entry)) do
    for _, change in ipairs(tab(tab(entry).changes)) do
      local value = tab(tab(change).value)
      local ours = tostring(tab(value.metadata).phone_number_id) == config.phone_number_id
      if tab(change).field == "messages" and ours then all = take(value, ctx) and all end
    end
  end
  return all and 200 or 503, ""
end

-- --- out -----------------------------------------------------------------------

local function call(config, method, path, body)
  local base = given(config.api) and config.api:gsub("/+$", "") or API
  local version = given(config.version) and config.version or VERSION
  local res, code, why = http.request { ("%s/%s/%s%s"):format(base, version, config.phone_number_id, path),
    method = method, json = body, auth = { bearer = config.access_token }, timeout = "15s" }
  if not res then return nil, why or code end
  if type(res.json) ~= "table" then return nil, "HTTP " .. res.status end
  return res.json, nil, res
end

-- nil when it went well.
local function trouble_of(answer, why, res)
  if not answer then return { retry = 5, why = why } end
  if res.ok then return nil end
  local e = tab(answer.error)
  local code, name = code_of(e)
  local wait = RETRY[code] or (res.status == 429 or res.status >= 500) and 5
  if wait then return { retry = math.max(wait, tonumber(res.headers["retry-after"]) or 0), why = sentence(e) } end
  return { failed = name, why = sentence(e) }
end

local function texts(all)
  local list, length = {}, utf8.len(all) or #all
  for from = 1, math.max(length, 1), TEXT_CHARS do
    local piece = utf8.sub(all, from, math.min(from + TEXT_CHARS - 1, length))
    list[#list + 1] = { type = "text", text = { body = piece, preview_url = true } }
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

local function messages_of(item)
  if item.kind == "text" then return texts(item.text) end
  if item.kind == "card" then return card_messages(item.card) end
  if item.kind == "location" then
    local at = { latitude = item.lat, longitude = item.lng, name = item.label, address = item.address }
    return { { type = "location", location = at } }
  end
end

-- How many pieces went out is kept, so that a retry does not say them again.
function M.send(item, ctx)
  local list = messages_of(item)
  if not list then return { failed = "unsupported", why = "还不能发送文件 / files cannot be sent here yet: " .. item.kind } end
  if not ctx.config.access_token then return { failed = "config", why = "没有填写访问令牌 / there is no access token" } end
  local key, id = "sent:" .. item.id, item.id
  for i = (#list > 1 and kv.get(key) or 0) + 1, #list do
    local body = list[i]
    body.messaging_product, body.recipient_type = "whatsapp", "individual"
    body[item.to:find "^%d+$" and "to" or "recipient"] = item.to
    local answer, why, res = call(ctx.config, "POST", "/messages", body)
    local trouble = trouble_of(answer, why, res)
    if trouble then return trouble end
    id = tab(tab(answer.messages)[1]).id or id
    if #list > 1 then kv.set(key, i, "2d") end
  end
  return { sent = id }
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
  local _, name = code_of(e)
  return nil, name, tonumber(e.code) == 100 and "没有这个电话号码 ID / there is no such phone number ID" or sentence(e)
end

return M
