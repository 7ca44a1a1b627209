-- yuelai test ai/openai
local t = require "test"
local json = require "json"

local URL = "POST https://api.deepseek.com/chat/completions"
local config = { provider = "deepseek", key = "sk-1", model = "deepseek-chat",
  prices = "deepseek-chat in=2 cached=0.5 out=3 CNY" }
local turn = { id = "t1", user = "u-1", messages = { { role = "system", text = "你是客服。" },
  { role = "user", text = "几点开门？" } } }

local function piece(text, reason) return { choices = { { index = 0, delta = { content = text }, finish_reason = reason } } } end
local function run(given, options)
  options = options or {}
  options.config = options.config or config
  return t.ai.run(t.load "ai/openai", given or turn, options)
end

describe("openai", function()
  it("gives the answer as it comes, with what it cost", function()
    t.http.fixtures "deepseek"
    local got = run()
    assert.is_true(got.ok)
    assert.same({ "我们", "九点开门。" }, got.pieces)
    -- 200 * 2 + 1000 * 0.5 + 34 * 3 = 1002, for a million
    assert.same({ input = 1200, output = 34, cached = 1000, cost = 0.001002, currency = "CNY" }, got.usage)
    local call = t.http.calls()[1]
    assert.equal("Bearer sk-1", call.headers.authorization)
    assert.same({ { role = "system", content = "你是客服。" }, { role = "user", content = "几点开门？" } }, call.json.messages)
    assert.equal(true, call.json.stream_options.include_usage)
    assert.equal("u-1", call.json.user)
  end)

  it("merges calls of tools by their index", function()
    local function call(index, id, name, arguments)
      return { choices = { { delta = { tool_calls = { { index = index, id = id, type = "function",
        ["function"] = { name = name, arguments = arguments } } } } } } }
    end
    t.http.on(URL, { sse = { call(0, "a", "order", ""), call(1, "b", "refund", '{"no"'), call(0, nil, nil, '{"no":"4711"}'),
      call(1, nil, nil, ':"12"}'), { choices = { { delta = {}, finish_reason = "tool_calls" } } }, "[DONE]" } })
    local got = run { id = "t2", messages = turn.messages, tools = { { name = "order", description = "looks up",
      parameters = { type = "object", properties = { no = { type = "string" } } } } } }
    assert.is_true(got.ok)
    assert.same({ { id = "a", name = "order", arguments = { no = "4711" } },
      { id = "b", name = "refund", arguments = { no = "12" } } }, got.tool_calls)
    assert.equal("order", t.http.calls()[1].json.tools[1]["function"].name)
  end)

  it("sends what tools said, and pictures, back", function()
    t.http.on(URL, { sse = { piece("好", "stop"), "[DONE]" } })
    assert.is_true(run { id = "t3", json = true, max_tokens = 7, messages = {
      { role = "user", text = "看", files = { { mime = "image/png", url = "https://x/1.png" } } },
      { role = "assistant", text = "", tool_calls = { { id = "a", name = "order", arguments = {} } } },
      { role = "tool", tool_call_id = "a", text = "ok" } } }.ok)
    local body = t.http.calls()[1].json
    assert.equal("https://x/1.png", body.messages[1].content[2].image_url.url)
    assert.equal("{}", body.messages[2].tool_calls[1]["function"].arguments)
    assert.same({ role = "tool", tool_call_id = "a", content = "ok" }, body.messages[3])
    assert.same({ type = "json_object" }, body.response_format)
    assert.equal(7, body.max_tokens)
  end)

  it("hides what a model thinks, wherever the pieces are cut", function()
    local text = "<think>hm, 4711</think>\n\n您好"
    for cut = 1, #"<think>hm, 4711</think>" do
      t.http.on(URL, { times = 1, sse = { piece(text:sub(1, cut)), piece(text:sub(cut + 1)), piece("", "stop"), "[DONE]" } })
      assert.equal("您好", run().text, "cut at " .. cut)
    end
    t.http.on(URL, { sse = { piece "<b", piece("ye", "stop"), "[DONE]" } })
    assert.equal("<bye", run().text)
  end)

  it("takes an answer that came whole, and one without [DONE]", function()
    t.http.on(URL, { times = 1, json = { choices = { { message = { role = "assistant", content = "hi" }, finish_reason = "stop" } },
      usage = { prompt_tokens = 3, completion_tokens = 1 } } })
    local got = run()
    assert.equal("hi", got.text)
    assert.equal(3, got.usage.input)
    t.http.on(URL, { chunks = { 'data: {"choices":[{"delta":{"content":"h', 'i"},"finish_reason":"stop"}]}' } })
    got = run()
    assert.is_true(got.ok)
    assert.equal("hi", got.text)
  end)

  it("stops when a person has taken over", function()
    t.http.on(URL, { sse = { piece "a", piece "b", piece("c", "stop"), "[DONE]" } })
    local got = run(nil, { cancel_after = 1 })
    assert.equal("cancelled", got.class)
    assert.same({ "a" }, got.pieces)
  end)

  it("knows the other servers", function()
    t.http.on("POST http://127.0.0.1:11434/v1/chat/completions", { sse = { piece("x", "stop") } })
    assert.is_true(run({ id = "t", user = "u", messages = turn.messages, tools = { { name = "a" } } },
      { config = { provider = "ollama", model = "qwen2.5", extra = '{"keep_alive":"5m"}' } }).ok)
    local call = t.http.calls()[1]
    assert.is_nil(call.headers.authorization)
    assert.is_nil(call.json.tool_choice)
    assert.is_nil(call.json.user)
    assert.equal("5m", call.json.keep_alive)
    t.http.on("POST https://api.openai.com/v1/chat/completions", { sse = { piece("x", "stop") } })
    assert.is_true(run(nil, { config = { provider = "openai", model = "gpt", key = "k" } }).ok)
    assert.equal(1024, t.http.calls()[2].json.max_completion_tokens)
  end)
end)

