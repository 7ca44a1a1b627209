-- Messages taken back: ours by chat.delete, theirs as message_deleted.
local shared = require "lib.channels"
local given, tab, words = shared.given, shared.tab, shared.words

local M = {}

local GONE = { message_not_found = true, file_not_found = true, file_deleted = true }

-- A file is shared by its id, everything else is a message with a time.
function M.recall(item, ctx, call, trouble_of)
  local channel = item.to:match "^[^:]+"
  local method, how = "chat.delete", { json = { channel = channel, ts = item.sent } }
  if item.sent:find "^F" then method, how = "files.delete", { form = { file = item.sent } } end
  local answer, why, res = call(ctx.config, method, how)
  if answer and GONE[words(answer.error)] then return { recalled = true } end
  return trouble_of(answer, why, res) or { recalled = true }
end

-- Answers its status. Our own deletions come back, too, and change nothing.
function M.deleted(e, ctx)
  local was = tab(e.previous_message)
  if not given(e.channel) or not given(e.deleted_ts) then return 200, "" end
  local ok, code = ctx.recalled { sent = e.deleted_ts }
  if not ok and shared.LATER[code] then return 503, "" end
  local thread = given(was.thread_ts) and was.thread_ts or e.deleted_ts
  local from = e.channel_type == "im" and e.channel or e.channel .. ":" .. thread
  if not ok and not shared.taken_back(ctx, from, e.deleted_ts) then return 503, "" end
  return 200, ""
end

return M
