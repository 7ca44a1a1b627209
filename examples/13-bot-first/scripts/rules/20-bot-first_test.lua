local t = require "test"

describe("bot first", function()
  local anna
  before_each(function() anna = t.visitor { name = "Anna" } end)
  local function state() return t.conversation(anna).state end
  -- No answer is made up: the bot says nothing, the rule's choice is what counts.
  local function is_bots() return t.conversation(anna).attributes.bot == "aftersales" end

  it("gives a new conversation to the bot", function()
    anna:says "退货要几天？"
    assert.is_true(is_bots())
    anna:sees_nothing() -- what the bot says is not the rule's
    assert.equal("bot", state())
  end)

  it("lets the bot answer", function()
    t.ai.says "七天。"
    anna:says "退货要几天？"
    anna:sees "七天。"
    assert.contains("退货要几天", t.ai.calls()[1].turn.prompt)
  end)

  it("has people answer while it is down", function()
    t.ai.fails "unavailable"
    anna:says "退货要几天？"
    assert.equal("queued", state())
  end)

  it("hands over when the provider says so", function()
    t.ai.on(function(turn) return { text = "请稍候。", handover = "asked: " .. turn.prompt } end)
    anna:says "我有点急"
    anna:sees "请稍候。"
    assert.equal("queued", state())
  end)

  for _, case in ipairs { { "我要转人工", "客户要求人工" }, { "你们是骗子", "客户情绪激动" },
    { "退款 1,500 元", "涉及大额退款" } } do
    it("calls a person: " .. case[1], function()
      anna:says(case[1])
      anna:sees "转接人工"
      assert.equal("queued", state())
      assert.same({ "handover" }, t.conversation(anna).tags)
      local notes = t.json.encode(t.conversation(anna).messages)
      assert.contains(case[2], notes)
      assert.same({}, t.ai.calls()) -- no model is needed for that
    end)
  end

  for _, said in ipairs { "不用转人工，你说就行", "退款 99 元", "订单 2024110112345 到哪了" } do
    it("does not: " .. said, function()
      anna:says(said)
      assert.is_true(is_bots())
      assert.same({}, t.conversation(anna).tags)
    end)
  end

  it("VIPs have a person at once", function()
    anna = t.visitor { name = "Vera", tier = "vip" }
    anna:says "在吗"
    assert.equal("queued", state())
  end)

  it("leaves alone what a person has", function()
    local bo = t.agent { name = "Bo" }
    anna:says "转人工"
    bo:is_assigned(anna)
    anna:sees "转接人工"
    anna:says "你们是骗子"
    anna:sees_nothing()
    assert.equal("open", state())
  end)
end)
