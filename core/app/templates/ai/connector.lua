-- @TITLE@: how a model is asked (ai/README.md).
local http, json, secret = require "http", require "json", require "secret"

---@type Assistant
local M = {
  api = 1,
  schema = { base = "string", key = "secret", model = "string" },
  timeout = { connect = "5s", first = "15s", total = "60s" },
}

-- ctx.write gives the answer piece by piece; nil, "cancelled" when a person
-- took over.
function M.ask(turn, ctx)
  local stream, err, detail = http.stream {
    ctx.config.base .. "/chat/completions",
    method = "POST",
    headers = { authorization = secret.join("Bearer ", ctx.config.key) },
    json = { model = ctx.config.model, stream = true, messages = turn.messages },
  }
  if not stream then return nil, err, detail end
  for event in stream:sse() do
    if event.data == "[DONE]" then break end
    local choice = json.decode(event.data).choices[1]
    if choice and choice.delta.content then
      local ok, why = ctx.write(choice.delta.content)
      if not ok then return nil, why end
    end
  end
  return true
end

return M
