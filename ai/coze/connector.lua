-- Coze (扣子), v3 chat: a bot of the shop's answers; Coze keeps the conversation,
-- we its id. The key is a personal access token, or a token that we buy with a
-- signed JWT (OAuth) and keep until shortly before its end.
local http, json = require "http", require "json"
local ai, usage, turns, api = require "lib.ai", require "lib.ai_usage", require "lib.ai_turn", require "ai.coze.api"
local call, trouble, classify = api.call, api.trouble, api.classify
local given, tab, setting = ai.given, ai.tab, ai.setting

local MOST_HISTORY = 20 -- messages told to a new conversation

---@type Assistant
local M = {
  api = 1,
  title = { zh = "扣子（Coze）", en = "Coze" },
  schema = {
    base = setting("string", "接口地址", "API address", "不填为 https://api.coze.cn；国际版填 https://api.coze.com",
      "Empty: https://api.coze.cn; elsewhere https://api.coze.com"),
    bot_id = setting("string", "智能体 ID", "Bot id", "智能体编辑页网址里 bot/ 后面的数字",
      "The digits after bot/ in its page's address", true),
    token = setting("secret", "个人访问令牌", "Personal access token", "以 pat_ 开头；用 JWT 授权时不填",
      "Begins with pat_; empty if you use JWT"),
    app_id = setting("string", "OAuth 应用 ID", "OAuth app id", "JWT 授权：服务类应用的 ID", "For JWT: of a service app"),
    key_id = setting("string", "公钥指纹", "Public key's fingerprint", "JWT 授权：应用的公钥指纹", "For JWT: kid"),
    private_key = setting("secret", "私钥", "Private key", "JWT 授权：创建应用时下载的 PEM",
      "For JWT: the PEM that came with the app"),
    life = setting("integer", "令牌有效期（秒）", "Token's life (s)", "不填为 900", "900 if empty"),
    variables = setting("string", "自定义变量", "Custom variables", "JSON，例如 {\"shop\":\"一号店\"}",
      "JSON, such as {\"shop\":\"one\"}"),
    prompt_variable = setting("string", "接收提示词的变量", "Variable for the prompt", "不填则不发送我们的提示词",
      "Empty: it is not sent"),
    codes = setting("string", "错误码补充", "More error codes", "例如 4016=unavailable 4028=unauthorized",
      "Such as 4016=unavailable"),
    prices = setting("string", "价格表", "Prices", "每百万 token：* in=2 out=6 CNY", "A million tokens: * in=2 out=6 CNY"),
  },
  capabilities = { stream = true, tools = true, files = true, state = true },
  timeout = { connect = "5s", first = "30s", total = "120s" },
}

-- --- the question ------------------------------------------------------------

