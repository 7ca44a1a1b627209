-- Whatever speaks OpenAI's chat completions: DeepSeek, Qwen (DashScope), Ollama,
-- vLLM, llama.cpp, OpenAI itself. What a server does differently is in presets.
local json, secret = require "json", require "secret"
local ai, usage, turns = require "lib.ai", require "lib.ai_usage", require "lib.ai_turn"
local given, tab, setting = ai.given, ai.tab, ai.setting

local PRESETS = {
  openai = { base = "https://api.openai.com/v1", key = true, most = "max_completion_tokens" },
  deepseek = { base = "https://api.deepseek.com", key = true },
  dashscope = { base = "https://dashscope.aliyuncs.com/compatible-mode/v1", key = true },
  ollama = { base = "http://127.0.0.1:11434/v1", no_choice = true, no_user = true },
  vllm = { base = "http://127.0.0.1:8000/v1" },
  llamacpp = { base = "http://127.0.0.1:8080/v1", no_user = true },
  other = {},
}

---@type Assistant
local M = {
  api = 1,
  title = { zh = "OpenAI 兼容模型（DeepSeek、通义千问、Ollama……）", en = "OpenAI-compatible (DeepSeek, Qwen, Ollama …)" },
  schema = {
    provider = { type = "choice", required = true,
      choices = { "deepseek", "dashscope", "openai", "ollama", "vllm", "llamacpp", "other" },
      title = { zh = "服务商", en = "Provider" },
      help = { zh = "dashscope 是阿里云百炼（通义千问）；other 要填接口地址", en = "dashscope is Qwen; other needs a base address" } },
    base = setting("string", "接口地址", "Base address", "不填用服务商的地址；通常以 /v1 结尾",
      "Empty: the provider's own; ends in /v1 as a rule"),
    key = setting("secret", "API Key", "API key", "服务商控制台里创建；本机的 Ollama 不用填",
      "From the provider's console; a local Ollama needs none"),
    model = setting("string", "模型", "Model", "例如 deepseek-chat、qwen-plus、qwen2.5:7b", "Such as deepseek-chat", true),
    embed_model = setting("string", "向量模型", "Embedding model", "例如 text-embedding-v4；知识库用", "For the knowledge base"),
    embed_batch = setting("integer", "每批向量条数", "Embeddings a call", "10", "10"),
    dimensions = setting("integer", "向量维度", "Dimensions", "不填由模型决定", "Empty: the model decides"),
    temperature = setting("string", "温度", "Temperature", "0 到 2；不填由模型决定", "0 to 2; empty: the model decides"),
    max_tokens = setting("integer", "最长回答（token）", "Longest answer (tokens)", "不填为 1024", "1024 if empty"),
    extra = setting("string", "附加字段", "Extra fields", "JSON，例如 {\"enable_thinking\":false}",
      "JSON that goes into each call, such as {\"enable_thinking\":false}"),
    prices = setting("string", "价格表", "Prices", "每百万 token：deepseek-chat in=2 cached=0.5 out=3 CNY",
      "A million tokens: deepseek-chat in=2 cached=0.5 out=3 CNY"),
  },
  capabilities = { stream = true, tools = true, embed = true, files = true, json = true },
  timeout = { connect = "5s", first = "30s", total = "120s" },
}

local function preset(config) return PRESETS[config.provider] or PRESETS.other end

local function call(config, path, body)
  return { ai.base(config, preset(config).base or "") .. path, method = body and "POST" or "GET", json = body,
    headers = { accept = "text/event-stream, application/json" },
    auth = config.key and { bearer = secret.join(config.key) } or nil }
end

-- --- the question ------------------------------------------------------------

