-- Anything that speaks HTTP: a signed webhook in, a signed callback out.
--
-- In: POST /hooks/<channel> is a message, POST /hooks/<channel>/receipts what
-- became of one of ours. Out: POST to `url`. Signed both ways, by the Standard
-- Webhooks headers or, in, by X-Hub-Signature-256 or X-Signature. Without a
-- secret nothing is taken.
local http, json, crypto, time = require "http", require "json", require "crypto", require "time"

local TOLERANCE_S = 300
local TRIES = 3 -- of what the other side refuses
local MOST_WAIT_S = 24 * 3600
local MARKS = { image = "[图片]", file = "[文件]", audio = "[语音]", video = "[视频]" }

---@type Channel
local M = {
  api = 1,
  title = { zh = "HTTP 接口", en = "HTTP" },
  schema = {
    url = {
      type = "string",
      title = { zh = "发送地址", en = "URL" },
      help = { zh = "外发的消息以 POST 发到这里；不填则只能接收",
        en = "Outgoing messages are posted here; empty means: only in" },
    },
    secret = {
      type = "secret",
      title = { zh = "签名密钥", en = "Signing secret" },
      help = {
        zh = "双方约定的密钥，建议用 whsec_ 开头的 Base64；没有它不收任何消息",
        en = "Key of the HMAC-SHA256, both ways, best as whsec_ and base64; without it nothing is taken",
      },
    },
    previous_secret = {
      type = "secret",
      title = { zh = "上一个签名密钥", en = "Previous secret" },
      help = { zh = "更换密钥期间，旧签名仍然有效", en = "Still good while the secret is being changed" },
    },
  },
  capabilities = { text = 16384, kinds = { "text", "location", "card" }, buttons = 10,
    receipts = { "delivered", "read", "failed" }, rate = 50 },
}

-- --- signatures ------------------------------------------------------------

-- The keys a secret may stand for in Standard Webhooks: what follows whsec_ in
-- base64; without whsec_ that, or the bytes themselves.
local function keys_of(hidden)
  local plain = crypto.base64_decode(crypto.base64_encode(hidden))
  local tail = plain:match "^whsec_(.*)$"
  local key = crypto.base64_decode(tail or plain)
  if key == "" then key = nil end
  if tail then return { key } end
  return { key or plain, key and plain }
end

