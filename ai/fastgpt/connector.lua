-- FastGPT: an app of the shop's answers. It loads the conversation by our chatId;
-- with `detail` it tells what the nodes used and where the knowledge came from.
local json, secret = require "json", require "secret"
local ai, usage, turns = require "lib.ai", require "lib.ai_usage", require "lib.ai_turn"
local given, tab, setting = ai.given, ai.tab, ai.setting

---@type Assistant
local M = {
  api = 1,
  title = { zh = "FastGPT", en = "FastGPT" },
  schema = {
    base = setting("string", "接口地址", "Address", "例如 https://cloud.fastgpt.cn 或自建的地址",
      "Of the house, without /api", true),
    key = setting("secret", "应用的 API Key", "The app's API key", "应用 → 发布渠道 → API 访问；通用密钥不行",
      "App → Publish → API; a general key does not do", true),
    history = { type = "choice", choices = { "theirs", "ours" },
      title = { zh = "对话由谁保存", en = "Who keeps the conversation" },
      help = { zh = "theirs：FastGPT 按 chatId 保存（默认）；ours：每次把全部对话发过去",
        en = "theirs (if empty): by chatId; ours: all of it is sent each time" } },
    detail = { type = "boolean", title = { zh = "要用量和引用", en = "Usage and sources" },
      help = { zh = "不填为是；FastGPT 只在这时报告真实 token", en = "True if empty; only then are real tokens told" } },
    variables = setting("string", "变量", "Variables", "JSON，例如 {\"shop\":\"一号店\"}", "JSON, such as {\"shop\":\"one\"}"),
    prompt_variable = setting("string", "接收提示词的变量", "Variable for the prompt", "不填则不发送我们的提示词",
      "Empty: it is not sent"),
    prices = setting("string", "价格表", "Prices", "每百万 token：* in=2 out=6 CNY", "A million tokens: * in=2 out=6 CNY"),
  },
  capabilities = { stream = true, files = true },
  timeout = { connect = "5s", first = "30s", total = "120s" },
}

local function call(config, path, body)
  local base = ai.base(config, ""):gsub("/api$", "")
  return { base .. path, method = body and "POST" or "GET", json = body, auth = { bearer = secret.join(config.key) } }
end

-- --- errors: { code, statusText, message }, often with HTTP 500 -----------------

local WORDS = { { "unauth", "unauthorized" }, { "notenough", "unauthorized" }, { "insufficient", "unauthorized" },
  { "unexist", "unauthorized" }, { "not exist", "unauthorized" }, { "forbidden", "unauthorized" },
  { "too many", "rate_limited" }, { "ratelimit", "rate_limited" } }

local function classify(status, x)
  local words = ai.words_of(x)
  local low = words:lower()
  for _, one in ipairs(WORDS) do
    if low:find(one[1], 1, true) then return one[2] end
  end
  local class = ai.class_of(400, words)
  if class ~= "bad_request" then return class end
  return ai.class_of(status >= 400 and status or 500, words)
end

local function trouble(x) return nil, classify(tonumber(x.code) or 500, x), ai.words_of(x) end

-- --- the question ------------------------------------------------------------

