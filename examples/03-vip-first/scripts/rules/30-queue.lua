-- Who has to wait is told so: nothing is worse than silence.
-- 需要排队时告诉客户排在第几位。
---@type Rule
return {
  api = 1,

  on_queue = function(conv, position)
    -- Once for a conversation: it may come back to the queue.
    if conv:get "told_queue" then return end
    conv:set("told_queue", true)
    if conv.contact.tier == "vip" then
      conv:reply "尊敬的贵宾，正在为您接通专属客服，请稍候。"
    elseif position > 1 then
      conv:reply(("正在为您排队，您前面还有 %d 位。"):format(position - 1))
    else
      conv:reply "客服正忙，您是下一位，请稍候。"
    end
  end,
}
