-- Calls of DingTalk's API: one token an app, files both ways, errors in words.
local http, secret = require "http", require "secret"
local shared, media = require "lib.channels", require "lib.media"
local given, words = shared.given, shared.words

local API, OLD_API = "https://api.dingtalk.com", "https://oapi.dingtalk.com"

local M = { WRONG = "Client ID 或 Client Secret 不对 / wrong credentials: " }

function M.sentence(answer) return ("%s (%s)"):format(words(answer.message), tostring(answer.code)) end

function M.robot_of(config) return given(config.robot_code) and config.robot_code or config.app_key end

local function post(config, path, call, theirs)
  call[1] = shared.base(config, theirs or API) .. path
  local res, code, why = http.post(call)
  local answer, nobody = shared.answer_of(res, code, why)
  return answer, nobody, res and res.status
end

function M.fetch_token(config, timeout)
  return post(config, "/v1.0/oauth2/accessToken",
    { timeout = timeout, json = { appKey = config.app_key, appSecret = config.app_secret } })
end

-- The answer, or nil and what is in the way. work(token) gives an answer and its
-- status, or nil and why nobody answered; once more with a fresh token.
local function with_token(config, work, left)
  local key = "token:" .. config.app_key
  for try = 1, 2 do
    local token, refusal, why = shared.token(key, function()
      local got, nobody, status = M.fetch_token(config, left and left())
      if got and given(got.accessToken) then return got.accessToken, got.expireIn end
      return nil, got and status < 500 and status ~= 429 and got or nil, nobody
    end)
    if refusal then return nil, { failed = "config", why = M.WRONG .. M.sentence(refusal) } end
    if not token then return nil, { retry = 5, why = why } end
    local answer, nobody, status = work(secret.hide(token))
    if not answer then return nil, { retry = 5, why = nobody } end
    if status < 300 then return answer end
    local name = tostring(answer.code):lower()
    local stale = status == 401 or name:find "invalidauthentication" ~= nil
    if stale and try == 2 then return nil, { retry = 60, why = M.sentence(answer) } end
    local busy = status == 429 or name:find "throttl" or name:find "qps"
    if busy or status >= 500 then return nil, { retry = busy and 60 or 5, why = M.sentence(answer) } end
    if not stale then
      local code = status == 403 and "not_allowed" or name:find "robotcode" and "config" or "refused"
      return nil, { failed = code, why = M.sentence(answer) }
    end
    shared.forget(key, token)
  end
end

function M.call(config, path, body, left)
  return with_token(config, function(token)
    return post(config, path, { json = body, headers = { ["x-acs-dingtalk-access-token"] = token },
      timeout = left and left() })
  end, left)
end

-- --- files -----------------------------------------------------------------

-- For media.take: m is { code, name }. DingTalk says where it lies, and there it is.
function M.fetch(ctx, m, timeout)
  if not given(m.code) then return nil, "not_found", "there is no downloadCode" end
  local left = media.clock(timeout)
  local answer, trouble = M.call(ctx.config, "/v1.0/robot/messageFiles/download",
    { downloadCode = m.code, robotCode = M.robot_of(ctx.config) }, left)
  if not answer then return nil, trouble.retry and "unavailable" or "not_found", trouble.why end
  if not given(answer.downloadUrl) then return nil, "not_found", "there is no downloadUrl" end
  return ctx.file { url = answer.downloadUrl, name = m.name, timeout = left() }
end

-- The old interface answers 200 with a code of its own.
local STALE = { [40001] = true, [40014] = true, [42001] = true }
local BUSY = { [-1] = true, [90018] = true, [130101] = true }
local UNFIT = { [40004] = true, [40005] = true, [40006] = true, [45001] = true }

local function upload(config, kind, file)
  local unfit
  local answer, trouble = with_token(config, function(token)
    local got, nobody, status = post(config, "/media/upload", { query = { access_token = token, type = kind },
      multipart = { { name = "media", file = file } }, timeout = "25s" }, OLD_API)
    local code = got and got.errcode or 0
    if not got or code == 0 then return got, nobody, status end
    unfit = UNFIT[code]
    return { code = code, message = got.errmsg }, nil, STALE[code] and 401 or BUSY[code] and 429 or 400
  end)
  if answer and given(answer.media_id) then return answer.media_id end
  if unfit and trouble and trouble.failed then trouble.failed = "unsupported" end
  return nil, trouble or { failed = "refused", why = "钉钉没有给出 media_id / DingTalk gave no media_id" }
end

local KEPT = "70h" -- DingTalk keeps it for three days

local function key_of(config, kind, file) return ("%s:%s:%s"):format(config.app_key, kind, file.id) end

-- The media_id of a file, or nil and what is in the way.
function M.media_id(config, kind, file)
  return media.id_of(key_of(config, kind, file), KEPT, function() return upload(config, kind, file) end)
end

function M.forget(config, kind, file) media.forget(key_of(config, kind, file)) end

return M
