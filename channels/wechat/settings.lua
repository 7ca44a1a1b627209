-- The settings that official accounts and mini programs have alike, and what
-- may be wrong with them.
local shared, api = require "lib.channels", require "channels.wechat.api"
local menu = require "channels.wechat.menu"

local setting = shared.setting

local M = {}

-- The schema; where the AppID stands differs.
function M.schema(zh, en)
  local format = setting("choice", "数据格式", "Data format",
    "推送数据的格式；不填则自动识别", "Of what is pushed; empty means: seen from the body")
  format.choices = { "auto", "xml", "json" }
  return {
    appid = setting("string", "AppID", "AppID", zh, en, true),
    secret = setting("secret", "AppSecret", "AppSecret",
      "换取接口调用凭据；没有它不能发送消息", "Buys the access token; without it nothing can be sent"),
    token = setting("secret", "Token（令牌）", "Token",
      "后台消息推送里填写的令牌，用来验证签名", "The token of the push settings; it verifies signatures"),
    encoding_aes_key = setting("secret", "EncodingAESKey", "EncodingAESKey",
      "43 个字符；兼容或安全模式才需要", "43 characters; for the compatible and the safe mode only"),
    previous_aes_key = setting("secret", "上一个 EncodingAESKey", "Previous EncodingAESKey",
      "更换密钥期间仍可解密旧消息", "Still opens messages while the key is being changed"),
    original_id = setting("string", "原始 ID", "Original id",
      "以 gh_ 开头；填了就只收这个账号的消息", "Begins with gh_; if given, only its messages are taken"),
    format = format,
    api = setting("string", "接口地址", "API address",
      "不填则为 https://api.weixin.qq.com；经代理时填写", "Empty means https://api.weixin.qq.com; for a proxy"),
  }
end

-- An official account's.
function M.account()
  local schema = M.schema("公众号后台“基本配置”里的 AppID，以 wx 开头",
    "From the account's basic configuration; begins with wx")
  schema.reply_mode = setting("choice", "回复方式", "Way of answering",
    "auto（默认）：4 秒内的第一条回复直接答在推送里，其余走客服消息；service：全部走客服消息",
    "auto (default): the first answer within 4 s goes in the push, the rest as customer service messages; "
      .. "service: all as customer service messages")
  schema.reply_mode.choices = { "auto", "service" }
  schema.menu = setting("string", "自定义菜单", "Menu",
    '微信文档里的 JSON：[{"type":"click","name":"订单","key":"ORDERS"}]；不填则不动，填过再清空则删除菜单',
    'JSON as in WeChat\'s documents: [{"type":"click","name":"Orders","key":"ORDERS"}]; empty: nothing is done; '
      .. "emptied later: the menu is deleted")
  return schema
end

function M.check(config, ctx)
  if not config.appid:find "^wx%w+$" then return nil, "appid", "AppID 应以 wx 开头 / the AppID begins with wx" end
  if not config.token then return nil, "token", "没有填写 Token，推送无法验证 / without a Token no push can be verified" end
  if config.encoding_aes_key and not shared.is_key(config.encoding_aes_key) then
    return nil, "encoding_aes_key", "EncodingAESKey 应为 43 个字符 / the EncodingAESKey has 43 characters"
  end
  if not config.secret then return nil, "secret", "没有填写 AppSecret，只能接收 / without an AppSecret nothing can be sent" end
  local answer, why = api.fetch_token(config)
  if not answer then return nil, "unavailable", "连不上微信接口 / WeChat does not answer: " .. tostring(why) end
  if answer.errcode ~= 0 then return nil, "refused", api.sentence(answer) end
  local wrong = menu.trouble(config, ctx)
  if wrong then return nil, "menu", "菜单 / menu: " .. wrong end
  return true
end

return M
