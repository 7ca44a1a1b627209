-- yuelai test channels/whatsapp
local t = require "test"
local json, crypto, secret = require "json", require "crypto", require "secret"

local SEND = "POST https://graph.facebook.com/v21.0/1001/messages"
-- As Meta pushes it: what is not ASCII is escaped.
local PUSH = [[{"object":"whatsapp_business_account","entry":[{"id":"WABA","changes":[{"field":"messages","value":{]]
  .. [["messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001","phone_number_id":"1001"},]]
  .. [["contacts":[{"wa_id":"8613800000000","profile":{"name":"Li"}}],"messages":[{"from":"8613800000000",]]
  .. [["id":"wamid.X","timestamp":"1735700000","type":"text","text":{"body":"\u4f60\u597d"}}]}}]}]}]]

describe("channel whatsapp", { only = "none" }, function()
  local adapter, ctx, delivered, receipts
  before_each(function()
    adapter = t.load "channels/whatsapp"
    delivered, receipts = {}, {}
    ctx = {
      channel = { id = "ch_1", type = "whatsapp", name = "WA" },
      config = {
        phone_number_id = "1001", access_token = secret.hide "EAAG", app_secret = secret.hide "test_app_secret",
        verify_token = secret.hide "v3rify",
      },
      deliver = function(message)
        delivered[#delivered + 1] = message
        return { id = "m_1", conversation = "cv_1", seq = 1, duplicate = false }
      end,
      receipt = function(receipt)
        receipts[#receipts + 1] = receipt
        if receipt.sent == "wamid.other" then return nil, "not_found", "none was sent" end
        return true
      end,
    }
  end)

  local function call(method, body, headers, query)
    local req = { method = method, path = "", query = query or {}, headers = headers or {}, body = body or "" }
    return adapter.receive(req, ctx)
  end
  local function push(body)
    local text = type(body) == "table" and json.encode(body) or body
    return call("POST", text, { ["x-hub-signature-256"] = "sha256=" .. crypto.hmac("sha256", "test_app_secret", text) })
  end
  local function value_of(value, number)
    value.metadata = { phone_number_id = number or "1001" }
    local change = { field = "messages", value = value }
    return { object = "whatsapp_business_account", entry = { { id = "W", changes = { change } } } }
  end
  local function message(fields, number)
    fields.from, fields.id = fields.from or "8613800000000", fields.id or "wamid.1"
    return push(value_of({ messages = { fields } }, number))
  end
  local function text_of(fields)
    delivered = {}
    assert.equal(200, (message(fields)))
    return delivered[1] and delivered[1].text
  end

  describe("the address", function()
    it("is verified with the verify token", function()
      local q = { ["hub.mode"] = "subscribe", ["hub.verify_token"] = "v3rify", ["hub.challenge"] = "123" }
      local status, body = call("GET", "", {}, q)
      assert.equal(200, status)
      assert.equal("123", body)
      q["hub.verify_token"] = "v3rifz"
      assert.equal(403, (call("GET", "", {}, q)))
      assert.equal(403, (call("GET")))
      ctx.config.verify_token, q["hub.verify_token"] = nil, ""
      assert.equal(403, (call("GET", "", {}, q)))
    end)

    it("takes what is signed as in the test vector, and nothing else", function()
      local body = '{"object":"whatsapp_business_account","entry":[]}'
      local sum = "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"
      assert.equal(200, (call("POST", body, { ["x-hub-signature-256"] = "sha256=" .. sum })))
      assert.equal(401, (call("POST", body .. " ", { ["x-hub-signature-256"] = "sha256=" .. sum })))
      assert.equal(401, (call("POST", body, { ["x-hub-signature-256"] = "sha256=" .. sum:sub(1, 63) .. "7" })))
      assert.equal(401, (call("POST", body)))
      ctx.config.app_secret = nil
      assert.equal(403, (call("POST", body, { ["x-hub-signature-256"] = "sha256=" .. sum })))
    end)
  end)

  describe("messages in", function()
    it("come with name and number", function()
      assert.equal(200, (push(PUSH)))
      assert.same({ { dedupe = "wamid.X", from = "8613800000000", name = "Li", profile = { phone = "+8613800000000" },
        kind = "text", text = "你好" } }, delivered)
    end)

    it("of people without a visible number come by their other id", function()
      push(value_of {
        contacts = { { user_id = "US.1349", profile = { name = "Ann" } } },
        messages = { { from_user_id = "US.1349", id = "wamid.2", type = "text", text = { body = "Hi" } } },
      })
      assert.same({ { dedupe = "wamid.2", from = "US.1349", name = "Ann", kind = "text", text = "Hi" } }, delivered)
    end)

    it("of each type are something people can read", function()
      assert.equal("[图片] 破了", text_of { type = "image", image = { id = "1", mime_type = "image/jpeg",
        caption = "破了" } })
      assert.equal("[文件] a.pdf", text_of { type = "document", document = { id = "1", filename = "a.pdf" } })
      assert.equal("[语音]", text_of { type = "audio", audio = { id = "1", voice = true } })
      assert.equal("[视频]", text_of { type = "video", video = { id = "1" } })
      assert.equal("[表情]", text_of { type = "sticker", sticker = { id = "1" } })
      assert.equal("[回应] 👍", text_of { type = "reaction", reaction = { message_id = "wamid.Y", emoji = "👍" } })
      assert.is_nil(text_of { type = "reaction", reaction = { message_id = "wamid.Y" } })
      assert.equal("[名片] Li +86 138", text_of { type = "contacts",
        contacts = { { name = { formatted_name = "Li" }, phones = { { phone = "+86 138" } } } } })
      assert.equal("refund", text_of { type = "interactive",
        interactive = { type = "button_reply", button_reply = { id = "refund", title = "退款" } } })
      assert.equal("row-2", text_of { type = "interactive",
        interactive = { type = "list_reply", list_reply = { id = "row-2", title = "二" } } })
      assert.equal("[暂不支持的消息]", text_of { type = "interactive",
        interactive = { type = "nfm_reply", nfm_reply = {} } })
      assert.equal("好的", text_of { type = "button", button = { payload = "P", text = "好的" } })
      assert.equal("[系统] changed", text_of { type = "system", system = { body = "changed" } })
      assert.equal("[暂不支持的消息] unsupported", text_of { type = "unsupported", errors = { { code = 131051 } } })
      assert.equal("[空消息]", text_of { type = "text", text = {} })
    end)

    it("are places where they are", function()
      message { type = "location", location = { latitude = 31.2, longitude = 121.5, name = "外滩", address = "上海" } }
      assert.equal("location", delivered[1].kind)
      assert.equal(31.2, delivered[1].lat)
      assert.equal("外滩", delivered[1].label)
      assert.equal("[位置] 外滩", text_of { type = "location", location = { name = "外滩" } })
    end)

    it("for another number of the same app are left alone", function()
      assert.equal(200, (message({ type = "text", text = { body = "Hi" } }, "1002")))
      assert.same({}, delivered)
    end)

    it("are pushed again when the house cannot take one, but all others are taken", function()
      local n = 0
      ctx.deliver = function()
        n = n + 1
        if n == 1 then return nil, "unavailable", "full" end
        return { id = "m_1" }
      end
      local list = {}
      for i = 1, 3 do list[i] = { from = "1", id = "w" .. i, type = "text", text = { body = "Hi" } } end
      assert.equal(503, (push(value_of { messages = list })))
      assert.equal(3, n)
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (message { type = "text", text = { body = "Hi" } }))
    end)

    it("that make no sense break nothing", function()
      assert.equal(400, (push "no"))
      for i = 1, #PUSH - 1, 7 do assert.equal(400, (push(PUSH:sub(1, i)))) end
      for _, value in ipairs { 1, true, "x", {}, { 1 }, { a = 1 }, json.null } do
        for _, name in ipairs { "from", "id", "type", "text", "from_user_id" } do
          local m = { from = "1", id = "w", type = "text", text = { body = "Hi" } }
          m[name] = value
          assert.equal(200, (push(value_of { messages = { m }, contacts = { value }, statuses = { value } })))
        end
        for _, kind in ipairs { "image", "location", "contacts", "interactive", "reaction", "button" } do
          assert.equal(200, (message { type = kind, [kind] = value }))
        end
        for _, body in ipairs { { entry = value }, { entry = { value } }, { entry = { { changes = value } } },
          { entry = { { changes = { value } } } },
          value_of { messages = value, contacts = value, statuses = value } } do
          assert.equal(200, (push(body)))
        end
      end
    end)
  end)

  describe("statuses", function()
    local function status(s) return push(value_of { statuses = { s } }) end

    it("are receipts", function()
      assert.equal(200, (status { id = "wamid.Y", status = "sent" }))
      assert.equal(200, (status { id = "wamid.Y", status = "delivered" }))
      assert.equal(200, (status { id = "wamid.Y", status = "read" }))
      assert.same({ { sent = "wamid.Y", status = "delivered" }, { sent = "wamid.Y", status = "read" } }, receipts)
    end)

    it("say why a message did not arrive", function()
      status { id = "wamid.Y", status = "failed", errors = { { code = 131047, title = "Re-engagement message" } } }
      assert.equal("failed", receipts[1].status)
      assert.contains("24", receipts[1].why)
      assert.contains("131047", receipts[1].why)
      status { id = "wamid.Y", status = "failed" }
      assert.equal("failed", receipts[2].status)
    end)

    it("of messages that others sent are none of ours", function()
      assert.equal(200, (status { id = "wamid.other", status = "read" }))
      ctx.receipt = function() return nil, "unavailable", "full" end
      assert.equal(503, (status { id = "wamid.Y", status = "read" }))
    end)
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

    it("as files are not there yet, and say so", function()
      item.kind, item.file = "image", "f_1"
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
