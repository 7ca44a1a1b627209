-- Anything that speaks HTTP: a signed webhook in, a signed callback out.
--
-- In: POST /hooks/<channel> is a message, POST /hooks/<channel>/receipts what
-- became of one of ours. Out: POST to `url`. Signed both ways, by the Standard
-- Webhooks headers or, in, by X-Hub-Signature-256 or X-Signature. Without a
-- secret nothing is taken. Files: in by their address or as base64, out as a
-- signed link or as a part of a form.
local json, crypto, time = require "json", require "crypto", require "time"
local shared, media, signs = require "lib.channels", require "lib.media", require "channels.http.signs"
local webhook = require "lib.webhook"
local given, id_text = shared.given, webhook.id_text

local MARKS = media.MARKS

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
    files = {
      type = "choice",
      choices = { "auto", "link", "upload" },
      title = { zh = "文件怎么发出", en = "How files go out" },
      help = {
        zh = "link：带签名的限时链接（需要 public_url）；upload：在表单里直接上传；auto：能给链接就给链接",
        en = "link: signed, good for a while (needs public_url); upload: a part of a form; auto: a link if possible",
      },
    },
  },
  capabilities = { text = 16384, kinds = { "text", "image", "file", "audio", "video", "location", "card" },
    buttons = 10, receipts = { "delivered", "read", "failed" }, rate = 50 },
}

-- --- in --------------------------------------------------------------------

local function text_of(value) return given(value) and value or nil end

-- Of a file: `name` is the file's, the customer's is `from_name`.
local function file_of(m)
  return { id = id_text(m.id), url = text_of(m.url), data = text_of(m.data), name = text_of(m.name),
    mime = text_of(m.mime) }
end

local function message_of(m, webhook_id)
  local out = { dedupe = id_text(m.id) or webhook_id, from = id_text(m.from) or "" }
  out.name, out.profile = m.name, m.profile
  out.kind = m.kind or "text"
  if MARKS[out.kind] then
    out.name, out.text, out.media = nil, text_of(m.text), file_of(m)
    out.name_of_file, out.link = text_of(m.name), text_of(m.url)
  else
    for _, name in ipairs { "text", "lat", "lng", "label", "address", "card" } do out[name] = m[name] end
  end
  out.name = m.from_name or out.name
  return out
end

-- One of the staff's: `to` the customer, by `name` (beside a file: `from_name`).
local function echo_of(m, webhook_id)
  local out = message_of(m, webhook_id)
  out.to, out.from, out.agent = id_text(m.to) or "", nil, text_of(m.agent)
  return out
end

-- Signed like what we post (over an empty body), so that they can be careful.
local function fetch(ctx, x, timeout)
  if x.data then
    local bytes = crypto.base64_decode(x.data)
    if not bytes or bytes == "" then return nil, "unsupported", "`data` is not base64" end
    if #bytes > 8 * 1024 * 1024 then return nil, "too_large", "`data` is over 8 MB: send a `url`" end
    return ctx.file { body = bytes, name = x.name, mime = x.mime }
  end
  if not x.url or not x.url:find "^https?://[^/]" then return nil, "not_found", "there is neither `url` nor `data`" end
  return ctx.file { url = x.url, headers = signs.headers(ctx.config, x.id or x.url, ""), name = x.name, mime = x.mime,
    timeout = timeout }
end

-- What a refusal of ours is in HTTP: only what a retry can help is 5xx.
local function refuse(code, why)
  return shared.LATER[code] and 503 or 422, { error = { code = code, message = why } }
end

local function take_receipt(data, ctx)
  local ok, code, why = ctx.receipt { sent = id_text(data.sent) or "", status = data.status, why = data.why }
  if ok then return 200, { ok = true } end
  if code == "not_found" then return 404, { error = { code = code, message = why } } end
  return refuse(code, why)
end

