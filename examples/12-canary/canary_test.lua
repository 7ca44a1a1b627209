-- What the house does with a canary, shown with a rule of half and half.
local t = require "test"

describe("a canary", function()
  local rule = [[return {
    api = 1, canary = 50, pin = true, match = { state = "bot" },
    on_message = function(conv) conv:reply "%s" return true end,
  }]]

  it("serves a share of the new conversations, each by one version to its end", function()
    t.reload("rules/20-hello", rule:format("old"):gsub("canary = 50, ", "", 1))
    assert.is_true(t.reload("rules/20-hello", rule:format "new").ok)
    local count = { old = 0, new = 0 }
    for i = 1, 40 do
      local v = t.visitor { name = "V" .. i }
      v:says "hello"
      local greeting = v:sees(t.pattern "%a+").text
      v:says "hello again"
      v:sees(greeting)
      count[greeting] = count[greeting] + 1
    end
    assert(count.old > 0 and count.new > 0, "both are served")
  end)
end)