local function content_of(m)
  local parts = {}
  for _, file in ipairs(m.files or {}) do
    if turns.kind_of(file) == "image" and given(file.url) then
      parts[#parts + 1] = { type = "image_url", image_url = { url = file.url } }
    end
  end
  if #parts == 0 then return m.text or "" end
  table.insert(parts, 1, { type = "text", text = m.text or "" })
  return json.array(parts)
end

local function message_of(m)
  if m.role == "tool" then return { role = "tool", tool_call_id = m.tool_call_id, content = m.text or "" } end
  local out, calls = { role = m.role, content = content_of(m) }, json.array {}
  for i, c in ipairs(m.tool_calls or {}) do
    local f = { name = c.name, arguments = json.encode(c.arguments or {}) }
    calls[i] = { id = c.id, type = "function", ["function"] = f }
  end
  if #calls > 0 then out.tool_calls = calls end
  return out
end

local function body_of(turn, config)
  local p, body = preset(config), tab(json.decode(config.extra or "{}"))
  body.model, body.stream, body.messages = config.model, true, json.array {}
  body.stream_options = { include_usage = true }
  body[p.most or "max_tokens"] = turn.max_tokens or config.max_tokens or 1024
  body.temperature = turn.temperature or tonumber(config.temperature)
  if not p.no_user then body.user = turn.user end
  for i, m in ipairs(turn.messages) do body.messages[i] = message_of(m) end
  if turn.json then body.response_format = { type = "json_object" } end
  if turn.tools and #turn.tools > 0 then
    body.tools = json.array {}
    if not p.no_choice then body.tool_choice = "auto" end
    for i, t in ipairs(turn.tools) do
      body.tools[i] = { type = "function",
        ["function"] = { name = t.name, description = t.description, parameters = t.parameters } }
    end
  end
  return body
end

-- --- the answer ------------------------------------------------------------

local function tell_usage(ctx, u, model)
  if type(u) ~= "table" then return end
  local cached = u.prompt_cache_hit_tokens or tab(u.prompt_tokens_details).cached_tokens
  usage.tell(ctx, { input = u.prompt_tokens, output = u.completion_tokens, cached = cached }, model)
end

local function merge_calls(state, pieces)
  if type(pieces) ~= "table" then return true end
  local calls = state.calls or { list = {} }
  state.calls = calls
  for n, piece in ipairs(pieces) do
    if type(piece) ~= "table" then return nil, "broken", "a call of a tool is no object" end
    local f, index = tab(piece["function"]), tonumber(piece.index) or n - 1
    if index < 0 or index > 63 then return nil, "broken", "a call of a tool has a wrong index" end
    local c = calls[index] or { index = index, text = "" }
    if not calls[index] then calls[index], calls.list[#calls.list + 1] = c, c end
    c.id, c.name = c.id or given(piece.id) and piece.id or nil, c.name or given(f.name) and f.name or nil
    if type(f.arguments) == "table" then c.text = f.arguments
    elseif given(f.arguments) and type(c.text) == "string" then c.text = c.text .. f.arguments end
    if #c.text > 256 * 1024 then return nil, "broken", "the arguments of a tool do not end" end
  end
  return true
end

local function error_in(x)
  if type(x.error) ~= "table" and not given(x.error) then return nil end
  local e = tab(x.error)
  local words = ai.words_of(x)
  local status = tonumber(e.code) or e.type == "rate_limit_exceeded" and 429 or 0
  local class = ai.class_of(status >= 400 and status < 600 and status or 400, words)
  if class == "bad_request" and status < 400 then class = "unavailable" end
  return class, words
end

local function finish(state, ctx)
  local ok, class, detail = state.pen.close()
  if not ok then return nil, class, detail end
  if state.reason == "content_filter" or state.refusal then
    return nil, "refused", ai.said("the provider's filter:", state.refusal or state.reason)
  end
  if not state.reason and not (state.done and state.pen.bytes > 0) then
    return nil, "broken", "the answer ended half-way"
  end
  if not state.calls then return true end
  table.sort(state.calls.list, function(a, b) return a.index < b.index end)
  return turns.tell_calls(ctx, state.calls.list)
end

-- One chunk, or a whole answer: true; nil, class, detail.
local function take(x, state, ctx)
  local class, detail = error_in(x)
  if class then return nil, class, detail end
  tell_usage(ctx, x.usage, ctx.config.model)
  local choice = tab(tab(x.choices)[1])
  local delta = tab(choice.delta or choice.message)
  if given(delta.refusal) then state.refusal = delta.refusal end
  if given(choice.finish_reason) then state.reason = choice.finish_reason end
  local ok, why, more = merge_calls(state, delta.tool_calls)
  if not ok then return nil, why, more end
  return state.pen.write(delta.content)
end

local function read(ctx, answer, class, detail, seconds)
  if not answer then return nil, class, detail, seconds end
  local state = { pen = ai.pen(ctx) }
  if answer.whole then
    local ok, why, more = take(answer.whole, state, ctx)
    if not ok then return nil, why, more end
    return finish(state, ctx)
  end
  for _, x in answer.each do
    if x == ai.DONE then
      state.done = true
      break
    end
    local ok, why, more = take(x, state, ctx)
    if not ok then
      answer.close()
      return nil, why, more
    end
  end
  class, detail = answer.trouble()
  if class and not (state.reason and class == "broken") then return nil, class, detail end
  return finish(state, ctx)
end

-- A tail call: nothing holds the turn while its answer grows.
function M.ask(turn, ctx)
  return read(ctx, ai.open(call(ctx.config, "/chat/completions", body_of(turn, ctx.config)), ctx, M.timeout))
end

-- --- vectors, and is it set up well ---------------------------------------------

local function rest_of(config, path, body)
  local x, class, detail, seconds = ai.rest(call(config, path, body), M.timeout)
  if x and x.error then return nil, error_in(x) end
  return x, class, detail, seconds
end

local function vectors(part, ctx)
  local config = ctx.config
  local x, class, detail, seconds = rest_of(config, "/embeddings", { model = config.embed_model or config.model,
    input = json.array(part), encoding_format = "float", dimensions = config.dimensions })
  if not x then return nil, class, detail, seconds end
  local list = {}
  for n, one in ipairs(tab(x.data)) do
    local index = type(one) == "table" and tonumber(one.index) or n - 1
    if type(one) ~= "table" or type(one.embedding) ~= "table" or #one.embedding == 0 then
      return nil, "broken", "a vector is none"
    end
    list[index + 1] = one.embedding
  end
  if #list ~= #part then return nil, "broken", ("%d vectors for %d texts"):format(#list, #part) end
  return list, usage.count(tab(x.usage).prompt_tokens)
end

function M.embed(texts, ctx)
  local all, step, tokens = {}, math.max(1, ctx.config.embed_batch or 10), 0
  for from = 1, #texts, step do
    local part = {}
    for i = from, math.min(from + step - 1, #texts) do part[#part + 1] = texts[i] == "" and " " or texts[i] end
    local list, used, detail, seconds = vectors(part, ctx)
    if not list then return nil, used, detail, seconds end
    for _, v in ipairs(list) do all[#all + 1] = v end
    tokens = tokens + (used or 0)
  end
  usage.tell(ctx, { input = tokens, output = 0 }, ctx.config.embed_model or ctx.config.model)
  return all
end

function M.check(config)
  local p = preset(config)
  if not given(config.base) and not p.base then return nil, "base", "没有填写接口地址 / there is no base address" end
  if p.key and not config.key then return nil, "key", "没有填写 API Key / there is no API key" end
  if given(config.extra) and type(json.decode(config.extra)) ~= "table" then
    return nil, "extra", "附加字段不是 JSON 对象 / the extra fields are no JSON object"
  end
  local prices, why = usage.prices(config.prices)
  if not prices then return nil, "prices", "价格表有误 / the prices are wrong: " .. why end
  local x, class, detail = rest_of(config, "/models")
  if not x and detail:find "^HTTP 40[45]" then -- not all list their models
    x, class, detail = rest_of(config, "/chat/completions", { model = config.model, max_tokens = 1,
      messages = { { role = "user", content = "hi" } } })
  end
  if not x then return nil, class, "服务商没有答应 / the provider did not agree: " .. detail end
  return true
end

return M
