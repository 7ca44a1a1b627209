-- yuelai test ai/anthropic
local t = require "test"
local json = require "json"

local URL = "POST https://api.anthropic.com/v1/messages"
local config = { key = "sk-ant-1", model = "claude-x", prices = "claude-* in=3 cached=0.3 written=3.75 out=15 USD" }
local messages = { { role = "system", text = "be kind" }, { role = "assistant", text = "Hello!" },
  { role = "user", text = "订单" }, { role = "user", text = "4711" } }

local function run(turn, options)
  options = options or {}
  options.config = options.config or config
  return t.ai.run(t.load "ai/anthropic", turn or { id = "t1", user = "u-1", messages = messages }, options)
end
local function frame(x) return "event: " .. x.type .. "\ndata: " .. json.encode(x) .. "\n\n" end
local function piece(text)
  return frame { type = "content_block_delta", index = 0, delta = { type = "text_delta", text = text } }
end
local function ends(reason) return frame { type = "message_delta", delta = { stop_reason = reason }, usage = { output_tokens = 2 } } end
local stop = frame { type = "message_stop" }
local done = ends "end_turn" .. stop
local function start(usage) return frame { type = "message_start", message = { usage = usage } } end

describe("anthropic", function()
  it("gives the answer, a call of a tool, and what it cost", function()
    t.http.fixtures "tools"
    local got = run { id = "t1", user = "u-1", messages = messages, tools = { { name = "order_status",
      description = "looks up", parameters = { type = "object", properties = { no = { type = "string" } } } } } }
    assert.is_true(got.ok)
    assert.same({ "我来", "查一下。" }, got.pieces)
    assert.same({ { id = "toolu_1", name = "order_status", arguments = { no = "4711" } } }, got.tool_calls)
    -- 95 * 3 + 2000 * 0.3 + 503 * 15 = 8430, for a million
    assert.same({ input = 2095, output = 503, cached = 2000, cost = 0.00843, currency = "USD" }, got.usage)
    local call = t.http.calls()[1]
    assert.equal("sk-ant-1", call.headers["x-api-key"])
    assert.equal("2023-06-01", call.headers["anthropic-version"])
    assert.same({ { role = "user", content = { { type = "text", text = "订单" }, { type = "text", text = "4711" } } } },
      call.json.messages)
    assert.equal("be kind", call.json.system)
    assert.equal(1024, call.json.max_tokens)
    assert.equal("object", call.json.tools[1].input_schema.type)
  end)

  it("sends what tools said, and pictures", function()
    t.http.on(URL, { chunks = { piece "好", done } })
    assert.is_true(run({ id = "t", json = true, messages = {
      { role = "user", text = "看", files = { { mime = "image/jpeg", url = "https://x/1.jpg" } } },
      { role = "assistant", text = "", tool_calls = { { id = "a", name = "order", arguments = { no = "1" } },
        { id = "b", name = "order", arguments = {} } } },
      { role = "tool", tool_call_id = "a", text = "sent" }, { role = "tool", tool_call_id = "b", text = "lost" } } }).ok)
    local body = t.http.calls()[1].json
    assert.equal("https://x/1.jpg", body.messages[1].content[1].source.url)
    assert.same({ type = "tool_use", id = "a", name = "order", input = { no = "1" } }, body.messages[2].content[1])
    assert.same({ { type = "tool_result", tool_use_id = "a", content = "sent" },
      { type = "tool_result", tool_use_id = "b", content = "lost" } }, body.messages[3].content)
    assert.contains('"input":{}', t.http.calls()[1].body)
    assert.contains("JSON", body.system)
  end)

  it("counts what is written into the cache, and what a refused answer cost", function()
    t.http.on(URL, { chunks = { start { input_tokens = 1000, cache_creation_input_tokens = 4000, cache_read_input_tokens = 0,
      output_tokens = 1 }, ends "refusal", stop } })
    local got = run()
    assert.equal("refused", got.class)
    assert.same({ input = 5000, output = 2, cached = 0, cost = 0.01803, currency = "USD" }, got.usage)
  end)

  it("stops when a person has taken over, and counts what it has heard", function()
    t.http.on(URL, { chunks = { start { input_tokens = 10, output_tokens = 1 }, piece "a", piece "b", done } })
    local got = run(nil, { cancel_after = 1 })
    assert.equal("cancelled", got.class)
    assert.same({ input = 10, output = 1, cost = 0.000045, currency = "USD" }, got.usage)
  end)

  it("checks the key", function()
    local check = t.load("ai/anthropic").check
    local list = "GET https://api.anthropic.com/v1/models"
    t.http.on(list, { times = 1, status = 401, json = { type = "error", error = { type = "authentication_error" } } })
    t.http.on(list, { json = { data = {} } })
    assert.equal("unauthorized", (select(2, check(config))))
    assert.is_true(check(config))
  end)
end)

local function refused(status, kind, message)
  return { status = status, json = { type = "error", error = { type = kind, message = message or "" } } }
end
local function told(kind, message) return { chunks = { piece "a", frame { type = "error", error = { type = kind, message = message or "" } } } } end
local function block(index, more) return frame { type = "content_block_delta", index = index, delta = { type = "input_json_delta", partial_json = more } } end
local tool = frame { type = "content_block_start", index = 1, content_block = { type = "tool_use", id = "a", name = "x", input = {} } }
local troubles = {
  { "no money", "unauthorized", refused(400, "invalid_request_error", "Your credit balance is too low") },
  { "a wrong field", "bad_request", refused(400, "invalid_request_error", "max_tokens") },
  { "too long", "too_long", refused(400, "invalid_request_error", "prompt is too long: 210000 tokens") },
  { "much too long", "too_long", refused(413, "request_too_large") },
  { "no such model", "unauthorized", refused(404, "not_found_error") },
  { "overloaded", "unavailable", refused(529, "overloaded_error") },
  { "overloaded inside", "unavailable", told "overloaded_error" },
  { "too many inside", "rate_limited", told "rate_limit_error" },
  { "unknown inside", "bad_request", told "new_error" },
  { "a full context", "too_long", { chunks = { ends "model_context_window_exceeded", stop } } },
  { "arguments that are none", "broken", { chunks = { tool, block(1, '{"a":'), ends "tool_use", stop } } },
  { "arguments of no tool", "broken", { chunks = { tool, block(5, '{"a":'), ends "tool_use", stop } } },
  { "arguments without end", "broken", { chunks = { tool, { text = block(1, ("x"):rep(16000)), times = 1000000 } } } },
  { "wrong types", "broken", { chunks = { piece { 1 }, done } } },
  { "an error with 200", "unavailable", { json = { type = "error", error = { type = "api_error" } } } },
  { "no stream", "broken", { json = { type = "message", content = {} } } },
}
require "tests.troubles"("anthropic", URL, run, troubles, { piece = piece, done = done })
