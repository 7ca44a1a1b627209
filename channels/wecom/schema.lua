-- WeChat customer service (kf) of a WeCom enterprise.
return {
  title = { zh = "企业微信客服", en = "WeCom customer service" },
  schema = {
    corpid = {
      type = "string",
      required = true,
      title = { zh = "企业 ID", en = "Corp id" },
      help = { zh = "“我的企业”页面底部，以 ww 开头", en = "At the foot of the page \"My company\"; begins with ww" },
    },
    secret = {
      type = "secret",
      title = { zh = "应用 Secret", en = "Secret of the app" },
      help = { zh = "可调用微信客服接口的自建应用的 Secret", en = "Of a self-built app that may call the kf interfaces" },
    },
    token = {
      type = "secret",
      title = { zh = "Token（令牌）", en = "Token" },
      help = { zh = "回调配置里的 Token", en = "Of the callback settings" },
    },
    encoding_aes_key = {
      type = "secret",
      title = { zh = "EncodingAESKey", en = "EncodingAESKey" },
      help = { zh = "回调配置里的 43 个字符", en = "43 characters, of the callback settings" },
    },
    open_kfid = {
      type = "string",
      title = { zh = "客服账号 ID", en = "Kf account id" },
      help = { zh = "以 wk 开头；不填则接收全部客服账号", en = "Begins with wk; empty means all kf accounts" },
    },
  },
}
