local t = require "test"

describe("the FAQ", function()
  local bo, anna

  before_each(function()
    bo = t.agent { name = "Bo" }
    anna = t.visitor { name = "Anna" }
  end)

  it("knows a question said in other words", function()
    local asked = {
      ["请问什么时候发货呀？"] = "48 小时",
      ["我想退货"] = "7 天",
      ["請問可以開發票嗎"] = "抬头", -- traditional characters
      ["运费多少？"] = "包邮",
    }
    for question, answer in pairs(asked) do
      anna:says(question)
      anna:sees(answer)
    end
    bo:sees_nothing()
  end)

  it("hands over after two misses in a row", function()
    anna:says "今天天气真好"
    anna:sees "没听懂"
    anna:says "包邮吗" -- an answer: the misses begin anew
    anna:sees "包邮"
    anna:says "今天天气真好"
    anna:sees "没听懂"
    anna:says "你喜欢什么颜色"
    anna:sees "转接人工"
    bo:is_assigned(anna)
  end)

  it("does not stand between a visitor and a person", function()
    anna:says "转人工！"
    bo:is_assigned(anna)
    anna:says "什么时候发货"
    anna:sees_nothing()
  end)
end)
