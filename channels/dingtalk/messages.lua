-- What customers send as messages of the house.
local shared = require "lib.channels"
local given, words = shared.given, shared.words

local KINDS = { picture = "image", video = "video", file = "file", audio = "audio" }

-- A message that bears a file: what calls.fetch needs of it.
local function bearing(kind, content)
  local name = given(content.fileName) and content.fileName or nil
  return { kind = kind, text = given(content.recognition) and content.recognition or nil, name_of_file = name,
    media = { code = content.downloadCode, name = name } }
end

-- The words of a rich text, and the pictures in it.
local function rich(content)
  local parts, pictures = {}, {}
  for _, part in ipairs(shared.tab(content.richText)) do
    if type(part) == "table" and part.type == "picture" then
      parts[#parts + 1], pictures[#pictures + 1] = "[图片]", bearing("image", part)
    elseif type(part) == "table" then
      parts[#parts + 1] = words(part.text)
    end
  end
  return table.concat(parts), pictures
end

-- A message of the house, and the pictures in it, each as a message.
return function(x)
  local content, pictures = shared.tab(x.content), {}
  if KINDS[x.msgtype] then return bearing(KINDS[x.msgtype], content), pictures end
  local text = words("[暂不支持的消息]", x.msgtype)
  if x.msgtype == "text" then text = words(shared.tab(x.text).content) end
  if x.msgtype == "richText" then text, pictures = rich(content) end
  text = text:match "^%s*(.-)%s*$"
  return { kind = "text", text = text ~= "" and text or "[空消息]" }, pictures
end
