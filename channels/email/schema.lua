-- A mailbox: IMAP in, SMTP out.
return {
  title = { zh = "电子邮件", en = "E-mail" },
  schema = {
    address = {
      type = "string",
      required = true,
      title = { zh = "邮箱地址", en = "Address" },
      help = { zh = "客户写信的地址，例如 help@example.com", en = "What customers write to, such as help@example.com" },
    },
    name = {
      type = "string",
      title = { zh = "发件人名称", en = "Sender's name" },
      help = { zh = "显示在回信的发件人处", en = "Shown as the sender of answers" },
    },
    user = {
      type = "string",
      title = { zh = "登录名", en = "User" },
      help = { zh = "不填则用邮箱地址", en = "Empty means: the address" },
    },
    password = {
      type = "secret",
      title = { zh = "密码或授权码", en = "Password" },
      help = { zh = "QQ、163、126 邮箱须填授权码", en = "Some providers (QQ, 163, 126) want an authorisation code here" },
    },
    imap_host = {
      type = "string",
      required = true,
      title = { zh = "IMAP 服务器", en = "IMAP server" },
      help = { zh = "收信服务器，例如 imap.example.com", en = "Where mail comes in, such as imap.example.com" },
    },
    imap_port = {
      type = "integer",
      title = { zh = "IMAP 端口", en = "IMAP port" },
      help = { zh = "不填则为 993", en = "Empty means 993" },
    },
    smtp_host = {
      type = "string",
      required = true,
      title = { zh = "SMTP 服务器", en = "SMTP server" },
      help = { zh = "发信服务器，例如 smtp.example.com", en = "Where mail goes out, such as smtp.example.com" },
    },
    smtp_port = {
      type = "integer",
      title = { zh = "SMTP 端口", en = "SMTP port" },
      help = { zh = "不填则为 465", en = "Empty means 465" },
    },
    encryption = {
      type = "choice",
      choices = { "tls", "starttls" },
      title = { zh = "加密方式", en = "Encryption" },
      help = { zh = "不填则从一开始就用 TLS", en = "Empty means TLS from the first byte" },
    },
    folder = {
      type = "string",
      title = { zh = "收件文件夹", en = "Folder" },
      help = { zh = "不填则为 INBOX", en = "Empty means INBOX" },
    },
  },
}
