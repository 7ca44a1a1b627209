-- yuelai test scripts/flows/@NAME@_test.lua
local t = require "test"

-- What begins the flow here; in real life it is a rule of yours.
local START = [[
return {
  api = 1,
  match = { text = { "begin" } },
  on_message = function() return flow.start "@NAME@" end,
}
]]

describe("@NAME@", function()
  local anna
  before_each(function()
    t.only { "flows/@NAME@" }
    t.reload("rules/01-begin", START)
    anna = t.visitor { name = "Anna" }
    anna:says "begin"
    anna:sees "Which order"
  end)

  it("asks, waits a day, and asks again", function()
    anna:says "4711"
    anna:sees "order 4711"
    t.advance "1d"
    anna:sees "everything all right with order 4711"
    assert.equal("done", t.flows()[1].state)
  end)

  it("goes on after a restart in the middle", function()
    t.restart()
    anna:says "4711"
    anna:sees "order 4711"
  end)

  it("gives up after ten minutes", function()
    t.advance "10m"
    anna:sees "Write again"
  end)
end)
