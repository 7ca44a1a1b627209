-- yuelai test channels/wechat
local t = require "test"
local json, xml, crypto, secret = require "json", require "xml", require "crypto", require "secret"
local shared = require "lib.channels"

local KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
local QUERY = { timestamp = "1714037059", nonce = "486452656" }

describe("channel wechat, answers in the push", { only = "none" }, function()
  local adapter, ctx, delivered, item
  before_each(function()
    adapter = t.load "channels/wechat"
    delivered = {}
    item = { id = "ob_1", to = "oANNA", kind = "text", text = "您好 ]]> <请讲>", attempt = 1 }
    ctx = {
      channel = { id = "ch_1", type = "wechat", name = "account" },
      config = { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA" },
      deliver = function(message)
        delivered[#delivered + 1] = message
        return { id = "m_1", conversation = "cv_1", seq = 1, duplicate = false }
      end,
    }
  end)

  local FIELDS = { ToUserName = "gh_1", FromUserName = "oANNA", CreateTime = "1735700000", MsgType = "text", Content = "Hi", MsgId = "1" }
  local function request(as_json, key)
    local body = as_json and json.encode(FIELDS) or xml.encode(FIELDS, { cdata = true })
    local q = { timestamp = QUERY.timestamp, nonce = QUERY.nonce }
    q.signature = crypto.sha1(secret.sorted("AAAAA", q.timestamp, q.nonce))
    if key then
      local sealed = shared.seal(secret.hide(key), body, ctx.config.appid)
      q.msg_signature = crypto.sha1(secret.sorted("AAAAA", q.timestamp, q.nonce, sealed))
      body = as_json and json.encode { Encrypt = sealed } or xml.encode({ Encrypt = sealed }, { cdata = true })
    end
    return { method = "POST", path = "", query = q, headers = {}, body = body }
  end
  local function passive(req) return adapter.passive(item, req or request(), ctx) end

  it("are waited for, four seconds, unless the setting says otherwise", function()
    adapter.receive(request(), ctx)
    assert.equal("4s", delivered[1].hold)
    ctx.config.reply_mode = "service"
    adapter.receive(request(), ctx)
    assert.is_nil(delivered[2].hold)
  end)

  it("are XML, to the sender, from the account", function()
    local got = passive()
    assert.equal("application/xml", got.type)
    local x = xml.decode(got.body, { root = "xml" })
    assert.same({ "oANNA", "gh_1", "text", item.text }, { x.ToUserName, x.FromUserName, x.MsgType, x.Content })
    assert.is_true(tonumber(x.CreateTime) > 0)
  end)

  it("are JSON if the push was", function()
    local got = passive(request(true))
    assert.equal("application/json", got.type)
    assert.equal(item.text, json.decode(got.body).Content)
  end)

  it("are sealed with the key that opened the push, also the previous one", function()
    ctx.config.encoding_aes_key, ctx.config.previous_aes_key = secret.hide(("B"):rep(43)), secret.hide(KEY)
    for _, as_json in ipairs { false, true } do
      local got = passive(request(as_json, KEY))
      local x = as_json and json.decode(got.body) or xml.decode(got.body, { root = "xml" })
      assert.equal(QUERY.nonce, x.Nonce)
      local at = ("%.0f"):format(tonumber(x.TimeStamp))
      assert.equal(crypto.sha1(secret.sorted("AAAAA", at, x.Nonce, x.Encrypt)), x.MsgSignature)
      local text, id = shared.open(secret.hide(KEY), x.Encrypt)
      assert.equal(ctx.config.appid, id)
      assert.equal(item.text, (as_json and json.decode(text) or xml.decode(text, { root = "xml" })).Content)
    end
  end)

  it("are one article for a card with a link, and not for what only customer service messages show", function()
    item.kind, item.text = "card", nil
    item.card = { title = "订单", text = "已发货", url = "https://x.example.com/1", image = "https://x.example.com/i.png" }
    local x = xml.decode(passive().body, { root = "xml" })
    assert.same({ "news", "1" }, { x.MsgType, x.ArticleCount })
    assert.same({ Title = "订单", Description = "已发货", Url = "https://x.example.com/1", PicUrl = "https://x.example.com/i.png" }, x.Articles.item)
    item.card = { title = "满意吗？", buttons = { { label = "满意" } } }
    assert.is_nil(passive())
  end)

  it("are none for a text that needs two messages, and for a push that is forged", function()
    item.text = ("退款"):rep(500)
    assert.is_nil(passive())
    item.text = "Hi"
    local req = request()
    req.query.signature = "0"
    assert.is_nil(passive(req))
  end)

  it("bear a file that was uploaded; if that fails it is sent", function()
    item.kind, item.text = "image", nil
    item.file = { id = "fi_0000000000009", name = "a.png", mime = "image/png", size = 4 }
    t.http.on("POST https://api.weixin.qq.com/cgi-bin/stable_token", { json = { access_token = "T1", expires_in = 7200 } })
    t.http.on("POST https://api.weixin.qq.com/cgi-bin/media/upload*", { json = { errcode = -1 }, times = 1 })
    assert.is_nil(passive())
    t.http.on("POST https://api.weixin.qq.com/cgi-bin/media/upload*", { json = { type = "image", media_id = "MID" } })
    local x = xml.decode(passive().body, { root = "xml" })
    assert.same({ "image", "MID" }, { x.MsgType, x.Image.MediaId })
    ctx.config.secret = nil
    assert.is_nil(passive())
  end)

  it("are all that accounts without customer service messages have: the rest waits for the user", function()
    t.http.on("POST https://api.weixin.qq.com/cgi-bin/stable_token", { json = { access_token = "T1", expires_in = 7200 } })
    t.http.on("POST https://api.weixin.qq.com/cgi-bin/message/custom/send*", { json = { errcode = 48001, errmsg = "api unauthorized" } })
    local got = adapter.send(item, ctx)
    assert.is_true(got.until_heard)
    assert.contains("48001", got.why)
    ctx.config.reply_mode = "service"
    assert.equal("not_allowed", adapter.send(item, ctx).failed)
  end)
end)
