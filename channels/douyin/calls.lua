-- Calls to Douyin's open platform: its two kinds of
-- answers, its error codes, and the consent of an account (a token of 15 days,
-- a refresh token of 30 days that must be renewed before they are over).
local http, kv, crypto = require "http", require "kv", require "crypto"
local secret, time, log = require "secret", require "time", require "log"
local shared = require "lib.channels"
local given, words = shared.given, shared.words

local API = "https://open.douyin.com"
local DAY_MS = 24 * 3600 * 1000
local RENEWALS = 5 -- Douyin renews no more often; then the account must consent again

local M = {}

-- --- calls -----------------------------------------------------------------

-- Answers that say the access token is no good.
M.STALE = { [10008] = true, [2190002] = true, [28001003] = true, [2190008] = true, [28001008] = true }

local WORDS = {
  [10002] = "参数错误 / a parameter is wrong",
  [10003] = "Client Key 不对 / the client key is wrong",
  [10004] = "应用没有申请这个权限 / the app has no such scope",
  [10010] = "授权已过期，请让企业号重新授权 / the consent has expired: ask for it again",
  [10013] = "Client Secret 不对 / the client secret is wrong",
  [10020] = "续期次数用完，请让企业号重新授权 / it was renewed too often: ask for the consent again",
  [2190001] = "接口调用次数用完 / the quota of calls is used up",
  [2190003] = "企业号没有授权 / the account gave no consent",
  [2190004] = "应用没有私信能力 / the app may not use private messages",
  [2190015] = "授权与企业号 open_id 不符 / the consent is of another open_id",
  [28001016] = "应用被封禁 / the app is banned",
  [28001038] = "内容违规 / the content was refused",
  [28003018] = "发送太快 / too many at once",
  [28003070] = "已到回复条数上限，等客户再说话 / no more until the customer speaks again",
  [28003080] = "已过回复时限 / the reply window is closed",
  [28003082] = "会话或对方不符 / the conversation is of somebody else",
  [28003095] = "另一个客服工作台占用了会话 / another workbench holds the conversation",
  [28003101] = "对方被封禁 / the user is banned",
  [28029004] = "账号被禁止发私信 / the account may not send",
}
WORDS[28001012], WORDS[28001018], WORDS[28001015] = WORDS[2190003], WORDS[2190004], WORDS[2190015]
WORDS[28003081], WORDS[2100004] = WORDS[28003080], "抖音系统繁忙 / Douyin is busy"
WORDS[28001005], WORDS[28001006] = WORDS[2100004], WORDS[2100004]

-- The code of an answer in either shell: 0 if every one in it is 0, else the
-- one that we know best.
function M.code_of(answer)
  local found = 0
  local function look(value)
    local n = tonumber(value)
    if n and n ~= 0 and (found == 0 or not (WORDS[found] or M.STALE[found])) then found = n end
  end
  for _, name in ipairs { "data", "extra" } do
    local shell = type(answer[name]) == "table" and answer[name] or {}
    look(shell.error_code)
    look(shell.sub_error_code)
  end
  look(answer.err_no)
  return found
end

local function part(answer, name) return type(answer[name]) == "table" and answer[name] or {} end

function M.sentence(code, answer)
  local data, extra = part(answer, "data"), part(answer, "extra")
  local theirs = words(data.description, extra.sub_description, answer.err_msg)
  return ("%s (%s %s)"):format(WORDS[code] or "抖音返回错误 / Douyin's error", code, theirs)
end

-- The answer, nil, its code; or nil and why nobody answered.
local function ask(how, config, path, call)
  call[1] = shared.base(config, API) .. path
  local answer, why = shared.answer_of(how(call))
  if not answer then return nil, why end
  return answer, nil, M.code_of(answer)
end
function M.post(...) return ask(http.post, ...) end
function M.get(...) return ask(http.get, ...) end

local RETRY = {
  [2100004] = 5, [28001005] = 5, [28001006] = 5, [28003018] = 60, [2190001] = 3600, [28003070] = 600, [28003095] = 600,
}
local FAILED = {
  [28003080] = "window_closed", [28003081] = "window_closed", [28003082] = "no_recipient", [28003101] = "no_recipient",
  [28001038] = "content_refused", [28029004] = "not_allowed", [28001016] = "not_allowed", [2190004] = "not_allowed",
  [28001018] = "not_allowed", [10004] = "not_allowed", [10003] = "config", [10010] = "config", [10013] = "config",
  [10020] = "config", [2190003] = "config", [28001012] = "config", [2190015] = "config", [28001015] = "config",
}

-- What send() answers for a code.
function M.trouble_of(code, answer)
  local why = M.sentence(code, answer)
  if M.STALE[code] then return { retry = 60, why = why } end
  if RETRY[code] then return { retry = RETRY[code], why = why, until_heard = code == 28003070 or nil } end
  return { failed = FAILED[code] or "refused", why = why }
