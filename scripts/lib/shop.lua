-- Where the shop's own system is, for the tools of models (ai/tools/). Fill in the
-- address; the key is the secret `shop_key` of the settings.
-- 商城系统的地址填在这里；密钥放在设置的 secrets 里，名字是 shop_key。
return {
  url = "", -- "https://shop.example.com"
  key = function() return secret.has "shop_key" and secret.get "shop_key" or nil end,
}
