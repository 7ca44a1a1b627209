-- Customer service messages of a WeChat mini program (客服消息): pushes in (plain,
-- compatible or safe mode, XML or JSON), custom/send out.
--
-- A push is answered "success" as soon as its message is on disk; a picture is
-- fetched for two seconds meanwhile, then by poll(). Coming in through a button
-- with session-from is a text: [进入会话] order=42.
local kv, log, shared, media = require "kv", require "log", require "lib.channels", require "lib.media"
local api, settings = require "channels.wechat.api", require "channels.wechat.settings"
local given, words = shared.given, shared.words

local TEXT_BYTES = 2048
local FILES = { image = media.rule(10, "image/jpeg", "image/png", "image/gif") }
-- How 云托管 tries the address; it says nothing and is not signed.
local PROBE = '^%s*{%s*"action"%s*:%s*"CheckContainerPath"%s*}%s*$'

---@type Channel
local M = {
  api = 1,
  title = { zh = "微信小程序", en = "WeChat mini program" },
  schema = settings.schema("小程序后台“开发设置”里的 AppID，以 wx 开头",
    "From the development settings; begins with wx"),
  capabilities = {
    text = TEXT_BYTES, text_unit = "bytes", kinds = { "text", "image", "card" }, image = "10MB",
    reply_window = { time = "48h", count = 5 }, rate = 50, at_once = 8,
  },
}

M.schema.welcome = shared.setting("string", "欢迎语", "Welcome",
  "客户进入客服会话时说的话；不填则不说", "Said when a customer opens the chat; empty means: nothing")
M.check = settings.check

-- --- in --------------------------------------------------------------------

local function text_of(x)
  if x.MsgType == "text" then return given(x.Content) and x.Content or "[空消息]" end
  if x.MsgType == "miniprogrampage" then return words("[小程序卡片]", x.Title, x.PagePath) end
  if x.MsgType ~= "event" then return words("[暂不支持的消息]", x.MsgType) end
  if x.Event == "user_enter_tempsession" and given(x.SessionFrom) then return words("[进入会话]", x.SessionFrom) end
end

-- Events have no MsgId.
local function dedupe_of(x)
  if type(x.MsgId) == "number" then return ("%.0f"):format(x.MsgId) end -- tostring would round it
  if x.MsgId then return tostring(x.MsgId) end
  return table.concat({ "e", tostring(x.FromUserName), tostring(x.CreateTime), tostring(x.Event) }, ":")
end

-- True if it is on disk, waits for poll(), or is nothing to keep.
local function take(x, ctx)
  local m = { dedupe = dedupe_of(x), from = x.FromUserName, kind = "text" }
  if x.MsgType == "image" then
    m.kind, m.link = "image", given(x.PicUrl) and x.PicUrl or nil
    m.media = { id = x.MediaId, url = x.PicUrl }
    return media.take(ctx, m, api.fetch)
  end
  m.text = text_of(x)
  return not m.text or shared.hand_over(ctx, m)
end

-- Two answers are allowed within a minute; nobody could type that fast.
local function welcome(x, config)
  if x.Event ~= "user_enter_tempsession" or not given(config.welcome) or not config.secret then return end
  if not kv.add("welcome:" .. dedupe_of(x), true, "10m") then return end
  local body = { touser = x.FromUserName, msgtype = "text", text = { content = config.welcome } }
  local trouble = api.say(config, body, "3s")
  if trouble then log.warn("weapp: the welcome was not sent", { why = trouble.why }) end
end

function M.receive(req, ctx)
  local config, q = ctx.config, req.query
  if req.body:find(PROBE) then return 200, "success" end
  if not config.token then return 403, "the channel has no token" end
  if req.method == "GET" then
    local signed = shared.is_signed(q.signature, config.token, q.timestamp or "", q.nonce or "")
    if signed then return 200, q.echostr or "" end
    return 401, "the signature is wrong"
  end
  local x, status, why = shared.read_push(req, config)
  if not x then
    log.warn("weapp: a push was refused", { why = why })
    return status, why
  end
  if given(config.original_id) and x.ToUserName ~= config.original_id then return 403, "for another mini program" end
  if not take(x, ctx) then return 503, "" end -- pushed again
  welcome(x, config)
  return 200, "success"
end

function M.poll(ctx) return media.late(ctx, api.fetch) end

-- --- out -------------------------------------------------------------------

local function texts(text)
  local list = {}
  for i, piece in ipairs(shared.pieces(text, TEXT_BYTES)) do
    list[i] = { msgtype = "text", text = { content = piece } }
  end
  return list
end

local function picture() return { msgtype = "image", image = {}, of_file = true } end

-- What WeChat is sent for an item; nil if it cannot show that, and why.
local function messages_of(item)
  if item.file then return media.list(item, FILES, picture, texts) end
  local card = item.kind == "card" and item.card
  if card and given(card.url) then
    return { { msgtype = "link", link = {
      title = words(card.title), description = words(card.text), url = card.url, thumb_url = card.image or "",
    } } }
  end
  return texts(card and shared.head_of(card) or item.text)
end

function M.send(item, ctx)
  local list, trouble = messages_of(item)
  return trouble or api.send(item, list, ctx.config)
end

M.typing = api.typing

return M
