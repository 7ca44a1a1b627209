-- yuelai test ai/fastgpt
local t = require "test"
local json = require "json"

local URL = "POST https://fg.example.com/api/v1/chat/completions"
local config = { base = "https://fg.example.com/api", key = "fastgpt-1", variables = '{"shop":"one"}',
  prompt_variable = "rules", prices = "* in=2 out=6 CNY" }
local turn = { id = "t1", user = "u-1", conversation = "cv_1", messages = { { role = "system", text = "be kind" },
  { role = "user", text = "你好" }, { role = "assistant", text = "在的" }, { role = "user", text = "导演是谁",
    files = { { mime = "image/png", url = "https://x/1.png" }, { mime = "application/pdf", name = "a.pdf", url = "https://x/a.pdf" } } } } }

local function run(options)
  options = options or {}
  options.config = options.config or config
  return t.ai.run(t.load "ai/fastgpt", turn, options)
end
local function frame(name, x) return "event: " .. name .. "\ndata: " .. json.encode(x) .. "\n\n" end
local function chunk(text, reason) return { choices = { { index = 0, delta = { content = text }, finish_reason = reason } } } end
local function piece(text) return frame("answer", chunk(text)) end
local done = "event: answer\ndata: [DONE]\n\n"

describe("fastgpt", function()
  it("gives the answer, and reads on to what it used", function()
    t.http.fixtures "detail"
    local got = run()
    assert.is_true(got.ok)
    assert.equal("导演是詹姆斯·卡梅隆。", got.text)
    assert.same({ input = 312, output = 21, cost = 0.00075, currency = "CNY" }, got.usage)
    assert.same({ { title = "电影.md", text = "电影《铁达尼号》的导演是谁？" } }, got.sources)
    local call = t.http.calls()[1]
    assert.equal("Bearer fastgpt-1", call.headers.authorization)
    assert.same({ stream = true, detail = true, chatId = "cv_1", responseChatItemId = "t1",
      variables = { shop = "one", rules = "be kind", uid = "u-1" }, messages = { { role = "user", content = {
        { type = "text", text = "导演是谁" }, { type = "image_url", image_url = { url = "https://x/1.png" } },
        { type = "file_url", name = "a.pdf", url = "https://x/a.pdf" } } } } }, call.json)
  end)

  it("sends all of the conversation, if the shop keeps it", function()
    t.http.on(URL, { chunks = { piece "a", done } })
    assert.is_true(run({ config = { base = "https://fg.example.com", key = "k", history = "ours", detail = false } }).ok)
    local body = t.http.calls()[1].json
    assert.is_nil(body.chatId)
    assert.is_false(body.detail)
    assert.equal(3, #body.messages)
    assert.equal("在的", body.messages[2].content)
  end)

  it("reads plain chunks, fast answers, questions of a node, and a whole answer", function()
    t.http.on(URL, { times = 1, sse = { chunk "您", chunk("好", "stop"), "[DONE]" } })
    assert.equal("您好", run().text)
    t.http.on(URL, { times = 1, chunks = { frame("toolCall", { tool = { id = "x" } }), frame("fastAnswer", chunk "固定"), done } })
    assert.equal("固定", run().text)
    t.http.on(URL, { times = 1, chunks = { frame("interactive", { interactive = { type = "userSelect", params = {
      description = "选一个", userSelectOptions = { { key = "a", value = "退货" }, { key = "b", value = "换货" } } } } }) } })
    assert.equal("选一个\n- 退货\n- 换货", run().text)
    t.http.on(URL, { times = 1, json = { choices = { { message = { content = "整段" }, finish_reason = "stop" } },
      responseData = { { inputTokens = 1, outputTokens = 2 } } } })
    local got = run()
    assert.equal("整段", got.text)
    assert.equal(2, got.usage.output)
    t.http.on(URL, { json = { choices = { { message = { content = { { type = "text", text = { content = "部分" } } } } } } } })
    assert.equal("部分", run().text)
  end)

  it("does not make usage up", function()
    t.http.on(URL, { chunks = { piece "a", done, frame("flowResponses", { { moduleName = "x" } }) } })
    assert.is_nil(run().usage)
  end)

  it("stops when a person has taken over", function()
    t.http.on(URL, { chunks = { piece "a", piece "b", done } })
    assert.equal("cancelled", run({ cancel_after = 1 }).class)
  end)

  it("checks by the smallest question", function()
    local check = t.load("ai/fastgpt").check
    t.http.on(URL, { times = 1, status = 500, json = { code = 514, statusText = "unAuthApiKey", message = "no" } })
    t.http.on(URL, { json = { choices = {} } })
    assert.equal("unauthorized", (select(2, check(config))))
    assert.is_true(check(config))
    assert.equal("base", (select(2, check { key = "k" })))
  end)
end)

local troubles = {
  { "a general key", "unauthorized", { status = 500, json = { code = 514, statusText = "unAuthApiKey", message = "no" } } },
  { "no points left", "unauthorized", { status = 500, json = { code = 500, statusText = "aiPointsNotEnough" } } },
  { "no such app", "unauthorized", { json = { code = 502000, statusText = "appUnExist", message = "" } } },
  { "too many", "rate_limited", { status = 500, json = { code = 500, message = "Too many requests" } } },
  { "an error inside", "unavailable", { chunks = { piece "a", frame("error", { message = "connect ECONNREFUSED" }) } } },
  { "the model's context", "too_long", { chunks = { frame("error", { message = "maximum context length is 8192" }) } } },
  { "a filter", "refused", { chunks = { frame("error", { message = "content_filter" }) } } },
  { "JSON that is no answer", "broken", { json = { hello = 1 } } },
  { "wrong types", "broken", { chunks = { piece { 1 }, done } } },
}
require "tests.troubles"("fastgpt", URL, run, troubles, { piece = piece, done = done })
