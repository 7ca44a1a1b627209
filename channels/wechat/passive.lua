-- Answers inside of a push (passive replies): a message as the XML or JSON that
-- WeChat shows its user, sealed if the push was.
local json, xml, crypto = require "json", require "xml", require "crypto"
local secret, time = require "secret", require "time"
local shared, api = require "lib.channels", require "channels.wechat.api"

local UPLOAD = "2500ms" -- for a file that WeChat does not have yet
local FILES = { image = "Image", voice = "Voice", video = "Video" }

local M = {}

local function with_file(message, item, config)
  local kind = message.msgtype
  local id = api.media_id(config, item, kind, UPLOAD)
  return id and { MsgType = kind, [FILES[kind]] = { MediaId = id } }
end

local function article(news)
  local one = news.articles[1]
  return { MsgType = "news", ArticleCount = 1, Articles = { item = { Title = one.title, Description = one.description,
    PicUrl = one.picurl, Url = one.url } } }
end

-- Its fields; nil for what WeChat shows only as a customer service message.
local function fields_of(message, item, config)
  if message.msgtype == "text" then return { MsgType = "text", Content = message.text.content } end
  if message.msgtype == "news" then return article(message.news) end
  return message.of_file and FILES[message.msgtype] and config.secret and with_file(message, item, config)
end

local function seal(text, key, config, nonce, as_json)
  local sealed, at = shared.seal(key, text, config.appid), ("%.0f"):format(time.now() / 1000)
  local out = { Encrypt = sealed, TimeStamp = at, Nonce = nonce,
    MsgSignature = crypto.sha1(secret.sorted(config.token, at, nonce, sealed)) }
  if not as_json then return xml.encode(out, { cdata = true }) end
  out.TimeStamp = tonumber(at)
  return json.encode(out)
end

-- The body that answers req with the one message there is, and its content type; nil
-- if it must be sent otherwise.
function M.body(list, item, req, config)
  local x, key = shared.read_push(req, config)
  if not x or #list ~= 1 then return nil end
  local fields = fields_of(list[1], item, config)
  if not fields then return nil end
  fields.ToUserName, fields.FromUserName = x.FromUserName, x.ToUserName
  fields.CreateTime = math.floor(time.now() / 1000)
  local as_json = req.body:find "^%s*{" ~= nil
  local text = as_json and json.encode(fields) or xml.encode(fields, { cdata = true })
  if key then text = seal(text, key, config, req.query.nonce or "", as_json) end
  return text, as_json and "application/json" or "application/xml"
end

return M
