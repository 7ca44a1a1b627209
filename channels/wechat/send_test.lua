-- yuelai test channels/wechat
local t, kit = require "test", require "tests.desk"
local secret = require "secret"

local TOKEN_URL, SEND_URL = "POST https://api.weixin.qq.com/cgi-bin/stable_token", "POST https://api.weixin.qq.com/cgi-bin/message/custom/send*"

describe("channel wechat, out", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    local desk = kit.of({ type = "wechat" },
      { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA", reply_mode = "service" })
    adapter, ctx = desk.adapter, desk.ctx
  end)

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
    end)

    it("are UTF-8, not \\u", function()
      sends()
      assert.contains("您好，请讲", sent(1).body)
    end)

    it("fetch a new token five minutes before its end", function()
      t.http.on(TOKEN_URL, { json = { access_token = "T2", expires_in = 7200 } })
      sends()
      t.advance "6899s"
      sends()
      t.advance "1s"
      sends()
      assert.equal("T1", sent(2).query.access_token)
      assert.equal("T2", sent(3).query.access_token)
    end)

    for _, code in ipairs { 40001, 40014, 42001 } do
      it("fetch a new token once when theirs is stale: " .. code, function()
        t.http.on(TOKEN_URL, { json = { access_token = "T2", expires_in = 7200 } })
        t.http.on(SEND_URL, { json = { errcode = code, errmsg = "stale" }, times = 1 })
        assert.same({ sent = "ob_1" }, sends())
        assert.equal("T2", sent(2).query.access_token)
        t.http.on(SEND_URL, { json = { errcode = code, errmsg = "stale" }, times = 2 })
        assert.equal(60, adapter.send(item, ctx).retry)
        assert.equal(4, #sent())
      end)
    end

    it("fail with a reason, or come again, by error code", function()
      local cases = {
        [45015] = "window_closed", [48001] = "not_allowed", [48002] = "refused", [48004] = "not_allowed",
        [40003] = "no_recipient", [43004] = "no_recipient", [43019] = "refused", [50002] = "not_allowed",
        [50005] = "no_recipient", [45002] = "refused", [40007] = "refused", [44002] = "refused", [47001] = "refused",
        [87014] = "content_refused", [-1] = 5, [45009] = 600, [45011] = 60, [45047] = 600,
      }
      for code, expected in pairs(cases) do
        local got = sends { errcode = code, errmsg = "x" }
        assert.equal(expected, got.failed or got.retry, "code " .. code)
        assert.contains(tostring(code), got.why)
        assert.equal(code == 45047 or nil, got.until_heard)
      end
    end)

    it("come again when WeChat is down", function()
      t.http.on(SEND_URL, { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      t.http.on(SEND_URL, { status = 502, body = "<html>", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
    end)

    it("longer than 2048 bytes go in pieces that are whole characters", function()
      item.text = ("退款"):rep(500) -- 3000 bytes
      t.http.on(SEND_URL, { json = { errcode = 0 } })
      assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
      assert.equal(2, #sent())
      assert.equal(2046, #sent(1).json.text.content)
      assert.equal(item.text, sent(1).json.text.content .. sent(2).json.text.content)
    end)

    it("in pieces do not say again what was said before a failure", function()
      item.text = ("a"):rep(5000)
      t.http.on(SEND_URL, { json = { errcode = 0 }, times = 1 })
      t.http.on(SEND_URL, { json = { errcode = -1 }, times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      t.http.on(SEND_URL, { json = { errcode = 0 } })
      assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
      assert.equal(4, #sent())
    end)

    it("are announced while somebody types; what WeChat says against it harms nobody", function()
      t.http.on("POST https://api.weixin.qq.com/cgi-bin/message/custom/typing*", { json = { errcode = 45080 } })
      adapter.typing({ to = "oOPENID" }, ctx)
      local calls = t.http.calls()
      assert.same({ touser = "oOPENID", command = "Typing" }, calls[#calls].json)
    end)

    it("as cards are a menu, a link with a picture, or words", function()
      item.kind, item.text = "card", nil
      item.card = { title = "满意吗？", buttons = { { label = "满意", value = "满意" }, { label = "不满意" }, { label = "更多", url = "https://x.example.com" } } }
      sends()
      assert.same({ head_content = "满意吗？\n更多：https://x.example.com",
        list = { { id = "101", content = "满意" }, { id = "102", content = "不满意" } }, tail_content = "" }, sent(1).json.msgmenu)
      item.card = { title = "订单 4711", text = "已发货", url = "https://x.example.com/4711", image = "https://x.example.com/i.png" }
      sends()
      assert.same({ articles = { { title = "订单 4711", description = "已发货", url = "https://x.example.com/4711", picurl = "https://x.example.com/i.png" } } },
        sent(2).json.news)
      item.card = { title = "订单 4711", text = "已发货" }
      sends()
      assert.equal("订单 4711\n已发货", sent(3).json.text.content)
    end)

    it("are dead at once while the settings are wrong", function()
      ctx.config.secret = nil
      assert.equal("config", adapter.send(item, ctx).failed)
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

    it("says in words what is wrong", function()
      local _, why = says(ctx.config, { errcode = 40164, errmsg = "invalid ip 203.0.113.7, not in whitelist" })
      assert.contains("白名单", why)
      assert.contains("203.0.113.7", why)
      _, why = says(ctx.config, { errcode = 40125, errmsg = "invalid appsecret" })
      assert.contains("AppSecret", why)
      _, why = says(ctx.config, { errcode = 40013, errmsg = "invalid appid" })
      assert.contains("AppID", why)
    end)

    it("names the setting that is missing", function()
      assert.equal("appid", (says { appid = "gh_1" }))
      assert.equal("token", (says { appid = "wx1" }))
      assert.equal("secret", (says { appid = "wx1", token = "t" }))
      assert.equal("encoding_aes_key", (says { appid = "wx1", token = "t", encoding_aes_key = "short" }))
      t.http.on(TOKEN_URL, { fails = "unavailable" })
      assert.equal("unavailable", (says { appid = "wx1", token = "t", secret = "s" }))
    end)
  end)
end)
