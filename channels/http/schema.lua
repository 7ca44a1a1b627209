-- Anything that can send and take HTTP requests.
return {
  title = { zh = "HTTP 接口", en = "HTTP" },
  schema = {
    url = {
      type = "string",
      title = { zh = "发送地址", en = "URL" },
      help = { zh = "外发的消息以 POST 发到这里", en = "Outgoing messages are posted here" },
    },
    secret = {
      type = "secret",
      title = { zh = "签名密钥", en = "Signing secret" },
      help = { zh = "收发双方的 HMAC-SHA256 密钥", en = "Key of the HMAC-SHA256, both ways" },
    },
  },
}
