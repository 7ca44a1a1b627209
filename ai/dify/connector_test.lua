-- yuelai test ai/dify
local t = require "test"
local json = require "json"

local BASE = "https://api.dify.ai/v1"
local URL = "POST " .. BASE .. "/chat-messages"
local config = { key = "app-1", inputs = '{"shop":"one"}', prompt_input = "rules" }
local turn = { id = "t1", user = "u-1", messages = { { role = "system", text = "be kind" },
  { role = "user", text = "退货" }, { role = "assistant", text = "哪个订单？" }, { role = "user", text = "4711" },
  { role = "user", text = "这张", files = { { mime = "image/png", url = "https://x/1.png" }, { name = "no url" } } } } }

local function run(state, options)
  options = options or {}
  options.config = options.config or config
  local copy = {}
  for k, v in pairs(turn) do copy[k] = v end
  copy.state = state
  return t.ai.run(t.load "ai/dify", copy, options)
end
local function frame(x) return "data: " .. json.encode(x) .. "\n\n" end
local function piece(text, event)
  return frame { event = event or "message", task_id = "k1", conversation_id = "c1", answer = text }
end
local done = frame { event = "message_end", conversation_id = "c1", metadata = {} }

describe("dify", function()
  it("gives a chatflow's answer, sources and what Dify says it cost", function()
    t.http.fixtures "chatflow"
    local got = run()
    assert.is_true(got.ok)
    assert.equal("七天内可以退货。", got.text)
    assert.same({ input = 1033, output = 128, cost = 0.0012455, currency = "USD" }, got.usage)
    assert.same({ { title = "退货政策.md", text = "七天无理由" } }, got.sources)
    assert.same({ conversation = "45701982-8118-4bc5-8e9b-64562b4555f2" }, got.state)
    local call = t.http.calls()[1]
    assert.equal("Bearer app-1", call.headers.authorization)
    assert.same({ inputs = { shop = "one", rules = "be kind" }, query = "4711\n这张", response_mode = "streaming",
      conversation_id = "", user = "u-1", auto_generate_name = false,
      files = { { type = "image", transfer_method = "remote_url", url = "https://x/1.png" } } }, call.json)
  end)

  it("goes on in its conversation, or in a new one when Dify has forgotten it", function()
    t.http.on(URL, { times = 1, chunks = { piece "a", done } })
    assert.is_true(run({ conversation = "c1" }).ok)
    assert.equal("c1", t.http.calls()[1].json.conversation_id)
    for _, gone in ipairs { { 404, "not_found" }, { 400, "conversation_completed" } } do
      t.http.on(URL, { times = 1, status = gone[1], json = { code = gone[2], message = "gone", status = gone[1] } })
      t.http.on(URL, { times = 1, chunks = { piece "b", done } })
      local got = run { conversation = "old" }
      assert.is_true(got.ok)
      assert.equal("", t.http.calls()[#t.http.calls()].json.conversation_id)
      assert.same({ conversation = "c1" }, got.state)
    end
  end)

  it("says an agent's answer once", function()
    t.http.on(URL, { chunks = { frame { event = "agent_thought", thought = "hm" }, piece("您", "agent_message"),
      piece("好", "agent_message"), "event: ping\n\n", piece "您好", done } })
    assert.equal("您好", run().text)
  end)

  it("asks for the whole answer at once", function()
    t.http.on(URL, { json = { event = "message", conversation_id = "c2", answer = "整段",
      metadata = { usage = { prompt_tokens = 5, completion_tokens = 2 } } } })
    local got = run(nil, { config = { key = "app-1", mode = "blocking" } })
    assert.equal("整段", got.text)
    assert.same({ input = 5, output = 2 }, got.usage)
    assert.same({ conversation = "c2" }, got.state)
    assert.equal("blocking", t.http.calls()[1].json.response_mode)
  end)

  it("stops Dify too when a person has taken over", function()
    t.http.on(URL, { chunks = { piece "a", piece "b", done } })
    t.http.on("POST " .. BASE .. "/chat-messages/k1/stop", { json = { result = "success" } })
    assert.equal("cancelled", run(nil, { cancel_after = 1 }).class)
    assert.same({ user = "u-1" }, t.http.calls()[2].json)
  end)

  it("hands over when a workflow waits for a person", function()
    t.http.on(URL, { chunks = { piece "请稍等", frame { event = "workflow_paused", data = {} } } })
    local got = run()
    assert.is_true(got.ok)
    assert.is_not_nil(got.handover)
  end)

  it("checks the key", function()
    local check = t.load("ai/dify").check
    t.http.on("GET " .. BASE .. "/info", { status = 401, times = 1, json = { code = "unauthorized", message = "no" } })
    t.http.on("GET " .. BASE .. "/info", { json = { name = "Shop" } })
    assert.equal("unauthorized", (select(2, check(config))))
    assert.is_true(check(config))
    assert.equal("inputs", (select(2, check { key = "k", inputs = "[" })))
  end)
end)

local function refused(status, code, message) return { status = status, json = { code = code, message = message, status = status } } end
local function told(status, code, message)
  return { chunks = { frame { event = "error", status = status, code = code, message = message } } }
end
local troubles = {
  { "an unknown app", "unauthorized", refused(400, "app_unavailable") },
  { "no quota at the model's", "unauthorized", refused(400, "provider_quota_exceeded") },
  { "the plan's quota", "unauthorized", refused(429, "rate_limit_error") },
  { "too many at once", "rate_limited", refused(429, "too_many_requests") },
  { "a wrong field", "bad_request", refused(400, "invalid_param", "inputs") },
  { "a conversation that is gone, at the start", "unauthorized", refused(404, "not_found") },
  { "the model is down", "unavailable", told(400, "completion_request_error", "connection error") },
  { "the model's context", "too_long", told(400, "completion_request_error", "maximum context length is 8192") },
  { "an error inside", "unavailable", told(500, "internal_server_error", "oh") },
  { "wrong types", "broken", { chunks = { frame { event = "message", answer = { 1 } }, done } } },
  { "a workflow that failed", "unavailable", { chunks = { piece "a",
    frame { event = "workflow_finished", data = { status = "failed", error = "node" } } } } },
  { "an answer taken back", "refused", { chunks = { piece "a", frame { event = "message_replace", answer = "no" }, done } } },
  { "JSON with 200 that is no answer", "broken", { json = { hello = 1 } } },
  { "an error with 200", "rate_limited", { json = { code = "too_many_requests", message = "x", status = 429 } } },
}
require "tests.troubles"("dify", URL, run, troubles, { piece = piece, done = done })
