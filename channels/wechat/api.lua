-- Calls of WeChat's API: one token for all that wait, errors in words.
local http, json, kv = require "http", require "json", require "kv"
local secret, time = require "secret", require "time"

local API = "https://api.weixin.qq.com"
local EARLY_MS = 300000 -- a token is renewed so long before its end

local M = {}

local function base(config) return config.api and config.api ~= "" and config.api:gsub("/+$", "") or API end

local STALE = { [40001] = true, [40014] = true, [42001] = true }

local WORDS = {
  [-1] = "微信系统繁忙 / WeChat is busy",
  [40001] = "AppSecret 不对 / the AppSecret is wrong",
  [40003] = "openid 不属于此公众号或用户未关注 / no follower of this account",
  [40013] = "AppID 不对 / the AppID is wrong",
  [40125] = "AppSecret 不对 / the AppSecret is wrong",
  [40164] = "服务器的 IP 不在公众号的 IP 白名单里 / this server's IP is not in the account's allow-list",
  [40243] = "AppSecret 已被冻结 / the AppSecret is frozen",
  [43004] = "用户没有关注公众号 / the user does not follow the account",
  [43019] = "用户在黑名单里 / the user is on the blacklist",
  [44004] = "内容为空 / the text is empty",
  [45002] = "内容太长 / the text is too long",
  [45009] = "今日接口调用次数用完 / today's quota of calls is used up",
  [45011] = "调用太频繁 / too many calls a minute",
  [45015] = "已过 48 小时回复时限，或用户已取消关注 / the reply window is closed",
  [45047] = "已发满 5 条，等用户再说话才能继续 / no more until the user speaks again",
  [47001] = "数据格式错误 / WeChat could not read it",
  [48001] = "公众号没有客服接口权限（通常须认证） / the account may not use this interface",
  [48002] = "用户拒收消息 / the user refuses messages",
  [48004] = "接口被封禁 / the interface is banned for this account",
  [50002] = "账号受限 / the account is restricted",
  [50005] = "用户没有关注公众号 / the user does not follow the account",
}

function M.sentence(answer)
  return ("%s (%s %s)"):format(WORDS[answer.errcode] or "微信返回错误 / WeChat's error", tostring(answer.errcode), tostring(answer.errmsg))
end

-- An answer as a table, whatever its errcode; nil and why nobody answered.
local function answer_of(res, code, why)
  if not res then return nil, why or code end
  local answer = res.json
  if type(answer) ~= "table" then return nil, "HTTP " .. res.status end
  answer.errcode = answer.errcode or 0
  return answer
end

function M.fetch_token(config)
  return answer_of(http.post { base(config) .. "/cgi-bin/stable_token",
    json = { grant_type = "client_credential", appid = config.appid, secret = config.secret, force_refresh = false } })
end

local function token_key(config) return "token:" .. config.appid end

-- Forgets a token, unless another handler has fetched a newer one meanwhile.
local function forget(config, token)
  kv.update(token_key(config), function(kept)
    if kept and kept.token == token then return kv.DELETE end
  end)
end

-- One fetch, however many messages wait. nil, { errcode … } or nil, nil, why.
local function token_of(config)
  local refusal, trouble
  for _ = 1, 2 do
    local kept = kv.once(token_key(config), "2h", function()
      local answer, why = M.fetch_token(config)
      if not answer then trouble = why return nil end
      if answer.errcode ~= 0 or not answer.access_token then refusal = answer return nil end
      return { token = answer.access_token, till = time.now() + (tonumber(answer.expires_in) or 7200) * 1000 - EARLY_MS }
    end)
    if not kept then return nil, refusal, trouble or "没有拿到接口凭据 / no access token" end
    if kept.till > time.now() then return kept.token end
    forget(config, kept.token)
  end
  return nil, nil, "接口凭据总是过期 / access tokens come expired"
end

-- Calls with the token, once more with a fresh one if WeChat says it is stale.
function M.call(config, path, body)
  local text, answer = json.encode(body), nil
  for try = 1, 2 do
    local token, refusal, why = token_of(config)
    if not token then
      if refusal then refusal.of_token = true end
      return refusal, why
    end
    answer, why = answer_of(http.post { base(config) .. path, query = { access_token = secret.hide(token) },
      body = text, headers = { ["content-type"] = "application/json" } })
    if not answer then return nil, why end
    if try == 2 or not STALE[answer.errcode] then break end
    forget(config, token)
  end
  return answer
end

return M
