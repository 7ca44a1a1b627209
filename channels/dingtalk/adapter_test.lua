-- yuelai test channels/dingtalk
local t, kit, robot = require "test", require "tests.desk", require "tests.robot"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"

local signed, message = robot.signed, robot.message
local SUITE = "1a3NBxmCFwkCJvfoQ7WhJHB+iX3qHPsc9JbaDznE1i03peOk1LaOQoRz3+nlyGNhwmwJ3vDMG+OzrHMeiZI7gTRWVdUBmfxjZ8Ej23JV"
  .. "Ya9VrYeJ5as7XM/ZpulX8NEQis44w53h1qAgnC3PRzM7Zc/D6Ibr0rgUathB6zRHP8PYrfgnNOS9PhSBdHlegK+AGGanfwjXuQ9+0pZcy0w9lQ=="

describe("channel dingtalk", { only = "none" }, function()
  local desk, adapter, ctx, delivered
  before_each(function()
    t.at "2025-01-01 11:00 +08:00"
    desk = kit.of({ type = "dingtalk", name = "bot" },
      { app_key = "dingKEY", app_secret = secret.hide "test_app_secret" })
    adapter, ctx, delivered = desk.adapter, desk.ctx, desk.delivered
  end)

  local function call(body, headers, query)
    local req = { method = "POST", path = "", query = query or {}, headers = headers or {}, body = body }
    return adapter.receive(req, ctx)
  end
  local function says(fields)
    delivered = desk:anew()
    assert.equal(200, (call(message(fields), signed())))
    return delivered[1]
  end
  local function event_channel()
    ctx.config = { app_key = "suite4xxxxxxxxxxxxxxx", app_secret = secret.hide "s", token = secret.hide "123456",
      encoding_aes_key = secret.hide "4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij" }
    return { signature = "5a65ceeef9aab2d149439f82dc191dd6c5cbe2c0", timestamp = "1445827045067", nonce = "nEXhMP4r" }
  end

  describe("vectors", function()
    it("callback of an event, answered by the sealed word success", function()
      local q = event_channel()
      local status, answer = call(json.encode { encrypt = SUITE }, nil, q)
      assert.equal(200, status)
      local lib = t.load "lib/channels"
      local key = "4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij"
      local text, id = lib.open(key, SUITE)
      assert.equal('{"EventType":"check_create_suite_url","Random":"LPIdSnlF",'
        .. '"TestSuiteKey":"suite4xxxxxxxxxxxxxxx"}', text)
      assert.equal("suite4xxxxxxxxxxxxxxx", id)
      text, id = lib.open(key, answer.encrypt)
      assert.equal("success", text)
      assert.equal("suite4xxxxxxxxxxxxxxx", id)
      local signature = crypto.sha1(secret.sorted("123456", answer.timeStamp, answer.nonce, answer.encrypt))
      assert.equal(signature, answer.msg_signature)
    end)

    it("robot's signature", function()
      assert.equal("rjg0xREzxoTwMYSZ707T5jRe68iOmobvqBM9ZSPXp18=", signed(1735700000000).sign)
      local headers = { timestamp = "1735700000000", sign = "rjg0xREzxoTwMYSZ707T5jRe68iOmobvqBM9ZSPXp18=" }
      assert.equal(200, (call(message(), headers))) -- 2025-01-01 10:53:20 +08:00
    end)
  end)

  describe("signatures", function()
    it("that are wrong, missing or old are refused", function()
      assert.equal(401, (call(message(), signed(nil, "other"))))
      assert.equal(401, (call(message(), {})))
      assert.equal(401, (call(message(), { timestamp = "x", sign = "y" })))
      assert.equal(200, (call(message(), signed(time.now() - 3600000))))
      assert.equal(401, (call(message(), signed(time.now() - 3600001))))
      ctx.config.tolerance_s = 60
      assert.equal(401, (call(message(), signed(time.now() - 60001))))
      ctx.config.app_secret = nil
      assert.equal(403, (call(message(), signed())))
      assert.equal(1, #delivered)
    end)

    it("of events that are forged, of another app, or cut are refused", function()
      local q = event_channel()
      q.nonce = "x"
      assert.equal(401, (call(json.encode { encrypt = SUITE }, nil, q)))
      q = event_channel()
      q.msg_signature, q.signature = q.signature, nil -- either name
      assert.equal(200, (call(json.encode { encrypt = SUITE }, nil, q)))
      ctx.config.app_key = "dingKEY"
      assert.equal(403, (call(json.encode { encrypt = SUITE }, nil, q)))
      ctx.config.corp_id = "suite4xxxxxxxxxxxxxxx"
      assert.equal(200, (call(json.encode { encrypt = SUITE }, nil, q)))
      for _, size in ipairs { 0, 4, 24, 64, #SUITE - 4 } do
        local cut = SUITE:sub(1, size)
        q.msg_signature = crypto.sha1(secret.sorted("123456", q.timestamp, q.nonce, cut))
        assert.equal(403, (call(json.encode { encrypt = cut }, nil, q)), "of " .. size)
      end
      ctx.config.token = nil
      assert.equal(403, (call(json.encode { encrypt = SUITE }, nil, q)))
    end)
  end)

  describe("messages", function()
    it("come with the sender's name", function()
      assert.same({ dedupe = "m1", from = "u1", name = "张三", kind = "text", text = "你好" }, says())
      assert.equal("$:x", says { senderStaffId = "" }.from)
      assert.equal("u1@cid", says { conversationType = "2" }.from)
    end)

    it("of each type are something people can read", function()
      local parts = { { text = "看这个" }, { type = "picture" }, { text = "对吗" } }
      says { msgtype = "richText", content = { richText = parts } }
      assert.equal("看这个[图片]对吗", delivered[1].text)
      assert.equal("[暂不支持的消息] hongbao", says { msgtype = "hongbao" }.text)
      assert.equal("[空消息]", says { text = { content = " " } }.text)
    end)

    it("with fields of any type are answered, never an error; cut ones refused", function()
      for _, odd in ipairs { 1, true, json.null, {}, { a = 1 }, "x" } do
        for _, name in ipairs { "msgId", "text", "content", "senderStaffId", "senderNick", "conversationId", "msgtype",
          "sessionWebhook", "sessionWebhookExpiredTime" } do
          for _, kind in ipairs { "text", "richText", "file" } do
            local fields = { msgtype = kind }
            fields[name] = odd
            assert.equal(200, (call(message(fields), signed())), name)
          end
        end
      end
      local body = message()
      for size = 0, #body - 1 do assert.equal(400, (call(body:sub(1, size), signed())), "of " .. size) end
    end)

    it("are pushed again when the house cannot take them, and else not", function()
      ctx.deliver = function() return nil, "unavailable", "full" end
      assert.equal(503, (call(message(), signed())))
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (call(message(), signed())))
    end)
  end)
end)
