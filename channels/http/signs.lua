-- Signatures of the generic HTTP channel: Standard Webhooks, and those of
-- GitHub's and Stripe's kind.
local crypto, time = require "crypto", require "time"
local webhook = require "lib.webhook"

local TOLERANCE_S = 300

local function secrets_of(config) return webhook.secrets(config.secret, config.previous_secret) end

-- Does any of the secrets, as `make` signs with it, give one of these?
local function any(config, theirs, make)
  for _, hidden in ipairs(secrets_of(config)) do
    for _, mine in ipairs(make(hidden)) do
      for _, one in ipairs(theirs) do
        if crypto.equal(mine, one) then return true end
      end
    end
  end
  return false
end

local function is_fresh(stamp)
  local at = tonumber((stamp or ""):match "^%d+$")
  return at ~= nil and math.abs(time.now() / 1000 - at) <= TOLERANCE_S
end

local function standard(config, id, stamp, list, body)
  local theirs = {}
  for signature in list:gmatch "v1,(%S+)" do theirs[#theirs + 1] = signature end
  return is_fresh(stamp) and any(config, theirs, function(hidden)
    local mine = {}
    for i, key in ipairs(webhook.keys(hidden)) do
      mine[i] = crypto.hmac("sha256", key, id .. "." .. stamp .. "." .. body, "base64")
    end
    return mine
  end)
end

local function hex(config, theirs, text)
  return any(config, theirs, function(hidden) return { crypto.hmac("sha256", hidden, text) } end)
end

-- t=1735689600,v1=<hex>,v1=<hex>
local function stamped(config, value, body)
  local stamp, theirs = nil, {}
  for name, part in value:gmatch "([%w]+)=([^,%s]+)" do
    if name == "t" then stamp = part end
    if name == "v1" then theirs[#theirs + 1] = part:lower() end
  end
  return is_fresh(stamp) and hex(config, theirs, stamp .. "." .. body)
end

local M = {}

-- Is this request signed with one of the channel's secrets?
function M.is_signed(req, config)
  local h = req.headers
  if h["webhook-signature"] then
    return standard(config, h["webhook-id"] or "", h["webhook-timestamp"], h["webhook-signature"], req.body)
  end
  local value = h["x-signature"] or h["x-hub-signature-256"] or ""
  if value:find "^t=" then return stamped(config, value, req.body) end
  return hex(config, { (value:gsub("^sha256=", ""):lower()) }, req.body)
end

-- Headers that sign a request of ours; `type` of its body, if there is one.
function M.headers(config, id, body, type)
  return webhook.headers(secrets_of(config), id, body, type)
end

return M
