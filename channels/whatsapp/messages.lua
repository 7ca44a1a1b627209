-- What a push means: messages for the house.
local shared, files = require "lib.channels", require "channels.whatsapp.files"

local given, tab, words = shared.given, shared.tab, shared.words

local M = {}

local function text(...) return { kind = "text", text = words(...) } end

local kinds = {
  text = function(x) return text(x.body) end,
  image = files.bearing "image", video = files.bearing "video", audio = files.bearing "audio",
  document = files.bearing "file", sticker = files.bearing "image",
  button = function(x) return text(x.text or x.payload) end,
  reaction = function(x) return given(x.emoji) and text("[回应]", x.emoji) or nil end,
  system = function(x) return text("[系统]", x.body) end,
  order = function(x) return text("[订单]", x.text) end,
  interactive = function(x)
    local picked = tab(x.button_reply or x.list_reply)
    return text(given(picked.id) and picked.id or picked.title or "[暂不支持的消息]")
  end,
  location = function(x)
    local lat, lng = tonumber(x.latitude), tonumber(x.longitude)
    if not lat or not lng then return text("[位置]", x.name, x.address) end
    return { kind = "location", lat = lat, lng = lng, label = words(x.name), address = words(x.address) }
  end,
  contacts = function(x)
    local first = tab(x[1])
    return text("[名片]", tab(first.name).formatted_name, tab(tab(first.phones)[1]).phone)
  end,
}

-- Who is what: by number, or by the id that people without a visible one have.
function M.names_of(value)
  local names = {}
  for _, c in ipairs(tab(value.contacts)) do
    local name = tab(tab(c).profile).name
    for _, id in ipairs { tab(c).wa_id or "", tab(c).user_id or "" } do names[id] = given(name) and name or nil end
  end
  return names
end

-- A message for the house; nil for what is none. is_echo: one of the staff's, from
-- the WhatsApp Business app.
function M.message_of(m, names, is_echo)
  local from = given(m.from) and m.from or m.from_user_id
  if is_echo then from = given(m.to) and m.to:gsub("^%+", "") or m.to_user_id end
  if not given(from) or not given(m.id) then return nil end
  local make = kinds[m.type]
  local out
  if make then out = make(tab(m[m.type])) else out = text("[暂不支持的消息]", m.type) end
  if not out then return nil end
  if out.text == "" then out.text = "[空消息]" end
  out.dedupe, out.from, out.name = m.id, from, names[from] or names[m.from_user_id or ""]
  local number = from:match "^%d+$"
  out.profile = number and { phone = "+" .. number } or nil
  if is_echo then out.to, out.from, out.name = from, nil, nil end
  return out
end

return M
