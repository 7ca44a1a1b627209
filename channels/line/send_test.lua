-- yuelai test channels/line
local t, kit, line = require "test", require "tests.desk", require "tests.line"
local secret = require "secret"

local REPLY = "POST https://api.line.me/v2/bot/message/reply"
local PUSH = "POST https://api.line.me/v2/bot/message/push"
local PROFILE = "GET https://api.line.me/v2/bot/profile/*"
local BODY = line.BODY

describe("channel line, out", { only = "none" }, function()
  local adapter, ctx, push
  before_each(function()
    local desk = kit.of({ type = "line", name = "LINE" },
      { channel_secret = secret.hide "channel_secret", access_token = secret.hide "AT" })
    adapter, ctx = desk.adapter, desk.ctx
    push = line.at(desk).push
  end)

  it("shows the loading animation while somebody types", function()
    t.http.on("POST https://api.line.me/v2/bot/chat/loading/start", { status = 202, json = {} })
    adapter.typing({ to = "U1" }, ctx)
    assert.same({ chatId = "U1", loadingSeconds = 10 }, t.http.calls()[1].json)
    ctx.config.access_token = nil
    adapter.typing({ to = "U1" }, ctx)
    assert.equal(1, #t.http.calls())
  end)

  describe("answers", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "U1", kind = "text", text = "您好", attempt = 1 }
      t.http.on(PROFILE, { status = 404 })
    end)
    local sent = kit.calls_of
    local function pushes(with)
      t.http.on(PUSH, with or { json = { sentMessages = { { id = "461" } } } })
      return adapter.send(item, ctx)
    end

    it("take the reply token once, while it is fresh", function()
      push(BODY)
      t.http.on(REPLY, { json = { sentMessages = { { id = "460" } } } })
      assert.same({ sent = "460" }, adapter.send(item, ctx))
      assert.same({ replyToken = "rt", messages = { { type = "text", text = "您好" } } }, sent "/reply"[1].json)
      assert.same({ sent = "461" }, pushes())
      assert.equal(1, #sent "/reply")
    end)

    it("are not said again by push when only the answer to a reply was lost", function()
      push(BODY)
      t.http.on(REPLY, { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      item.attempt = 2
      t.http.on(REPLY, { status = 400, json = { message = "Invalid reply token" }, times = 1 }) -- it was taken
      assert.same({ sent = "ob_1" }, pushes())
      assert.equal(0, #sent "/push")
      item.id, item.attempt = "ob_2", 1
      push((BODY:gsub("01H", "01I")))
      t.http.on(REPLY, { fails = "unavailable", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      item.attempt = 2
      t.http.on(REPLY, { json = { sentMessages = { { id = "462" } } }, times = 1 }) -- it was not
      assert.same({ sent = "462" }, adapter.send(item, ctx))
      assert.equal(0, #sent "/push")
    end)

    it("are pushed when the token is old, has expired, or is not wanted", function()
      push(BODY)
      t.advance "31s"
      assert.same({ sent = "461" }, pushes())
      assert.equal(0, #sent "/reply")
      push(BODY)
      t.http.on(REPLY, { status = 400, json = { message = "Invalid reply token" } })
      assert.same({ sent = "461" }, adapter.send(item, ctx))
      assert.equal(1, #sent "/reply")
      ctx.config.reply_seconds = 0
      push(BODY)
      adapter.send(item, ctx)
      assert.equal(1, #sent "/reply")
    end)

    it("are pushed under a key that is the same at each try", function()
      assert.equal(5, pushes { status = 500, json = {}, times = 1 }.retry)
      item.attempt = 2
      assert.same({ sent = "ob_1" }, pushes { status = 409, json = { message = "already accepted" }, times = 1 })
      local calls = sent "/push"
      local key = calls[1].headers["x-line-retry-key"]
      assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-8%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", key)
      assert.equal(key, calls[2].headers["x-line-retry-key"])
      assert.same({ to = "U1", messages = { { type = "text", text = "您好" } } }, calls[1].json)
      item.id = "ob_2"
      pushes()
      assert.not_equal(key, sent "/push"[3].headers["x-line-retry-key"])
    end)

    it("that are long are several messages of one call", function()
      item.text = ("退"):rep(5001)
      pushes()
      local list = sent "/push"[1].json.messages
      assert.equal(2, #list)
      assert.equal(5000, utf8.len(list[1].text))
      assert.equal("退", list[2].text)
    end)

    it("as cards are a template, quick replies, or words", function()
      item.kind, item.text = "card", nil
      item.card = { title = "满意吗？", buttons = { { label = "满意", value = "good" },
        { label = "更多", url = "https://x.example.com" } } }
      pushes()
      local template = sent "/push"[1].json.messages[1].template
      assert.same({ type = "buttons", text = "满意吗？", actions = {
        { type = "postback", label = "满意", data = "good", displayText = "满意" },
        { type = "uri", label = "更多", uri = "https://x.example.com" } } }, template)
      item.card.buttons = {}
      for i = 1, 10 do item.card.buttons[i] = { label = "选项" .. i } end
      adapter.send(item, ctx)
      assert.equal(10, #sent "/push"[2].json.messages[1].quickReply.items)
      item.card = { title = "订单", text = "已发货", url = "https://x.example.com/1" }
      adapter.send(item, ctx)
      assert.same({ { type = "text", text = "订单\n已发货\nhttps://x.example.com/1" } }, sent "/push"[3].json.messages)
    end)

    it("as places are places", function()
      item = { id = "ob_2", to = "U1", kind = "location", lat = 31.2, lng = 121.5, label = "外滩", attempt = 1 }
      pushes()
      assert.same({ { type = "location", title = "外滩", address = "外滩", latitude = 31.2, longitude = 121.5 } },
        sent "/push"[1].json.messages)
    end)

    it("fail with a reason, or come again", function()
      local cases = {
        { 401, "Authentication failed", "invalid_token" }, { 403, "Not available for this account", "not_allowed" },
        { 429, "You have reached your monthly limit.", "quota_used" }, { 429, "The API rate limit", 30 },
        { 400, "The property, 'to', in the request body is invalid", "no_recipient" },
        { 400, "The request body has 1 error(s)", "refused" }, { 503, "busy", 5 },
      }
      for _, case in ipairs(cases) do
        local got = pushes { status = case[1], json = { message = case[2] }, times = 1 }
        assert.equal(case[3], got.failed or got.retry, case[2])
        assert.contains(tostring(case[1]), got.why)
      end
      assert.equal(7, pushes { status = 429, json = {}, headers = { ["retry-after"] = "7" }, times = 1 }.retry)
      assert.equal(5, pushes { fails = "timeout", times = 1 }.retry)
    end)

    it("are dead at once while there is no token, or of a kind nobody knows", function()
      item.kind = "sticker"
      assert.equal("unsupported", adapter.send(item, ctx).failed)
      item.kind, ctx.config.access_token = "text", nil
      assert.equal("config", adapter.send(item, ctx).failed)
    end)
  end)

  it("says in words what its settings lack", function()
    local INFO, HOOK = "GET https://api.line.me/v2/bot/info", "GET https://api.line.me/v2/bot/channel/webhook/endpoint"
    local function says(info, hook)
      if info then t.http.on(INFO, info) end
      if hook then t.http.on(HOOK, hook) end
      local ok, code, why = adapter.check(ctx.config, ctx)
      return ok == true and "ok" or code, why
    end
    local fine = { json = { basicId = "@x" }, times = 1 }
    local function at(path, active)
      return { json = { endpoint = "https://chat.example.com" .. path, active = active }, times = 1 }
    end
    assert.equal("ok", (says(fine, at("/hooks/ch_1", true))))
    assert.contains("Use webhook", select(2, says(fine, at("/hooks/ch_1", false))))
    assert.contains("URL", select(2, says(fine, at("/hooks/ch_2", true))))
    assert.equal("webhook", (says(fine, { status = 404, json = {}, times = 1 })))
    assert.equal("invalid_token", (says { status = 401, json = { message = "x" }, times = 1 }))
    assert.equal("unavailable", (says { fails = "unavailable", times = 1 }))
    ctx.config.access_token = nil
    assert.equal("access_token", (says()))
    ctx.config.channel_secret = nil
    assert.equal("channel_secret", (says()))
  end)
end)
