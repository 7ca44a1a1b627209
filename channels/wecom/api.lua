-- Calls of WeCom's API: one token a channel, files both ways, errors in words.
local http, secret = require "http", require "secret"
local shared, media = require "lib.channels", require "lib.media"

local API = "https://qyapi.weixin.qq.com"

local M = {}

-- What is kept in kv, by channel and account.
function M.key_of(what, ctx, kfid) return ("%s:%s:%s"):format(what, ctx.channel.id, kfid or "") end

local STALE = { [40014] = true, [42001] = true, [41001] = true }

local WORDS = {
  [-1] = "企业微信繁忙 / WeCom is busy",
  [40001] = "Secret 不对 / the secret is wrong",
  [40006] = "文件太大或太小 / the file is too large or too small",
  [40007] = "媒体已过期（只存三天） / the media is over: WeCom keeps it for three days",
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

-- work(token) gives an answer, or nil and why nobody answered; once more with a
-- fresh token if WeCom says that it is stale.
local function with_token(ctx, work)
  local answer
  for try = 1, 2 do
    local token, refusal, why = token_of(ctx)
    if not token then
      if refusal then refusal.of_token = true end
      return refusal, why
    end
    answer, why = work(secret.hide(token))
    if not answer then return nil, why end
    if try == 2 or not STALE[answer.errcode] then break end
    shared.forget(M.key_of("token", ctx), token)
  end
  return answer
end

function M.call(ctx, path, body)
  return with_token(ctx, function(token)
    return answer_of(http.post { shared.base(ctx.config, API) .. "/cgi-bin/kf/" .. path,
      query = { access_token = token }, json = body, max_bytes = "8MB" })
  end)
end

-- --- files -----------------------------------------------------------------

local BUSY = { [-1] = true, [45009] = true, [45033] = true, [40014] = true, [42001] = true, [41001] = true }

-- For media.take: m is { id, mime }.
function M.fetch(ctx, m, timeout)
  if not shared.given(m.id) then return nil, "not_found", "there is no media_id" end
  local file, code, why
  local answer, nobody = with_token(ctx, function(token)
    file, code, why = ctx.file { url = shared.base(ctx.config, API) .. "/cgi-bin/media/get", or_json = true,
      query = { access_token = token, media_id = m.id }, mime = m.mime, timeout = timeout }
    if file then return { errcode = 0 } end
    if code ~= "answer" then return nil, why end
    why.errcode = why.errcode or 0
    return why
  end)
  if file then return file end
  if code and code ~= "answer" then return nil, code, why end
  if not answer then return nil, "unavailable", nobody end
  return nil, BUSY[answer.errcode] and "unavailable" or "not_found", M.sentence(answer)
end

local KEPT = "70h" -- WeCom keeps it for three days

local function key_of(ctx, kind, item) return M.key_of(kind, ctx, item.file.id) end

function M.forget_media(ctx, kind, item) media.forget(key_of(ctx, kind, item)) end

-- The media_id of an item's file; or nil and what trouble_of says of the answer.
function M.media_id(ctx, kind, item, trouble_of)
  return media.id_of(key_of(ctx, kind, item), KEPT, function()
    local answer, why = with_token(ctx, function(token)
      return answer_of(http.post { shared.base(ctx.config, API) .. "/cgi-bin/media/upload", timeout = "25s",
        query = { access_token = token, type = kind }, multipart = { { name = "media", file = item.file } } })
    end)
    if answer and answer.errcode == 0 and answer.media_id then return answer.media_id end
    return nil, trouble_of(answer, why, item)
  end)
end

return M
