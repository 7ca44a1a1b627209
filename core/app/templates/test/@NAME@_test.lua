-- yuelai test scripts/@PATH@_test.lua
local t = require "test"

describe("@PATH@", function()
  before_each(function() t.only { "@PATH@" } end)

  it("does no harm to a plain message", function()
    local anna = t.visitor { name = "Anna" }
    anna:says "Hello"
    t.settle()
    assert.equal("Hello", t.conversation(anna).messages[1].text)
  end)
end)
