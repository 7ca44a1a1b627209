-- The settings of a mailbox.
local setting = require("lib.channels").setting

local function choice(zh, en, help_zh, help_en, choices)
  local field = setting("choice", zh, en, help_zh, help_en)
  field.choices = choices
  return field
end

return {
  address = setting("string", "邮箱地址", "Address", "客户写信的地址，例如 help@example.com",
    "What customers write to, such as help@example.com", true),
  name = setting("string", "发件人名称", "Sender's name", "显示在回信的发件人处", "Shown as the sender of answers"),
  user = setting("string", "登录名", "User", "不填则用邮箱地址", "Empty means: the address"),
  password = setting("secret", "密码或授权码", "Password",
    "QQ、163、126 邮箱须填授权码，Gmail 须填应用专用密码；用 OAuth2 则不填",
    "QQ, 163 and 126 want an authorisation code, Gmail an app password; empty with OAuth2"),
  imap_host = setting("string", "IMAP 服务器", "IMAP server",
    "收信服务器，例如 imap.example.com；QQ、163、126、Gmail、Outlook、iCloud 邮箱可不填",
    "Where mail comes in, such as imap.example.com; empty for QQ, 163, 126, Gmail, Outlook and iCloud"),
  imap_port = setting("integer", "IMAP 端口", "IMAP port", "不填则为 993", "Empty means 993"),
  smtp_host = setting("string", "SMTP 服务器", "SMTP server", "发信服务器，例如 smtp.example.com；上述邮箱可不填",
    "Where mail goes out, such as smtp.example.com; empty for those named above"),
  smtp_port = setting("integer", "SMTP 端口", "SMTP port", "不填则为 465", "Empty means 465"),
  encryption = choice("加密方式", "Encryption",
    "不填则按端口：993、465 一开始就用 TLS，587、143 用 STARTTLS；none 只用于本机的服务器",
    "Empty means by the port: 993 and 465 begin with TLS, 587 and 143 use STARTTLS; none is for this machine",
    { "tls", "starttls", "none" }),
  folder = setting("string", "收件文件夹", "Folder", "不填则为 INBOX", "Empty means INBOX"),
  signature = setting("string", "签名", "Signature", "附在每封回信之后；\\n 表示换行", "Below every answer; \\n is a new line"),
  automatic = choice("自动邮件", "Mails of machines", "自动回复、群发、列表邮件：skip 只留在邮箱里（默认），take 也作为消息接入",
    "Automatic replies, newsletters, lists: skip leaves them in the mailbox (default), take makes them messages",
    { "skip", "take" }),
  oauth_token_url = setting("string", "OAuth2 令牌地址", "OAuth2 token address",
    "用 OAuth2 登录时填写，例如 https://oauth2.googleapis.com/token",
    "For OAuth2, such as https://oauth2.googleapis.com/token"),
  oauth_client_id = setting("string", "OAuth2 客户端 ID", "OAuth2 client id", "在服务商处注册的应用", "Of the app you registered"),
  oauth_client_secret = setting("secret", "OAuth2 客户端密钥", "OAuth2 client secret", "没有则不填", "Empty if there is none"),
  oauth_refresh_token = setting("secret", "OAuth2 刷新令牌", "OAuth2 refresh token", "授权后得到", "What the consent gave"),
  oauth_scope = setting("string", "OAuth2 范围", "OAuth2 scope",
    "Outlook 须填，例如 https://outlook.office.com/IMAP.AccessAsUser.All",
    "Outlook wants one, such as https://outlook.office.com/IMAP.AccessAsUser.All"),
}
