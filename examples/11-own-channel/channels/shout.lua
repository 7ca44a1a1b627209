-- A made-up messenger, complete: signed webhook in, signed call out.
-- 自定义渠道：验签收消息，签名发消息。整个适配器不到 60 行。
local http, json, crypto = require "http", require "json", require "crypto"

-- The platform signs the bytes of the body, both ways. The key is a Secret: it
-- can be used here, and read nowhere.
local function sign(ctx, body)
  return crypto.hmac("sha256", ctx.config.secret, body, "hex")
end

---@type Channel
return {
  api = 1,
  title = { zh = "喊话", en = "Shout" },
  schema = { -- the console makes its form of this
    url = { type = "string", required = true, title = { zh = "发送地址", en = "Where to send" } },
    secret = { type = "secret", required = true, title = { zh = "密钥", en = "Secret" } },
  },
  capabilities = { text = 500, rate = 50, reply_window = "48h" }, -- the core keeps to these

  -- They say something to us, at /hooks/<channel>.
  receive = function(req, ctx)
    local theirs = req.headers["x-shout-signature"] or ""
    if not crypto.equal(theirs, sign(ctx, req.body)) then return 401 end
    local ok, m = pcall(json.decode, req.body)
    if not ok then return 400 end
    -- On disk when this returns, so a 200 is a promise. Platforms say things
    -- twice: the same dedupe again changes nothing.
    local done, code, why = ctx.deliver { dedupe = m.id, from = m.user, name = m.name, kind = "text", text = m.text }
    if not done then return 422, { code = code, why = why } end
    return 200, { id = done.id, duplicate = done.duplicate }
  end,

  -- We say something to them. Called again after a retry, with the same item.id.
  send = function(item, ctx)
    local body = json.encode { id = item.id, user = item.to, text = item.text }
    local res, code, why = http.post {
      ctx.config.url,
      body = body,
      headers = { ["content-type"] = "application/json", ["x-shout-signature"] = sign(ctx, body) },
    }
    if not res then return { retry = 2, why = why or code } end
    if res.status == 410 then return { failed = "gone", why = "the user has left" } end
    if not res.ok then return { retry = 5, why = "HTTP " .. res.status } end
    return { sent = res.json and res.json.id or item.id }
  end,

  -- Asked when the channel is made or tested: code and a sentence for people.
  check = function(config)
    if not config.url:find "^https?://" then return nil, "url", "the address must begin with http" end
    return true
  end,
}
