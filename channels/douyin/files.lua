-- What messages say, and their files: those that a customer sent from the phone
-- by the resources interface (a right of its own), pictures out by an upload.
local secret = require "secret"
local shared, media = require "lib.channels", require "lib.media"
local douyin = require "channels.douyin.calls"
local given, words = shared.given, shared.words

local M = {}

-- --- in --------------------------------------------------------------------

local MARKS = { image = "[图片]", emoji = "[表情]", video = "[视频]" }
local KINDS = { user_local_image = "image", user_local_video = "video" }

-- The words of a message; nil if it bears a file that can be had.
function M.text_of(content)
  local kind = content.message_type
  if KINDS[kind] then return nil end
  if kind == "text" then return given(content.text) and content.text or "[空消息]" end
  if kind ~= "retain_consult_card" then return MARKS[kind] or "[其他消息，请在抖音里查看]" end
  local list = { "[留资卡片]" }
  for _, field in ipairs(shared.tab(content.card_data)) do
    if type(field) == "table" then list[#list + 1] = words(field.label) .. "：" .. words(field.value) end
  end
  return table.concat(list, "\n")
end

-- The kind of such a message, and what M.fetch needs of it; us: the account's open_id.
function M.bearing(content, us)
  return KINDS[content.message_type],
    { message = content.server_message_id, conversation = content.conversation_short_id, us = us }
end

-- What somebody of the conversation calls themselves.
function M.name_of(content, open_id)
  for _, user in ipairs(shared.tab(content.user_infos)) do
    if type(user) == "table" and user.open_id == open_id and given(user.nick_name) then return user.nick_name end
  end
end

local BUSY = { [2100004] = true, [28001005] = true, [28001006] = true, [28003018] = true }

-- For media.take. Douyin says where it lies, and there it is.
function M.fetch(ctx, m, timeout)
  local config = ctx.config
  if not config.refresh_token or not given(m.message) or not given(m.conversation) then
    return nil, "not_found", "there is no consent, or no id"
  end
  local left = media.clock(timeout)
  for try = 1, 2 do
    local token, refusal, why = douyin.token(config, left)
    if refusal then return nil, "not_found", douyin.sentence(refusal.code, refusal.answer) end
    if not token then return nil, "unavailable", why end
    local answer, nobody, code = douyin.get(config, "/api/im/message/resources/", { timeout = left(),
      query = { conversation_id = m.conversation, message_id = m.message, open_id = m.us },
      headers = { ["access-token"] = secret.hide(token) } })
    if not answer then return nil, "unavailable", nobody end
    local url = shared.tab(answer.data).url
    if code == 0 and given(url) then return ctx.file { url = url, timeout = left() } end
    if code == 0 then return nil, "not_found", "Douyin gave no url" end
    if not douyin.STALE[code] then
      return nil, BUSY[code] and "unavailable" or "not_found", douyin.sentence(code, answer)
    end
    if try == 2 then return nil, "unavailable", douyin.sentence(code, answer) end
    douyin.forget(config, token)
  end
end

-- --- out -------------------------------------------------------------------

local KEPT = "1d"

local function key_of(config, file) return ("%s:%s"):format(config.client_key, file.id) end

local function upload(config, file)
  for try = 1, 2 do
    local token, refusal, why = douyin.client_token(config)
    if refusal then return nil, douyin.trouble_of(refusal.code, refusal.answer) end
    if not token then return nil, { retry = 5, why = why } end
    local answer, nobody, code = douyin.post(config, "/tool/imagex/client_upload/", { timeout = "25s",
      headers = { ["access-token"] = secret.hide(token) }, multipart = { { name = "image", file = file } } })
    if not answer then return nil, { retry = 5, why = nobody } end
    local data = shared.tab(answer.data)
    local id = given(data.image_id) and data.image_id or shared.tab(data.image).image_id
    if code == 0 and given(id) then return id end
    if code == 0 then return nil, { failed = "refused", why = "抖音没有给出 image_id / Douyin gave no image_id" } end
    if try == 2 or not douyin.STALE[code] then return nil, douyin.trouble_of(code, answer) end
    douyin.forget_client(config, token)
  end
end

-- The image_id of a picture, or nil and what is in the way.
function M.image_id(config, file)
  return media.id_of(key_of(config, file), KEPT, function() return upload(config, file) end)
end

function M.forget(config, file) media.forget(key_of(config, file)) end

return M
