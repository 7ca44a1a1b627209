-- Your own app: its users come by the WebSocket with the same SDK as the web,
-- signed by your server; what no socket brought them goes to your server as a
-- push, and from there by APNs, FCM or a maker's own service.
--
-- The house finds out who needs a push (core/desk/push.c); this file only says
-- what it looks like. One push stands for all messages that wait in its
-- conversation, and its id is the same at every try.
local json, time, utf8 = require "json", require "time", require "utf8"
local channels, webhook = require "lib.channels", require "lib.webhook"

local BODY_CHARS = 120 -- what fits on a locked screen

local WORDS = {
  ["zh-CN"] = { new = "您有新消息", image = "[图片]", file = "[文件]", audio = "[语音]", video = "[视频]",
    location = "[位置]", card = "[卡片]" },
  en = { new = "You have a new message", image = "[Image]", file = "[File]", audio = "[Voice message]",
    video = "[Video]", location = "[Location]", card = "[Card]" },
}

---@type Channel
local M = {
  api = 1,
  title = { zh = "手机应用", en = "Mobile app" },
  schema = {
    signed_only = {
      type = "boolean",
      title = { zh = "只接待登录用户", en = "Signed users only" },
      help = { zh = "打开后，没有您服务器签名的用户连不进来；不开则也接待游客",
        en = "On: only users whom your server has signed come in. Off: guests too" },
    },
    identity_hours = {
      type = "integer",
      title = { zh = "签名最长有效小时数", en = "Longest life of a signature, hours" },
      help = { zh = "expires_at 最多比现在晚这么久，默认 24；越短，被截获的签名越没用",
        en = "expires_at may be at most so far ahead, 24 unless told; the shorter, the less a stolen one is worth" },
    },
    push_url = {
      type = "string",
      title = { zh = "推送通知地址", en = "Push URL" },
      help = { zh = "用户不在线时，我们以 POST 通知您的服务器；不填则不推送",
        en = "When a user is not connected we post here, to your server; empty: no pushes" },
    },
    push_secret = {
      type = "secret",
      title = { zh = "推送签名密钥", en = "Push signing secret" },
      help = { zh = "通知用它签名，建议 whsec_ 开头的 Base64", en = "Signs the pushes; best whsec_ and base64" },
    },
    previous_push_secret = {
      type = "secret",
      title = { zh = "上一个推送密钥", en = "Previous push secret" },
      help = { zh = "更换密钥期间同时签名", en = "Signs too, while the secret is being changed" },
    },
    push_after = {
      type = "integer",
      title = { zh = "等待秒数", en = "Wait, seconds" },
      help = { zh = "这么久还没送达才推送，默认 5", en = "Pushed if not delivered after so long; 5 unless told" },
    },
    push_quiet = {
      type = "integer",
      title = { zh = "安静秒数", en = "Quiet, seconds" },
      help = { zh = "同一会话两次推送之间至少这么久，其间的消息合成一条，默认 20",
        en = "At least so long between two pushes of a conversation; what comes meanwhile is one push. 20 at first" },
    },
    preview = {
      type = "choice",
      choices = { "text", "sender", "none" },
      title = { zh = "通知内容", en = "Preview" },
      help = { zh = "text：发送人和正文；sender：只有发送人；none：只说有新消息",
        en = "text: sender and text; sender: who wrote; none: only that there is something" },
    },
    language = {
      type = "choice",
      choices = { "zh-CN", "en" },
      title = { zh = "通知语言", en = "Language of pushes" },
      help = { zh = "“您有新消息”“[图片]”这些字的语言", en = "Of words such as “[Image]”" },
    },
    bundle_id = {
      type = "string",
      title = { zh = "iOS Bundle ID", en = "iOS bundle id" },
      help = { zh = "随推送带给您的服务器，例如 com.example.shop", en = "Goes with each push to your server" },
    },
    package_name = {
      type = "string",
      title = { zh = "Android 包名", en = "Android package name" },
      help = { zh = "随推送带给您的服务器，例如 com.example.shop", en = "Goes with each push to your server" },
    },
  },
  capabilities = {
    socket = true,
    kinds = { "text", "image", "file", "audio", "video", "location", "card" },
    receipts = { "delivered", "read" },
    identity = { max = "24h", max_from = "identity_hours", only_from = "signed_only" },
    push = { after = "5s", quiet = "20s", after_from = "push_after", quiet_from = "push_quiet", needs = "push_url" },
    rate = 100,
    at_once = 8,
  },
}

local function words_of(item, words)
  local mark = words[item.kind]
  if not mark then return channels.given(item.text) and item.text or words.new end
  return channels.words(mark, channels.tab(item.file).name, item.label, channels.tab(item.card).title)
end

-- Title and body as the settings want them.
local function preview_of(item, ctx)
  local words = WORDS[ctx.config.language] or WORDS["zh-CN"]
  local how, sender = ctx.config.preview or "text", channels.tab(item.sender).name
  local title = how ~= "none" and channels.given(sender) and sender or ctx.channel.name
  if how ~= "text" then return title, words.new end
  local body = words_of(item, words)
  if (utf8.len(body) or #body) > BODY_CHARS then body = utf8.sub(body, 1, BODY_CHARS - 1) .. "…" end
  return title, body
end

function M.push(item, ctx)
  local config = ctx.config
  local title, body = preview_of(item, ctx)
  local data = {
    id = item.id, -- the same at each try
    collapse_key = item.conversation, -- a newer push takes an older one's place
    user_id = channels.given(item.to) and item.to or nil, -- nil: a guest
    contact = item.contact,
    conversation = item.conversation,
    channel = ctx.channel.id,
    kind = item.kind,
    seq = item.seq,
    title = title,
    body = body,
    count = item.count,
    badge = item.unread,
    bundle_id = config.bundle_id,
    package_name = config.package_name,
  }
  local secrets = webhook.secrets(config.push_secret, config.previous_push_secret)
  return webhook.post(config.push_url, secrets, item, json.encode {
    type = "push", timestamp = time.format(time.now(), "iso", "UTC"), data = data })
end

local function in_range(value, least, most) return value == nil or (value >= least and value <= most) end

function M.check(config)
  if channels.given(config.push_url) then
    if not config.push_url:find "^https?://[^/]" then
      return nil, "push_url", "推送通知地址须以 http:// 或 https:// 开头 / the push URL must begin with http:// or https://"
    end
    if not config.push_secret then
      return nil, "push_secret",
        "没有推送签名密钥，您的服务器无法辨别真假 / without a push secret your server cannot tell ours from others"
    end
  end
  if not in_range(config.identity_hours, 1, 8784) then
    return nil, "identity_hours", "有效小时数须在 1 到 8784 之间 / the life of a signature must be 1 to 8784 hours"
  end
  for _, name in ipairs { "push_after", "push_quiet" } do
    if not in_range(config[name], 1, 86400) then
      return nil, name, "秒数须在 1 到 86400 之间 / must be 1 to 86400 seconds: " .. name
    end
  end
  return true
end

return M
