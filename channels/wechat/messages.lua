-- What a push means: a message for the house, or nothing.
local shared = require "lib.channels"
local given, words = shared.given, shared.words

local VOICES = { amr = "audio/amr", mp3 = "audio/mpeg" }

local function scene(key) return type(key) == "string" and key:gsub("^qrscene_", "") or nil end

local events = {
  subscribe = function(x) return words("[关注]", scene(x.EventKey)) end,
  SCAN = function(x) return words("[扫码]", scene(x.EventKey)) end,
  CLICK = function(x) return words("[菜单]", x.EventKey) end,
}
for _, name in ipairs { "scancode_push", "scancode_waitmsg" } do
  events[name] = function(x)
    return words("[菜单]", x.EventKey, type(x.ScanCodeInfo) == "table" and x.ScanCodeInfo.ScanResult or nil)
  end
end

local function number(value) return type(value) == "number" and ("%.0f"):format(value) or value end

-- A message that bears a file: what api.fetch needs of it.
local function bearing(kind, x, more)
  more = more or {}
  return { kind = kind, media = { id = number(x.MediaId), url = x.PicUrl, mime = more.mime }, text = more.text,
    link = given(x.PicUrl) and x.PicUrl or nil }
end

local kinds = {
  text = function(x) return { kind = "text", text = x.Content } end,
  image = function(x) return bearing("image", x) end,
  voice = function(x)
    local format = given(x.Format) and x.Format:lower() or "amr"
    return bearing("audio", x, { mime = VOICES[format], text = given(x.Recognition) and x.Recognition or nil })
  end,
  video = function(x) return bearing("video", x) end,
  shortvideo = function(x) return bearing("video", x) end,
  link = function(x) return { kind = "text", text = words("[链接]", x.Title, x.Description, x.Url) } end,
  location = function(x)
    local lat, lng = tonumber(x.Location_X), tonumber(x.Location_Y)
    if not lat or not lng then return { kind = "text", text = words("[位置]", x.Label) } end
    return { kind = "location", lat = lat, lng = lng, label = words(x.Label) }
  end,
  event = function(x)
    local make = events[x.Event]
    return make and { kind = "text", text = make(x) }
  end,
}

-- Events have no MsgId; FromUserName is added by whoever looks for repeats.
local function dedupe_of(x)
  if x.MsgId then return tostring(number(x.MsgId)) end -- tostring would round it
  return table.concat({ "e", tostring(x.FromUserName), tostring(x.CreateTime), tostring(x.Event),
    tostring(x.EventKey or "") }, ":")
end

-- A message for the house, nil for what nobody needs (VIEW, unsubscribe ...).
return function(x)
  local make = kinds[x.MsgType]
  local m = make and make(x)
  if not make then m = { kind = "text", text = words("[暂不支持的消息]", x.MsgType) } end
  if not m then return nil end
  if m.kind == "text" and (type(m.text) ~= "string" or m.text == "") then m.text = "[空消息]" end
  m.dedupe, m.from = dedupe_of(x), x.FromUserName
  return m
end
