-- What a push means: a message for the house, or nothing.
local words = require("lib.channels").words

local function scene(key) return type(key) == "string" and key:gsub("^qrscene_", "") or nil end

local events = {
  subscribe = function(x) return words("[关注]", scene(x.EventKey)) end,
  SCAN = function(x) return words("[扫码]", scene(x.EventKey)) end,
  CLICK = function(x) return words("[菜单]", x.EventKey) end,
}

-- Files: PicUrl and MediaId are where a download would begin.
local kinds = {
  text = function(x) return { kind = "text", text = x.Content } end,
  image = function(x) return { kind = "text", text = words("[图片]", x.PicUrl) } end,
  voice = function(x) return { kind = "text", text = words("[语音]", x.Recognition) } end,
  video = function() return { kind = "text", text = "[视频]" } end,
  shortvideo = function() return { kind = "text", text = "[视频]" } end,
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
  if type(x.MsgId) == "number" then return ("%.0f"):format(x.MsgId) end -- tostring would round it
  if x.MsgId then return tostring(x.MsgId) end
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
