-- A message of ours is deleted at Telegram, for both; within 48 hours.
local shared = require "lib.channels"

return function(item, ctx, call, trouble_of)
  return shared.recall_all(item, function(id)
    local number = tonumber(id:match ":(%d+)$")
    if not number then return { failed = "unsupported", why = "没有消息编号 / there is no message id" } end
    local answer, why = call(ctx.config, "deleteMessage", { chat_id = item.to, message_id = number })
    local said = answer and not answer.ok and tostring(answer.description):lower() or ""
    if said:find("to delete not found", 1, true) then return nil end
    local trouble = trouble_of(answer, why)
    if trouble and said:find("can't be deleted", 1, true) then trouble.failed = "too_late" end
    return trouble
  end)
end