end

-- --- the consent -----------------------------------------------------------

-- Another refresh token in the settings is another consent.
local function key_of(what, config)
  return ("%s:%s:%s"):format(what, config.client_key, crypto.sha256(config.refresh_token):sub(1, 16))
end

-- The refresh token as it is now: { token, till, count, why }.
local function consent_of(config)
  return kv.get(key_of("consent", config)) or {}
end

local function keep(config, change)
  kv.update(key_of("consent", config), function(old)
    old = old or {}
    for name, value in pairs(change) do old[name] = value end
    return old
  end)
end

local function refresh_token(config)
  local kept = consent_of(config).token
  return kept and secret.hide(kept) or config.refresh_token
end

-- A new 30 days, when less than 3 are left; tried every six hours at most.
function M.renew(config)
  local consent = consent_of(config)
  if not consent.till or consent.till - time.now() > 3 * DAY_MS then return end
  if not kv.add(key_of("renewing", config), true, "6h") then return end
  local left = math.floor((consent.till - time.now()) / DAY_MS)
  if (consent.count or 0) >= RENEWALS then
    return log.error("douyin: the account must consent again, it was renewed too often", { days_left = left })
  end
  local answer, why, code = M.post(config, "/oauth/renew_refresh_token/",
    { form = { client_key = config.client_key, refresh_token = refresh_token(config) } })
  local data = answer and part(answer, "data") or {}
  if not answer or code ~= 0 or not given(data.refresh_token) then
    why = why or M.sentence(code, answer)
    return log.error("douyin: the consent could not be renewed", { why = why, days_left = left })
  end
  local seconds = tonumber(data.expires_in) or 30 * 24 * 3600
  keep(config, { token = data.refresh_token, till = time.now() + seconds * 1000, count = (consent.count or 0) + 1 })
end

-- The access token and its life (a day short of it), or nil and the refusal, or
-- nil, nil and why.
local function fetch_token(config, timeout)
  local before = consent_of(config).token
  local answer, why, code = M.post(config, "/oauth/refresh_token/", { timeout = timeout, form = {
    client_key = config.client_key, grant_type = "refresh_token", refresh_token = refresh_token(config),
  } })
  if not answer then return nil, nil, why end
  local data, kept = part(answer, "data"), consent_of(config)
  if code ~= 0 or not given(data.access_token) then
    if kept.token ~= before then return nil, nil, "the consent was renewed meanwhile" end
    return nil, { code = code, answer = answer }
  end
  local life = tonumber(data.refresh_expires_in)
  keep(config, {
    token = given(data.refresh_token) and data.refresh_token or nil, open_id = data.open_id,
    till = life and time.now() + life * 1000 or kept.till or time.now() + 30 * DAY_MS,
  })
  return data.access_token, math.max(600, (tonumber(data.expires_in) or 1296000) - 24 * 3600)
end

function M.token(config, left)
  return shared.token(key_of("token", config), function() return fetch_token(config, left and left()) end, "15d")
end

-- The app's own token, for uploads; fetched seldom: each new one ends the last but one.
function M.client_token(config)
  return shared.token("client:" .. config.client_key, function()
    local answer, why, code = M.post(config, "/oauth/client_token/", { json = {
      grant_type = "client_credential", client_key = config.client_key, client_secret = config.client_secret,
    } })
    if not answer then return nil, nil, why end
    local data = part(answer, "data")
    if code ~= 0 or not given(data.access_token) then return nil, { code = code, answer = answer } end
    return data.access_token, tonumber(data.expires_in) or 7200
  end)
end

function M.forget_client(config, token) shared.forget("client:" .. config.client_key, token) end

function M.forget(config, token) shared.forget(key_of("token", config), token) end

-- In the account's name, once more if its token is no good: nil and the answer, or
-- what was in the way.
function M.as_account(config, open_id, path, body, timeout)
  for try = 1, 2 do
    local token, refusal, why = M.token(config)
    if refusal then return M.trouble_of(refusal.code, refusal.answer) end
    if not token then return { retry = 5, why = why } end
    local answer, nobody, code = M.post(config, path, { query = { open_id = open_id },
      headers = { ["access-token"] = secret.hide(token) }, json = body, timeout = timeout })
    if not answer then return { retry = 5, why = nobody } end
    if code == 0 then return nil, answer end
    if try == 2 or not M.STALE[code] then return M.trouble_of(code, answer) end
    M.forget(config, token)
  end
end

-- Asks for a token anew, to see whether it can be had; the old one stays good.
function M.try(config)
  local token, refusal, why = fetch_token(config)
  if token then return true end
  return nil, refusal, why
end

return M