-- what comes back, the class, and seconds
local long = ("x"):rep(16000)
local troubles = {
  ["no key"] = { { status = 401, json = { error = { message = "Incorrect API key", code = "invalid_api_key" } } }, "unauthorized" },
  ["no money"] = { { status = 402, json = { error = { message = "Insufficient Balance" } } }, "unauthorized" },
  ["no such model"] = { { status = 404, json = { error = { code = "model_not_found" } } }, "unauthorized" },
  ["no quota"] = { { status = 429, json = { error = { code = "insufficient_quota" } } }, "unauthorized" },
  ["too many"] = { { status = 429, headers = { ["retry-after"] = "7" }, json = { error = { message = "slow" } } }, "rate_limited", 7 },
  ["too many, to the ms"] = { { status = 429, headers = { ["retry-after-ms"] = "1500", ["retry-after"] = "9" }, body = "" },
    "rate_limited", 1.5 },
  ["too many, nonsense"] = { { status = 429, headers = { ["retry-after"] = "soon" }, body = "" }, "rate_limited" },
  ["a bad field"] = { { status = 400, json = { error = { message = "temperature" } } }, "bad_request" },
  ["too long"] = { { status = 400, json = { error = { code = "context_length_exceeded" } } }, "too_long" },
  ["too long, in words"] = { { status = 400, body = "This model's maximum context length is 8192 tokens" }, "too_long" },
  ["refused"] = { { status = 400, json = { error = { code = "data_inspection_failed" } } }, "refused" },
  ["down"] = { { status = 503, headers = { ["retry-after"] = "3" }, body = "loading" }, "unavailable", 3 },
  ["gateway"] = { { status = 502, body = "<html>" }, "unavailable" },
  ["slow gateway"] = { { status = 504, body = "" }, "timeout" },
  ["nobody"] = { { fails = "unavailable" }, "unavailable" },
  ["too late"] = { { fails = "timeout" }, "timeout" },
  ["an error with 200"] = { { json = { error = { message = "overloaded", type = "server_error" } } }, "unavailable" },
  ["an error in the stream"] = { { sse = { piece "a", { error = { code = 429, message = "slow" } } } }, "rate_limited" },
  ["HTML with 200"] = { { headers = { ["content-type"] = "text/html" }, body = "<html>login</html>" }, "broken" },
  ["another JSON with 200"] = { { json = { hello = "world" } }, "broken" },
  ["cut off"] = { { sse = { piece "a" } }, "broken" },
  ["a broken line"] = { { chunks = { "data: {\"choices\":[{\"delta\":{\"cont" } }, "broken" },
  ["broken in the middle"] = { { chunks = { 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', { fails = "unavailable" } } }, "broken" },
  ["silent in the middle"] = { { chunks = { 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', { fails = "timeout" } } }, "timeout" },
  ["bytes that are no text"] = { { chunks = { 'data: {"choices":[{"delta":{"content":"', { hex = "fffe" }, '"}}]}\n\n' } }, "broken" },
  ["wrong types"] = { { sse = { piece { "a" }, "[DONE]" } }, "broken" },
  ["a list"] = { { sse = { json.array { 1, 2 }, "[DONE]" } }, "broken" },
  ["no object"] = { { sse = { "7", "[DONE]" } }, "broken" },
  ["an answer without end"] = { { chunks = { { text = ("data: %s\n\n"):format(json.encode(piece(long))), times = 1000000 } } }, "broken" },
  ["thoughts without end"] = { { chunks = { { times = 1000000,
    text = ('data: {"choices":[{"delta":{"reasoning_content":"%s"}}]}\n\n'):format(long) } } }, "broken" },
  ["a line without end"] = { { chunks = { { text = long, times = 1000000 } } }, "broken" },
  ["a filter"] = { { sse = { piece("", "content_filter"), "[DONE]" } }, "refused" },
  ["arguments that are none"] = { { sse = { { choices = { { delta = { tool_calls = { { index = 0, id = "a",
    ["function"] = { name = "order", arguments = '{"no":' } } } }, finish_reason = "tool_calls" } } }, "[DONE]" } }, "broken" },
  ["a tool without a name"] = { { sse = { { choices = { { delta = { tool_calls = { { index = 0 } } },
    finish_reason = "tool_calls" } } }, "[DONE]" } }, "broken" },
  ["a wrong index"] = { { sse = { { choices = { { delta = { tool_calls = { { index = 1e9 } } } } } } } }, "broken" },
}

describe("openai: troubles", function()
  for name, case in pairs(troubles) do
    it(name, function()
      t.http.on(URL, case[1])
      local got = run()
      assert.is_nil(got.ok)
      assert.equal(case[2], got.class, got.detail)
      assert.equal(case[3], got.seconds)
      assert.same({}, got.tool_calls)
      assert.is_true(#got.text <= 65536)
    end)
  end
end)

describe("openai: vectors and check", function()
  local base = "https://api.deepseek.com"
  local function context(seen) return { config = config, usage = function(u) seen.usage = u end } end

  it("puts vectors in their order, ten at a time", function()
    t.http.on("POST " .. base .. "/embeddings", function(req)
      local data = {}
      for i, text in ipairs(req.json.input) do table.insert(data, 1, { index = i - 1, embedding = { #text, i } }) end
      return { json = { data = data, usage = { prompt_tokens = #req.json.input } } }
    end)
    local texts, seen = {}, {}
    for i = 1, 23 do texts[i] = ("a"):rep(i) end
    local list = assert(t.load("ai/openai").embed(texts, context(seen)))
    assert.equal(23, #list)
    for i = 1, 23 do assert.equal(i, list[i][1]) end
    assert.equal(3, #t.http.calls())
    assert.equal(23, seen.usage.input)
  end)

  it("says when vectors are missing", function()
    t.http.on("POST " .. base .. "/embeddings", { json = { data = { { index = 0, embedding = { 1 } } } } })
    local list, class = t.load("ai/openai").embed({ "a", "b" }, context {})
    assert.is_nil(list)
    assert.equal("broken", class)
  end)

  it("checks address, key, prices and the provider", function()
    local check = t.load("ai/openai").check
    local function code(c) return (select(2, check(c))) end
    assert.equal("base", code { provider = "other", model = "m" })
    assert.equal("key", code { provider = "deepseek", model = "m" })
    assert.equal("extra", code { provider = "vllm", model = "m", extra = "[" })
    assert.equal("prices", code { provider = "vllm", model = "m", prices = "m in=x out=1" })
    t.http.on("GET " .. base .. "/models", { status = 401, times = 1, json = { error = { message = "no" } } })
    assert.equal("unauthorized", code(config))
    t.http.on("GET " .. base .. "/models", { json = { data = {} }, times = 1 })
    assert.is_true(check(config))
    t.http.on("GET " .. base .. "/models", { status = 404, body = "" })
    t.http.on(URL, { json = { choices = {} } })
    assert.is_true(check(config))
  end)
end)
