-- yuelai test ai/@NAME@
local t = require "test"

local URL = "POST https://model.example.com/v1/chat/completions"
local config = { base = "https://model.example.com/v1", key = "k3y", model = "small" }
local turn = { id = "t1", messages = { { role = "user", text = "When do you open?" } } }

local function piece(text) return { choices = { { delta = { content = text } } } } end
local function run(options)
  options = options or {}
  options.config = config
  return t.ai.run(t.load "ai/@NAME@", turn, options)
end

describe("assistant @NAME@", function()
  it("gives the answer as it comes, and what it cost", function()
    t.http.on(URL, { sse = { piece "At ", piece "nine.",
      { choices = {}, usage = { prompt_tokens = 9, completion_tokens = 3 } }, "[DONE]" } })
    local got = run()
    assert.is_true(got.ok)
    assert.same({ "At ", "nine." }, got.pieces)
    assert.same({ input = 9, output = 3 }, got.usage)
    assert.same({ { role = "user", content = "When do you open?" } }, t.http.calls()[1].json.messages)
  end)

  it("stops when a person has taken over", function()
    t.http.on(URL, { sse = { piece "At ", piece "nine.", "[DONE]" } })
    local got = run { cancel_after = 1 }
    assert.is_nil(got.ok)
    assert.equal("cancelled", got.class)
    assert.equal("At ", got.text)
  end)

  local troubles = {
    { "nobody there", "unavailable", { fails = "unavailable" } },
    { "no answer in time", "timeout", { fails = "timeout" } },
    { "a wrong key", "unauthorized", { status = 401, body = "no" } },
    { "too many", "rate_limited", { status = 429, headers = { ["retry-after"] = "7" }, body = "" } },
    { "an answer that ends half-way", "broken", { sse = { piece "At " } } },
    { "an answer that is none", "broken", { chunks = { "data: {\"cho\n\n" } } },
  }
  for _, case in ipairs(troubles) do
    it("says what is wrong: " .. case[1], function()
      t.http.on(URL, case[3])
      local got = run()
      assert.is_nil(got.ok)
      assert.equal(case[2], got.class)
      assert.equal(case[2] == "rate_limited" and 7 or nil, got.seconds)
    end)
  end
end)
