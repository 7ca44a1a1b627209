-- Calls of WeChat's API, for official accounts and mini programs: one token for
-- all that wait; what error codes mean.
local http, json, secret = require "http", require "json", require "secret"
local shared = require "lib.channels"

local API = "https://api.weixin.qq.com"

local M = {}

local STALE = { [40001] = true, [40014] = true, [42001] = true }
local RETRY = { [-1] = 5, [40001] = 60, [40014] = 60, [42001] = 60, [45009] = 600, [45011] = 60, [45047] = 600 }
local FAILED = {
  [40003] = "no_recipient", [43004] = "no_recipient", [50005] = "no_recipient",
  [43019] = "refused", [48002] = "refused", [87014] = "content_refused",
  [45015] = "window_closed",
  [48001] = "not_allowed", [48004] = "not_allowed", [50002] = "not_allowed",
}
local WORDS = {
  [-1] = "微信系统繁忙 / WeChat is busy",
  [40001] = "AppSecret 不对 / the AppSecret is wrong",
  [40003] = "openid 不属于此账号，或用户未关注 / the openid is not of this account, or no follower of it",
  [40013] = "AppID 不对 / the AppID is wrong",
  [40125] = "AppSecret 不对 / the AppSecret is wrong",
  [40164] = "服务器的 IP 不在账号的 IP 白名单里 / this server's IP is not in the account's allow-list",
  [40243] = "AppSecret 已被冻结 / the AppSecret is frozen",
  [43004] = "用户没有关注公众号 / the user does not follow the account",
  [43019] = "用户在黑名单里 / the user is on the blacklist",
  [44002] = "内容为空 / the body is empty",
  [44004] = "内容为空 / the text is empty",
  [45002] = "内容太长 / the text is too long",
  [45009] = "今日接口调用次数用完 / today's quota of calls is used up",
  [45011] = "调用太频繁 / too many calls a minute",
  [45015] = "已过回复时限（48 小时；进入会话后未说话的为 1 分钟），或用户已取消关注 / the reply window is closed",
  [45047] = "已发满 5 条，等用户再说话才能继续 / no more until the user speaks again",
  [47001] = "数据格式错误 / WeChat could not read it",
  [48001] = "账号没有客服消息接口权限（公众号通常须认证） / the account may not use this interface",
  [48002] = "用户拒收消息 / the user refuses messages",
  [48004] = "接口被封禁 / the interface is banned for this account",
  [50002] = "账号受限 / the account is restricted",
  [50005] = "用户没有关注公众号 / the user does not follow the account",
  [87014] = "内容含违规信息 / the content breaks WeChat's rules",
}

function M.sentence(answer)
  local what = WORDS[answer.errcode] or "微信返回错误 / WeChat's error"
  return ("%s (%s %s)"):format(what, tostring(answer.errcode), tostring(answer.errmsg))
end

-- An answer as a table, whatever its errcode; nil and why nobody answered.
local function post(config, path, request)
  request[1] = shared.base(config, API) .. path
  local answer, why = shared.answer_of(http.post(request))
  if answer then answer.errcode = answer.errcode or 0 end
  return answer, why
end

function M.fetch_token(config)
  return post(config, "/cgi-bin/stable_token", { json = {
    grant_type = "client_credential", appid = config.appid, secret = config.secret, force_refresh = false,
  } })
end

-- Calls with the token, once more with a fresh one if WeChat says it is stale.
local function call(config, path, body, timeout)
  local key, text = "token:" .. config.appid, json.encode(body)
  for try = 1, 2 do
    local token, refusal, why = shared.token(key, function()
      local got, nobody = M.fetch_token(config)
      if got and got.errcode == 0 and got.access_token then return got.access_token, got.expires_in end
      return nil, got, nobody
    end)
    if not token then
      if refusal then refusal.of_token = true end
      return refusal, why
    end
    local answer, trouble = post(config, path, { query = { access_token = secret.hide(token) }, body = text,
      headers = { ["content-type"] = "application/json" }, timeout = timeout })
    if not answer then return nil, trouble end
    if try == 2 or not STALE[answer.errcode] then return answer end
    shared.forget(key, token)
  end
end

-- Sends a customer service message; nil when it went well, else what send() answers.
function M.say(config, message, timeout)
  local answer, why = call(config, "/cgi-bin/message/custom/send", message, timeout)
  if not answer then return { retry = 5, why = why } end
  local code = answer.errcode
  if answer.of_token and code ~= -1 and code ~= 45009 and code ~= 45011 then
    return { failed = "config", why = M.sentence(answer) }
  end
  if code == 0 then return nil end
  if RETRY[code] then return { retry = RETRY[code], why = M.sentence(answer), until_heard = code == 45047 or nil } end
  return { failed = FAILED[code] or "refused", why = M.sentence(answer) }
end

-- Sends an item as these messages, one after the other.
function M.send(item, list, config)
  if not list then return shared.no_files(item) end
  if not config.secret then return { failed = "config", why = "没有填写 AppSecret / there is no AppSecret" } end
  return shared.send_all(item, list, function(message)
    message.touser = item.to
    return M.say(config, message)
  end)
end

return M
