-- yuelai test channels/telegram
local t, kit = require "test", require "tests.desk"
local json, secret = require "json", require "secret"

local API = "https://api.telegram.org/bot123:ABC/"
-- What Telegram's documentation shows a push to be.
local PUSH = '{"update_id":1001,"message":{"message_id":7,"from":{"id":42,"is_bot":false,"first_name":"Li",'
  .. '"language_code":"zh"},'
  .. '"chat":{"id":42,"type":"private"},"date":1735700000,"text":"/start abc"}}'

describe("channel telegram", { only = "none" }, function()
  local desk, adapter, ctx, delivered
  before_each(function()
    desk = kit.of({ type = "telegram", name = "bot" },
      { token = secret.hide "123:ABC", webhook_secret = secret.hide "s3cret" })
    adapter, ctx, delivered = desk.adapter, desk.ctx, desk.delivered
  end)

  local function push(body, token)
    body = type(body) == "table" and json.encode(body) or body
    return adapter.receive({ method = "POST", path = "", query = {}, body = body,
      headers = { ["x-telegram-bot-api-secret-token"] = token or "s3cret" } }, ctx)
  end
  local function message(fields, id)
    fields.chat = fields.chat or { id = 42, type = "private" }
    fields.from = { id = 42, first_name = "Li", last_name = "Lei" }
    return { update_id = id or 1, message = fields }
  end

  it("takes a push with the right secret only", function()
    assert.equal(200, (push(PUSH)))
    assert.same({ { dedupe = "1001", from = "42", name = "Li", kind = "text", text = "/start abc" } }, delivered)
    assert.equal(401, (push(PUSH, "other")))
    ctx.config.webhook_secret = nil
    assert.equal(401, (push(PUSH, "")))
    assert.equal(1, #delivered)
  end)

  it("answers 400 to what is no update, 503 when the house cannot take it", function()
    assert.equal(400, (push "[]"))
    assert.equal(400, (push "{"))
    ctx.deliver = function() return nil, "unavailable", "full" end
    assert.equal(503, (push(PUSH)))
  end)

  it("survives a push cut at every place, and fields of every type", function()
    for i = 0, #PUSH - 1 do assert.equal(400, (push(PUSH:sub(1, i))), "cut at " .. i) end
    assert.same({}, delivered)
    for _, name in ipairs { "text", "chat", "from", "photo", "location", "venue", "contact", "sticker", "caption" } do
      for _, value in ipairs { 1, true, {}, { 1 }, { a = 1 }, { id = {} }, { type = "private" }, json.null, "" } do
        local update = message { location = name == "venue" and {} or nil }
        update.message[name] = value
        assert.is_true(push(update) >= 200, name)
        assert.is_true(push { update_id = value, message = value, callback_query = value } >= 200, name)
      end
    end
    for _, m in ipairs(delivered) do assert.equal("42", m.from) end
  end)

  it("tells what was changed", function()
    local update = message { text = "两件" }
    update.edited_message, update.message = update.message, nil
    push(update)
    assert.equal("[修改] 两件", delivered[1].text)
    update.edited_message.text, update.edited_message.location = nil, { latitude = 1, longitude = 2 }
    push(update)
    assert.equal(1, #delivered)
  end)

  it("keeps long ids whole", function()
    push(message({ text = "Hi", chat = { id = 4503599627370495, type = "private" } }))
    assert.equal("4503599627370495", delivered[1].from)
  end)

  it("delivers each type as something people can read", function()
    local function text_of(fields)
      delivered = desk:anew()
      assert.equal(200, (push(message(fields))))
      return delivered[1].text
    end
    assert.equal("[表情] 😀", text_of { sticker = { file_id = "a", emoji = "😀", is_animated = true } })
    assert.equal("[联系人] Li 138", text_of { contact = { first_name = "Li", phone_number = "138" } })
    assert.equal("[暂不支持的消息]", text_of { dice = { value = 3 } })
    push(message { location = { latitude = 31.2, longitude = 121.5 }, venue = { title = "外滩", address = "上海" } })
    assert.equal(31.2, delivered[2].lat)
    assert.equal("外滩", delivered[2].label)
    assert.equal("Li Lei", delivered[2].name)
  end)

  it("leaves groups and channels alone", function()
    assert.equal(200, (push(message { text = "Hi", chat = { id = -1, type = "group" } })))
    assert.equal(200, (push { update_id = 1, channel_post = { text = "Hi", chat = { id = -2, type = "channel" } } }))
    assert.same({}, delivered)
  end)

  it("takes a pressed button as what it says, and tells Telegram", function()
    t.http.on("POST " .. API .. "answerCallbackQuery", { json = { ok = true, result = true } })
    push { update_id = 5, callback_query = { id = "q1", data = "human", from = { id = 42, first_name = "Li" },
      message = { chat = { id = 42, type = "private" } } } }
    assert.equal("human", delivered[1].text)
    assert.equal("q1", t.http.calls()[1].json.callback_query_id)
  end)

  it("asks for updates without a webhook, on from the last one", function()
    ctx.config.webhook_secret = nil
    t.http.on("POST " .. API .. "getUpdates", { times = 1,
      json = { ok = true, result = { message({ text = "1" }, 10), message({ text = "2" }, 11) } } })
    t.http.on("POST " .. API .. "getUpdates", { json = { ok = true, result = {} }, times = 1 })
    t.http.on("POST " .. API .. "getUpdates", { status = 409,
      json = { ok = false, error_code = 409, description = "Conflict" } })
    assert.same({ again = 0.2 }, adapter.poll(ctx))
    adapter.poll(ctx)
    assert.equal(2, #delivered)
    assert.is_nil(t.http.calls()[1].json.offset)
    assert.equal(12, t.http.calls()[2].json.offset)
    assert.same({ again = 30 }, adapter.poll(ctx))
  end)

  it("takes a hundred updates at once, and stops where the house does", function()
    ctx.config.webhook_secret = nil
    local list = {}
    for i = 1, 100 do list[i] = message({ text = "no. " .. i }, i) end
    t.http.on("POST " .. API .. "getUpdates", { json = { ok = true, result = list } })
    assert.same({ again = 0.2 }, adapter.poll(ctx))
    assert.equal(100, #delivered)
    local deliver, n = ctx.deliver, 0
    ctx.deliver = function(m)
      n = n + 1
      if n == 3 then return nil, "unavailable", "full" end
      return deliver(m)
    end
    assert.same({ again = 5 }, adapter.poll(ctx))
    adapter.poll(ctx)
    assert.equal(101, t.http.calls()[2].json.offset)
    assert.equal(3, t.http.calls()[3].json.offset)
  end)

  it("does not ask while there is a webhook", function()
    assert.same({ again = 30 }, adapter.poll(ctx)) -- no file is late
    assert.same({}, t.http.calls())
  end)

  describe("sends", function()
    local item
    before_each(function() item = { id = "ob_1", to = "42", kind = "text", text = "您好", attempt = 1 } end)
    local function sends(answer, method, status)
      t.http.on("POST " .. API .. (method or "sendMessage"), { status = status,
        json = answer or { ok = true, result = { message_id = 8 } }, times = 1 })
      return adapter.send(item, ctx)
    end
    local function body(i) return t.http.calls()[i].json end

    it("that somebody types", function()
      t.http.on("POST " .. API .. "sendChatAction", { json = { ok = true, result = true } })
      adapter.typing({ to = "42" }, ctx)
      assert.same({ chat_id = "42", action = "typing" }, body(1))
    end)

    it("a text", function()
      assert.same({ sent = "42:8" }, sends())
      assert.same({ chat_id = "42", text = "您好" }, body(1))
    end)

    it("a long text in pieces of 4096 UTF-16 units", function()
      item.text = ("😀"):rep(3000)
      t.http.on("POST " .. API .. "sendMessage", { json = { ok = true, result = { message_id = 8 } } })
      adapter.send(item, ctx)
      assert.equal(2, #t.http.calls())
      assert.equal(2048 * 4, #body(1).text)
      assert.equal(item.text, body(1).text .. body(2).text)
    end)

    it("a card with its buttons", function()
      item.kind, item.card = "card", { title = "请选择", buttons = { { label = "人工", value = "human" },
        { label = "官网", url = "https://x.example.com" }, { label = ("长"):rep(30) } } }
      sends()
      local rows = body(1).reply_markup.inline_keyboard
      assert.same({ { text = "人工", callback_data = "human" } }, rows[1])
      assert.same({ { text = "官网", url = "https://x.example.com" } }, rows[2])
      assert.equal(("长"):rep(21), rows[3][1].callback_data)
    end)

    it("a place", function()
      item = { id = "ob_1", to = "42", kind = "location", lat = 31.2, lng = 121.5 }
      sends(nil, "sendLocation")
      item.label = "外滩"
      sends(nil, "sendVenue")
      assert.same({ chat_id = "42", latitude = 31.2, longitude = 121.5, title = "外滩", address = "外滩" }, body(2))
    end)

    it("again when it is too fast or Telegram is down", function()
      local busy = { ok = false, error_code = 429, description = "Too Many", parameters = { retry_after = 7 } }
      assert.equal(7, sends(busy, nil, 429).retry)
      assert.equal(5, sends({ ok = false, error_code = 502, description = "Bad Gateway" }, nil, 502).retry)
      t.http.on("POST " .. API .. "sendMessage", { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
    end)

    it("no more when it is blocked, refused or set up wrongly", function()
      local function fails(code, said)
        return sends({ ok = false, error_code = code, description = said }, nil, code).failed
      end
      assert.equal("blocked", fails(403, "Forbidden: bot was blocked by the user"))
      assert.equal("no_recipient", fails(400, "Bad Request: chat not found"))
      assert.equal("refused", fails(400, "Bad Request: message text is empty"))
      assert.equal("invalid_token", fails(401, "Unauthorized"))
      assert.equal("invalid_token", fails(404, "Not Found"))
      item.kind = "sticker"
      assert.equal("unsupported", adapter.send(item, ctx).failed)
    end)
  end)

  it("says in words what is wrong", function()
    local function says(answer)
      t.http.on("POST " .. API .. "getWebhookInfo", { json = answer, times = 1 })
      local ok, code, why = adapter.check(ctx.config, ctx)
      return ok == true and "ok" or code, why
    end
    assert.equal("ok", (says { ok = true, result = { url = "https://y.example.com/hooks/ch_1" } }))
    assert.equal("webhook", (says { ok = true, result = { url = "" } }))
    local _, why = says { ok = false, error_code = 401, description = "Unauthorized" }
    assert.contains("Token", why)
    ctx.config.webhook_secret = nil
    assert.equal("ok", (says { ok = true, result = { url = "" } }))
    assert.equal("webhook", (says { ok = true, result = { url = "https://y.example.com" } }))
  end)
end)
