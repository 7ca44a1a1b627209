local t = require "test"

describe("office hours", function()
  local bo, anna
  local function at(moment)
    t.at(moment)
    bo = t.agent { name = "Bo" }
    anna = t.visitor { name = "Anna" }
    anna:says "Anyone there?"
  end

  it("gives a conversation to a person when the office is open", function()
    at "2030-01-07 10:30 Europe/Berlin"
    bo:is_assigned(anna)
    bo:sees "Anyone there?"
    anna:sees_nothing()
  end)

  it("says once when it opens, and rings nobody", function()
    at "2030-01-07 22:00 Europe/Berlin"
    anna:sees "back at 9:00"
    anna:says "Hello?"
    anna:sees_nothing()
    bo:sees_nothing()
  end)

  it("comes back in the morning, also after a crash in the night", function()
    at "2030-01-07 22:00 Europe/Berlin"
    anna:sees "back at 9:00"
    t.restart()
    t.advance "10h"
    anna:sees_nothing()
    t.advance "1h"
    anna:sees "Good morning"
    bo:is_assigned(anna)
  end)
end)
