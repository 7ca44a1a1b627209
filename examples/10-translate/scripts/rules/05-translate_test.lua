local t = require "test"

local SERVICE = "POST https://translate.example.com/translate"

-- A service that knows four sentences.
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

  local function service()
    t.http.on(SERVICE, function(req) return { json = book[req.json.to .. " " .. req.json.text] } end)
  end

  it("goes both ways, and keeps what was said", function()
    service()
    anna:says "Where is my parcel?"
    bo:sees { text = "我的包裹在哪？", original = "Where is my parcel?" }
    bo:says "在路上了。"
    anna:sees { text = "It is on its way.", original = "在路上了。" }
    anna:says "Thanks!"
    bo:sees "谢谢"
  end)

  it("translates what rules say, too", function()
    service()
    t.reload("rules/20-bot", [[return { api = 1, match = { text = "谢谢" }, -- rules see the translation
      on_message = function(conv) conv:reply "不客气。" return true end }]])
    anna:says "Thanks!"
    anna:sees "You are welcome."
  end)

  it("asks the service once for the same words", function()
    service()
    anna:says "Thanks!"
    anna:says "Thanks!"
    assert.equal(1, #t.http.calls())
  end)

  it("has nothing to do with Chinese", function()
    anna:says "我的 iPhone 15 到哪了？"
    bo:sees "iPhone"
    bo:says "在路上了。"
    anna:sees "在路上了"
    assert.equal(0, #t.http.calls())
  end)

  it("lets a foreign text through while the service is down", function()
    t.http.on(SERVICE, { fails = "timeout", delay = "3s" })
    anna:says "Where is my parcel?"
    bo:sees "Where is my parcel?"
    assert.same({ "untranslated" }, t.conversation(anna).tags)
  end)

  it("does not send what the visitor cannot read", function()
    service()
    anna:says "Where is my parcel?"
    t.http.on(SERVICE, { status = 503 })
    assert.error(function() bo:says "好的" end, "未发送")
    anna:sees_nothing()
  end)
end)
