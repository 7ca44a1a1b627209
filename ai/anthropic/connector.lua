-- Anthropic's messages: Claude, and what speaks the same.
local json = require "json"
local ai, usage, turns = require "lib.ai", require "lib.ai_usage", require "lib.ai_turn"
local given, tab, setting = ai.given, ai.tab, ai.setting

---@type Assistant
local M = {
  api = 1,
  title = { zh = "Anthropic（Claude）", en = "Anthropic (Claude)" },
  schema = {
    base = setting("string", "接口地址", "Base address", "不填为 https://api.anthropic.com",
      "Empty: https://api.anthropic.com"),
    key = setting("secret", "API Key", "API key", "控制台 → API Keys，以 sk-ant- 开头",
      "Console → API keys; begins with sk-ant-", true),
    model = setting("string", "模型", "Model", "模型的完整名字", "The model's whole name", true),
    max_tokens = setting("integer", "最长回答（token）", "Longest answer (tokens)", "不填为 1024", "1024 if empty"),
    temperature = setting("string", "温度", "Temperature", "0 到 1；不填由模型决定", "0 to 1; empty: the model decides"),
    version = setting("string", "接口版本", "API version", "不填为 2023-06-01", "2023-06-01 if empty"),
    prices = setting("string", "价格表", "Prices", "每百万 token：claude-* in=3 cached=0.3 written=3.75 out=15 USD",
      "A million tokens: claude-* in=3 cached=0.3 written=3.75 out=15 USD"),
  },
  capabilities = { stream = true, tools = true, files = true, json = true },
  timeout = { connect = "5s", first = "30s", total = "120s" },
}

local function call(config, path, body)
  local version = given(config.version) and config.version or "2023-06-01"
  return { ai.base(config, "https://api.anthropic.com") .. path, method = body and "POST" or "GET", json = body,
    headers = { ["x-api-key"] = config.key, ["anthropic-version"] = version } }
end

-- --- errors: { type = "error", error = { type, message } } ---------------------

local TYPES = { authentication_error = "unauthorized", permission_error = "unauthorized",
  billing_error = "unauthorized", not_found_error = "unauthorized", request_too_large = "too_long",
  rate_limit_error = "rate_limited", overloaded_error = "unavailable", api_error = "unavailable",
  timeout_error = "timeout" }

local function classify(_, x) return TYPES[tab(x.error).type] end
local function trouble(x)
  local words = ai.words_of(x)
  return nil, classify(nil, x) or ai.class_of(400, words), words
end

-- --- the question ------------------------------------------------------------

