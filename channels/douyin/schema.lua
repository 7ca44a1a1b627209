-- Private messages of a Douyin business account.
return {
  title = { zh = "抖音", en = "Douyin" },
  schema = {
    client_key = {
      type = "string",
      required = true,
      title = { zh = "Client Key", en = "Client key" },
      help = { zh = "开放平台应用的 Client Key（AppID）", en = "Of the app on the open platform (its AppID)" },
    },
    client_secret = {
      type = "secret",
      title = { zh = "Client Secret", en = "Client secret" },
      help = { zh = "换取凭据，并验证推送签名", en = "Buys tokens and verifies what is pushed" },
    },
    webhook_secret = {
      type = "secret",
      title = { zh = "Webhook Secret", en = "Webhook secret" },
      help = { zh = "控制台单独给出时填写，用它验证签名", en = "If the console gave one of its own; it verifies signatures then" },
    },
    open_id = {
      type = "string",
      title = { zh = "企业号 open_id", en = "Business open_id" },
      help = { zh = "授权的企业号", en = "Of the business account that gave its consent" },
    },
    refresh_token = {
      type = "secret",
      title = { zh = "Refresh Token", en = "Refresh token" },
      help = { zh = "授权后得到，30 天内须续期", en = "Given with the consent; to be renewed within 30 days" },
    },
  },
}
