-- Calls of WeCom's API: one token a channel, errors in words.
local http, secret, shared = require "http", require "secret", require "lib.channels"

local API = "https://qyapi.weixin.qq.com"

local M = {}

-- What is kept in kv, by channel and account.
function M.key_of(what, ctx, kfid) return ("%s:%s:%s"):format(what, ctx.channel.id, kfid or "") end

local STALE = { [40014] = true, [42001] = true, [41001] = true }

local WORDS = {
  [-1] = "企业微信繁忙 / WeCom is busy",
  [40001] = "Secret 不对 / the secret is wrong",
  [40013] = "企业 ID 不对 / the corp id is wrong",
  [40201] = "内容被判为敏感 / the content was blocked",
  [45009] = "调用太频繁 / too many calls",
  [45033] = "同时调用太多 / too many calls at once",
  [48002] = "应用没有微信客服接口权限 / the app may not use the kf interface",
  [60020] = "服务器的 IP 不在应用的可信 IP 里 / this server's IP is not a trusted IP of the app",
  [95000] = "客服账号 ID 不对 / the kf account id is wrong",
  [95001] = "已发满 5 条，等客户再说话才能继续 / no more until the customer speaks again",
  [95002] = "已过 48 小时回复时限 / the reply window is closed",
  [95003] = "企业未认证，接待人数已满 / the enterprise is not verified: its limit is reached",
  [95004] = "客服账号不存在 / there is no such kf account",
  [95011] = "客服账号属于另一种接入方式 / the account runs in the other mode",
  [95012] = "客服账号属于另一种接入方式 / the account runs in the other mode",
  [95013] = "会话已结束 / the session has ended",
  [95017] = "客服账号没有开启 API 管理 / the account's API switch is off",
  [95018] = "会话正由企业微信里的人员接待，或已过 48 小时 / the session is with people in WeCom, or over 48 h old",
  [95023] = "客服账号已授权给其他应用 / the account is managed by another app",
  [95030] = "不支持的消息类型 / this type is not allowed",
}

function M.sentence(answer)
  local what = WORDS[answer.errcode] or "企业微信返回错误 / WeCom's error"
  return ("%s (%s %s)"):format(what, tostring(answer.errcode), tostring(answer.errmsg))
end

-- An answer as a table, whatever its errcode; nil and why nobody answered.
local function answer_of(...)
  local answer, why = shared.answer_of(...)
  if answer then answer.errcode = answer.errcode or 0 end
  return answer, why
end

function M.fetch_token(config)
  return answer_of(http.get { shared.base(config, API) .. "/cgi-bin/gettoken",
    query = { corpid = config.corpid, corpsecret = config.secret } })
end

-- The token of a channel; nil, { errcode … } or nil, nil, why.
local function token_of(ctx)
  return shared.token(M.key_of("token", ctx), function()
    local got, why = M.fetch_token(ctx.config)
    if got and got.errcode == 0 and got.access_token then return got.access_token, got.expires_in end
    return nil, got, why
  end)
end

function M.call(ctx, path, body)
  local answer
  for try = 1, 2 do
    local token, refusal, why = token_of(ctx)
    if not token then
      if refusal then refusal.of_token = true end
      return refusal, why
    end
    answer, why = answer_of(http.post { shared.base(ctx.config, API) .. "/cgi-bin/kf/" .. path,
      query = { access_token = secret.hide(token) }, json = body, max_bytes = "8MB" })
    if not answer then return nil, why end
    if try == 2 or not STALE[answer.errcode] then break end
    shared.forget(M.key_of("token", ctx), token)
  end
  return answer
end

return M
