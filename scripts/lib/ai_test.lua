-- yuelai test scripts/lib/ai_test.lua
local t = require "test"

describe("ai: waiting", function()
  it("reads Retry-After as seconds, milliseconds and dates", function()
    t.at "2030-01-05 22:00"
    local wait = t.load("lib/ai").retry_after
    assert.equal(3, wait { ["retry-after"] = "3" })
    assert.equal(0.25, wait { ["retry-after"] = "3", ["retry-after-ms"] = "250" })
    assert.equal(30, wait { ["retry-after"] = "Sat, 05 Jan 2030 22:00:30 GMT" })
    assert.equal(3600, wait { ["retry-after"] = "999999" })
    for _, nonsense in ipairs { "", "-1", "0", "nan", "soon", "Sat, 05 Foo 2030 22:00:30 GMT",
      "Sat, 05 Jan 2030 21:00:30 GMT" } do
      assert.is_nil(wait { ["retry-after"] = nonsense }, nonsense)
    end
    assert.is_nil(wait {})
  end)
end)

describe("ai: classes", function()
  local cases = {
    { 400, "", "bad_request" }, { 401, "", "unauthorized" }, { 402, "", "unauthorized" }, { 403, "", "unauthorized" },
    { 404, "", "unauthorized" }, { 408, "", "timeout" }, { 409, "", "unavailable" }, { 413, "", "too_long" },
    { 422, "", "bad_request" }, { 429, "", "rate_limited" }, { 500, "", "unavailable" }, { 503, "", "unavailable" },
    { 504, "", "timeout" }, { 529, "overloaded_error", "unavailable" }, { 302, "", "unauthorized" },
    { 400, "Prompt is too long: 9 tokens", "too_long" }, { 400, "content_filter", "refused" },
    { 400, "Your credit balance is too low", "unauthorized" }, { 429, "insufficient_quota", "unauthorized" },
    { 500, "content_filter", "unavailable" }, { 401, "moderation", "unauthorized" },
  }
  it("goes by status, then by words", function()
    local class_of = t.load("lib/ai").class_of
    for _, case in ipairs(cases) do assert.equal(case[3], class_of(case[1], case[2]), case[1] .. " " .. case[2]) end
  end)
  it("tells a provider's words bounded and valid", function()
    local said = t.load("lib/ai").said
    assert.equal("a b", said("a\nb"))
    assert.equal(300, #said(("x"):rep(9999)))
    assert.equal("?", said "\255")
  end)
end)

describe("ai: what it cost", function()
  local usage
  before_each(function() usage = t.load "lib/ai_usage" end)
  local function told(said, prices, model)
    local got
    usage.tell({ config = { prices = prices }, usage = function(u) got = u end }, said, model)
    return got
  end

  local list = "deepseek-chat in=2 cached=0.5 out=3 CNY; claude-* in=3 out=15 cached=0.3 written=3.75 USD\n# all others\n* in=1 out=2"
  local vectors = { -- model, input, output, cached, written, cost, currency
    { "deepseek-chat", 1000000, 0, 0, 0, 2, "CNY" },
    { "deepseek-chat", 0, 1000000, 0, 0, 3, "CNY" },
    { "deepseek-chat", 1000000, 0, 1000000, 0, 0.5, "CNY" },
    { "deepseek-chat", 1, 1, 0, 0, 0.000005, "CNY" },
    { "deepseek-chat", 3, 0, 1, 0, 0.0000045, "CNY" },
    { "claude-x", 2095, 503, 2000, 0, 0.00843, "USD" },
    { "claude-x", 5000, 1, 0, 4000, 0.018015, "USD" },
    { "qwen", 7, 11, 0, 0, 0.000029, "CNY" },
  }
  it("is the provider's counts by the price list, exactly", function()
    for i, v in ipairs(vectors) do
      local got = told({ input = v[2], output = v[3], cached = v[4], written = v[5] }, list, v[1])
      assert.same({ input = v[2], output = v[3], cached = v[4], cost = v[6], currency = v[7] }, got, "vector " .. i)
    end
  end)
  it("is the provider's own price if it says one", function()
    assert.same({ input = 1, output = 2, cost = 0.0012455, currency = "USD" },
      told({ input = 1, output = 2, cost = "0.0012455", currency = "USD" }, list, "qwen"))
  end)
  it("is not made up", function()
    assert.same({ input = 1, output = 2 }, told({ input = 1, output = 2 }, nil, "m"))
    for _, bad in ipairs { { input = 1 }, { input = "1", output = 2 }, { input = -1, output = 2 },
      { input = 1.5, output = 2 }, { input = 0 / 0, output = 1 }, { input = 1 / 0, output = 1 }, {} } do
      assert.is_nil(told(bad, list, "m"))
    end
    assert.is_nil(told({ input = 5, output = 1, cached = 9 }, list, "qwen").cost) -- more kept than sent
  end)
  it("says what is wrong with a price list", function()
    for _, bad in ipairs { "m", "m in=1", "in=1 out=2", "m in=1 out=x", "m in=-1 out=1", "m in=1 out=2 cny", "m foo=1 in=1 out=1" } do
      assert.is_nil(usage.prices(bad), bad)
    end
    assert.equal(3, #usage.prices(list))
    assert.same({}, usage.prices(""))
  end)
end)

describe("ai: turns", function()
  it("takes what was said since the last answer", function()
    local turns = t.load "lib/ai_turn"
    local text, files = turns.question {
      { role = "system", text = "p" }, { role = "user", text = "old" }, { role = "assistant", text = "answer" },
      { role = "user", text = "a", files = { { id = "1" } } }, { role = "user", text = "b", files = { { id = "2" } } } }
    assert.equal("a\nb", text)
    assert.same({ { id = "1" }, { id = "2" } }, files)
    assert.equal("p", turns.prompt { { role = "system", text = "p" }, { role = "user", text = "x" } })
    assert.same({ { id = "a", text = "1" }, { id = "b", text = "2" } }, turns.results {
      { role = "user", text = "x" }, { role = "tool", tool_call_id = "a", text = "1" },
      { role = "tool", tool_call_id = "b", text = "2" } })
  end)
end)