-- { id, from } of theirs, or { sent } of one of ours.
local function take_back(data, ctx)
  local sent = id_text(data.sent)
  local ok, code, why = ctx.recalled { sent = sent, from = not sent and id_text(data.from) or nil,
    dedupe = not sent and id_text(data.id) or nil }
  if ok then return 200, { ok = true } end
  if code == "not_found" then return 404, { error = { code = code, message = why } } end
  return refuse(code, why)
end

-- A message with its file: nil while the file is still to be fetched (poll),
-- else what deliver answered last.
local function take_file(ctx, m)
  local answer
  local listens = setmetatable({}, { __index = ctx })
  for _, name in ipairs { "deliver", "echo" } do
    listens[name] = function(out)
      answer = { ctx[name](out) }
      return unpack(answer, 1, 3)
    end
  end
  if not media.take(listens, m, fetch) then return nil, "unavailable", "the file cannot be taken now" end
  if answer then return unpack(answer, 1, 3) end
  return { waits = true }
end

function M.poll(ctx) return media.late(ctx, fetch) end

function M.receive(req, ctx)
  if not signs.is_signed(req, ctx.config) then return 401 end
  if req.method ~= "POST" then return 405 end
  local event = json.decode(req.body)
  if type(event) ~= "table" then
    return 400, { error = { code = "bad_request", message = "the body is not a JSON object" } }
  end
  local data = type(event.data) == "table" and event.data or event
  if req.path == "/receipts" then return take_receipt(data, ctx) end
  if req.path ~= "" and req.path ~= "/" then return 404 end
  if event.type == "message.recalled" then return take_back(data, ctx) end
  local is_echo = event.type == "message.echo"
  if event.data ~= nil and event.type ~= nil and event.type ~= "message.created" and not is_echo then
    return 200, { ignored = event.type }
  end
  local m = (is_echo and echo_of or message_of)(data, req.headers["webhook-id"])
  local give = is_echo and ctx.echo or ctx.deliver
  local take = m.media and take_file or function(_, message) return give(message) end
  local ok, code, why = take(ctx, m)
  if not ok then return refuse(code, why) end
  if ok.waits then return 202, { waits = true } end
  return 200, { id = ok.id, conversation = ok.conversation, seq = ok.seq, duplicate = ok.duplicate }
end

-- --- out -------------------------------------------------------------------

-- The event as it is, or with the file beside it. What is signed is the event.
local function request_for(item, config)
  local upload = item.file and (config.files == "upload" or config.files ~= "link" and not item.file.url)
  if item.file and not upload and not item.file.url then
    return nil, { failed = "unsupported",
      why = "设置 public_url 是空的，给不出文件链接 / the setting public_url is empty: there is no link to give" }
  end
  local body = json.encode { type = "message.created", timestamp = time.format(time.now(), "iso", "UTC"), data = item }
  if not upload then
    local headers = signs.headers(config, item.id, body, "application/json")
    return { config.url, body = body, headers = headers, timeout = "15s" }
  end
  return { config.url, headers = signs.headers(config, item.id, body), timeout = "25s", multipart = {
    { name = "event", data = body, type = "application/json" }, { name = "file", file = item.file } } }
end

function M.send(item, ctx)
  local config = ctx.config
  if not given(config.url) then
    return { failed = "no_url", why = "渠道没有填写发送地址 / the channel has no URL to send to" }
  end
  local request, trouble = request_for(item, config)
  if not request then return trouble end
  return webhook.send(request, item)
end

-- `sent` is the id that their answer gave, or the one of our message.created.
function M.recall(item, ctx)
  local config = ctx.config
  if not given(config.url) then return { failed = "no_url", why = "没有发送地址 / the channel has no URL" } end
  local body = json.encode { type = "message.recalled", timestamp = time.format(time.now(), "iso", "UTC"), data = item }
  local said = webhook.send({ config.url, body = body, timeout = "15s",
    headers = signs.headers(config, item.id, body, "application/json") }, item)
  return said.sent and { recalled = true } or said
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
