-- What customers send as messages of the house, and the way back.
local shared, media = require "lib.channels", require "lib.media"

local given, words = shared.given, shared.words

local M = {}

local TEXT_BYTES = 2048

-- A message that bears a file: what api.fetch needs of it.
local function bearing(kind, mime)
  return function(x) return { kind = kind, media = { id = x.media_id, mime = mime } } end
end

local function mark(text, ...)
  local names = { ... }
  return function(x)
    local list = { text }
    for _, name in ipairs(names) do
      if given(x[name]) then list[#list + 1] = x[name] end
    end
    return { kind = "text", text = table.concat(list, " ") }
  end
end

local kinds = {
  text = function(x) return { kind = "text", text = x.content } end,
  image = bearing "image", voice = bearing("audio", "audio/amr"), video = bearing "video", file = bearing "file",
  business_card = mark "[名片]",
  link = mark("[链接]", "title", "desc", "url"),
  miniprogram = mark("[小程序]", "title"),
  merged_msg = mark("[聊天记录]", "title"),
  channels = mark("[视频号]", "nickname", "title"),
  location = function(x)
    local lat, lng = tonumber(x.latitude), tonumber(x.longitude)
    if not lat or not lng then return { kind = "text", text = words("[位置]", x.name, x.address) } end
    return { kind = "location", lat = lat, lng = lng, label = words(x.name), address = words(x.address) }
  end,
}

function M.message_of(m)
  local make = kinds[m.msgtype]
  local content = type(m[m.msgtype]) == "table" and m[m.msgtype] or {}
  local out = make and make(content) or { kind = "text", text = words("[暂不支持的消息]", m.msgtype) }
  if out.kind == "text" and not given(out.text) then out.text = "[空消息]" end
  out.dedupe, out.from = m.msgid, m.external_userid .. "@" .. m.open_kfid
  return out
end

-- --- out -------------------------------------------------------------------

local function texts(text)
  local list = {}
  for i, piece in ipairs(shared.pieces(text, TEXT_BYTES)) do
    list[i] = { msgtype = "text", text = { content = piece } }
  end
  return list
end

local function card_messages(card)
  local list = {}
  for i, button in ipairs(card.buttons or {}) do
    list[i] = button.url and { type = "view", view = { url = button.url, content = button.label } }
      or { type = "click", click = { id = tostring(100 + i), content = button.value or button.label } }
  end
  if card.url then
    local title = words(card.title) ~= "" and card.title or card.url
    list[#list + 1] = { type = "view", view = { url = card.url, content = title } }
  end
  local head = words(card.title) .. (card.title and card.text and "\n" or "") .. words(card.text)
  if #list == 0 then return texts(head) end
  return { { msgtype = "msgmenu", msgmenu = { head_content = head, list = list } } }
end

-- What send_msg shows, and what a file must be for that.
local FILES = {
  image = media.rule(10, "image/jpeg", "image/png"), audio = media.rule(2, "audio/amr"),
  video = media.rule(10, "video/mp4"), file = media.rule(20),
}
local NAMES = { image = "image", audio = "voice", video = "video", file = "file" }

local function file_message(_, kind)
  local name = NAMES[kind]
  return { msgtype = name, [name] = {}, of_file = true }
end

-- What WeCom is sent for an item; nil if it cannot show that, and why.
function M.messages_of(item)
  if item.file then return media.list(item, FILES, file_message, texts) end
  if item.kind == "text" then return texts(item.text) end
  if item.kind == "card" then return card_messages(item.card) end
  if item.kind == "location" then
    return { { msgtype = "location", location = {
      name = words(item.label), address = words(item.address), latitude = item.lat, longitude = item.lng,
    } } }
  end
end

return M
