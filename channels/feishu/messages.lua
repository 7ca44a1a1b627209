-- What customers send as messages of the house.
local json, shared = require "json", require "lib.channels"
local given, words = shared.given, shared.words

-- "@_user_1 你好": who is named, by name; in a group the first is the bot.
local function with_names(text, message)
  for _, mention in ipairs(type(message.mentions) == "table" and message.mentions or {}) do
    if type(mention) == "table" and given(mention.key) then
      local at, to = text:find(mention.key, 1, true)
      local is_bot = at == 1 and message.chat_type == "group"
      if at then text = text:sub(1, at - 1) .. (is_bot and "" or "@" .. words(mention.name)) .. text:sub(to + 1) end
    end
  end
  return (text:gsub("^%s+", ""))
end

-- A rich text: its title, its lines, and what is in them. In a list of
-- languages, the first.
local function flat(content)
  if type(content.content) ~= "table" then
    for _, one in pairs(content) do
      if type(one) == "table" and type(one.content) == "table" then content = one break end
    end
  end
  local lines, pictures = { given(content.title) and content.title or nil }, {}
  for _, line in ipairs(type(content.content) == "table" and content.content or {}) do
    local parts = {}
    for _, part in ipairs(type(line) == "table" and line or {}) do
      if type(part) == "table" then
        local mark = part.tag == "img" and "[图片]" or part.tag == "media" and "[视频]" or part.tag == "emotion" and "[表情]"
        if part.tag == "img" and given(part.image_key) then pictures[#pictures + 1] = part.image_key end
        parts[#parts + 1] = mark or part.tag == "at" and "@" .. words(part.user_name) or words(part.text, part.href)
      end
    end
    lines[#lines + 1] = table.concat(parts)
  end
  return table.concat(lines, "\n"), pictures
end

local MARKS = {
  folder = "[文件夹]", sticker = "[表情]",
  interactive = "[卡片]", share_chat = "[群名片]", share_user = "[个人名片]", location = "[位置]",
}

local KINDS = { image = "image", file = "file", audio = "audio", media = "video" }

-- A message that bears a file: what calls.fetch needs of it.
local function bearing(message, kind, key, name)
  return { kind = kind, name_of_file = given(name) and name or nil, media = { message = message.message_id, key = key,
    type = kind == "image" and "image" or "file", name = given(name) and name or nil } }
end

-- A message of the house, and the pictures in it, each as a message.
return function(message)
  local kind, content = message.message_type, type(message.content) == "string" and json.decode(message.content)
  if type(content) ~= "table" then content = {} end
  local lat, lng = tonumber(content.latitude), tonumber(content.longitude)
  if kind == "location" and lat and lng then
    return { kind = "location", lat = lat, lng = lng, label = given(content.name) and content.name or nil }
  end
  if KINDS[kind] then
    return bearing(message, KINDS[kind], kind == "image" and content.image_key or content.file_key, content.file_name)
  end
  local pictures, list
  local text = words(MARKS[kind] or "[暂不支持的消息]", content.file_name, content.name, not MARKS[kind] and kind)
  if kind == "text" then text = words(content.text) elseif kind == "post" then text, pictures = flat(content) end
  text = with_names(text, message)
  for i, key in ipairs(pictures or {}) do
    list = list or {}
    list[i] = bearing(message, "image", key)
  end
  return { kind = "text", text = given(text) and text or "[空消息]" }, list
end
