-- The house runs this before a changed 20-hello.lua serves anybody: a version that
-- does not greet is not even tried.
local t = require "test"

describe("the greeting", function()
  it("is said once", function()
    local anna = t.visitor { name = "Anna" }
    anna:says "在吗"
    anna:sees "有什么可以帮您"
    anna:says "在吗"
    anna:sees_nothing()
  end)
end)
