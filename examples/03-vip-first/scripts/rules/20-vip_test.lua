local t = require "test"

describe("VIP first", function()
  local mei, bo

  before_each(function()
    mei = t.agent { name = "Mei", teams = { "vip" }, max_load = 1 }
    bo = t.agent { name = "Bo", max_load = 1 }
  end)

  local function vip(name)
    local v = t.visitor { name = name, tier = "vip" }
    v:says "您好"
    return v
  end

  it("gives them to their team", function()
    local anna = vip "Anna"
    mei:is_assigned(anna)
    assert.same({ "vip" }, t.conversation(anna).tags)
    bo:sees_nothing()
  end)

  it("waits 30 seconds for the team, then takes anybody", function()
    vip "Anna"
    local eve = vip "Eve"
    eve:sees "专属客服"
    t.advance "29s"
    bo:sees_nothing()
    t.advance "1s"
    bo:is_assigned(eve)
  end)

  it("goes in front of those who came before", function()
    bo:status "away"
    mei:status "away"
    local karl = t.visitor { name = "Karl" }
    karl:says "您好"
    karl:sees "下一位"
    local anna = vip "Anna"
    anna:sees "专属客服"
    assert.equal(10, t.conversation(anna).priority)
    t.advance "30s"
    bo:status "online"
    bo:is_assigned(anna)
  end)

  it("forgets the alarm of a VIP who has been served", function()
    local anna = vip "Anna"
    mei:says "您好，我来处理。"
    t.advance "1m"
    assert.equal("Mei", t.conversation(anna).assignee.name)
  end)
end)
