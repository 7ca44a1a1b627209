-- yuelai test channels/weapp; tokens and error codes: channels/wechat/send_test.lua
local t, kit = require "test", require "tests.desk"
local json, xml, crypto, secret = require "json", require "xml", require "crypto", require "secret"

local TOKEN_URL = "POST https://api.weixin.qq.com/cgi-bin/stable_token"
local SEND_URL = "POST https://api.weixin.qq.com/cgi-bin/message/custom/send*"

describe("channel weapp, out", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    local desk = kit.of({ type = "weapp", name = "shop" },
      { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA" })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  local function call(method, query, body)
    return adapter.receive({ method = method, path = "", query = query, headers = {}, body = body or "" }, ctx)
  end

  -- A push as WeChat sends it in plain mode; without `as_xml` in JSON.
  local function push(fields, as_xml)
    for name, value in pairs { ToUserName = "gh_0123456789ab", FromUserName = "oOPENID", CreateTime = 1735700000 } do
      fields[name] = fields[name] or value
    end
    local body = as_xml and xml.encode(fields, { cdata = true }) or json.encode(fields)
    local signature = crypto.sha1(secret.sorted("AAAAA", "1714037059", "486452656"))
    return call("POST", { signature = signature, timestamp = "1714037059", nonce = "486452656" }, body)
  end

  describe("answers", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "oOPENID", kind = "text", text = "您好，请讲", attempt = 1 }
      t.http.on(TOKEN_URL, { json = { access_token = "T1", expires_in = 7200 }, times = 1 })
    end)

    local function sends(answer)
      t.http.on(SEND_URL, { json = answer or { errcode = 0, errmsg = "ok" }, times = 1 })
      return adapter.send(item, ctx)
    end
    local function sent(i)
      local list = {}
      for _, c in ipairs(t.http.calls()) do
        if c.path:find "custom/send" then list[#list + 1] = c end
      end
      return i and list[i] or list
    end

    it("are sent with a token that is fetched once", function()
      assert.same({ sent = "ob_1" }, sends())
      assert.same({ sent = "ob_1" }, sends())
      assert.equal(3, #t.http.calls())
      local ask = t.http.calls()[1].json
      assert.equal("app-secret", ask.secret)
      assert.equal(false, ask.force_refresh)
      assert.equal("T1", sent(1).query.access_token)
      assert.same({ touser = "oOPENID", msgtype = "text", text = { content = "您好，请讲" } }, sent(1).json)
      assert.contains("您好，请讲", sent(1).body)
    end)

    it("fail with a reason, or come again", function()
      local got = sends { errcode = 87014, errmsg = "risky" }
      assert.equal("content_refused", got.failed)
      assert.contains("risky", got.why)
      assert.equal(600, sends({ errcode = 45009 }).retry)
    end)

    it("in pieces are whole characters, and none twice after a failure", function()
      item.text = ("退款"):rep(500) -- 3000 bytes
      t.http.on(SEND_URL, { json = { errcode = 0 }, times = 1 })
      t.http.on(SEND_URL, { json = { errcode = -1 }, times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      assert.same({ sent = "ob_1" }, sends())
      assert.equal(3, #sent())
      assert.equal(2046, #sent(1).json.text.content)
      assert.equal(item.text, sent(1).json.text.content .. sent(3).json.text.content)
    end)

    it("as cards are a link or words", function()
      item.kind, item.text = "card", nil
      item.card = { title = "订单 47", text = "已发货", url = "https://x.cn/47", image = "https://x.cn/i.png" }
      sends()
      local link = { title = "订单 47", description = "已发货", url = "https://x.cn/47", thumb_url = "https://x.cn/i.png" }
      assert.same(link, sent(1).json.link)
      item.card = { title = "满意吗？", text = "请回复" }
      sends()
      assert.equal("满意吗？\n请回复", sent(2).json.text.content)
    end)

    it("without a secret do not go", function()
      ctx.config.secret = nil
      assert.equal("config", adapter.send(item, ctx).failed)
    end)

    it("welcome who comes in, once, even through repeated pushes", function()
      ctx.config.welcome = "欢迎光临"
      t.http.on(SEND_URL, { json = { errcode = 0 } })
      push { MsgType = "event", Event = "user_enter_tempsession", SessionFrom = "" }
      push { MsgType = "event", Event = "user_enter_tempsession", SessionFrom = "" }
      assert.equal(1, #sent())
      assert.equal("欢迎光临", sent(1).json.text.content)
    end)
  end)

  describe("check", function()
    local function says(config, answer)
      if answer then t.http.on(TOKEN_URL, { json = answer, times = 1 }) end
      local ok, code, why = adapter.check(config, ctx)
      return ok == true and "ok" or code, why
    end

    it("is content with good settings", function()
      assert.equal("ok", (says(ctx.config, { access_token = "T", expires_in = 7200 })))
    end)

    it("says in words what is wrong, and names the setting that is missing", function()
      local _, why = says(ctx.config, { errcode = 40164, errmsg = "invalid ip 203.0.113.7, not in whitelist" })
      assert.contains("白名单", why)
      assert.contains("203.0.113.7", why)
      assert.equal("appid", (says { appid = "gh_1" }))
      assert.equal("token", (says { appid = "wx1" }))
      assert.equal("secret", (says { appid = "wx1", token = "t" }))
      assert.equal("encoding_aes_key", (says { appid = "wx1", token = "t", encoding_aes_key = "short" }))
      t.http.on(TOKEN_URL, { fails = "unavailable" })
      assert.equal("unavailable", (says { appid = "wx1", token = "t", secret = "s" }))
    end)
  end)
end)
