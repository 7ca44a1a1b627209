-- What conv:assign { within = } does, played in held time. (The rule of this
-- example does the same by an alarm of its own.)
local t = require "test"
local RULE = [[
return { api = 1, match = { holder = "bot" },
  on_message = function(conv, msg)
    if conv.state == "queued" then return true end
    conv:reply "one moment"
    return conv:assign { team = "vip", within = "30s" }
  end }
]]
describe("within", function()
  local mei, lin, bo
  before_each(function()
    t.only { "none" }
    t.reload("rules/20-within", RULE)
    mei = t.agent { name = "Mei", teams = { "vip" }, max_load = 1 }
    lin = t.agent { name = "Lin", teams = { "vip" }, max_load = 1, status = "away" }
    bo = t.agent { name = "Bo", max_load = 1, status = "away" }
  end)
  local function comes() local v = t.visitor() v:says "hi" return v end
  local function holder(v) local a = t.conversation(v).assignee return a and a.name end
  it("gives it to another of the team", function()
    lin:status "online"
    local v = comes()
    local first = holder(v)
    t.advance "29s"
    assert.equal(first, holder(v))
    t.advance "1s"
    assert.not_equal(first, holder(v))
    assert(holder(v) == "Mei" or holder(v) == "Lin")
    t.advance "30s"
    assert.equal(first, holder(v))
  end)
  it("leaves it to who answers", function()
    lin:status "online"
    local v = comes()
    local first = holder(v)
    local who = first == "Mei" and mei or lin
    who:says "here"
    t.advance "2m"
    assert.equal(first, holder(v))
  end)
  it("goes to anybody when the team has nobody else", function()
    bo:status "online"
    local v = comes()
    assert.equal("Mei", holder(v))
    t.advance "30s"
    assert.equal("Bo", holder(v))
  end)
  it("stays where it is with nobody else, over a restart, and goes when somebody comes", function()
    local v = comes()
    t.advance "1m"
    assert.equal("Mei", holder(v))
    t.restart()
    t.advance "30s"
    assert.not_equal("Mei", holder(v))
  end)
  it("waits for anybody after the time in a team's queue", function()
    mei:status "away"
    local v = comes()
    assert.is_nil(holder(v))
    bo:status "online"
    assert.is_nil(holder(v))
    t.advance "30s"
    assert.equal("Bo", holder(v))
  end)
  it("does not take it from whom a person gave it", function()
    lin:status "online"
    bo:status "online"
    local v = comes()
    local first = holder(v) == "Mei" and mei or lin
    first:assigns(v, { agent = bo })
    t.advance "2m"
    assert.equal("Bo", holder(v))
  end)
end)
