-- yuelai test channels/weapp
local t, kit = require "test", require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

local API = "https://api.weixin.qq.com/cgi-bin/"
local JPG = { id = "fi_1", name = "a.jpg", mime = "image/jpeg", size = 9 }

describe("channel weapp, media", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "weapp", name = "shop" },
      { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
    t.http.on("POST " .. API .. "stable_token", { json = { access_token = "T1", expires_in = 7200 } })
  end)

  local function push(x)
    x.ToUserName, x.FromUserName, x.CreateTime, x.MsgType = "gh_1", "oA", 1735700000, "image"
    local query = { signature = crypto.sha1(secret.sorted("AAAAA", "1", "2")), timestamp = "1", nonce = "2" }
    return adapter.receive({ method = "POST", path = "", query = query, headers = {}, body = json.encode(x) }, ctx)
  end

  it("in is a picture, by its link or by its MediaId", function()
    desk.files = { { JPG }, { JPG } }
    assert.equal(200, (push { PicUrl = "https://mmbiz.qpic.cn/x/0", MediaId = "M", MsgId = 1 }))
    assert.same({ { dedupe = "1", from = "oA", kind = "image", file = JPG } }, delivered)
    push { PicUrl = "https://elsewhere.example/x", MediaId = "M", MsgId = "23456789012345678" }
    assert.equal(API .. "media/get", asked[2].url)
    assert.equal("23456789012345678", delivered[2].dedupe)
  end)

  it("in waits for poll() when it cannot be had now; what is gone is a text", function()
    desk.files = { { nil, "timeout", "slow" }, { JPG }, { nil, "answer", { errcode = 40007, errmsg = "x" } } }
    assert.equal(200, (push { MediaId = "M", MsgId = 1 }))
    assert.same({}, delivered)
    adapter.poll(ctx)
    assert.equal(JPG, delivered[1].file)
    push { MediaId = "M", MsgId = 2 }
    assert.contains("[图片]", delivered[2].text)
  end)

  it("out is an image; every other file is a link, or fails", function()
    local file = { id = "fi_0000000000009", name = "a.png", mime = "image/png", size = 9 }
    local item = { id = "ob_1", to = "oA", kind = "image", attempt = 1, file = file }
    t.http.on("POST " .. API .. "media/upload*", { json = { media_id = "M1" }, times = 1 })
    t.http.on("POST " .. API .. "message/custom/send*", { json = { errcode = 0 } })
    assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
    local calls = t.http.calls()
    assert.same({ touser = "oA", msgtype = "image", image = { media_id = "M1" } }, calls[#calls].json)
    item.kind, file.mime = "audio", "audio/amr"
    assert.equal("unsupported", adapter.send(item, ctx).failed)
    file.url = "https://shop.example/files/fi_9"
    assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
    calls = t.http.calls()
    assert.contains("[语音] a.png https://shop.example/files/fi_9", calls[#calls].json.text.content)
  end)
end)