local function blocks_of(m)
  if m.role == "tool" then
    return { { type = "tool_result", tool_use_id = m.tool_call_id, content = m.text or "" } }
  end
  local blocks = {}
  for _, file in ipairs(m.files or {}) do
    if turns.kind_of(file) == "image" and given(file.url) then
      blocks[#blocks + 1] = { type = "image", source = { type = "url", url = file.url } }
    end
  end
  if given(m.text) then blocks[#blocks + 1] = { type = "text", text = m.text } end
  for _, c in ipairs(m.tool_calls or {}) do
    blocks[#blocks + 1] = { type = "tool_use", id = c.id, name = c.name, input = c.arguments or {} }
  end
  return blocks
end

-- Only user and assistant, by turns, the user first.
local function messages_of(messages)
  local list = json.array {}
  for _, m in ipairs(messages) do
    local role = m.role == "assistant" and "assistant" or "user"
    local blocks = m.role ~= "system" and blocks_of(m) or {}
    local last = list[#list]
    if last and last.role == role then
      for _, block in ipairs(blocks) do last.content[#last.content + 1] = block end
    elseif #blocks > 0 and (last or role == "user") then -- a greeting of ours is nothing to answer
      list[#list + 1] = { role = role, content = json.array(blocks) }
    end
  end
  return list
end

local function body_of(turn, config)
  local system = turns.prompt(turn.messages)
  if turn.json then system = system .. "\n\nAnswer with one JSON object and nothing else." end
  local body = { model = config.model, stream = true, max_tokens = turn.max_tokens or config.max_tokens or 1024,
    system = system ~= "" and system or nil, messages = messages_of(turn.messages),
    temperature = turn.temperature or tonumber(config.temperature) }
  if turn.user then body.metadata = { user_id = turn.user } end
  for i, tool in ipairs(turn.tools or {}) do
    body.tools = body.tools or json.array {}
    body.tools[i] = { name = tool.name, description = tool.description,
      input_schema = tool.parameters or { type = "object" } }
  end
  return body
end

-- --- the answer ------------------------------------------------------------

local take = {}

-- Counts are cumulative: the newest of each is right.
local function count(u, state)
  for _, name in ipairs { "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens" } do
    state.usage[name] = usage.count(tab(u)[name]) or state.usage[name]
  end
end
local function tell(state, ctx)
  local u = state.usage
  local cached, written = u.cache_read_input_tokens, u.cache_creation_input_tokens
  local input = u.input_tokens and u.input_tokens + (cached or 0) + (written or 0)
  usage.tell(ctx, { input = input, output = u.output_tokens, cached = cached, written = written }, ctx.config.model)
end

function take.message_start(x, state)
  count(tab(x.message).usage, state)
  return true
end
function take.content_block_start(x, state)
  local block, index = tab(x.content_block), tonumber(x.index) or -1
  if block.type == "tool_use" then
    local c = { id = block.id, name = block.name, text = "", input = block.input }
    state.open[index] = c
    state.calls[#state.calls + 1] = c
  end
  if block.type == "text" then return state.pen.write(block.text) end
  return true
end
function take.content_block_delta(x, state)
  local delta = tab(x.delta)
  if delta.type == "text_delta" then return state.pen.write(delta.text) end
  if delta.type == "input_json_delta" and given(delta.partial_json) then
    local c = state.open[tonumber(x.index) or -1]
    if not c then return nil, "broken", "arguments of no tool" end
    c.text = c.text .. delta.partial_json
    if #c.text > 256 * 1024 then return nil, "broken", "the arguments of a tool do not end" end
  end
  return true
end
function take.message_delta(x, state)
  count(x.usage, state)
  state.reason = tab(x.delta).stop_reason or state.reason
  return true
end
function take.message_stop(_, state)
  state.done = true
  return true
end
take["error"] = function(x) return trouble(x) end

local function finish(state, ctx)
  tell(state, ctx)
  local ok, class, detail = state.pen.close()
  if not ok then return nil, class, detail end
  if state.reason == "refusal" then return nil, "refused", "the model refused" end
  if state.reason == "model_context_window_exceeded" and state.pen.bytes == 0 then
    return nil, "too_long", "the model's context is full"
  end
  for _, c in ipairs(state.calls) do
    if c.text == "" then c.text = c.input end
  end
  return turns.tell_calls(ctx, state.calls)
end

local function read(ctx, answer, class, detail, seconds)
  if not answer then return nil, class, detail, seconds end
  local state = { pen = ai.pen(ctx), open = {}, calls = {}, usage = {} }
  if answer.whole then
    if answer.whole.type == "error" then return trouble(answer.whole) end
    return nil, "broken", "no stream came"
  end
  for name, x in answer.each do
    local step = x ~= ai.DONE and take[x.type or name]
    local ok, why, more = true, nil, nil
    if step then ok, why, more = step(x, state, ctx) end
    if not ok then
      answer.close()
      tell(state, ctx)
      return nil, why, more
    end
    if state.done then break end
  end
  class, detail = answer.trouble()
  if not state.done then return nil, class or "broken", detail or "the answer ended half-way" end
  return finish(state, ctx)
end

-- A tail call: nothing holds the turn while its answer grows.
function M.ask(turn, ctx)
  return read(ctx, ai.open(call(ctx.config, "/v1/messages", body_of(turn, ctx.config)), ctx, M.timeout, classify))
end

function M.check(config)
  local prices, why = usage.prices(config.prices)
  if not prices then return nil, "prices", "价格表有误 / the prices are wrong: " .. why end
  local x, class, detail = ai.rest(call(config, "/v1/models"), M.timeout, classify)
  if not x then return nil, class, "Anthropic 没有答应 / Anthropic did not agree: " .. detail end
  return true
end

return M
