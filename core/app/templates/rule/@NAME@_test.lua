-- yuelai test scripts/rules/@NAME@_test.lua
local t = require "test"

describe("@NAME@", function()
  before_each(function() t.only { "rules/@NAME@" } end)

  it("answers a greeting and tags the conversation", function()
    local anna = t.visitor { name = "Anna" }
    anna:says "hello there"
    anna:sees "You said: hello there"
    assert.same({ "greeted" }, t.conversation(anna).tags)
  end)

  it("leaves everything else alone", function()
    local anna = t.visitor()
    anna:says "goodbye"
    anna:sees_nothing()
    assert.same({}, t.conversation(anna).tags)
  end)
end)
