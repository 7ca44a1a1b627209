-- Where a mailbox is, and how we get in: servers by the address, passwords,
-- OAuth2 (a refresh token becomes access tokens, kept for an hour).
local http, secret, kv = require "http", require "secret", require "kv"
local shared = require "lib.channels"

local M = {}

-- imap, smtp, smtp port; by the part behind the @.
local known = {
  ["qq.com"] = { "imap.qq.com", "smtp.qq.com" }, ["vip.qq.com"] = { "imap.qq.com", "smtp.qq.com" },
  ["foxmail.com"] = { "imap.qq.com", "smtp.qq.com" },
  ["163.com"] = { "imap.163.com", "smtp.163.com" }, ["126.com"] = { "imap.126.com", "smtp.126.com" },
  ["yeah.net"] = { "imap.yeah.net", "smtp.yeah.net" },
  ["aliyun.com"] = { "imap.aliyun.com", "smtp.aliyun.com" },
  ["gmail.com"] = { "imap.gmail.com", "smtp.gmail.com" },
  ["outlook.com"] = { "outlook.office365.com", "smtp-mail.outlook.com", 587 },
  ["hotmail.com"] = { "outlook.office365.com", "smtp-mail.outlook.com", 587 },
  ["live.com"] = { "outlook.office365.com", "smtp-mail.outlook.com", 587 },
  ["icloud.com"] = { "imap.mail.me.com", "smtp.mail.me.com", 587 },
  ["yahoo.com"] = { "imap.mail.yahoo.com", "smtp.mail.yahoo.com" },
}

local function domain_of(address) return (tostring(address):match "@([^@]+)$" or ""):lower() end
M.domain_of = domain_of

-- Ports 993 and 465 begin with TLS, the others change to it.
local function server(config, kind, secure_port, at)
  local preset = known[domain_of(config.address)] or {}
  local host = shared.given(config[kind .. "_host"]) and config[kind .. "_host"] or preset[at]
  if not host then return nil end
  local port = config[kind .. "_port"]
  if not port or port == 0 then
    port = kind == "smtp" and preset[3] or config.encryption == "starttls" and (kind == "smtp" and 587 or 143)
      or config.encryption == "none" and (kind == "smtp" and 25 or 143) or secure_port
  end
  local tls = config.encryption == "tls" or (config.encryption ~= "starttls" and config.encryption ~= "none"
    and port ~= 587 and port ~= 25 and port ~= 143)
  return ("%s%s://%s:%d"):format(kind, tls and "s" or "", host, port), config.encryption == "none"
end

local function token_key(ctx) return "token:" .. ctx.channel.id end

local function fetch(config)
  local answer, why = shared.answer_of(http.post { config.oauth_token_url, form = {
    grant_type = "refresh_token", refresh_token = config.oauth_refresh_token, client_id = config.oauth_client_id,
    client_secret = config.oauth_client_secret, scope = config.oauth_scope } })
  if not answer then return nil, nil, why end
  if not shared.given(answer.access_token) then
    return nil, answer, ("OAuth2: %s %s"):format(tostring(answer.error), tostring(answer.error_description or ""))
  end
  return answer.access_token, answer.expires_in
end

local function is_oauth(config) return shared.given(config.oauth_token_url) and config.oauth_refresh_token end

-- The fields of imap.look and smtp.send that say where and who.
-- nil, code, sentence: it cannot be said.
function M.login(ctx, kind)
  local config = ctx.config
  local url, plain = server(config, kind, kind == "imap" and 993 or 465, kind == "imap" and 1 or 2)
  if not url then
    return nil, kind .. "_host", kind == "imap" and "没有填写 IMAP 服务器 / there is no IMAP server"
      or "没有填写 SMTP 服务器 / there is no SMTP server"
  end
  local call = { url = url, plain = plain, user = shared.given(config.user) and config.user or config.address }
  if is_oauth(config) then
    local token, refusal, why = shared.token(token_key(ctx), function() return fetch(config) end)
    if not token then return nil, refusal and "unauthorized" or "unavailable", why end
    call.token = secret.hide(token)
  elseif config.password then
    call.password = config.password
  else
    return nil, "password", "没有填写密码或授权码 / there is no password"
  end
  if kind == "smtp" then call.name = domain_of(config.address) end
  return call
end

-- The server did not take it: the next one is fetched anew.
function M.refused(ctx) if is_oauth(ctx.config) then kv.del(token_key(ctx)) end end

-- A key of hmacs that only this house knows.
function M.own_secret(config) return config.password or config.oauth_refresh_token or config.address end

return M
