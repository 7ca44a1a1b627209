-- yuelai test channels/wecom
local t, kit = require "test", require "tests.desk"
local secret = require "secret"

local API = "https://qyapi.weixin.qq.com/cgi-bin/"
local KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"

local calls_of = kit.calls_of

describe("channel wecom, out", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    local desk = kit.of({ type = "wecom", name = "kf" }, { corpid = "wx5823bf96d3bd56c7",
      secret = secret.hide "app-secret", token = secret.hide "QDG6eK", encoding_aes_key = secret.hide(KEY) })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  local function has_token(name, times)
    t.http.on("GET " .. API .. "gettoken*", { json = { errcode = 0, access_token = name or "T1", expires_in = 7200 }, times = times })
  end

  describe("answers", function()
    local item
    before_each(function() item = { id = "ob_1", to = "wmB@wkA", kind = "text", text = "您好", attempt = 1 } end)

    local function sends(answer)
      t.http.on("POST " .. API .. "kf/send_msg?*", { json = answer or { errcode = 0, msgid = "ob_1" }, times = 1 })
      return adapter.send(item, ctx)
    end

    it("go out by the account that was written to, with an id that WeCom knows again", function()
      has_token()
      assert.same({ sent = "ob_1" }, sends())
      assert.same({ touser = "wmB", open_kfid = "wkA", msgid = "ob_1", msgtype = "text", text = { content = "您好" } }, calls_of("send_msg")[1].json)
      assert.equal("app-secret", calls_of("gettoken")[1].query.corpsecret)
    end)

    it("whose first try had come through are sent, not refused for their msgid", function()
      has_token()
      assert.equal("refused", sends { errcode = 40058, errmsg = "msgid duplicated" }.failed)
      item.attempt = 2
      assert.same({ sent = "ob_1" }, sends { errcode = 40058, errmsg = "msgid duplicated" })
      assert.equal("refused", sends { errcode = 40058, errmsg = "bad content" }.failed)
    end)

    it("fetch a new token once when theirs is stale", function()
      has_token("T1", 1)
      has_token("T2", 1)
      t.http.on("POST " .. API .. "kf/send_msg?*", { json = { errcode = 42001 }, times = 1 })
      assert.same({ sent = "ob_1" }, sends())
      assert.equal("T2", calls_of("send_msg")[2].query.access_token)
    end)

    it("fail with a reason, or come again, by error code", function()
      has_token()
      local cases = { [95002] = "window_closed", [95013] = "window_closed", [95001] = 600, [45009] = 60, [45033] = 5, [-1] = 5,
        [95000] = "config", [48002] = "config", [95017] = "config", [40058] = "refused", [95030] = "unsupported" }
      for code, expected in pairs(cases) do
        local got = sends { errcode = code, errmsg = "x" }
        assert.equal(expected, got.failed or got.retry, "code " .. code)
        assert.contains(tostring(code), got.why)
        assert.equal(code == 95001 or nil, got.until_heard)
      end
    end)

    it("take a session over once when its state forbids them", function()
      has_token()
      t.http.on("POST " .. API .. "kf/service_state/trans*", { json = { errcode = 0 }, times = 1 })
      t.http.on("POST " .. API .. "kf/send_msg?*", { json = { errcode = 95018 }, times = 1 })
      assert.same({ sent = "ob_1" }, sends())
      t.http.on("POST " .. API .. "kf/service_state/trans*", { json = { errcode = 95016 } })
      assert.equal("not_allowed", sends({ errcode = 95018 }).failed)
    end)

    it("as cards are menus, as places are places, in pieces when long", function()
      has_token()
      item.kind, item.card = "card", { title = "请选择", buttons = { { label = "转人工" }, { label = "自助", url = "https://x.example.com" } } }
      sends()
      assert.same({ head_content = "请选择", list = { { type = "click", click = { id = "101", content = "转人工" } },
        { type = "view", view = { url = "https://x.example.com", content = "自助" } } } }, calls_of("send_msg")[1].json.msgmenu)
      item = { id = "ob_2", to = "wmB@wkA", kind = "location", lat = 31.2, lng = 121.5, label = "外滩" }
      sends()
      assert.same({ name = "外滩", address = "", latitude = 31.2, longitude = 121.5 }, calls_of("send_msg")[2].json.location)
      item = { id = "ob_3", to = "wmB@wkA", kind = "text", text = ("退款"):rep(500) }
      t.http.on("POST " .. API .. "kf/send_msg?*", { json = { errcode = 0 }, times = 2 })
      assert.same({ sent = "ob_3" }, adapter.send(item, ctx))
      assert.equal("ob_3-1", calls_of("send_msg")[3].json.msgid)
      assert.equal("ob_3", calls_of("send_msg")[4].json.msgid)
    end)

    it("without an account or a secret are dead", function()
      item.to = "wmB"
      assert.equal("no_recipient", adapter.send(item, ctx).failed)
      item.to, ctx.config.secret = "wmB@wkA", nil
      assert.equal("config", adapter.send(item, ctx).failed)
    end)
  end)

  it("says in words what its settings lack", function()
    has_token()
    assert.is_true(adapter.check(ctx.config, ctx))
    assert.equal("encoding_aes_key", select(2, adapter.check({ corpid = "ww1", token = "t", encoding_aes_key = "x" }, ctx)))
    assert.equal("token", select(2, adapter.check({ corpid = "ww1" }, ctx)))
  end)

  it("says in words what WeCom refuses", function()
    t.http.on("GET " .. API .. "gettoken*", { json = { errcode = 60020, errmsg = "not allow to access from your ip, from ip: 203.0.113.7" } })
    local ok, code, why = adapter.check(ctx.config, ctx)
    assert.is_nil(ok)
    assert.equal("refused", code)
    assert.contains("可信 IP", why)
    assert.contains("203.0.113.7", why)
  end)
end)
