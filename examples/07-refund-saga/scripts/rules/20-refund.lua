-- Whoever wants their money back starts the flow.
-- 客户提到退款，就启动退款流程。
---@type Rule
return {
  api = 1,
  match = { text = { "退款", "refund" }, holder = "bot" },

  on_message = function(conv, msg)
    conv:tag "refund"
    return flow.start("refund", { order = msg.text:match "%d%d%d%d+" }) -- may be nil: the flow asks
  end,
}
