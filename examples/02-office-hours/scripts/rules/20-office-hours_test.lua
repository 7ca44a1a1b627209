-- Time stands still in these tests: a weekend takes some milliseconds.
local t = require "test"

describe("office hours", function()
  local bo, anna
  local function at(moment)
    t.at(moment)
    bo = t.agent { name = "Bo" }
    anna = t.visitor { name = "Anna" }
    anna:says "在吗？"
  end

  it("gives a conversation to a person when the office is open", function()
    at "2030-01-07 10:30 Asia/Shanghai"
    bo:is_assigned(anna)
    bo:sees "在吗"
    anna:sees_nothing()
  end)

  it("says once when it opens, and rings nobody", function()
    at "2030-01-07 22:00 Asia/Shanghai"
    anna:sees "周二（1月8日）9:00"
    anna:says "有人吗？"
    anna:sees_nothing()
    bo:sees_nothing()
  end)

  it("comes back in the morning, also after a crash in the night", function()
    at "2030-01-07 22:00 Asia/Shanghai"
    anna:sees "休息时间"
    t.restart()
    t.advance "10h"
    anna:sees_nothing()
    t.advance "1h"
    anna:sees "早上好"
    bo:is_assigned(anna)
  end)

  it("knows lunch, holidays and Sundays that are worked", function()
    at "2030-01-05 12:30 Asia/Shanghai" -- a Saturday
    anna:sees "周六（1月5日）13:00"
    t.at "2030-02-04 10:00 Asia/Shanghai" -- Spring Festival, a Monday
    local eve = t.visitor { name = "Eve" }
    eve:says "新年好"
    eve:sees "周六（2月9日）10:00"
    t.at "2030-02-10 10:00 Asia/Shanghai" -- 调休, a Sunday
    local fei = t.visitor { name = "Fei" }
    fei:says "在吗"
    bo:is_assigned(fei)
  end)
end)
