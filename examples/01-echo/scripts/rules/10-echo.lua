-- Says what the visitor said.
---@type Rule
return {
  api = 1,
  match = { kind = "text" },
  on_message = function(conv, msg)
    conv:reply(msg.text)
    return true
  end,
}
