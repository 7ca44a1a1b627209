-- Dify: an app of the shop's answers (chatbot, agent or chatflow); Dify keeps the
-- conversation, we its id.
local http, json, secret = require "http", require "json", require "secret"
local ai, usage, turns = require "lib.ai", require "lib.ai_usage", require "lib.ai_turn"
local given, tab, setting = ai.given, ai.tab, ai.setting

---@type Assistant
local M = {
  api = 1,
  title = { zh = "Dify", en = "Dify" },
  schema = {
    base = setting("string", "接口地址", "Base address", "不填为 https://api.dify.ai/v1；自建填 https://你的域名/v1",
      "Empty: https://api.dify.ai/v1; your own ends in /v1 too"),
    key = setting("secret", "应用的 API Key", "The app's API key", "应用 → 访问 API → API 密钥，以 app- 开头",
      "App → API access; begins with app-", true),
    mode = { type = "choice", choices = { "streaming", "blocking" }, title = { zh = "回答方式", en = "Mode" },
      help = { zh = "不填为 streaming；Agent 应用只能用 streaming", en = "streaming if empty; agents know no other" } },
    inputs = setting("string", "变量", "Inputs", "JSON，例如 {\"shop\":\"一号店\"}", "JSON, such as {\"shop\":\"one\"}"),
    prompt_input = setting("string", "接收提示词的变量", "Input for the prompt",
      "应用里有这个变量时，我们的提示词填进去；不填则不发", "Our prompt goes into this variable of the app; empty: nowhere"),
    prices = setting("string", "价格表", "Prices", "Dify 自己报价时不用填", "Not needed where Dify tells the price"),
  },
  capabilities = { stream = true, files = true, state = true },
  timeout = { connect = "5s", first = "30s", total = "120s" },
}

-- --- errors ----------------------------------------------------------------

local CODES = {
  app_unavailable = "unauthorized", not_chat_app = "unauthorized", provider_not_initialize = "unauthorized",
  provider_quota_exceeded = "unauthorized", model_currently_not_support = "unauthorized", unauthorized = "unauthorized",
  rate_limit_error = "unauthorized", -- the plan's quota, not a moment's
  too_many_requests = "rate_limited", completion_request_error = "unavailable", internal_server_error = "unavailable",
  invalid_param = "bad_request",
}
local GONE = { conversation_completed = true, not_found = true }

local function classify(status, x)
  local class = CODES[x.code]
  if class == "bad_request" or class == "unavailable" then
    local by_words = ai.class_of(400, ai.words_of(x)) -- the model's own trouble, told on
    if by_words ~= "bad_request" then return by_words end
  end
  return class
end

local function trouble(x)
  local status = tonumber(x.status) or 500
  return nil, classify(status, x) or ai.class_of(status >= 400 and status or 500, ai.words_of(x)), ai.words_of(x)
end

-- --- the question ------------------------------------------------------------

local function call(config, path, body)
  return { ai.base(config, "https://api.dify.ai/v1") .. path, method = body and "POST" or "GET", json = body,
    auth = { bearer = secret.join(config.key) } }
end

local function user_of(turn) return turn.user or turn.conversation or turn.id end

