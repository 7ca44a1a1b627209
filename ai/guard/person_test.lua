-- yuelai test ai/guard/person_test.lua
local t = require "test"

local guard
before_each(function() guard = t.load "ai/guard" end)

describe("guard: a person is wanted", function()
  local function wanted(text, result, ctx)
    return guard.handover({ contact = {} }, { text = text }, result or { ok = true, text = "好的" }, ctx or { vault = {} })
  end
  for _, case in ipairs { { "转人工", "asked" }, { "我要找人工客服", "asked" }, { "Can I talk to a human please", "asked" },
    { "转\226\128\139人工", "asked" }, { "不用转人工", nil }, { "我要投诉你们", "angry" }, { "You are a SCAM", "angry" },
    { "退款 1500 元", "money" }, { "退款 ¥1,500.00", "money" }, { "赔偿2万", "money" }, { "退款 99 元", nil },
    { "订单 99999", nil }, { "你好", nil }, { "", nil } } do
    it(case[1] ~= "" and case[1] or "nothing", function() assert.equal(case[2], wanted(case[1])) end)
  end
  it("when one of several messages since the last answer says so, and the last word counts", function()
    local function of(...)
      local messages = { { role = "user", text = "我要投诉" }, { role = "assistant", text = "好的" } }
      for _, text in ipairs { ... } do messages[#messages + 1] = { role = "user", text = text } end
      messages[#messages + 1] = { role = "assistant", text = "查一下", tool_calls = { { id = "c1", name = "order" } } }
      messages[#messages + 1] = { role = "tool", tool_call_id = "c1", text = "转人工" }
      local ctx = { vault = {} }
      guard.look({ messages = messages }, ctx)
      return wanted(select(select("#", ...), ...), nil, ctx)
    end
    assert.equal("asked", of("转人工", "快点"))
    assert.equal("asked", of("不用转人工", "还是转人工吧"))
    assert.is_nil(of("转人工", "算了，不用转人工"))
    assert.equal("money", of("我要退款", "1500 元"))
    assert.is_nil(of("你好", "在吗"))
  end)
  it("when the provider says so", function() assert.equal("low confidence", wanted("x", { handover = "low confidence" })) end)
  it("for some tiers", function()
    assert.equal("tier", wanted("x", nil, { contact = { tier = "vip" }, policy = { handover = { tiers = { "vip" } } } }))
    assert.is_nil(wanted("x", nil, { contact = { tier = "vip" } }))
  end)
  it("when it was not understood twice, not once", function()
    local function after(answers)
      local messages = {}
      for _, answer in ipairs(answers) do
        messages[#messages + 1] = { role = "user", text = "?" }
        messages[#messages + 1] = { role = "assistant", text = answer }
      end
      messages[#messages + 1] = { role = "user", text = "??" }
      local ctx = { vault = {} }
      guard.outgoing({ id = "t", messages = messages }, ctx)
      return wanted("??", { text = "抱歉，我不太明白。" }, ctx)
    end
    assert.is_nil(after {})
    assert.equal("not_understood", after { "没听懂，请再说一次" })
    assert.is_nil(after { "没听懂", "好的" })
  end)
  it("by the policy file, for one assistant by its name", function()
    require "ai.guard.policy".assistants.strict = { handover = { money = 10 } }
    assert.equal("money", wanted("退款 50 元", nil, { assistant = { id = "as_1", type = "x", name = "strict" } }))
    assert.is_nil(wanted("退款 50 元", nil, { assistant = { id = "as_2", type = "x", name = "other" } }))
    assert.equal("money", wanted("退款 50 元", nil, { assistant = { name = "strict" } }))
  end)
  it("by the policy of one assistant", function()
    assert.equal("money", wanted("退款 50 元", nil, { policy = { handover = { money = 10 } } }))
  end)
end)
