-- WhatsApp's files: in by their id and a short-lived address, out by an id that
-- an upload gives, once in 29 days, however often the file is sent.
local http = require "http"
local shared, media, errors = require "lib.channels", require "lib.media", require "channels.whatsapp.errors"
local given, tab = shared.given, shared.tab

local KEPT = "29d"         -- Meta keeps an upload for 30
local CAPTION_CHARS = 1024 -- of 4 bytes at most

local M = {}

-- --- in --------------------------------------------------------------------

local ENDINGS = { ["image/jpeg"] = "jpg", ["image/png"] = "png", ["image/webp"] = "webp", ["audio/ogg"] = "ogg",
  ["audio/amr"] = "amr", ["audio/mpeg"] = "mp3", ["audio/mp4"] = "m4a", ["audio/aac"] = "aac", ["video/mp4"] = "mp4",
  ["video/3gpp"] = "3gp" }

-- A message that bears a file; Meta names only documents.
function M.bearing(kind)
  return function(x)
    local mime = given(x.mime_type) and x.mime_type:match "^[^;%s]+" or nil
    local name = given(x.filename) and x.filename or nil
    return { kind = kind, text = given(x.caption) and x.caption or nil, name_of_file = name,
      media = { id = x.id, mime = mime, name = name or ENDINGS[mime] and kind .. "." .. ENDINGS[mime] } }
  end
end

-- For media.take: get(config, path, timeout) asks the Graph API.
function M.fetcher(get)
  return function(ctx, x, timeout)
    if not ctx.config.access_token then return nil, "not_found", "there is no access token to fetch it with" end
    if not given(x.id) then return nil, "not_found", "it has no id" end
    local answer, why, res = get(ctx.config, x.id, timeout)
    if not answer then return nil, "unavailable", why end
    if not res.ok then
      local e = tab(answer.error)
      local later = errors.RETRY[(errors.code_of(e))] or res.status == 429 or res.status >= 500
      return nil, later and "unavailable" or "not_found", errors.sentence(e)
    end
    if not given(answer.url) then return nil, "not_found", "Meta gives no address" end
    return ctx.file { url = answer.url, auth = { bearer = ctx.config.access_token }, name = x.name, mime = x.mime,
      timeout = timeout }
  end
end

-- --- out -------------------------------------------------------------------

-- What is shown as itself; all else is a document.
local RULES = {
  image = media.rule(5, "image/jpeg", "image/png"),
  audio = media.rule(16, "audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/ogg"),
  video = media.rule(16, "video/mp4", "video/3gpp"),
  file = media.rule(100),
}

local function message(item, kind)
  local type = kind == "file" and "document" or kind
  local body = { type = type, [type] = { filename = type == "document" and item.file.name or nil } }
  return { body = body, type = type, file = item.file }
end

-- What WhatsApp is sent for an item with a file; nil and why not.
function M.messages(item, texts)
  local text, it = item.text, {}
  for name, value in pairs(item) do it[name] = value end
  local list, unfit
  it.text = nil
  list, unfit = media.list(it, RULES, message, texts)
  if not list or not given(text) then return list, unfit end
  local first = list[1]
  if first.file and first.type ~= "audio" and #text <= CAPTION_CHARS then
    first.body[first.type].caption = text
    return list
  end
  for _, one in ipairs(texts(text)) do list[#list + 1] = one end
  return list
end

local function key_of(config, file) return ("wa:%s:%s"):format(config.phone_number_id, file.id) end

-- The body to send, with the id that the file has at Meta; or nil and what is in
-- the way. url: where media go up; judge(answer, why, res) as for a message.
function M.ready(config, one, url, judge)
  local id, trouble = media.id_of(key_of(config, one.file), KEPT, function()
    local res, code, why = http.post { url, auth = { bearer = config.access_token }, timeout = "25s", multipart = {
      { name = "messaging_product", data = "whatsapp" }, { name = "type", data = one.file.mime },
      { name = "file", file = one.file } } }
    local answer, said = shared.answer_of(res, code, why)
    local bad = judge(answer, said, res)
    if bad then return nil, bad end
    return given(answer.id) and answer.id or nil
  end)
  if not id then return nil, trouble end
  one.body[one.type].id = id
  return one.body
end

-- Meta does not know the id any more: the next try uploads anew.
function M.forget(config, one) media.forget(key_of(config, one.file)) end

return M
