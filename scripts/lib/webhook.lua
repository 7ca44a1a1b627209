-- Webhooks to somebody's own server: signed by the headers of Standard Webhooks
-- (and X-Hub-Signature-256), and what the answer means for what was sent.
local http, crypto, time = require "http", require "crypto", require "time"

local TRIES = 3 -- of what the other side refuses
local MOST_WAIT_S = 24 * 3600

local M = {}

-- The keys a secret may stand for in Standard Webhooks: what follows whsec_ in
-- base64; without whsec_ that, or the bytes themselves.
function M.keys(hidden)
  local plain = crypto.base64_decode(crypto.base64_encode(hidden))
  local tail = plain:match "^whsec_(.*)$"
  local key = crypto.base64_decode(tail or plain)
  if key == "" then key = nil end
  if tail then return { key } end
  return { key or plain, key and plain }
end

-- Those of a channel that are there: the one that counts, the one before it.
function M.secrets(current, previous)
  local list = { current }
  list[#list + 1] = previous
  return list
end

-- The headers of a body of that type (nil: none, or a form); each of the secrets
-- signs, so that one can be changed.
function M.headers(secrets, id, body, type_of)
  local stamp = tostring(math.floor(time.now() / 1000))
  local list = {}
  for _, hidden in ipairs(secrets) do
    for _, key in ipairs(M.keys(hidden)) do
      list[#list + 1] = "v1," .. crypto.hmac("sha256", key, id .. "." .. stamp .. "." .. body, "base64")
    end
  end
  local headers = { ["content-type"] = type_of, ["webhook-id"] = id, ["webhook-timestamp"] = stamp }
  if #list > 0 then
    headers["webhook-signature"] = table.concat(list, " ")
    headers["x-hub-signature-256"] = "sha256=" .. crypto.hmac("sha256", secrets[1], body)
  end
  return headers
end

-- Numbers have up to 53 bits; tostring would round them. nil for what is no id.
function M.id_text(id)
  if type(id) == "number" then return ("%.0f"):format(id) end
  if type(id) == "string" and id ~= "" then return id end
end

-- Seconds of a Retry-After, which may also be a date.
local function seconds_of(value)
  local n = tonumber(value)
  if not n and value then
    local day, month, year, clock = value:match "(%d+) (%a+) (%d%d%d%d) (%d+:%d+:%d+)"
    local m = month and ("JanFebMarAprMayJunJulAugSepOctNovDec"):find(month, 1, true)
    local at = m and time.parse(("%s-%02d-%02dT%sZ"):format(year, (m + 2) / 3, tonumber(day), clock))
    n = at and (at - time.now()) / 1000
  end
  return n and math.max(1, math.min(MOST_WAIT_S, math.ceil(n)))
end

-- What an answer means for the item: sent, later, or never.
local function outcome(res, item)
  local why = "HTTP " .. res.status
  if res.ok then
    return { sent = type(res.json) == "table" and M.id_text(res.json.id) or item.id }
  end
  if res.status == 410 then
    return { failed = "gone", why = "对方不再接收 / the other side takes no more (410)" }
  end
  local wait = seconds_of(res.headers["retry-after"])
  local busy = res.status >= 500 or res.status == 408 or res.status == 409 or res.status == 425 or res.status == 429
  if busy or item.attempt < TRIES then return { retry = wait or 5, why = why } end
  return { failed = "refused", why = why .. ": " .. res.body:sub(1, 200) }
end

-- Posts what is said about an outgoing item; gives what send() and push() return.
function M.send(request, item)
  local res, code, why = http.post(request)
  if not res then return { retry = 5, why = why or code } end
  return outcome(res, item)
end

-- The same for a body of JSON.
function M.post(url, secrets, item, body)
  return M.send({ url, body = body, timeout = "15s",
    headers = M.headers(secrets, item.id, body, "application/json") }, item)
end

return M
