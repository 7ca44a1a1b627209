-- LINE's loading animation: in a chat with one person, while they look at it; gone
-- with the next message.
local http, shared = require "http", require "lib.channels"

local SECONDS = 10 -- a multiple of five; told again while somebody still types

return function(item, ctx)
  if not ctx.config.access_token then return end
  http.post { shared.base(ctx.config, "https://api.line.me") .. "/v2/bot/chat/loading/start",
    auth = { bearer = ctx.config.access_token }, json = { chatId = item.to, loadingSeconds = SECONDS }, timeout = "3s" }
end
