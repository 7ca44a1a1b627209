-- LINE's files: in from its content server; out only pictures, which LINE fetches
-- itself, by https.
local shared, media = require "lib.channels", require "lib.media"
local given, tab = shared.given, shared.tab

local DATA = "https://api-data.line.me"

local M = {}

-- --- in --------------------------------------------------------------------

local NAMES = { image = { "photo.jpg", "image/jpeg" }, video = { "video.mp4", "video/mp4" },
  audio = { "voice.m4a", "audio/mp4" }, file = {} }

-- A message that bears a file; LINE names only those of kind file.
function M.bearing(kind)
  return function(m)
    local from, known = tab(m.contentProvider), NAMES[kind]
    local name = given(m.fileName) and m.fileName or nil
    return { kind = kind, name_of_file = name, media = { id = m.id, name = name or known[1], mime = known[2],
      url = from.type == "external" and from.originalContentUrl or nil } }
  end
end

function M.fetch(ctx, x, timeout)
  local want = { name = x.name, mime = x.mime, timeout = timeout }
  if given(x.url) then -- on somebody else's server: not with our token
    want.url = x.url
    return ctx.file(want)
  end
  if not ctx.config.access_token then return nil, "not_found", "there is no access token to fetch it with" end
  if not given(x.id) or not x.id:find "^%w+$" then return nil, "not_found", "it has no id" end
  want.url = ("%s/v2/bot/message/%s/content"):format(shared.base(ctx.config, DATA), x.id)
  want.auth = { bearer = ctx.config.access_token }
  return ctx.file(want)
end

-- --- out -------------------------------------------------------------------

-- Its preview is the picture itself, and that may be 1 MB.
local PICTURES = media.rule(1, "image/jpeg", "image/png")

-- What LINE is sent for a picture; nil and why not. texts(words): as messages.
function M.messages(item, texts)
  local url = item.file.url
  if not given(url) or not url:find "^https://" then
    return nil, { failed = "unsupported", why = "LINE 自己来取图片，需要设置 public_url，并以 https:// 开头"
      .. " / LINE fetches pictures: the setting public_url must be there and begin with https://" }
  end
  local list
  if media.misfit(item.file, item.kind == "image" and PICTURES or nil) then
    return texts(media.link_of(item))
  end
  list = { { type = "image", originalContentUrl = url, previewImageUrl = url } }
  if given(item.text) then
    for _, one in ipairs(texts(item.text)) do list[#list + 1] = one end
  end
  return list
end

return M
