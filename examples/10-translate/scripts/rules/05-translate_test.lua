local t = require "test"

-- A model that knows four sentences.
local book = {
  ["zh Where is my parcel?"] = { text = "我的包裹在哪？", from = "en" },
  ["zh Thanks!"] = { text = "谢谢！", from = "en" },
  ["en 在路上了。"] = { text = "It is on its way.", from = "zh" },
  ["en 不客气。"] = { text = "You are welcome.", from = "zh" },
}

describe("translation", function()
  local bo, anna

  before_each(function()
    bo = t.agent { name = "Bo" }
    anna = t.visitor { name = "Anna" }
  end)

  local function model()
    t.ai.on(function(turn)
      local to = turn.messages[1].text:find "Chinese" and "zh" or "en"
      local known = book[to .. " " .. turn.messages[2].text]
      return known and "```json\n" .. t.json.encode(known) .. "\n```" or "I do not know."
    end)
  end

  it("goes both ways, and keeps what was said", function()
    model()
    anna:says "Where is my parcel?"
    bo:sees { text = "我的包裹在哪？", original = "Where is my parcel?" }
    bo:says "在路上了。"
    anna:sees { text = "It is on its way.", original = "在路上了。" }
    anna:says "Thanks!"
    bo:sees "谢谢"
  end)

  it("translates what rules say, too", function()
    model()
    t.reload("rules/20-bot", [[return { api = 1, match = { text = "谢谢" }, -- rules see the translation
      on_message = function(conv) conv:reply "不客气。" return true end }]])
    anna:says "Thanks!"
    anna:sees "You are welcome."
  end)

  it("asks the model once for the same words", function()
    model()
    anna:says "Thanks!"
    anna:says "Thanks!"
    assert.equal(1, #t.ai.calls())
    assert.equal("translator", t.ai.calls()[1].assistant)
  end)

  it("has nothing to do with Chinese", function()
    anna:says "我的 iPhone 15 到哪了？"
    bo:sees "iPhone"
    bo:says "在路上了。"
    anna:sees "在路上了"
    assert.equal(0, #t.ai.calls())
  end)

  it("lets a foreign text through while the model is down", function()
    t.ai.fails "timeout"
    anna:says "Where is my parcel?"
    bo:sees "Where is my parcel?"
    assert.same({ "untranslated" }, t.conversation(anna).tags)
  end)

  it("does not send what the visitor cannot read", function()
    model()
    anna:says "Where is my parcel?"
    assert.error(function() bo:says "好的" end, "未发送") -- not one of the four
    anna:sees_nothing()
  end)
end)
