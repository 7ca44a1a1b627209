local t = require "test"

describe("the survey", function()
  local bo, anna

  before_each(function()
    bo = t.agent { name = "Bo" }
    anna = t.visitor { name = "Anna" }
    anna:says "你好"
    bo:says(anna, "您好，解决了吗？")
    bo:closes()
    anna:sees "1–5 分"
  end)

  it("keeps the mark with the person, and does not bother anybody", function()
    anna:says "５分"
    anna:sees "感谢您的评价"
    local conversation = t.conversation(anna)
    assert.equal("closed", conversation.state)
    assert.equal(5, conversation.contact.attributes.satisfaction)
    t.advance "2d"
    anna:sees_nothing() -- a bot's closing asks nothing, an answer is not asked for twice
  end)

  it("calls the team for those who are unhappy", function()
    local mei = t.agent { name = "Mei", teams = { "care" } }
    anna:says "一"
    anna:sees "非常抱歉"
    mei:is_assigned(anna)
    assert.equal(5, t.conversation(anna).priority)
    assert.same({ "unhappy" }, t.conversation(anna).tags)
  end)

  it("calls anybody where there is no such team", function()
    anna:says "2"
    bo:is_assigned(anna)
  end)

  it("asks once more after a day, and then never again", function()
    t.advance "23h"
    anna:sees_nothing()
    t.restart()
    t.advance "1h"
    anna:sees "打扰您了"
    t.advance "5d"
    anna:sees_nothing()
    anna:says "4"
    bo:is_assigned(anna) -- after three days it is a number like any other
  end)

  it("leaves those in peace who write of something else", function()
    anna:says "我还想问一下运费"
    bo:is_assigned(anna)
    anna:says "5"
    t.advance "1d"
    anna:sees_nothing()
    assert.is_nil(t.conversation(anna).contact.attributes.satisfaction)
  end)
end)