local function secrets_of(config)
  local list = {}
  if config.secret then list[1] = config.secret end
  if config.previous_secret then list[#list + 1] = config.previous_secret end
  return list
end

-- Does any of the secrets, as `make` signs with it, give one of these?
local function any(config, theirs, make)
  for _, hidden in ipairs(secrets_of(config)) do
    for _, mine in ipairs(make(hidden)) do
      for _, one in ipairs(theirs) do
        if crypto.equal(mine, one) then return true end
      end
    end
  end
  return false
end

local function is_fresh(stamp)
  local at = tonumber((stamp or ""):match "^%d+$")
  return at ~= nil and math.abs(time.now() / 1000 - at) <= TOLERANCE_S
end

local function standard(config, id, stamp, list, body)
  local theirs = {}
  for signature in list:gmatch "v1,(%S+)" do theirs[#theirs + 1] = signature end
  return is_fresh(stamp) and any(config, theirs, function(hidden)
    local mine = {}
    for i, key in ipairs(keys_of(hidden)) do
      mine[i] = crypto.hmac("sha256", key, id .. "." .. stamp .. "." .. body, "base64")
    end
    return mine
  end)
end

local function hex(config, theirs, text)
  return any(config, theirs, function(hidden) return { crypto.hmac("sha256", hidden, text) } end)
end

-- t=1735689600,v1=<hex>,v1=<hex>
local function stamped(config, value, body)
  local stamp, theirs = nil, {}
  for name, part in value:gmatch "([%w]+)=([^,%s]+)" do
    if name == "t" then stamp = part end
    if name == "v1" then theirs[#theirs + 1] = part:lower() end
  end
  return is_fresh(stamp) and hex(config, theirs, stamp .. "." .. body)
end

local function is_signed(req, config)
  local h = req.headers
  if h["webhook-signature"] then
    return standard(config, h["webhook-id"] or "", h["webhook-timestamp"], h["webhook-signature"], req.body)
  end
  local value = h["x-signature"] or h["x-hub-signature-256"] or ""
  if value:find "^t=" then return stamped(config, value, req.body) end
  return hex(config, { (value:gsub("^sha256=", ""):lower()) }, req.body)
end

local function headers_for(config, id, body)
  local stamp = tostring(math.floor(time.now() / 1000))
  local list = {}
  for _, hidden in ipairs(secrets_of(config)) do
    for _, key in ipairs(keys_of(hidden)) do
      list[#list + 1] = "v1," .. crypto.hmac("sha256", key, id .. "." .. stamp .. "." .. body, "base64")
    end
  end
  local headers = { ["content-type"] = "application/json", ["webhook-id"] = id, ["webhook-timestamp"] = stamp }
  if #list > 0 then
    headers["webhook-signature"] = table.concat(list, " ")
    headers["x-hub-signature-256"] = "sha256=" .. crypto.hmac("sha256", config.secret or config.previous_secret, body)
  end
  return headers
end

-- --- in --------------------------------------------------------------------

-- Files come with the resource of files; until then a link that people can open.
local function as_text(m)
  local words = { MARKS[m.kind] }
  for _, name in ipairs { "name", "text", "url" } do
    if type(m[name]) == "string" and m[name] ~= "" then words[#words + 1] = m[name] end
  end
  return table.concat(words, " ")
end

-- Numbers have up to 53 bits; tostring would round them. nil for what is no id.
local function id_text(id)
  if type(id) == "number" then return ("%.0f"):format(id) end
  if type(id) == "string" and id ~= "" then return id end
end

local function message_of(m, webhook_id)
  local out = { dedupe = id_text(m.id) or webhook_id, from = id_text(m.from) or "" }
  out.name, out.profile = m.name, m.profile
  out.kind = m.kind or "text"
  if MARKS[out.kind] then
    out.kind, out.text, out.name = "text", as_text(m), m.from_name
  else
    for _, name in ipairs { "text", "lat", "lng", "label", "address", "card" } do out[name] = m[name] end
  end
  out.name = m.from_name or out.name
  return out
end

-- What a refusal of ours is in HTTP: only what a retry can help is 5xx.
local function refuse(code, why)
  local later = code == "unavailable" or code == "timeout" or code == "internal"
    or code == "busy" or code == "rate_limited"
  return later and 503 or 422, { error = { code = code, message = why } }
end

local function take_receipt(data, ctx)
  local ok, code, why = ctx.receipt { sent = id_text(data.sent) or "", status = data.status, why = data.why }
  if ok then return 200, { ok = true } end
  if code == "not_found" then return 404, { error = { code = code, message = why } } end
  return refuse(code, why)
end

function M.receive(req, ctx)
  if not is_signed(req, ctx.config) then return 401 end
  if req.method ~= "POST" then return 405 end
  local event = json.decode(req.body)
  if type(event) ~= "table" then
    return 400, { error = { code = "bad_request", message = "the body is not a JSON object" } }
  end
  local data = type(event.data) == "table" and event.data or event
  if req.path == "/receipts" then return take_receipt(data, ctx) end
  if req.path ~= "" and req.path ~= "/" then return 404 end
  if event.data ~= nil and event.type ~= nil and event.type ~= "message.created" then
    return 200, { ignored = event.type }
  end
  local ok, code, why = ctx.deliver(message_of(data, req.headers["webhook-id"]))
  if not ok then return refuse(code, why) end
  return 200, { id = ok.id, conversation = ok.conversation, seq = ok.seq, duplicate = ok.duplicate }
end

-- --- out -------------------------------------------------------------------

-- Seconds of a Retry-After, which may also be a date.
local function seconds_of(value)
  local n = tonumber(value)
  if not n and value then
    local day, month, year, clock = value:match "(%d+) (%a+) (%d%d%d%d) (%d+:%d+:%d+)"
    local m = month and ("JanFebMarAprMayJunJulAugSepOctNovDec"):find(month, 1, true)
    local at = m and time.parse(("%s-%02d-%02dT%sZ"):format(year, (m + 2) / 3, tonumber(day), clock))
    n = at and (at - time.now()) / 1000
  end
  return n and math.max(1, math.min(MOST_WAIT_S, math.ceil(n)))
end

local function outcome(res, item)
  local why = "HTTP " .. res.status
  if res.ok then
    return { sent = type(res.json) == "table" and id_text(res.json.id) or item.id }
  end
  if res.status == 410 then
    return { failed = "gone", why = "对方不再接收 / the other side takes no more (410)" }
  end
  local wait = seconds_of(res.headers["retry-after"])
  local busy = res.status >= 500 or res.status == 408 or res.status == 409 or res.status == 425 or res.status == 429
  if busy or item.attempt < TRIES then return { retry = wait or 5, why = why } end
  return { failed = "refused", why = why .. ": " .. res.body:sub(1, 200) }
end

function M.send(item, ctx)
  local config = ctx.config
  if not config.url or config.url == "" then
    return { failed = "no_url", why = "渠道没有填写发送地址 / the channel has no URL to send to" }
  end
  local body = json.encode { type = "message.created", timestamp = time.format(time.now(), "iso", "UTC"), data = item }
  local headers = headers_for(config, item.id, body)
  local res, code, why = http.post { config.url, body = body, headers = headers, timeout = "15s" }
  if not res then return { retry = 5, why = why or code } end
  return outcome(res, item)
end

function M.check(config)
  if not config.secret then
    return nil, "secret", "没有签名密钥，收到的推送都会被拒绝 / without a signing secret every push is refused"
  end
  if config.url and config.url ~= "" and not config.url:find "^https?://[^/]" then
    return nil, "url", "发送地址须以 http:// 或 https:// 开头 / the URL must begin with http:// or https://"
  end
  return true
end

return M
