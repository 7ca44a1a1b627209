-- yuelai test channels/line
local t, kit, line = require "test", require "tests.desk", require "tests.line"
local json, secret = require "json", require "secret"

local PROFILE = "GET https://api.line.me/v2/bot/profile/*"
local BODY = line.BODY

describe("channel line", { only = "none" }, function()
  local desk, ctx, delivered, call, push
  before_each(function()
    desk = kit.of({ type = "line", name = "LINE" },
      { channel_secret = secret.hide "channel_secret", access_token = secret.hide "AT" })
    ctx, delivered = desk.ctx, desk.delivered
    local peer = line.at(desk)
    call, push = peer.call, peer.push
  end)

  local function event(fields)
    fields.source = fields.source or { type = "user", userId = "U1" }
    fields.webhookEventId = fields.webhookEventId or "E1"
    return push { destination = "U0", events = json.array { fields } }
  end
  local function known() t.http.on(PROFILE, { json = { userId = "U1", displayName = "Li" } }) end
  local function text_of(message)
    delivered = desk:anew()
    assert.equal(200, (event { type = "message", message = message }))
    return delivered[1] and delivered[1].text
  end

  it("takes what is signed as in the test vector, and nothing else", function()
    local body, sum = "bodybodybodybody", "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="
    assert.equal(400, (call(body, sum))) -- well signed, but no JSON
    assert.equal(401, (call(body .. "x", sum)))
    assert.equal(401, (call(body, sum:sub(1, -2))))
    assert.equal(401, (call(body)))
    ctx.config.channel_secret = nil
    assert.equal(403, (call(body, sum)))
  end)

  it("answers LINE's verify button, which sends no event", function()
    assert.equal(200, (push '{"destination":"U0","events":[]}'))
    assert.same({}, delivered)
  end)

  describe("messages in", function()
    it("come with the name, which is asked for once", function()
      known()
      assert.equal(200, (push(BODY)))
      assert.same({ { dedupe = "01H", from = "U1", name = "Li", kind = "text", text = "你好" } }, delivered)
      event { type = "message", message = { type = "text", text = "Hi", id = "2" } }
      assert.equal(1, #t.http.calls())
      assert.equal("/v2/bot/profile/U1", t.http.calls()[1].path)
      assert.equal("Bearer AT", t.http.calls()[1].headers.authorization)
    end)

    it("come without a name when LINE does not tell it", function()
      t.http.on(PROFILE, { fails = "timeout" })
      assert.equal(200, (push(BODY)))
      assert.is_nil(delivered[1].name)
      ctx.config.access_token = nil
      push(BODY)
      assert.equal(1, #t.http.calls())
    end)

    it("of each type are something people can read", function()
      known()
      assert.equal("[表情] love", text_of { id = "1", type = "sticker", keywords = { "love", "hug" } })
      assert.equal("[表情]", text_of { id = "1", type = "sticker" })
      assert.equal("[暂不支持的消息] hologram", text_of { id = "1", type = "hologram" })
      assert.equal("[空消息]", text_of { id = "1", type = "text" })
    end)

    it("are places where they are", function()
      known()
      event { type = "message", message = { id = "1", type = "location", title = "外滩", address = "上海",
        latitude = 31.2, longitude = 121.5 } }
      assert.equal("location", delivered[1].kind)
      assert.equal(121.5, delivered[1].lng)
      assert.equal("外滩", delivered[1].label)
      assert.equal("[位置] 外滩", text_of { id = "1", type = "location", title = "外滩" })
    end)

    it("are events that a rule may want", function()
      known()
      event { type = "follow", replyToken = "rt" }
      event { type = "postback", postback = { data = "human" } }
      event { type = "postback", postback = { data = "day", params = { date = "2025-01-01" } } }
      event { type = "unsend", unsend = { messageId = "1" } }
      local list = {}
      for i, m in ipairs(delivered) do list[i] = m.text end
      assert.same({ "[关注]", "human", "day 2025-01-01", "[撤回了一条消息]" }, list)
    end)

    it("tell who leaves only if that is wanted", function()
      event { type = "unfollow" }
      assert.same({}, delivered)
      ctx.config.tell_leaving = true
      event { type = "unfollow" }
      assert.equal("[取消关注]", delivered[1].text)
    end)

    it("of groups, other modules and other events are left alone", function()
      local m = { type = "text", text = "Hi", id = "1" }
      event { type = "message", source = { type = "group", groupId = "C1", userId = "U1" }, message = m }
      event { type = "message", source = { type = "user" }, message = m }
      event { type = "message", source = { type = "user", userId = "../x" }, message = m }
      event { type = "message", mode = "standby", message = m }
      event { type = "join", source = { type = "group", groupId = "C1" } }
      event { type = "videoPlayComplete" }
      assert.same({}, delivered)
    end)

    it("are asked for again when the house cannot take them, and else not", function()
      known()
      ctx.deliver = function() return nil, "unavailable", "full" end
      assert.equal(503, (push(BODY)))
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (push(BODY)))
    end)

    it("that make no sense break nothing", function()
      known()
      for i = 1, #BODY - 1, 7 do assert.equal(400, (push(BODY:sub(1, i)))) end
      for _, value in ipairs { 1, true, "x", {}, { 1 }, { a = 1 }, json.null } do
        assert.equal(200, (push { events = value }))
        assert.equal(200, (push { events = { value } }))
        for _, name in ipairs { "type", "message", "postback", "replyToken", "webhookEventId", "mode" } do
          local e = { type = "message", message = { id = "1", type = "text", text = "Hi" } }
          e[name] = value
          assert.equal(200, (event(e)))
          assert.equal(200, (event { type = "postback", postback = value }))
        end
        assert.equal(200, (event { type = "message", message = { type = "sticker", keywords = value, text = value } }))
        assert.equal(200, (event { type = "message", source = value }))
      end
    end)
  end)
end)