local function content(text, files)
  local parts = json.array {}
  for _, file in ipairs(files) do
    if given(file.url) then
      parts[#parts + 1] = turns.kind_of(file) == "image" and { type = "image_url", image_url = { url = file.url } }
        or { type = "file_url", name = file.name or "file", url = file.url }
    end
  end
  if #parts == 0 then return text end
  if text ~= "" then table.insert(parts, 1, { type = "text", text = text }) end
  return parts
end

local function body_of(turn, config)
  local variables, prompt = tab(json.decode(config.variables or "{}")), turns.prompt(turn.messages)
  for name, value in pairs(turn.inputs or {}) do variables[name] = value end
  if given(config.prompt_variable) and prompt ~= "" then variables[config.prompt_variable] = prompt end
  variables.uid = variables.uid or turn.user
  local body = { stream = true, detail = config.detail ~= false, variables = variables, messages = json.array {} }
  if config.history ~= "ours" and given(turn.conversation) and #turn.conversation < 250 then
    body.chatId, body.responseChatItemId = turn.conversation, turn.id
    body.messages[1] = { role = "user", content = content(turns.question(turn.messages)) }
    return body
  end
  for _, m in ipairs(turn.messages) do
    local is_said = m.role == "user" or m.role == "assistant"
    if is_said then
      body.messages[#body.messages + 1] = { role = m.role, content = content(m.text or "", m.files or {}) }
    end
  end
  return body
end

-- --- the answer ------------------------------------------------------------

local function take_text(x, state)
  if x.error then return trouble(tab(x.error)) end
  local choice = tab(tab(x.choices)[1])
  if given(choice.finish_reason) then state.done = true end
  local delta = tab(choice.delta or choice.message)
  local text = delta.content
  if type(text) == "table" and choice.message then -- whole, with detail: parts
    for _, one in ipairs(text) do
      local value = tab(tab(one).text).content
      if value ~= nil then
        local ok, class, detail = state.pen.write(value)
        if not ok then return nil, class, detail end
      end
    end
    return true
  end
  return state.pen.write(text)
end

-- What the nodes used; and what they read.
local function take_nodes(list, ctx)
  local input, output = 0, 0
  local known, sources = false, 0
  for _, node in ipairs(list) do
    node = tab(node)
    local i, o = usage.count(node.inputTokens), usage.count(node.outputTokens)
    if i and o then input, output, known = input + i, output + o, true end
    for _, quote in ipairs(tab(node.quoteList)) do
      quote = tab(quote)
      if sources < 10 and given(quote.sourceName) then
        sources = sources + 1
        ctx.source { title = quote.sourceName, text = given(quote.q) and quote.q or nil }
      end
    end
  end
  if known then usage.tell(ctx, { input = input, output = output }, "fastgpt") end
end

-- A node that asks: its words and its choices.
local function take_interactive(x, state)
  local p = tab(tab(x.interactive or x).params)
  local lines = { given(p.description) and p.description or nil }
  for _, option in ipairs(tab(p.userSelectOptions)) do
    local value = tab(option).value
    if given(value) then lines[#lines + 1] = "- " .. value end
  end
  state.done = true
  return state.pen.write(table.concat(lines, "\n"))
end

local function take(name, x, state, ctx)
  if x == ai.DONE then
    state.done = true
    return true
  end
  if name == "answer" or name == "fastAnswer" or name == "message" then return take_text(x, state) end
  if name == "flowResponses" then take_nodes(x, ctx) end
  if name == "interactive" then return take_interactive(x, state) end
  if name == "error" then return trouble(x) end
  return true
end

local function read(ctx, answer, class, detail, seconds)
  if not answer then return nil, class, detail, seconds end
  local state = { pen = ai.pen(ctx) }
  if answer.whole then
    local x = answer.whole
    if not x.choices then
      if x.code then return trouble(x) end
      return nil, "broken", "an answer without choices"
    end
    local ok, why, more = take_text(x, state)
    if not ok then return nil, why, more end
    if type(x.responseData) == "table" then take_nodes(x.responseData, ctx) end
    return state.pen.close()
  end
  for name, x in answer.each do
    local ok, why, more = take(name, x, state, ctx)
    if not ok then
      answer.close()
      return nil, why, more
    end
  end
  class, detail = answer.trouble()
  if not state.done then return nil, class or "broken", detail or "the answer ended half-way" end
  return state.pen.close()
end

-- A tail call: nothing holds the turn while its answer grows.
function M.ask(turn, ctx)
  return read(ctx, ai.open(call(ctx.config, "/api/v1/chat/completions", body_of(turn, ctx.config)), ctx, M.timeout,
    classify))
end

-- There is no call that only looks: the smallest question is asked.
function M.check(config)
  if not ai.base(config, ""):find "^https?://[^/]" then return nil, "base", "接口地址不对 / this is no address" end
  if given(config.variables) and type(json.decode(config.variables)) ~= "table" then
    return nil, "variables", "变量不是 JSON 对象 / the variables are no JSON object"
  end
  local prices, why = usage.prices(config.prices)
  if not prices then return nil, "prices", "价格表有误 / the prices are wrong: " .. why end
  local x, class, detail = ai.rest(call(config, "/api/v1/chat/completions", { stream = false, detail = false,
    messages = { { role = "user", content = "hi" } } }), M.timeout, classify)
  if x and not x.choices then class, detail = select(2, trouble(x)) end
  if class then return nil, class, "FastGPT 没有答应 / FastGPT did not agree: " .. detail end
  return true
end

return M
