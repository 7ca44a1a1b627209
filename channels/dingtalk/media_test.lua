-- yuelai test channels/dingtalk
local t, kit = require "test", require "tests.desk"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"

local API, OLD = "https://api.dingtalk.com/v1.0/", "https://oapi.dingtalk.com/"
local SESSION = OLD .. "robot/sendBySession?session=S1"
local DOWN = "https://down.dingtalk.example/f?k=1"
local PNG = { id = "fi_1", name = "a.png", mime = "image/png", size = 9 }
local calls_of = kit.calls_of

describe("channel dingtalk, media", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "dingtalk", name = "bot" },
      { app_key = "dingKEY", app_secret = secret.hide "test_app_secret" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
    kit.in_turn("POST " .. API .. "oauth2/accessToken", { json = { accessToken = "T1", expireIn = 7200 } },
      { json = { accessToken = "T2", expireIn = 7200 } })
  end)

  local function push(kind, content, more)
    local x = { msgId = "m1", msgtype = kind, content = content, conversationId = "cid", conversationType = "1",
      senderId = "$:x", senderStaffId = "u1", senderNick = "张三", robotCode = "dingKEY",
      sessionWebhook = SESSION, sessionWebhookExpiredTime = time.now() + 5400000 }
    for name, value in pairs(more or {}) do x[name] = value end
    local stamp, key = ("%d"):format(time.now()), "test_app_secret"
    local headers = { timestamp = stamp, sign = crypto.hmac("sha256", key, stamp .. "\n" .. key, "base64") }
    return (adapter.receive({ method = "POST", path = "", query = {}, headers = headers, body = json.encode(x) }, ctx))
  end
  local function says_where(...)
    for _, answer in ipairs { ... } do
      if answer == 0 then answer = { json = { downloadUrl = DOWN } } end
      answer.times = 1
      t.http.on("POST " .. API .. "robot/messageFiles/download", answer)
    end
  end

  describe("in", function()
    it("is where DingTalk says, each kind as what it is", function()
      local kinds = { { "picture", "image", {} }, { "file", "file", { fileName = "合同.pdf" } }, { "video", "video", {} },
        { "audio", "audio", { recognition = "我要退款" } } }
      for i, k in ipairs(kinds) do
        says_where(0)
        desk.files, k[3].downloadCode = { { PNG } }, "d" .. i
        assert.equal(200, push(k[1], k[3]))
        assert.same({ dedupe = "m1", from = "u1", name = "张三", kind = k[2], text = k[3].recognition, file = PNG }, delivered[i])
        assert.equal(DOWN, asked[i].url)
        assert.equal(k[3].fileName, asked[i].name)
        assert.same({ downloadCode = "d" .. i, robotCode = "dingKEY" }, calls_of("messageFiles/download")[i].json)
      end
    end)

    it("of a rich text are its words, then its pictures", function()
      says_where(0, 0)
      desk.files = { { PNG }, { PNG } }
      push("richText", { richText = { { text = "看" }, { type = "picture", downloadCode = "d1" }, { type = "picture", downloadCode = "d2" } } })
      assert.equal("看[图片][图片]", delivered[1].text)
      assert.same({ "m1:1", "m1:2" }, { delivered[2].dedupe, delivered[3].dedupe })
    end)

    it("fetches a new token once when theirs is stale", function()
      says_where({ status = 401, json = { code = "InvalidAuthentication", message = "x" } }, 0)
      desk.files = { { PNG } }
      push("picture", { downloadCode = "d" })
      assert.equal(PNG, delivered[1].file)
      assert.equal("T2", calls_of("messageFiles/download")[2].headers["x-acs-dingtalk-access-token"])
    end)

    it("comes later when DingTalk is busy; what is gone is a text that says so", function()
      says_where({ status = 429, json = { code = "Throttling.User", message = "x" } })
      assert.equal(200, push("picture", { downloadCode = "d" }))
      assert.same({}, delivered)
      says_where(0)
      desk.files = { { PNG } }
      adapter.poll(ctx)
      assert.equal(PNG, delivered[1].file)
      says_where({ status = 400, json = { code = "invalidParameter.downloadCode", message = "x" } })
      push("file", { downloadCode = "d", fileName = "合同.pdf" })
      assert.contains("[文件] 合同.pdf （没有取到", delivered[2].text)
      push("audio", { recognition = "我要退款" }) -- without a code
      assert.contains("[语音] 我要退款", delivered[3].text)
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "u1", kind = "image", attempt = 1,
        file = { id = "fi_0000000000009", name = "a.png", mime = "image/png", size = 9 } }
    end)
    local function uploads(...)
      kit.once("POST " .. OLD .. "media/upload*", ...)
    end
    local function says(answer, status)
      t.http.on("POST " .. API .. "robot/oToMessages/batchSend", { json = answer or { processQueryKey = "Q1" }, status = status, times = 1 })
      return adapter.send(item, ctx)
    end

    it("is an image by the robot, with its media_id", function()
      uploads { errcode = 0, media_id = "@M1" }
      assert.same({ sent = "Q1" }, says())
      local up = calls_of("media/upload")[1]
      assert.same({ access_token = "T1", type = "image" }, up.query)
      assert.contains('name="media"; filename="a.png"', up.body)
      assert.same({ robotCode = "dingKEY", userIds = { "u1" }, msgKey = "sampleImageMsg", msgParam = '{"photoURL":"@M1"}' },
        calls_of("batchSend")[1].json)
    end)

    it("is a file with its type; to a group goes there", function()
      item.kind, item.file.name, item.file.mime, item.to = "file", "合同.pdf", "application/pdf", "u1@cid"
      uploads { errcode = 0, media_id = "@M1" }
      t.http.on("POST " .. API .. "robot/groupMessages/send", { json = { processQueryKey = "Q2" } })
      assert.same({ sent = "Q2" }, adapter.send(item, ctx))
      local said = calls_of("groupMessages")[1].json
      assert.equal("cid", said.openConversationId)
      assert.equal("sampleFile", said.msgKey)
      assert.same({ mediaId = "@M1", fileName = "合同.pdf", fileType = "pdf" }, json.decode(said.msgParam))
    end)

    it("is uploaded once while DingTalk keeps it", function()
      uploads({ errcode = 0, media_id = "@M1" }, { errcode = 0, media_id = "@M2" })
      assert.equal(60, says({ code = "Throttling.Api", message = "x" }, 429).retry)
      assert.same({ sent = "Q1" }, says())
      assert.equal(1, #calls_of "media/upload")
      t.advance "71h"
      assert.same({ sent = "Q1" }, says())
      assert.equal(2, #calls_of "media/upload")
    end)

    it("to who is no member is a link by the session, or dead", function()
      push("text", nil, { text = { content = "你好" } })
      uploads { errcode = 0, media_id = "@M1" }
      assert.equal("no_recipient", says({ invalidStaffIdList = { "u1" } }).failed)
      uploads { errcode = 0, media_id = "@M1" }
      item.file.url = "https://shop.example/files/fi_9"
      t.http.on("POST " .. SESSION, { json = { errcode = 0 } })
      assert.same({ sent = "ob_1" }, says { invalidStaffIdList = { "u1" } })
      assert.equal("[图片] a.png https://shop.example/files/fi_9", calls_of("sendBySession")[1].json.text.content)
    end)

    it("fails with a reason, or comes again; a stale token is bought anew", function()
      for code, expected in pairs { [40006] = "unsupported", [40035] = "refused", [90018] = 60 } do
        uploads { errcode = code, errmsg = "x" }
        local got = adapter.send(item, ctx)
        assert.equal(expected, got.failed or got.retry, "code " .. code)
      end
      uploads({ errcode = 40014, errmsg = "x" }, { errcode = 0, media_id = "@M1" })
      assert.same({ sent = "Q1" }, says())
      assert.equal("T2", calls_of("media/upload")[5].query.access_token)
      item.kind, item.file.mime = "video", "video/mp4"
      assert.equal("unsupported", adapter.send(item, ctx).failed)
    end)
  end)
end)
