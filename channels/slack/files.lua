-- Slack's files: in from their private address, with the bot's token; out in three
-- steps (an address, the bytes, "that is all"), each of them once.
local kv = require "kv"
local shared, media = require "lib.channels", require "lib.media"
local given, tab, words = shared.given, shared.tab, shared.words

local M = {}

-- --- in --------------------------------------------------------------------

local KINDS = { image = "image", audio = "audio", video = "video" }

-- The message that a file of an event is.
function M.message_of(f)
  local mime = words(f.mimetype)
  local kind = f.mode ~= "external" and KINDS[mime:match "^%a+"] or "file"
  local url = given(f.url_private_download) and f.url_private_download or f.url_private
  return { kind = kind, name_of_file = given(f.name) and f.name or nil,
    link = given(f.permalink) and f.permalink or nil,
    media = { url = f.mode ~= "external" and url or nil, mime = mime ~= "" and mime or nil,
      name = given(f.name) and f.name or nil } }
end

-- Without the scope files:read Slack answers with a page to sign in at, which is
-- not taken for the file.
function M.fetch(ctx, x, timeout)
  if not ctx.config.bot_token then return nil, "not_found", "there is no bot token to fetch it with" end
  if not given(x.url) then return nil, "not_found", "it is not kept at Slack" end
  local text = x.mime and (x.mime:find "^text/" or x.mime:find "json")
  local f, code, why = ctx.file { url = x.url, auth = { bearer = ctx.config.bot_token }, name = x.name, mime = x.mime,
    timeout = timeout, or_json = not text }
  if code == "answer" then return nil, "not_found", words(tab(why).error) end
  return f, code, why
end

-- --- out -------------------------------------------------------------------

-- Has it been shown already? The answer of the last step may be lost.
local function is_shared(call, config, id)
  local answer = call(config, "files.info", { form = { file = id } })
  local f = answer and answer.ok and tab(answer.file) or {}
  return #tab(f.ims) > 0 or #tab(f.channels) > 0 or #tab(f.groups) > 0
end

-- Its id at Slack; nil and what is in the way. post(how) is http.post.
local function upload(call, post, config, item, trouble_of)
  local file = item.file
  local name = given(file.name) and file.name or item.kind
  local answer, why, res = call(config, "files.getUploadURLExternal",
    { form = { filename = name, length = ("%.0f"):format(file.size) } })
  local trouble = trouble_of(answer, why, res)
  if trouble then return nil, trouble end
  local put, code, said = post { url = answer.upload_url, timeout = "25s",
    multipart = { { name = "file", file = file } } }
  if not put then return nil, { retry = 5, why = said or code } end
  if not put.ok then return nil, { retry = 5, why = "HTTP " .. put.status } end
  return answer.file_id
end

-- Like send: { sent = id } or what is in the way. say: { channel, thread, text }.
function M.send(call, post, config, item, say, trouble_of)
  local key = "file:" .. item.id
  local kept = kv.get(key) or {}
  if not kept.id then
    local id, trouble = upload(call, post, config, item, trouble_of)
    if not id then return trouble end
    kept = { id = id }
    kv.set(key, kept, "2d")
  elseif kept.told and is_shared(call, config, kept.id) then
    return { sent = kept.id }
  end
  kv.set(key, { id = kept.id, told = true }, "2d")
  local answer, why, res = call(config, "files.completeUploadExternal", { json = {
    files = { { id = kept.id, title = item.file.name } }, channel_id = say.channel, thread_ts = say.thread,
    initial_comment = say.text } })
  local trouble = trouble_of(answer, why, res)
  if trouble and trouble.failed == "refused" and kept.told then kv.del(key) end
  return trouble or { sent = kept.id }
end

M.late = function(ctx) return media.late(ctx, M.fetch) end

return M