local function content(m)
  local parts = {}
  for _, file in ipairs(m.files or {}) do
    local kind = turns.kind_of(file)
    if given(file.url) then
      parts[#parts + 1] = { type = (kind == "image" or kind == "audio") and kind or "file", file_url = file.url }
    end
  end
  if #parts == 0 then return m.text or "", "text" end
  if given(m.text) then table.insert(parts, 1, { type = "text", text = m.text }) end
  return json.encode(json.array(parts)), "object_string"
end

local function messages_of(turn, conversation)
  local list, last, known = json.array {}, turn.messages, conversation ~= nil
  local text, files = turns.question(last)
  if not known then -- a bot that comes in later is told what was said
    for i = math.max(1, #last - MOST_HISTORY), #last do
      local m = last[i]
      local is_said = (m.role == "user" or m.role == "assistant") and given(m.text)
      if is_said then
        list[#list + 1] = { role = m.role, type = m.role == "user" and "question" or "answer", content = m.text,
          content_type = "text" }
      end
    end
    while #list > 0 and list[#list].role == "user" do list[#list] = nil end
  end
  local body, kind = content { text = text, files = files }
  list[#list + 1] = { role = "user", type = "question", content = body, content_type = kind }
  return list
end

local function request(turn, config, state, token)
  local results = turns.results(turn.messages)
  if #results > 0 and given(state.chat) then
    local outputs = json.array {}
    for i, r in ipairs(results) do outputs[i] = { tool_call_id = r.id, output = r.text } end
    return call(config, "/v3/chat/submit_tool_outputs", { conversation_id = state.conversation, chat_id = state.chat },
      { tool_outputs = outputs, stream = true }, token)
  end
  local variables, prompt = tab(json.decode(config.variables or "{}")), turns.prompt(turn.messages)
  for name, value in pairs(turn.inputs or {}) do variables[name] = tostring(value) end
  if given(config.prompt_variable) and prompt ~= "" then variables[config.prompt_variable] = prompt end
  return call(config, "/v3/chat", { conversation_id = state.conversation }, { bot_id = config.bot_id, stream = true,
    user_id = turn.user or turn.conversation or turn.id, auto_save_history = true,
    additional_messages = messages_of(turn, state.conversation), custom_variables = variables }, token)
end

-- --- the answer ------------------------------------------------------------

local take = {}
take["conversation.chat.created"] = function(x, state)
  if given(x.conversation_id) then state.conversation = x.conversation_id end
  if given(x.id) then state.chat = x.id end
  return true
end
take["conversation.chat.in_progress"] = take["conversation.chat.created"]
take["conversation.message.delta"] = function(x, state)
  if x.type ~= "answer" then return true end
  state.told[x.id or ""] = true
  return state.pen.write(x.content)
end
take["conversation.message.completed"] = function(x, state)
  if x.type ~= "answer" or state.told[x.id or ""] then return true end
  return state.pen.write(x.content)
end
take["conversation.chat.requires_action"] = function(x, state)
  take["conversation.chat.created"](x, state)
  local list = {}
  for i, c in ipairs(tab(tab(tab(x.required_action).submit_tool_outputs).tool_calls)) do
    local f = tab(tab(c)["function"])
    list[i] = { id = tab(c).id, name = f.name, text = f.arguments }
  end
  state.calls, state.done = list, true
  return true
end
take["conversation.chat.completed"] = function(x, state, ctx)
  local u = tab(x.usage)
  usage.tell(ctx, { input = u.input_count, output = u.output_count }, ctx.config.bot_id)
  state.done = true
  return true
end
take["conversation.chat.failed"] = function(x, _, ctx) return trouble(tab(x.last_error), ctx.config) end
take["error"] = function(x, _, ctx) return trouble(x, ctx.config) end

local function read(answer, ctx, state, token)
  for name, x in answer.each do
    local step = x ~= ai.DONE and take[name]
    if step then
      local ok, class, detail = step(x, state, ctx)
      if not ok then
        answer.close()
        if class == "cancelled" and state.chat then
          local c = call(ctx.config, "/v3/chat/cancel", nil, { conversation_id = state.conversation,
            chat_id = state.chat }, token)
          c.timeout = "3s"
          http.request(c) -- what it says changes nothing any more
        end
        return nil, class, detail
      end
    end
  end
  local class, detail = answer.trouble()
  if not state.done then return nil, class or "broken", detail or "the answer ended half-way" end
  local ok, why, more = state.pen.close()
  if not ok then return nil, why, more end
  return turns.tell_calls(ctx, state.calls)
end

-- An answer as JSON is an error, even with HTTP 200.
local function open(turn, ctx, kept, token)
  local config = ctx.config
  local answer, class, detail, seconds = ai.open(request(turn, config, kept, token), ctx, M.timeout, classify(config))
  local x = answer and answer.whole
  if not x then return answer, class, detail, seconds end
  if not tonumber(x.code) or x.code == 0 then return nil, "broken", "neither a stream nor an error" end
  return trouble(x, config)
end

function M.ask(turn, ctx)
  local kept, bought = tab(turn.state), false
  while true do
    local token, key, plain = api.token_of(ctx.config)
    if not token then return nil, key, plain end
    local answer, class, detail, seconds = open(turn, ctx, kept, token)
    if answer then
      local state = { pen = ai.pen(ctx), told = {}, calls = {}, conversation = kept.conversation }
      local ok, why, more = read(answer, ctx, state, token)
      if state.conversation then
        ctx.state { conversation = state.conversation, chat = #state.calls > 0 and state.chat or nil }
      end
      return ok, why, more
    elseif class == "gone" and kept.conversation then
      kept = {} -- Coze has forgotten it: a new one
    elseif class == "unauthorized" and plain and not bought then
      bought = true
      api.forget(key, plain) -- ended before its time: another one
    else
      return nil, class == "gone" and "unauthorized" or class, detail, seconds
    end
  end
end

function M.check(config)
  local prices, why = usage.prices(config.prices)
  if not prices then return nil, "prices", "价格表有误 / the prices are wrong: " .. why end
  if given(config.variables) and type(json.decode(config.variables)) ~= "table" then
    return nil, "variables", "自定义变量不是 JSON 对象 / the variables are no JSON object"
  end
  local token, class, detail = api.token_of(config)
  if not token then return nil, class, "没有拿到令牌 / no token: " .. detail end
  local bot = call(config, "/v1/bots/" .. config.bot_id, nil, nil, token)
  local x, code, more = ai.rest(bot, M.timeout, classify(config))
  if x and x.code ~= 0 then code, more = select(2, trouble(x, config)) end
  if code then return nil, code, "扣子没有答应 / Coze did not agree: " .. more end
  return true
end

return M
