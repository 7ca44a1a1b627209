local t = require "test"

describe("the last agent", function()
  local mei, bo, anna

  before_each(function()
    mei = t.agent { name = "Mei", max_load = 2 }
    anna = t.visitor { name = "Anna" }
    anna:says "您好"
    mei:is_assigned(anna)
    mei:closes()
    local karl = t.visitor { name = "Karl" }
    karl:says "您好"
    mei:is_assigned(karl)
    bo = t.agent { name = "Bo" } -- has less to do than Mei: the default would take him
  end)

  it("serves who comes back", function()
    t.advance "3d"
    anna:says "又来了"
    anna:sees "Mei 马上为您服务"
    mei:is_assigned(anna)
  end)

  it("is remembered over a crash", function()
    t.restart()
    anna:says "又来了"
    mei:is_assigned(anna)
  end)

  it("is not waited for", function()
    mei:status "away"
    anna:says "又来了"
    bo:is_assigned(anna)
    anna:sees_nothing()
  end)

  it("is left alone when busy", function()
    bo:status "away"
    local eve = t.visitor { name = "Eve" }
    eve:says "在吗"
    mei:is_assigned(eve)
    bo:status "online"
    anna:says "又来了"
    bo:is_assigned(anna)
  end)
end)
