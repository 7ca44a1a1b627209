-- @TITLE@: how a model is asked (ai/README.md, docs/author/ai.md).
local http, json = require "http", require "json"

---@type Assistant
local M = {
  api = 1,
  title = { zh = "@TITLE@", en = "@TITLE@" },
  schema = { base = "string", key = "secret", model = "string" }, -- what the operator sets, in ctx.config
  capabilities = { stream = true },
  timeout = { connect = "5s", first = "15s", total = "60s" },
}

local CLASS = { [401] = "unauthorized", [403] = "unauthorized", [404] = "unauthorized", [408] = "timeout",
  [413] = "too_long", [429] = "rate_limited" }

-- What a status that is no success means: nil, class, detail, seconds.
local function refusal(stream)
  local status, wait = stream.status, tonumber(stream.headers["retry-after"])
  local class = CLASS[status] or (status >= 500 and "unavailable" or "bad_request")
  return nil, class, ("HTTP %d %s"):format(status, (stream:read() or ""):sub(1, 200)), wait
end

local function messages_of(turn)
  local list = json.array {}
  for i, m in ipairs(turn.messages) do list[i] = { role = m.role, content = m.text or "" } end
  return list
end

-- ctx.write gives the answer piece by piece; nil, "cancelled" when a person took
-- over, the visitor wrote on, or the budget is used up: return at once.
function M.ask(turn, ctx)
  local own, given = M.timeout, ctx.timeout or {}
  local stream, code, detail = http.stream {
    ctx.config.base .. "/chat/completions",
    method = "POST",
    auth = { bearer = ctx.config.key },
    json = { model = ctx.config.model, stream = true, stream_options = { include_usage = true },
      messages = messages_of(turn) },
    connect_timeout = given.connect or own.connect,
    first_timeout = given.first or own.first,
    timeout = given.total or own.total,
  }
  if not stream then return nil, code == "timeout" and code or "unavailable", detail end
  if not stream.ok then return refusal(stream) end
  local done = false
  for event in stream:sse { last = true } do
    if event.data == "[DONE]" then
      done = true
      break
    end
    local x = json.decode(event.data)
    if type(x) ~= "table" then return nil, "broken", "an event is no JSON object" end
    if type(x.usage) == "table" then
      ctx.usage { input = x.usage.prompt_tokens, output = x.usage.completion_tokens }
    end
    local choice = type(x.choices) == "table" and x.choices[1]
    local text = choice and choice.delta and choice.delta.content
    if type(text) == "string" and text ~= "" then
      local ok, why = ctx.write(text)
      if not ok then return nil, why end
    end
  end
  if not done then return nil, "broken", "the answer ended half-way" end
  return true
end

-- Is it set up well? true, or nil, a code and a sentence.
function M.check(config)
  local res, code = http.get { config.base .. "/models", auth = { bearer = config.key } }
  if not res then return nil, "unavailable", "the provider does not answer: " .. code end
  if not res.ok then return nil, "unauthorized", "the provider said HTTP " .. res.status end
  return true
end

return M
