-- SPDX-License-Identifier: Apache-2.0
-- tests/troubles.lua - what can go wrong with a provider, and the class a
-- connector must give it: its own troubles, then all of tests.faults.
local t = require "test"

-- troubles: a list of { name, class, answer of t.http.on, config }; lines: of
-- its stream, as tests.faults wants them; ask(config) runs the connector.
---@param name string
---@param url string "POST https://…"
---@param ask fun(config: table?): table
---@param troubles table[]
---@param lines table
return function(name, url, ask, troubles, lines)
  describe(name .. ": troubles", function()
    local function case(what, class, answer, seconds, config)
      it(what, function()
        t.http.on(url, answer)
        local got = ask(config)
        assert.is_nil(got.ok)
        assert.equal(class, got.class, got.detail)
        assert.equal(seconds, got.seconds)
      end)
    end
    for _, one in ipairs(troubles) do case(one[1], one[2], one[3], nil, one[4]) end
    for _, one in ipairs(require "tests.faults"(lines)) do
      case(one.name, one.class, one.answer, one.seconds)
    end
  end)
end
