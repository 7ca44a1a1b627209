-- Telegram's files: in by getFile, out as a part of a form, once; what is sent
-- again goes by the id it has there.
local http, kv, secret = require "http", require "kv", require "secret"
local shared = require "lib.channels"
local given, tab = shared.given, shared.tab

local MB = 1024 * 1024
local PHOTO_BYTES, FILE_BYTES = 10 * MB, 50 * MB
local CAPTION_UNITS = 1024 -- of UTF-16; bytes are never fewer
local KEPT = "30d"

local M = {}

-- --- in --------------------------------------------------------------------

-- What bears a file, in the order in which it is looked for: an animation has a
-- document beside it.
local BEARERS = {
  { "photo", "image", "image/jpeg" }, { "voice", "audio", "audio/ogg" }, { "audio", "audio" },
  { "video", "video", "video/mp4" }, { "video_note", "video", "video/mp4" }, { "animation", "video", "video/mp4" },
  { "document", "file" }, { "sticker", "image", "image/webp" },
}

local function is_picture(x) return not (x.is_animated or x.is_video) end

-- { kind, media, name_of_file, text } of a message with a file; else nil.
function M.of(m)
  for _, bearer in ipairs(BEARERS) do
    local x = tab(m[bearer[1]])
    if bearer[1] == "photo" then x = tab(x[#x]) end -- the largest is the last
    if given(x.file_id) and (bearer[1] ~= "sticker" or is_picture(x)) then
      local mime = given(x.mime_type) and x.mime_type or bearer[3]
      return { kind = bearer[2], name_of_file = given(x.file_name) and x.file_name or nil,
        text = given(m.caption) and m.caption or given(x.emoji) and x.emoji or nil,
        media = { id = x.file_id, name = given(x.file_name) and x.file_name or nil, mime = mime } }
    end
  end
end

-- What Telegram says of a file, as a code of ctx.file.
local function code_of(answer)
  local code, why = answer.error_code or 0, tostring(answer.description)
  if code == 429 or code >= 500 then return "unavailable", why end
  if why:lower():find("too big", 1, true) then return "too_large", why end -- over 20 MB
  return "not_found", why
end

-- For media.take: call(method, body, timeout) asks Telegram.
function M.fetcher(base, call)
  return function(ctx, x, timeout)
    local answer, why = call(ctx.config, "getFile", { file_id = x.id }, timeout)
    if not answer then return nil, "unavailable", why end
    if not answer.ok then return nil, code_of(answer) end
    local path = tab(answer.result).file_path
    if not given(path) then return nil, "not_found", "Telegram gives no path" end
    return ctx.file { url = secret.join(base(ctx.config), "/file/bot", ctx.config.token, "/", path),
      name = x.name or path:match "([^/]+)$", mime = x.mime, timeout = timeout }
  end
end

-- --- out -------------------------------------------------------------------

local PHOTOS = { ["image/jpeg"] = true, ["image/png"] = true, ["image/webp"] = true }
local AUDIOS = { ["audio/mpeg"] = true, ["audio/mp4"] = true, ["audio/x-m4a"] = true }

-- What it is sent as, so that it is shown: photo, voice, …; else a document.
local function method_of(item)
  local mime = item.file.mime:lower()
  if item.kind == "image" and PHOTOS[mime] and item.file.size <= PHOTO_BYTES then return "sendPhoto", "photo" end
  if item.kind == "image" and mime == "image/gif" then return "sendAnimation", "animation" end
  if item.kind == "audio" and mime == "audio/ogg" then return "sendVoice", "voice" end
  if item.kind == "audio" and AUDIOS[mime] then return "sendAudio", "audio" end
  if item.kind == "video" and mime == "video/mp4" then return "sendVideo", "video" end
  return "sendDocument", "document"
end

-- The messages of an item with a file: it, and its text if that is no caption.
-- nil and why not.
function M.messages(item, texts)
  if item.file.size > FILE_BYTES then
    return nil, { failed = "unsupported", why = "文件超过 Telegram 的 50 MB / Telegram takes 50 MB" }
  end
  local method, field = method_of(item)
  local one = { method = method, field = field, file = item.file, body = {} }
  if given(item.text) and #item.text <= CAPTION_UNITS then one.body.caption = item.text end
  local list = { one }
  if given(item.text) and not one.body.caption then
    for _, m in ipairs(texts(item.text)) do list[#list + 1] = m end
  end
  return list
end

local function upload(url, message)
  local parts = {}
  for name, value in pairs(message.body) do parts[#parts + 1] = { name = name, data = value } end
  parts[#parts + 1] = { name = message.field, file = message.file }
  return shared.answer_of(http.post { url = url, multipart = parts, timeout = "25s", max_bytes = "1MB" })
end

-- The id of what was sent, in Telegram's answer.
local function id_in(answer, field)
  local x = tab(tab(answer.result)[field])
  if field == "photo" then x = tab(x[#x]) end
  return given(x.file_id) and x.file_id or nil
end

-- A picture that Telegram cannot show (too long and thin) goes as a document.
local function as_document(message, answer)
  local why = tostring(answer.description):upper()
  return message.field == "photo" and answer.error_code == 400
    and (why:find("PHOTO_", 1, true) or why:find("IMAGE_PROCESS_FAILED", 1, true))
end

-- Sends one: by the id it has there, or as it is. Like call: answer or nil, why.
function M.send(config, base, call, channel, message)
  local key = ("file:%s:%s:%s"):format(channel, message.file.id, message.field)
  local known = kv.get(key)
  if known then
    message.body[message.field] = known
    local answer, why = call(config, message.method, message.body)
    message.body[message.field] = nil
    if not answer or answer.ok or answer.error_code ~= 400 then return answer, why end
    kv.del(key) -- it is not known there any more
  end
  local answer, why = upload(secret.join(base(config), "/bot", config.token, "/", message.method), message)
  if answer and not answer.ok and as_document(message, answer) then
    message.method, message.field = "sendDocument", "document"
    return M.send(config, base, call, channel, message)
  end
  local id = answer and answer.ok and id_in(answer, message.field)
  if id then kv.set(key, id, KEPT) end
  return answer, why
end

return M
