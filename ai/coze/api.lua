-- Coze's API: its codes, who we are, a call.
local secret, crypto, time = require "secret", require "crypto", require "time"
local shared, ai = require "lib.channels", require "lib.ai"
local given = ai.given

local TIMEOUT = { connect = "5s" }
local M = { forget = shared.forget }

local function base(config) return ai.base(config, "https://api.coze.cn") end

-- --- errors: HTTP 200 and a code ---------------------------------------------

local CODES = {
  [4000] = "bad_request", [4100] = "unauthorized", [4101] = "unauthorized", [4200] = "gone",
  [4013] = "rate_limited", [4011] = "unauthorized", [4028] = "unauthorized", [4016] = "unavailable",
  [4019] = "rate_limited", [5000] = "unavailable",
}

local function class_of(x, config)
  local code = tonumber(x.code) or 0
  local said = given(config.codes) and config.codes:match(("%%f[%%d]%.0f=(%%a[%%a_]*)"):format(code))
  if said then return said end
  local by_code, by_words = CODES[code], ai.class_of(400, ai.words_of(x))
  if by_code and by_code ~= "bad_request" or by_words == "bad_request" then return by_code or "unavailable" end
  return by_words -- 4000 says little
end

function M.trouble(x, config) return nil, class_of(x, config), ai.words_of(x) end

function M.classify(config)
  return function(status, x)
    if status < 500 and tonumber(x.code) and x.code ~= 0 then return class_of(x, config) end
  end
end

-- --- who we are ----------------------------------------------------------------

local function buy(config)
  local now, host = math.floor(time.now() / 1000), base(config):match "^%a+://([^/]+)"
  local jwt, code = crypto.jwt_sign("RS256", config.private_key, { iss = config.app_id, aud = host, iat = now,
    exp = now + 600, jti = crypto.random(16, "hex") }, { kid = config.key_id })
  if not jwt then return nil, { class = "unauthorized", detail = "the private key is none: " .. code } end
  local x, class, detail = ai.rest({ base(config) .. "/api/permission/oauth2/token", method = "POST",
    auth = { bearer = secret.hide(jwt) }, json = { duration_seconds = config.life or 900,
      grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer" } }, TIMEOUT, M.classify(config))
  if not x then return nil, { class = class, detail = detail } end
  if not given(x.access_token) then return nil, { class = "unauthorized", detail = ai.words_of(x) } end
  local life = tonumber(x.expires_in) or 900 -- seconds, or the moment itself
  return x.access_token, life > 1e9 and life - now or life
end

-- A secret; nil, class, detail.
function M.token_of(config)
  if config.token then return config.token end
  if not (config.private_key and given(config.app_id) and given(config.key_id)) then
    return nil, "unauthorized", "neither a token nor a private key is set"
  end
  local key = "coze:" .. config.app_id .. ":" .. config.key_id
  local token, refusal, why = shared.token(key, function() return buy(config) end, "1d")
  if not token then return nil, refusal and refusal.class or "unavailable", refusal and refusal.detail or why end
  return secret.hide(token), key, token
end

function M.call(config, path, query, body, token)
  return { base(config) .. path, method = body and "POST" or "GET", query = query, json = body,
    auth = { bearer = token } }
end

return M
