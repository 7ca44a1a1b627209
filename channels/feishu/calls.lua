-- Calls of Feishu's API: one token an app, files both ways, errors in words.
local http, secret = require "http", require "secret"
local shared, media = require "lib.channels", require "lib.media"
local given, words = shared.given, shared.words

local API = "https://open.feishu.cn"

local M = {}

local STALE = { [99991661] = true, [99991663] = true, [99991664] = true, [99991668] = true, [99991671] = true }
local RETRY = { [99991400] = 5, [230020] = 5, [230049] = 5 }
local FAILED = {
  [230026] = "not_allowed",
  [230002] = "no_recipient", [230013] = "no_recipient", [230028] = "content_refused", [230006] = "config",
  [99991672] = "not_allowed", [230018] = "not_allowed", [230035] = "not_allowed", [234007] = "config",
  [234006] = "unsupported", [234010] = "unsupported", [234011] = "unsupported", [234039] = "unsupported",
  [230055] = "unsupported",
}
local WORDS = {
  [10003] = "App ID 或 App Secret 不对 / the app id or the app secret is wrong",
  [10014] = "App Secret 不对 / the app secret is wrong",
  [230002] = "机器人不在这个群里 / the bot is not in the group",
  [230006] = "应用没有启用机器人能力 / the app has no bot",
  [230013] = "对方不在应用的可用范围内 / the app is not available to this user",
  [230018] = "群设置不允许机器人发言 / the group does not let bots speak",
  [230028] = "内容违规 / the content was refused",
  [230055] = "文件格式与消息类型不符 / the file is not of the message's type",
  [234006] = "文件太大 / the file is too large",
  [234007] = "应用没有启用机器人能力 / the app has no bot",
  [234010] = "文件是空的 / the file is empty",
  [234011] = "飞书不认识这个图片格式 / Feishu does not know this picture's format",
  [234039] = "图片分辨率太高 / the picture has too many pixels",
  [99991400] = "发送太快 / too many at once",
  [99991672] = "应用没有这个权限（发消息 im:message、文件 im:resource） / the app lacks the scope im:message or im:resource",
}

function M.sentence(answer)
  local what = WORDS[answer.code] or "飞书返回错误 / Feishu's error"
  return ("%s (%s %s)"):format(what, tostring(answer.code), words(answer.msg))
end

local function url_of(config, path) return (given(config.api) and config.api:gsub("/+$", "") or API) .. path end

-- The answer, nil, seconds to wait; or nil and why nobody answered.
local function post(config, path, call)
  call[1] = url_of(config, path)
  local res, code, why = (call.method and http.request or http.post)(call)
  local answer, trouble = shared.answer_of(res, code, why)
  local busy = res and (res.status == 429 or answer and answer.code == 99991400)
  return answer, trouble, busy and (tonumber(res.headers["x-ogw-ratelimit-reset"]) or 5) or nil
end

function M.fetch_token(config, timeout)
  return post(config, "/open-apis/auth/v3/tenant_access_token/internal",
    { timeout = timeout, json = { app_id = config.app_id, app_secret = config.app_secret } })
end

-- The answer whose code is 0, or nil and what is in the way. work(token) makes
-- the call as post() does; once more with a fresh token if theirs is stale.
local function with_token(config, work, left)
  local key = "token:" .. config.app_id
  for try = 1, 2 do
    local token, refusal, why = shared.token(key, function()
      local got, nobody, wait = M.fetch_token(config, left and left())
      if got and got.code == 0 and given(got.tenant_access_token) then return got.tenant_access_token, got.expire end
      return nil, not wait and got or nil, nobody
    end)
    if refusal then return nil, { failed = "config", why = M.sentence(refusal) } end
    if not token then return nil, { retry = 5, why = why } end
    local answer, nobody, wait = work { bearer = secret.hide(token) }
    if wait then return nil, { retry = math.max(1, math.ceil(wait)), why = WORDS[99991400] } end
    if not answer then return nil, { retry = 5, why = nobody } end
    local code, again = answer.code, RETRY[answer.code] or try == 2 and STALE[answer.code] and 60
    if code == 0 then return answer end
    if again then return nil, { retry = again, why = M.sentence(answer) } end
    local failed = FAILED[code] or "refused"
    if not STALE[code] then return nil, { failed = failed, why = M.sentence(answer), said = code } end
    shared.forget(key, token)
  end
end

function M.call(config, path, call)
  return with_token(config, function(auth)
    call.auth = auth
    return post(config, path, call)
  end)
end

-- --- files -----------------------------------------------------------------

-- For media.take: m is { message, key, type }; type is "image" or "file".
function M.fetch(ctx, m, timeout)
  if not ctx.config.app_secret then return nil, "not_found", "there is no app secret" end
  for _, id in ipairs { m.message or "", m.key or "" } do -- they become part of an address
    if type(id) ~= "string" or not id:find "^[%w_%-]+$" then return nil, "not_found", "that is no key" end
  end
  local file, code, why
  local left = media.clock(timeout)
  local path = ("/open-apis/im/v1/messages/%s/resources/%s"):format(m.message, m.key)
  local _, trouble = with_token(ctx.config, function(auth)
    file, code, why = ctx.file { url = url_of(ctx.config, path), query = { type = m.type }, auth = auth, name = m.name,
      or_json = true, timeout = left() }
    if file then return { code = 0 } end
    if code ~= "answer" then return nil, why end
    return why, nil, why.code == 99991400 and 5 or nil
  end, left)
  if file then return file end
  if code and code ~= "answer" then return nil, code, why end
  return nil, trouble.retry and "unavailable" or "not_found", trouble.why
end

local KEPT = "7d"
-- What an upload calls the types that it knows; only as the message's kind.
local TYPES = { audio = "opus", video = "mp4" }

local function upload(config, kind, file)
  local picture = kind == "image"
  local parts = picture and { { name = "image_type", data = "message" }, { name = "image", file = file } }
    or { { name = "file_type", data = TYPES[kind] or "stream" }, { name = "file_name", data = file.name },
      { name = "file", file = file } }
  local path = "/open-apis/im/v1/" .. (picture and "images" or "files")
  local answer, trouble = M.call(config, path, { multipart = parts, timeout = "25s" })
  local data = answer and shared.tab(answer.data) or {}
  local key = picture and data.image_key or data.file_key
  if given(key) then return key end
  return nil, trouble or { failed = "refused", why = "飞书没有给出文件的 key / Feishu gave no key" }
end

local function name_of(config, kind, file) return ("%s:%s:%s"):format(config.app_id, kind, file.id) end

-- Feishu's key of a file, or nil and what is in the way.
function M.key_of(config, kind, file)
  return media.id_of(name_of(config, kind, file), KEPT, function() return upload(config, kind, file) end)
end

function M.forget(config, kind, file) media.forget(name_of(config, kind, file)) end

return M
