-- Native apps on phones, by way of an adapter of your own.
return {
  title = { zh = "手机应用", en = "Mobile app" },
  schema = {
    bundle_id = {
      type = "string",
      title = { zh = "iOS Bundle ID", en = "iOS bundle id" },
      help = { zh = "苹果应用的标识，例如 com.example.shop", en = "Of the app on Apple's phones, such as com.example.shop" },
    },
    package_name = {
      type = "string",
      title = { zh = "Android 包名", en = "Android package name" },
      help = { zh = "安卓应用的包名，例如 com.example.shop", en = "Of the app on Android phones, such as com.example.shop" },
    },
    secret = {
      type = "secret",
      title = { zh = "签名密钥", en = "Signing secret" },
      help = { zh = "与应用服务器约定的 HMAC-SHA256 密钥", en = "Key of the HMAC-SHA256 agreed with the app's server" },
    },
  },
}
