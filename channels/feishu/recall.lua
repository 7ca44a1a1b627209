-- Messages taken back. The event of theirs names the chat, not who said it: that is
-- kept, for a chat of two once, in a group with each message, for a day.
local kv = require "kv"
local shared = require "lib.channels"
local calls = require "channels.feishu.calls"
local given = shared.given

local M = {}

local function key_of(ctx, what, id) return ("%s:%s:%s"):format(what, ctx.channel.id, id) end

function M.note(ctx, message, from)
  if message.chat_type == "group" then
    kv.set(key_of(ctx, "said", message.message_id), from, "1d")
  elseif given(message.chat_id) and kv.get(key_of(ctx, "chat", message.chat_id)) ~= from then
    kv.set(key_of(ctx, "chat", message.chat_id), from, "30d")
  end
end

-- False if it must be pushed again.
function M.recalled(event, ctx)
  local id = event.message_id
  if not given(id) then return true end
  local from = kv.get(key_of(ctx, "said", id)) or given(event.chat_id) and kv.get(key_of(ctx, "chat", event.chat_id))
  if from then return shared.taken_back(ctx, from, id) end
  local ok, code = ctx.recalled { sent = id }
  return ok or not shared.LATER[code]
end

-- What is not there any more is taken back.
local GONE = { [230011] = true, [230110] = true }

function M.recall(item, ctx)
  return shared.recall_all(item, function(id)
    if not id:find "^[%w_%-]+$" then return { failed = "unsupported", why = "没有消息编号 / there is no message id" } end
    local _, trouble = calls.call(ctx.config, "/open-apis/im/v1/messages/" .. id, { method = "DELETE" })
    if trouble and GONE[trouble.said] then return nil end
    return trouble
  end)
end

return M
