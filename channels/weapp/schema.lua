-- Customer service messages of a WeChat mini program.
return {
  title = { zh = "微信小程序", en = "WeChat mini program" },
  schema = {
    appid = {
      type = "string",
      required = true,
      title = { zh = "AppID", en = "AppID" },
      help = {
        zh = "小程序后台“开发设置”里的 AppID，以 wx 开头",
        en = "From the mini program's development settings; begins with wx",
      },
    },
    secret = {
      type = "secret",
      title = { zh = "AppSecret", en = "AppSecret" },
      help = { zh = "换取接口调用凭据；没有它不能发送消息", en = "Buys the access token; without it nothing can be sent" },
    },
    token = {
      type = "secret",
      title = { zh = "Token（令牌）", en = "Token" },
      help = { zh = "后台消息推送里填写的令牌，用来验证签名", en = "The token of the push settings; it verifies signatures" },
    },
    encoding_aes_key = {
      type = "secret",
      title = { zh = "EncodingAESKey", en = "EncodingAESKey" },
      help = { zh = "43 个字符；兼容或安全模式才需要", en = "43 characters; for the compatible and the safe mode only" },
    },
    previous_aes_key = {
      type = "secret",
      title = { zh = "上一个 EncodingAESKey", en = "Previous EncodingAESKey" },
      help = { zh = "更换密钥期间仍可解密旧消息", en = "Still opens messages while the key is being changed" },
    },
    original_id = {
      type = "string",
      title = { zh = "原始 ID", en = "Original id" },
      help = { zh = "以 gh_ 开头", en = "Begins with gh_" },
    },
    format = {
      type = "choice",
      choices = { "auto", "xml", "json" },
      title = { zh = "数据格式", en = "Data format" },
      help = { zh = "推送数据的格式；不填则自动识别", en = "Of what is pushed; empty means: seen from the body" },
    },
  },
}