local function body_of(turn, config, conversation)
  local text, files = turns.question(turn.messages)
  local inputs, list = tab(json.decode(config.inputs or "{}")), json.array {}
  for name, value in pairs(turn.inputs or {}) do inputs[name] = value end
  local prompt = turns.prompt(turn.messages)
  if given(config.prompt_input) and prompt ~= "" then inputs[config.prompt_input] = prompt end
  for _, file in ipairs(files) do
    if given(file.url) then
      list[#list + 1] = { type = turns.kind_of(file), transfer_method = "remote_url", url = file.url }
    end
  end
  return { inputs = inputs, query = text ~= "" and text or "（文件）", user = user_of(turn),
    response_mode = config.mode == "blocking" and "blocking" or "streaming", conversation_id = conversation or "",
    files = #list > 0 and list or nil, auto_generate_name = false }
end

-- --- the answer ------------------------------------------------------------

local function finish(x, ctx)
  local u = tab(tab(x.metadata).usage)
  usage.tell(ctx, { input = u.prompt_tokens, output = u.completion_tokens, cost = u.total_price,
    currency = u.currency })
  for i, r in ipairs(tab(tab(x.metadata).retriever_resources)) do
    if i > 10 then break end
    if type(r) == "table" and given(r.document_name) then
      ctx.source { title = r.document_name, text = given(r.content) and r.content or nil }
    end
  end
end

-- What each event does; an event that is not here says nothing to a visitor.
local take = {}
function take.message(x, state)
  if state.is_agent then return true end -- the whole text again
  return state.pen.write(x.answer)
end
function take.agent_message(x, state)
  state.is_agent = true
  return state.pen.write(x.answer)
end
function take.message_replace(x, state)
  if state.pen.bytes == 0 then return state.pen.write(x.answer) end
  return nil, "refused", "Dify's moderation has taken the answer back"
end
function take.message_end(x, state, ctx)
  state.done = true
  finish(x, ctx)
  return true
end
function take.workflow_finished(x, state)
  local data = tab(x.data)
  if data.status == "failed" or data.status == "stopped" then
    local words = ai.said(data.status, data.error)
    local class = ai.class_of(400, words)
    return nil, class == "bad_request" and "unavailable" or class, words
  end
  state.done = state.done or data.status == "succeeded"
  return true
end
function take.workflow_paused(_, state, ctx)
  state.done = true
  ctx.handover "the workflow waits for a person"
  return true
end
take.human_input_required = take.workflow_paused
take["error"] = function(x) return trouble(x) end

local function remember(x, state)
  if given(x.task_id) then state.task = x.task_id end
  if given(x.conversation_id) then state.conversation = x.conversation_id end
end

local function stop(user, ctx, state)
  if not state.task then return end
  local c = call(ctx.config, "/chat-messages/" .. state.task .. "/stop", { user = user })
  c.timeout = "3s"
  http.request(c) -- what it says changes nothing any more
end

local function read(answer, user, ctx)
  local state = { pen = ai.pen(ctx) }
  for _, x in answer.each do
    if x ~= ai.DONE then
      remember(x, state)
      local step = take[x.event]
      if step then
        local ok, class, detail = step(x, state, ctx)
        if not ok then
          answer.close()
          if class == "cancelled" then stop(user, ctx, state) end
          return nil, class, detail
        end
      end
    end
  end
  local class, detail = answer.trouble()
  if state.conversation then ctx.state { conversation = state.conversation } end
  if class and not state.done then return nil, class, detail end
  if not state.done then return nil, "broken", "the answer ended half-way" end
  return state.pen.close()
end

local function whole(x, ctx)
  if type(x.answer) ~= "string" then
    if x.code then return trouble(x) end
    return nil, "broken", "an answer without a text"
  end
  if given(x.conversation_id) then ctx.state { conversation = x.conversation_id } end
  local pen = ai.pen(ctx)
  local ok, class, detail = pen.write(x.answer)
  if ok then ok, class, detail = pen.close() end
  if not ok then return nil, class, detail end
  finish(x, ctx)
  return true
end

function M.ask(turn, ctx)
  local conversation = tab(turn.state).conversation
  local limits = ctx
  if ctx.config.mode == "blocking" then -- nothing comes before all is there
    local given_ = tab(ctx.timeout)
    local total = given_.total or M.timeout.total
    limits = { timeout = { connect = given_.connect, first = total, total = total } }
  end
  while true do
    local gone
    local answer, class, detail, seconds = ai.open(call(ctx.config, "/chat-messages",
      body_of(turn, ctx.config, conversation)), limits, M.timeout, function(status, x)
      gone = GONE[x.code]
      return classify(status, x)
    end)
    if answer then
      if answer.whole then return whole(answer.whole, ctx) end
      return read(answer, user_of(turn), ctx) -- nothing holds the turn while it grows
    end
    if not (gone and conversation) then return nil, class, detail, seconds end
    conversation = nil -- Dify has forgotten it: a new one
  end
end

function M.check(config)
  if given(config.inputs) and type(json.decode(config.inputs)) ~= "table" then
    return nil, "inputs", "变量不是 JSON 对象 / the inputs are no JSON object"
  end
  local prices, why = usage.prices(config.prices)
  if not prices then return nil, "prices", "价格表有误 / the prices are wrong: " .. why end
  local x, class, detail = ai.rest(call(config, "/info"), M.timeout, classify)
  if not x then return nil, class, "Dify 没有答应 / Dify did not agree: " .. detail end
  return true
end

return M
