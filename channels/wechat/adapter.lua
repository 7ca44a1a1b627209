-- WeChat official account: pushes in (plain, compatible or safe mode, XML or
-- JSON), customer service messages out.
--
-- A push waits four seconds for a message to its user, which is then its answer
-- (passive.lua); without one it is answered "success", and what comes later goes by
-- custom/send. A file is fetched for two seconds meanwhile, then by poll(). Events a
-- rule may want are texts: [关注], [扫码] x, [菜单] x.
local log, shared, media = require "log", require "lib.channels", require "lib.media"
local api, message_of = require "channels.wechat.api", require "channels.wechat.messages"
local settings, passive = require "channels.wechat.settings", require "channels.wechat.passive"
local menu = require "channels.wechat.menu"

local words = shared.words

local TEXT_BYTES = 2048
local HOLD = "4s" -- WeChat hangs up after five
-- An account without customer service messages: the answer waits until its user
-- writes, and then is the answer to that push.
local NO_SERVICE = { [48001] = 3600 }
-- What custom/send shows; images over 2 MB are refused by some of WeChat's pages.
local FILES = {
  image = media.rule(10, "image/jpeg", "image/png", "image/gif"),
  audio = media.rule(2, "audio/amr", "audio/mpeg"),
  video = media.rule(10, "video/mp4"),
}
local NAMES = { image = "image", audio = "voice", video = "video" }

---@type Channel
local M = {
  api = 1,
  title = { zh = "微信公众号", en = "WeChat official account" },
  schema = settings.account(),
  check = settings.check,
  capabilities = {
    text = TEXT_BYTES, text_unit = "bytes", kinds = { "text", "image", "audio", "video", "card" }, buttons = 10,
    image = "10MB", audio = "2MB", video = "10MB",
    reply_window = { time = "48h", count = 5 }, rate = 50, at_once = 8,
  },
}

-- --- in --------------------------------------------------------------------

function M.receive(req, ctx)
  local config, q = ctx.config, req.query
  if not config.token then return 403, "the channel has no token" end
  if req.method == "GET" then
    local signed = shared.is_signed(q.signature, config.token, q.timestamp or "", q.nonce or "")
    if signed then return 200, q.echostr or "" end
    return 401, "the signature is wrong"
  end
  local x, status, why = shared.read_push(req, config)
  if not x then
    log.warn("wechat: a push was refused", { why = why })
    return status, why
  end
  if config.original_id and config.original_id ~= "" and x.ToUserName ~= config.original_id then
    return 403, "it is for another account"
  end
  local m = message_of(x)
  if not m then return 200, "success" end
  m.hold = config.reply_mode ~= "service" and HOLD or nil
  local taken
  if m.media then taken = media.take(ctx, m, api.fetch) else taken = shared.hand_over(ctx, m) end
  if not taken then return 503, "" end -- pushed again
  return 200, "success"
end

function M.poll(ctx)
  local again, why = media.late(ctx, api.fetch), menu.keep(ctx)
  if why then return nil, "menu", "菜单 / menu: " .. why end
  return again
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
  local choices, links = {}, {}
  for i, button in ipairs(card.buttons or {}) do
    if button.url then links[#links + 1] = button.label .. "：" .. button.url
    else choices[#choices + 1] = { id = tostring(100 + i), content = button.value or button.label } end
  end
  local head = words(card.title) .. (card.title and card.text and "\n" or "") .. words(card.text)
  if #choices == 0 and card.url then
    local article = { title = words(card.title), description = words(card.text), url = card.url,
      picurl = card.image or "" }
    return { { msgtype = "news", news = { articles = { article } } } }
  end
  if card.url then links[#links + 1] = card.url end
  if #links > 0 then head = head .. (head ~= "" and "\n" or "") .. table.concat(links, "\n") end
  if #choices == 0 then return texts(head) end
  return { { msgtype = "msgmenu", msgmenu = { head_content = head, list = choices, tail_content = "" } } }
end

local function file_message(_, kind)
  local name = NAMES[kind]
  return { msgtype = name, [name] = {}, of_file = true }
end

-- What WeChat is sent for an item; nil if it cannot show that, and why.
local function messages_of(item)
  if item.file then return media.list(item, FILES, file_message, texts) end
  if item.kind == "card" then return card_messages(item.card) end
  return texts(item.text)
end

function M.send(item, ctx)
  local list, trouble = messages_of(item)
  return trouble or api.send(item, list, ctx.config, ctx.config.reply_mode ~= "service" and NO_SERVICE or nil)
end

function M.passive(item, req, ctx)
  local list = messages_of(item)
  local body, kind = passive.body(list or {}, item, req, ctx.config)
  return body and { body = body, type = kind } or nil
end

M.typing = api.typing

return M
