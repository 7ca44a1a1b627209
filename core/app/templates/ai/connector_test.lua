-- yuelai test ai/@NAME@
local t = require "test"

describe("assistant @NAME@", function()
  local connector, ctx, answer
  before_each(function()
    connector = t.load "ai/@NAME@"
    answer = ""
    ctx = {
      config = { base = "https://model.example.com/v1", key = "k3y", model = "small" },
      write = function(text)
        answer = answer .. text
        return true
      end,
    }
  end)

  local turn = { messages = { { role = "user", content = "When do you open?" } } }
  local function piece(text) return { choices = { { delta = { content = text } } } } end

  it("gives the answer as it comes", function()
    t.http.on("POST https://model.example.com/v1/chat/completions",
      { sse = { piece "At ", piece "nine.", "[DONE]" } })
    assert.is_true(connector.ask(turn, ctx))
    assert.equal("At nine.", answer)
    assert.same(turn.messages, t.http.calls()[1].json.messages)
  end)

  it("stops when a person has taken over", function()
    t.http.on("POST https://model.example.com/v1/chat/completions", { sse = { piece "At ", "[DONE]" } })
    ctx.write = function() return nil, "cancelled" end
    local ok, why = connector.ask(turn, ctx)
    assert.is_nil(ok)
    assert.equal("cancelled", why)
  end)

  it("says when the model cannot be reached", function()
    t.http.on("POST https://model.example.com/v1/chat/completions", { fails = "timeout" })
    local ok, why = connector.ask(turn, ctx)
    assert.is_nil(ok)
    assert.equal("timeout", why)
  end)
end)
