local t = require "test"

it("says back what it was told", function()
  local anna = t.visitor()
  anna:says "Hello"
  anna:sees "Hello"
  anna:sees_nothing()
end)
