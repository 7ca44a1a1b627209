local t = require "test"

describe("redact", function()
  local redact

  before_each(function() redact = t.load("lib/redact").redact end)

  it("hides what is what it looks like", function()
    assert.equal("卡号［银行卡号已隐藏，尾号 1111］谢谢", (redact "卡号4111 1111 1111 1111谢谢"))
    assert.equal("［身份证号已隐藏］", (redact "11010519491231002X"))
    assert.equal("打 138****5678", (redact "打 13812345678"))
  end)

  it("finds two numbers side by side, in groups, and in full width", function()
    local clean, found = redact "4111 1111 1111 1111 13812345678 2 件"
    assert.equal("［银行卡号已隐藏，尾号 1111］ 138****5678 2 件", clean)
    assert.same({ "card", "phone" }, found)
    assert.equal("138****5678", (redact "１３８-1234-5678"))
  end)

  it("leaves other numbers alone", function()
    for _, said in ipairs { "订单 4711", "4111111111111112", "110105194912310021", "2030-01-05 22:00", "X" } do
      local clean, found = redact(said)
      assert.equal(said, clean)
      assert.equal(0, #found)
    end
  end)
end)

-- Who says something that is refused gets an error with the reason.
local function refused(who, said, reason)
  assert.error(function() who:says(said) end, reason)
end

describe("risk control", function()
  local bo, anna

  before_each(function()
    bo = t.agent { name = "Bo" }
    anna = t.visitor { name = "Anna" }
  end)

  it("stores no card number", function()
    anna:says "我的卡是 4111111111111111"
    assert.matches("尾号 1111", t.conversation(anna).messages[1].text)
    assert.same({ "sensitive" }, t.conversation(anna).tags)
    bo:sees "尾号 1111"
  end)

  it("does not listen any more after three pieces of spam, for a day", function()
    anna:says "你好"
    bo:is_assigned(anna)
    for _ = 1, 3 do refused(anna, "兼职日结，加微信领红包", "违禁内容") end
    refused(anna, "在吗", "明天再试")
    assert.equal(1, #t.conversation(anna).messages)
    t.advance "1d"
    anna:says "在吗"
    assert.equal(2, #t.conversation(anna).messages)
  end)

  it("slows down who writes too much", function()
    for i = 1, 20 do anna:says("第 " .. i .. " 条") end
    refused(anna, "第 21 条", "太快了")
    assert.equal(20, #t.conversation(anna).messages)
    t.advance "1m"
    anna:says "好了"
    assert.equal(21, #t.conversation(anna).messages)
  end)

  it("looks at long texts, too, and refuses longer ones", function()
    anna:says(("1 "):rep(2900) .. "4111111111111111")
    bo:sees "尾号 1111"
    refused(anna, ("1 "):rep(3001), "消息太长")
  end)

  it("keeps agents from promising too much", function()
    anna:says "坏了怎么办"
    bo:is_assigned(anna)
    refused(bo, "放心，百分百退款！", "百分百退款")
    anna:sees_nothing()
    bo:says "我马上为您申请退款。"
    anna:sees "申请退款"
  end)
end)
