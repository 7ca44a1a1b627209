-- Calls of WeChat's API, for official accounts and mini programs: one token for
-- all that wait; files both ways; what error codes mean.
local http, json, secret = require "http", require "json", require "secret"
local shared, media = require "lib.channels", require "lib.media"

local API = "https://api.weixin.qq.com"

local M = {}

local STALE = { [40001] = true, [40014] = true, [42001] = true }
local RETRY = { [-1] = 5, [40001] = 60, [40014] = 60, [42001] = 60, [45009] = 600, [45011] = 60, [45047] = 600 }
local FAILED = {
  [40004] = "unsupported", [40005] = "unsupported", [40006] = "unsupported", [45001] = "unsupported",
  [40003] = "no_recipient", [43004] = "no_recipient", [50005] = "no_recipient",
  [43019] = "refused", [48002] = "refused", [87014] = "content_refused",
  [45015] = "window_closed",
  [48001] = "not_allowed", [48004] = "not_allowed", [50002] = "not_allowed",
}
local WORDS = {
  [-1] = "微信系统繁忙 / WeChat is busy",
  [40001] = "AppSecret 不对 / the AppSecret is wrong",
  [40003] = "openid 不属于此账号，或用户未关注 / the openid is not of this account, or no follower of it",
  [40004] = "微信不收这种媒体 / WeChat does not take this kind of media",
  [40005] = "微信不收这种文件 / WeChat does not take this type of file",
  [40006] = "文件太大 / the file is too large",
  [40007] = "媒体已过期（只存三天） / the media is over: WeChat keeps it for three days",
  [40015] = "菜单类型不对 / WeChat does not take this menu",
  [40016] = "菜单按钮个数不对 / a wrong number of menu buttons",
  [40017] = "菜单按钮类型不对 / a wrong type of menu button",
  [40018] = "菜单名字太长 / the name of a menu button is too long",
  [40054] = "菜单里的网址不对 / an address in the menu is wrong",
  [40013] = "AppID 不对 / the AppID is wrong",
  [40125] = "AppSecret 不对 / the AppSecret is wrong",
  [40164] = "服务器的 IP 不在账号的 IP 白名单里 / this server's IP is not in the account's allow-list",
  [40243] = "AppSecret 已被冻结 / the AppSecret is frozen",
  [43004] = "用户没有关注公众号 / the user does not follow the account",
  [43019] = "用户在黑名单里 / the user is on the blacklist",
  [44002] = "内容为空 / the body is empty",
  [44004] = "内容为空 / the text is empty",
  [45001] = "文件太大 / the file is too large",
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

function M.fetch_token(config, timeout)
  return post(config, "/cgi-bin/stable_token", { timeout = timeout, json = {
    grant_type = "client_credential", appid = config.appid, secret = config.secret, force_refresh = false,
  } })
end

-- Calls with the token, once more with a fresh one if WeChat says it is stale.
-- work(token) gives an answer, or nil and why nobody answered.
local function with_token(config, work, left)
  local key = "token:" .. config.appid
  for try = 1, 2 do
    local token, refusal, why = shared.token(key, function()
      local got, nobody = M.fetch_token(config, left and left())
      if got and got.errcode == 0 and got.access_token then return got.access_token, got.expires_in end
      return nil, got, nobody
    end)
    if not token then
      if refusal then refusal.of_token = true end
      return refusal, why
    end
    local answer, trouble = work(secret.hide(token))
    if not answer then return nil, trouble end
    if try == 2 or not STALE[answer.errcode] then return answer end
    shared.forget(key, token)
  end
end

function M.call(config, path, body, timeout)
  local text = json.encode(body)
  return with_token(config, function(token)
    return post(config, path, { query = { access_token = token }, body = text,
      headers = { ["content-type"] = "application/json" }, timeout = timeout })
  end)
end

function M.get(config, path, timeout)
  return with_token(config, function(token)
    local answer, why = shared.answer_of(http.get { shared.base(config, API) .. path,
      query = { access_token = token }, timeout = timeout })
    if answer then answer.errcode = answer.errcode or 0 end
    return answer, why
  end)
end

-- --- files -----------------------------------------------------------------

-- What one picture's link in a push may name: the body of a plain push is not
-- signed, and nobody shall make us fetch from elsewhere.
local function is_theirs(url, config)
  if not shared.given(url) then return false end
  local base = shared.given(config.api) and shared.base(config) .. "/"
  return url:find "^https?://[%w%-%.]+%.qpic%.cn/" ~= nil or base and url:sub(1, #base) == base or false
end

-- What an answer without a file means for who waits for one.
local function no_file(answer, why)
  if not answer then return nil, "unavailable", why end
  return nil, RETRY[answer.errcode] and "unavailable" or "not_found", M.sentence(answer)
end

local function by_id(ctx, m, left)
  local config, file, code, why = ctx.config, nil, nil, nil
  local answer, nobody = with_token(config, function(token)
    file, code, why = ctx.file { url = shared.base(config, API) .. "/cgi-bin/media/get", or_json = true,
      query = { access_token = token, media_id = m.id }, mime = m.mime, timeout = left() }
    if file then return { errcode = 0 } end
    if code ~= "answer" then return nil, why end
    why.errcode = why.errcode or 0
    return why
  end, left)
  if file then return file end
  if answer and shared.given(answer.video_url) then
    return ctx.file { url = answer.video_url, mime = m.mime, timeout = left() }
  end
  if code and code ~= "answer" then return nil, code, why end
  return no_file(answer, nobody)
end

-- For media.take: m is { id, url, mime } of a push.
function M.fetch(ctx, m, timeout)
  local left = media.clock(timeout)
  if is_theirs(m.url, ctx.config) then
    local file, code, why = ctx.file { url = m.url, timeout = left() }
    if file or not m.id or not ctx.config.secret or shared.LATER[code] then return file, code, why end
  end
  if not shared.given(m.id) or not ctx.config.secret then return nil, "not_found", "there is no AppSecret" end
  return by_id(ctx, m, left)
end

local KEPT = "70h" -- WeChat keeps it for three days

local function key_of(config, item, kind) return ("%s:%s:%s"):format(config.appid, kind, item.file.id) end

-- The media_id of an item's file, or nil and what is in the way.
function M.media_id(config, item, kind, timeout)
  return media.id_of(key_of(config, item, kind), KEPT, function()
    local answer, why = with_token(config, function(token)
      return post(config, "/cgi-bin/media/upload", { query = { access_token = token, type = kind },
        multipart = { { name = "media", file = item.file } }, timeout = timeout or "25s" })
    end)
    if answer and answer.errcode == 0 and answer.media_id then return answer.media_id end
    return nil, M.trouble_of(answer, why)
  end)
end

-- --- messages --------------------------------------------------------------

-- What send() answers for this; nil when it went well. own: what it answers for some
-- codes instead.
function M.trouble_of(answer, why, own)
  if not answer then return { retry = 5, why = why } end
  local code = answer.errcode
  if answer.of_token and code ~= -1 and code ~= 45009 and code ~= 45011 then
    return { failed = "config", why = M.sentence(answer) }
  end
  if code == 0 then return nil end
  if own and own[code] then return { retry = own[code], why = M.sentence(answer), until_heard = true } end
  if RETRY[code] then return { retry = RETRY[code], why = M.sentence(answer), until_heard = code == 45047 or nil } end
  return { failed = FAILED[code] or "refused", why = M.sentence(answer) }
end

-- Sends a customer service message; nil when it went well, else what send() answers.
function M.say(config, message, timeout, own)
  local answer, why = M.call(config, "/cgi-bin/message/custom/send", message, timeout)
  return M.trouble_of(answer, why, own), answer and answer.errcode
end

-- That somebody types; what WeChat says against it (nobody wrote in 30 s, shown
-- already) is nobody's trouble.
function M.typing(item, ctx)
  if not ctx.config.secret then return end
  M.call(ctx.config, "/cgi-bin/message/custom/typing", { touser = item.to, command = "Typing" }, "3s")
end

-- A message whose media_id is of the item's file; uploaded again if WeChat does
-- not know it any more.
local function say_file(config, item, message, own)
  local kind = message.msgtype
  for _ = 1, 2 do
    local id, trouble = M.media_id(config, item, kind)
    if not id then return trouble end
    local code
    message[kind].media_id = id
    trouble, code = M.say(config, message, nil, own)
    if code ~= 40007 then return trouble end
    media.forget(key_of(config, item, kind))
  end
  return { retry = 60, why = M.sentence { errcode = 40007 } }
end

-- Sends an item as these messages, one after the other; own: see trouble_of.
function M.send(item, list, config, own)
  if not list then return shared.no_files(item) end
  if not config.secret then return { failed = "config", why = "没有填写 AppSecret / there is no AppSecret" } end
  return shared.send_all(item, list, function(message)
    message.touser = item.to
    if message.of_file then
      message.of_file = nil
      return say_file(config, item, message, own)
    end
    return (M.say(config, message, nil, own))
  end)
end

return M
