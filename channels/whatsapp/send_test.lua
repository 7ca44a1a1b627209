-- yuelai test channels/whatsapp
local t, kit = require "test", require "tests.desk"
local secret = require "secret"

local SEND = "POST https://graph.facebook.com/v21.0/1001/messages"

describe("channel whatsapp, out", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    local desk = kit.of({ type = "whatsapp", name = "WA" },
      { phone_number_id = "1001", access_token = secret.hide "EAAG", app_secret = secret.hide "test_app_secret",
      verify_token = secret.hide "v3rify" })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  describe("answers", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "8613800000000", kind = "text", text = "您好，请讲", attempt = 1 }
    end)

    local function sends(answer)
      t.http.on(SEND, answer or { json = { messages = { { id = "wamid.Y" } } } })
      return adapter.send(item, ctx)
    end

    it("are sent with the token and give WhatsApp's id", function()
      assert.same({ sent = "wamid.Y" }, sends())
      local sent = t.http.calls()[1]
      assert.equal("Bearer EAAG", sent.headers.authorization)
      assert.same({ messaging_product = "whatsapp", recipient_type = "individual", to = "8613800000000", type = "text",
        text = { body = "您好，请讲", preview_url = true } }, sent.json)
    end)

    it("go to another id as recipient, by another version and address", function()
      ctx.config.version, ctx.config.api = "v23.0", "https://proxy.example.com/"
      item.to = "US.1349"
      t.http.on("POST https://proxy.example.com/v23.0/1001/messages", { json = { messages = { { id = "wamid.Z" } } } })
      assert.same({ sent = "wamid.Z" }, adapter.send(item, ctx))
      assert.equal("US.1349", t.http.calls()[1].json.recipient)
      assert.is_nil(t.http.calls()[1].json.to)
    end)

    it("that are long go in pieces, and what was said is not said again", function()
      item.text = ("退款"):rep(2049) -- 4098 characters
      t.http.on(SEND, { json = { messages = { { id = "wamid.1" } } }, times = 1 })
      t.http.on(SEND, { status = 503, json = { error = { code = 131016, message = "down" } }, times = 1 })
      assert.equal(30, adapter.send(item, ctx).retry)
      assert.same({ sent = "wamid.Y" }, sends())
      local calls = t.http.calls()
      assert.equal(3, #calls)
      assert.equal(4096, utf8.len(calls[1].json.text.body))
      assert.equal("退款", calls[3].json.text.body)
    end)

    it("as cards are buttons, a list, or words", function()
      item.kind, item.text = "card", nil
      item.card = { title = "满意吗？", buttons = { { label = "满意", value = "good" }, { label = "不满意" },
        { label = "更多", url = "https://x.example.com" } } }
      sends()
      local it = t.http.calls()[1].json.interactive
      assert.equal("button", it.type)
      assert.equal("满意吗？\n更多: https://x.example.com", it.body.text)
      assert.same({ { type = "reply", reply = { id = "good", title = "满意" } },
        { type = "reply", reply = { id = "不满意", title = "不满意" } } }, it.action.buttons)
      item.card = { title = "哪个？", buttons = {} }
      for i = 1, 10 do item.card.buttons[i] = { label = "选项" .. i } end
      adapter.send(item, ctx)
      it = t.http.calls()[2].json.interactive
      assert.equal("list", it.type)
      assert.equal(10, #it.action.sections[1].rows)
      item.card = { title = "订单", text = "已发货", url = "https://x.example.com/1" }
      adapter.send(item, ctx)
      assert.equal("订单\n已发货\nhttps://x.example.com/1", t.http.calls()[3].json.text.body)
      item.card = { text = ("长"):rep(1025), buttons = { { label = "好" } } }
      adapter.send(item, ctx)
      assert.equal("text", t.http.calls()[4].json.type)
      assert.equal("…", t.http.calls()[5].json.interactive.body.text)
    end)

    it("as places are places", function()
      item = { id = "ob_2", to = "1", kind = "location", lat = 31.2, lng = 121.5, label = "外滩" }
      sends()
      assert.same({ latitude = 31.2, longitude = 121.5, name = "外滩" }, t.http.calls()[1].json.location)
    end)

    it("fail with a reason, or come again, by error code", function()
      local cases = {
        [131047] = "window_closed", [131026] = "no_recipient", [190] = "invalid_token", [368] = "restricted",
        [131031] = "restricted", [131051] = "unsupported", [131030] = "not_allowed", [200] = "not_allowed",
        [100] = "refused",
        [131050] = "blocked", [131042] = "not_paid", [130429] = 10, [131048] = 3600, [131056] = 6,
        [80007] = 60, [4] = 60,
      }
      for code, expected in pairs(cases) do
        t.http.on(SEND, { status = 400, json = { error = { code = code, message = "said" } }, times = 1 })
        local got = adapter.send(item, ctx)
        assert.equal(expected, got.failed or got.retry, "code " .. code)
        assert.contains(tostring(code), got.why)
      end
    end)

    it("come again when WhatsApp is down or says when", function()
      t.http.on(SEND, { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      t.http.on(SEND, { status = 502, body = "<html>", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      t.http.on(SEND, { status = 429, json = {}, headers = { ["retry-after"] = "90" }, times = 1 })
      assert.equal(90, adapter.send(item, ctx).retry)
    end)

    it("are dead at once while there is no token, or of a kind nobody knows", function()
      item.kind = "sticker"
      assert.equal("unsupported", adapter.send(item, ctx).failed)
      item.kind, ctx.config.access_token = "text", nil
      assert.equal("config", adapter.send(item, ctx).failed)
    end)
  end)

  it("says in words what its settings lack", function()
    local URL = "GET https://graph.facebook.com/v21.0/1001?fields=*"
    local function says(answer)
      if answer then t.http.on(URL, answer) end
      local ok, code, why = adapter.check(ctx.config, ctx)
      return ok == true and "ok" or code, why
    end
    assert.equal("ok", (says { json = { display_phone_number = "+1 555", id = "1001" }, times = 1 }))
    local code, why = says { status = 401, json = { error = { code = 190, message = "expired" } }, times = 1 }
    assert.equal("invalid_token", code)
    assert.contains("访问令牌", why)
    assert.contains("ID", select(2, says { status = 400, json = { error = { code = 100, message = "x" } }, times = 1 }))
    assert.equal("unavailable", (says { fails = "unavailable", times = 1 }))
    ctx.config.phone_number_id = "+1 555"
    assert.equal("phone_number_id", (says()))
    for _, name in ipairs { "access_token", "verify_token", "app_secret" } do
      ctx.config[name] = nil
      assert.equal(name, (says()))
    end
  end)
end)
