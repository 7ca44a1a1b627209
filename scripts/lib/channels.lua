-- What adapters below channels/ share: sealed and signed pushes of the WeChat
-- family (DingTalk seals the same way), access tokens that are fetched once,
-- and messages as words and in pieces.
local json, xml, kv, crypto = require "json", require "xml", require "kv", require "crypto"
local secret, time, log, utf8 = require "secret", require "time", require "log", require "utf8"

local EARLY_MS = 300000 -- a token is renewed so long before its end

local M = {}

function M.given(text) return type(text) == "string" and text ~= "" end
function M.tab(value) return type(value) == "table" and value or {} end

-- What of these is a text and not empty, with blanks between.
function M.words(...)
  local list = {}
  for i = 1, select("#", ...) do
    local word = select(i, ...)
    if M.given(word) then list[#list + 1] = word end
  end
  return table.concat(list, " ")
end

-- A field of a schema, titled in two languages.
function M.setting(kind, zh, en, help_zh, help_en, required)
  return { type = kind, required = required, title = { zh = zh, en = en }, help = { zh = help_zh, en = help_en } }
end

-- --- pushes ----------------------------------------------------------------

function M.is_signed(theirs, token, ...)
  return M.given(theirs) and crypto.equal(crypto.sha1(secret.sorted(token, ...)), theirs)
end

-- A table of XML or JSON; nil if it is neither, or not of the format asked for.
function M.decode(text, format)
  if format ~= "xml" and format ~= "json" then format = text:find "^%s*{" and "json" or "xml" end
  local x
  if format == "json" then x = json.decode(text) else x = xml.decode(text, { root = "xml" }) end
  if type(x) == "table" then return x end
end

local function key_of(hidden)
  local key = crypto.base64_decode(secret.join(hidden, "="))
  return key and #key == 32 and key or nil
end

function M.is_key(hidden) return key_of(hidden) ~= nil end

-- What is sealed under a key, random(16) length(4) message id, and the id.
function M.open(hidden, sealed)
  local key, bytes = key_of(hidden), crypto.base64_decode(sealed)
  if not key then return nil, "the EncodingAESKey is not 43 characters of base64" end
  if not bytes then return nil, "what is encrypted is not base64" end
  local full = crypto.aes_cbc_decrypt(key, key:sub(1, 16), bytes, { block = 32 })
  if not full or #full < 20 then return nil, "it was sealed under another EncodingAESKey" end
  local a, b, c, d = full:byte(17, 20)
  local length = ((a * 256 + b) * 256 + c) * 256 + d
  if 20 + length > #full then return nil, "its length is wrong" end
  return full:sub(21, 20 + length), full:sub(21 + length)
end

function M.seal(hidden, text, id, random)
  local key, n = key_of(hidden), #text -- at most 1 MB
  local size = string.char(0, math.floor(n / 65536), math.floor(n / 256) % 256, n % 256)
  local full = (random or crypto.random(16)) .. size .. text .. id
  return crypto.base64_encode(crypto.aes_cbc_encrypt(key, key:sub(1, 16), full, { block = 32 }))
end

-- What is sealed under one of the channel's keys, for its appid, and that key.
local function open_for(config, sealed)
  local first
  for _, name in ipairs { "encoding_aes_key", "previous_aes_key" } do
    if config[name] then
      local text, id = M.open(config[name], sealed)
      if text and id == config.appid then return text, config[name] end
      first = first or (text and "it is for another appid (-40005)" or id)
    end
  end
  return nil, first or "it is encrypted, and the channel has no EncodingAESKey"
end

-- A push of WeChat, plain or sealed, as a table, and the key if it was sealed; nil,
-- status, why. Sealed ones are signed with what is sealed, plain ones without.
function M.read_push(req, config)
  local q = req.query
  local x = M.decode(req.body, config.format)
  if not x then return nil, 400, "the body is neither XML nor JSON" end
  local sealed, ts, nonce = x.Encrypt, q.timestamp or "", q.nonce or ""
  if type(sealed) ~= "string" then
    if not M.is_signed(q.signature, config.token, ts, nonce) then return nil, 401, "the signature is wrong" end
    return x
  end
  if not M.is_signed(q.msg_signature, config.token, ts, nonce, sealed) then
    return nil, 401, "msg_signature is wrong"
  end
  local text, key = open_for(config, sealed)
  if not text then return nil, 403, key end
  x = M.decode(text, config.format)
  if not x then return nil, 400, "what was encrypted is neither XML nor JSON" end
  return x, key
end

-- Codes of what the house cannot take now and can take later.
M.LATER = { unavailable = true, internal = true, rate_limited = true, timeout = true, busy = true }

-- Delivers a message, or echoes one of the staff's (with `to`); false if the house
-- can take it later only, so that the platform shall push it again; else true and
-- what the house answered.
function M.hand_over(ctx, message)
  local ok, code, why = (message.to and ctx.echo or ctx.deliver)(message)
  if ok then return true, ok end
  if M.LATER[code] then return false end
  log.error("a message could not be taken", { channel = ctx.channel.type, code = code, why = why,
    id = message.dedupe })
  return true
end

-- Whose email a staff member's id stands for in a setting "id=email, id=email".
function M.agent_of(list, id)
  for name, email in (M.given(list) and list:gsub("，", ",") or ""):gmatch "([^%s,;=]+)%s*=%s*([^%s,;]+)" do
    if name == id then return email end
  end
end

-- Their message is taken back on the platform: all that was handed over for it.
-- False if the house cannot take that now.
function M.taken_back(ctx, from, dedupe)
  for i = 0, 20 do -- the parts that a message has beside its first
    local ok, code = ctx.recalled { from = from, dedupe = i == 0 and dedupe or dedupe .. ":" .. i }
    if not ok and M.LATER[code] then return false end
    if not ok and i > 1 then break end
  end
  return true
end

-- --- calls -----------------------------------------------------------------

-- The address that the settings give for theirs, without a slash at its end.
function M.base(config, theirs) return M.given(config.api) and config.api:gsub("/+$", "") or theirs end

-- An answer as a table; nil and why, if nobody answered or not in JSON.
function M.answer_of(res, code, why)
  if not res then return nil, why or code end
  if type(res.json) ~= "table" then return nil, "HTTP " .. res.status end
  return res.json
end

-- Forgets a token, unless another handler has fetched a newer one meanwhile.
function M.forget(key, token)
  kv.update(key, function(kept)
    if kept and kept.token == token then return kv.DELETE end
  end)
end

-- The token kept under a key; one fetch, however many messages wait. fetch()
-- gives it and its life in seconds; or nil, the refusal (a table) or nil, why.
function M.token(key, fetch, ttl)
  local refusal, trouble
  for _ = 1, 2 do
    local kept = kv.once(key, ttl or "2h", function()
      local token, life, why = fetch()
      if not token then refusal, trouble = life, why return nil end
      local ms = (tonumber(life) or 7200) * 1000
      return { token = token, till = time.now() + ms - math.min(EARLY_MS, ms / 2) }
    end)
    if not kept then return nil, refusal, trouble or "没有拿到接口凭据 / no access token" end
    if kept.till > time.now() then return kept.token end
    M.forget(key, kept.token)
  end
  return nil, nil, "接口凭据总是过期 / access tokens come expired"
end

-- --- messages out ----------------------------------------------------------

-- Pieces of at most so many bytes, never through a character.
function M.pieces(text, most)
  local list = {}
  while #text > most do
    local cut = most
    while cut > 1 and text:byte(cut + 1) >= 128 and text:byte(cut + 1) < 192 do cut = cut - 1 end
    list[#list + 1], text = text:sub(1, cut), text:sub(cut + 1)
  end
  list[#list + 1] = text
  return list
end

-- Pieces of at most so many characters.
function M.chars(text, most)
  local list, length = {}, utf8.len(text) or #text
  for from = 1, math.max(length, 1), most do
    list[#list + 1] = utf8.sub(text, from, math.min(from + most - 1, length))
  end
  return list
end

-- What stands above the buttons of a card, line by line.
function M.head_of(card)
  local lines = {}
  for _, name in ipairs { "title", "text", "url", "image" } do
    if M.given(card[name]) then lines[#lines + 1] = card[name] end
  end
  return #lines > 0 and table.concat(lines, "\n") or "…"
end

function M.no_files(item)
  return { failed = "unsupported", why = "这个渠道还不能发送文件 / files cannot be sent here yet: " .. item.kind }
end

-- Sends pieces one after the other: say(piece, i) gives nil and the platform's
-- id, or what was in the way. Those that went out are kept, so that a retry does
-- not say them again, and all can be taken back.
function M.send_all(item, list, say)
  local key = "sent:" .. item.id
  local ids = M.tab(#list > 1 and kv.get(key) or nil)
  for i = #ids + 1, #list do
    local trouble, id = say(list[i], i)
    if trouble then return trouble end
    ids[i] = M.given(id) and id or ""
    if #list > 1 then kv.set(key, ids, "2d") end
  end
  local last = ids[#ids]
  local sent = M.given(last) and last or item.id
  if #list > 1 then kv.set("pieces:" .. sent, ids, "2d") end
  return { sent = sent }
end

-- recall() for what send_all sent: undo(id) gives nil, or what was in the way.
function M.recall_all(item, undo)
  local ids = kv.get("pieces:" .. item.sent) or { item.sent }
  for _, id in ipairs(ids) do
    local trouble = undo(M.given(id) and id or item.sent)
    if trouble then return trouble end
  end
  return { recalled = true }
end

return M
