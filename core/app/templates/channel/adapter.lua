-- @TITLE@: how its messages come in and go back (channels/README.md).
local http, json, crypto, secret = require "http", require "json", require "crypto", require "secret"

---@type Channel
local M = {
  api = 1,
  title = { en = "@TITLE@", zh = "@TITLE@" },
  schema = { base = "string", token = "secret" }, -- what the operator sets, in ctx.config
  capabilities = { text = 2000, kinds = { "text" } }, -- all else comes as text
}

-- A webhook of the platform. Returns a status and a body. What is delivered is
-- on disk before we return, so a 200 is a promise.
function M.receive(req, ctx)
  local signed = crypto.hmac("sha256", ctx.config.token, req.body)
  if not crypto.equal(signed, req.headers["x-signature"] or "") then return 401 end
  local event = json.decode(req.body)
  ctx.deliver { dedupe = event.id, from = event.from, kind = "text", text = event.text }
  return 200, "ok"
end

-- One message out: { sent = id } | { retry = seconds, why = } | { failed = code, why = }
function M.send(item, ctx)
  local res, err = http.post {
    ctx.config.base .. "/messages",
    headers = { authorization = secret.join("Bearer ", ctx.config.token) },
    json = { to = item.to, text = item.text },
  }
  if not res then return { retry = 5, why = err } end
  if res.status == 429 or res.status >= 500 then return { retry = 30, why = "status " .. res.status } end
  if res.status ~= 200 then return { failed = "refused", why = res.body } end
  return { sent = res.json.id }
end

-- Is it set up well? true, or nil, a code and a sentence.
function M.check(config)
  local res, err = http.get { config.base .. "/me", headers = { authorization = secret.join("Bearer ", config.token) } }
  if not res then return nil, "unavailable", "the platform does not answer: " .. err end
  if res.status ~= 200 then return nil, "unauthorized", "the platform does not know this token" end
  return true
end

return M
