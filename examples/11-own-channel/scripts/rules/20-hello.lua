-- Rules do not care where a message comes from; one that does asks match.
-- 规则对所有渠道通用；只想处理某个渠道时用 match。
---@type Rule
return {
  api = 1,
  match = { channel = "shout", first = true },
  on_message = function(conv, msg)
    conv:reply("你好 " .. (conv.contact.name or "") .. "，已收到：" .. msg.text)
    return conv:assign { pick = "least_busy" }
  end,
}
