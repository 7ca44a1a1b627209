-- yuelai test channels/wechat
local t, kit = require "test", require "tests.desk"
local xml, crypto, secret = require "xml", require "crypto", require "secret"

local API = "https://api.weixin.qq.com/cgi-bin/"
local PIC = "https://mmbiz.qpic.cn/mmbiz_jpg/x/0"
local JPG = { id = "fi_1", name = "a.jpg", mime = "image/jpeg", size = 9 }
local calls_of = kit.calls_of

describe("channel wechat, media", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "wechat", name = "account" },
      { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA", reply_mode = "service" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
    kit.in_turn("POST " .. API .. "stable_token", { json = { access_token = "T1", expires_in = 7200 } },
      { json = { access_token = "T2", expires_in = 7200 } })
  end)

  local function push(fields)
    for name, value in pairs { ToUserName = "gh_1", FromUserName = "oA", CreateTime = "1735700000", MsgId = "7" } do
      fields[name] = fields[name] or value
    end
    local signature = crypto.sha1(secret.sorted("AAAAA", "1714037059", "486452656"))
    local query = { signature = signature, timestamp = "1714037059", nonce = "486452656" }
    local body = xml.encode(fields, { cdata = true })
    return adapter.receive({ method = "POST", path = "", query = query, headers = {}, body = body }, ctx)
  end
  local function has(...) desk.files[#desk.files + 1] = { ... } end

  describe("in", function()
    it("is a picture, by its link, without a token", function()
      has(JPG)
      assert.equal(200, (push { MsgType = "image", PicUrl = PIC, MediaId = "M" }))
      assert.same({ { dedupe = "7", from = "oA", kind = "image", file = JPG } }, delivered)
      assert.equal(PIC, asked[1].url)
      assert.equal(0, #t.http.calls())
    end)

    it("is fetched by its MediaId when its link is not WeChat's, or is over", function()
      for _, link in ipairs { "http://127.0.0.1:9/x", "https://mmbiz.qpic.cn.evil.example/x", PIC } do
        delivered, desk.files = desk:anew(), {}
        if link == PIC then has(nil, "not_found", "the answer was 404") end
        has(JPG)
        push { MsgType = "image", PicUrl = link, MediaId = "M" }
        assert.equal(API .. "media/get", asked[#asked].url)
        assert.equal("M", asked[#asked].query.media_id)
        assert.equal(JPG, delivered[1].file)
      end
    end)

    it("is a voice with its words, and a video behind one more address", function()
      local amr = { id = "fi_2", name = "v.amr", mime = "audio/amr", size = 9 }
      has(amr)
      push { MsgType = "voice", MediaId = "M", Format = "amr", Recognition = "我要退款" }
      assert.same({ dedupe = "7", from = "oA", kind = "audio", text = "我要退款", file = amr }, delivered[1])
      assert.equal("audio/amr", asked[1].mime)
      local mp4 = { id = "fi_3", name = "v.mp4", mime = "video/mp4", size = 9 }
      has(nil, "answer", { video_url = "https://mp.example/v.mp4" })
      has(mp4)
      push { MsgType = "shortvideo", MediaId = "M2", ThumbMediaId = "T", MsgId = "8" }
      assert.equal("https://mp.example/v.mp4", asked[3].url)
      assert.same({ dedupe = "8", from = "oA", kind = "video", file = mp4 }, delivered[2])
    end)

    for _, code in ipairs { 40001, 40014, 42001 } do
      it("fetches a new token once when WeChat says it is stale: " .. code, function()
        has(nil, "answer", { errcode = code, errmsg = "stale" })
        has(JPG)
        push { MsgType = "image", MediaId = "M" }
        assert.equal(2, #t.http.calls())
        assert.equal(JPG, delivered[1].file)
      end)
    end

    it("says so in words when it cannot be had", function()
      local cases = {
        { nil, "answer", { errcode = 40007, errmsg = "invalid media_id" } }, { nil, "too_large", "long" },
        { nil, "unsupported", "it is a program" }, { nil, "not_found", "404" },
      }
      local told = { "[图片]（没有取到", "[图片]（文件太大", "[图片]（不收这种文件", "[图片]（没有取到" }
      for i, case in ipairs(cases) do
        has(unpack(case, 1, 3))
        assert.equal(200, (push { MsgType = "image", MediaId = "M", MsgId = tostring(i) }))
        assert.equal("text", delivered[i].kind)
        assert.contains(told[i], (delivered[i].text:gsub(" ", "", 1)))
      end
      ctx.config.secret = nil
      push { MsgType = "voice", MediaId = "M", Recognition = "你好", MsgId = "9" }
      assert.contains("[语音] 你好", delivered[5].text)
    end)

    it("waits for poll() when it cannot be had now, and the push is answered", function()
      has(nil, "timeout", "slow")
      assert.equal(200, (push { MsgType = "image", MediaId = "M" }))
      assert.same({}, delivered)
      has(nil, "answer", { errcode = -1, errmsg = "busy" })
      adapter.poll(ctx)
      adapter.poll(ctx) -- not yet
      assert.equal(2, #asked)
      t.advance "4s"
      has(JPG)
      adapter.poll(ctx)
      assert.equal(JPG, delivered[1].file)
      assert.equal("7", delivered[1].dedupe)
      adapter.poll(ctx)
      assert.equal(1, #delivered)
    end)

    it("is a text in the end", function()
      for _ = 1, 6 do
        has(nil, "unavailable", "down")
      end
      push { MsgType = "video", MediaId = "M" }
      for _ = 1, 5 do
        adapter.poll(ctx)
        t.advance "61s"
      end
      assert.equal(1, #delivered)
      assert.contains("[视频]", delivered[1].text)
      assert.equal(6, #asked)
    end)

    it("of which the house takes no picture is a text, and comes again if it can take nothing now", function()
      local deliver = ctx.deliver
      ctx.deliver = function(m)
        if m.file then return nil, "bad_request", "this file is no picture" end
        return deliver(m)
      end
      has(JPG)
      assert.equal(200, (push { MsgType = "image", MediaId = "M" }))
      assert.contains("[图片]", delivered[1].text)
      ctx.deliver = function() return nil, "unavailable", "full" end
      has(JPG)
      assert.equal(503, (push { MsgType = "image", MediaId = "M" }))
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "oA", kind = "image", attempt = 1,
        file = { id = "fi_0000000000009", name = "猫.png", mime = "image/png", size = 9 } }
    end)
    local function uploads(...)
      kit.once("POST " .. API .. "media/upload*", ...)
    end
    local function says(...)
      for _, code in ipairs { ... } do
        t.http.on("POST " .. API .. "message/custom/send*", { json = { errcode = code, errmsg = "x" }, times = 1 })
      end
      return adapter.send(item, ctx)
    end

    it("is uploaded as a part with its name, and said", function()
      uploads { type = "image", media_id = "M1", created_at = 1 }
      assert.same({ sent = "ob_1" }, says(0))
      local up = calls_of("media/upload")[1]
      assert.equal("image", up.query.type)
      assert.contains('name="media"; filename="猫.png"', up.body)
      assert.contains("<fi_", up.body) -- streamed, past Lua
      assert.same({ touser = "oA", msgtype = "image", image = { media_id = "M1" } }, calls_of("custom/send")[1].json)
    end)

    it("is uploaded once, however often it is sent", function()
      uploads { media_id = "M1" }
      assert.equal(5, says(-1).retry)
      assert.same({ sent = "ob_1" }, says(0))
      item.id, item.to = "ob_2", "oB"
      assert.same({ sent = "ob_2" }, says(0))
      assert.equal(1, #calls_of "media/upload")
    end)

    it("is uploaded again when WeChat does not know it any more, or after three days", function()
      uploads({ media_id = "M1" }, { media_id = "M2" }, { media_id = "M3" })
      assert.same({ sent = "ob_1" }, says(40007, 0))
      assert.equal("M2", calls_of("custom/send")[2].json.image.media_id)
      t.advance "71h"
      assert.same({ sent = "ob_1" }, says(0))
      assert.equal("M3", calls_of("custom/send")[3].json.image.media_id)
    end)

    it("fetches a new token once when theirs is stale", function()
      uploads({ errcode = 42001 }, { media_id = "M1" })
      assert.same({ sent = "ob_1" }, says(0))
      assert.equal("T2", calls_of("media/upload")[2].query.access_token)
    end)

    it("fails with a reason, or comes again", function()
      for code, expected in pairs { [45001] = "unsupported", [40005] = "unsupported", [48001] = "not_allowed", [-1] = 5,
        [45009] = 600 } do
        uploads { errcode = code, errmsg = "x" }
        local got = says()
        assert.equal(expected, got.failed or got.retry, "code " .. code)
      end
      t.http.on("POST " .. API .. "media/upload*", { fails = "timeout", times = 1 })
      assert.equal(5, says().retry)
      assert.equal(0, #calls_of "custom/send")
    end)

    it("is a voice, a video, and the words beside it, said once", function()
      item.kind, item.file.mime = "audio", "audio/AMR"
      uploads({ media_id = "V" }, { media_id = "F" })
      says(0)
      assert.same({ media_id = "V" }, calls_of("custom/send")[1].json.voice)
      item.kind, item.file.mime, item.text, item.id = "video", "video/mp4", "请看", "ob_3"
      assert.equal(5, says(0, -1).retry)
      assert.same({ sent = "ob_3" }, says(0))
      assert.same({ media_id = "F" }, calls_of("custom/send")[2].json.video)
      assert.equal("请看", calls_of("custom/send")[4].json.text.content)
      assert.equal(4, #calls_of "custom/send")
    end)

    it("that WeChat does not take is a link, or fails and says why", function()
      local cases = { { "image", "image/webp", 9 }, { "audio", "audio/webm", 9 }, { "image", "image/png", 10485761 },
        { "file", "application/pdf", 9 } }
      for _, case in ipairs(cases) do
        item.kind, item.file.mime, item.file.size = unpack(case)
        item.file.url = nil
        assert.equal("unsupported", says().failed)
        item.file.url = "https://shop.example/files/fi_9"
        assert.same({ sent = "ob_1" }, says(0))
        local calls = calls_of "custom/send"
        assert.contains("猫.png https://shop.example/files/fi_9", calls[#calls].json.text.content)
      end
      assert.equal(0, #calls_of "media/upload")
    end)
  end)
end)
