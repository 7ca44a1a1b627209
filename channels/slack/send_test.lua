-- yuelai test channels/slack
local t, kit, slack = require "test", require "tests.desk", require "tests.slack"
local secret = require "secret"

local POST = "POST https://slack.com/api/chat.postMessage"
local SECRET, known = slack.SECRET, slack.known

describe("channel slack, out", { only = "none" }, function()
  local adapter, ctx, event
  before_each(function()
    t.at "2018-07-12 18:37 UTC" -- 1531420620
    local desk = kit.of({ type = "slack", name = "Slack" },
      { signing_secret = secret.hide(SECRET), bot_token = secret.hide "xoxb-1" })
    adapter, ctx = desk.adapter, desk.ctx
    event = slack.at(desk).event
  end)

  describe("answers", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "D1", kind = "text", text = "您好 <b> & co", attempt = 1 }
      known()
    end)
    local function sends(with)
      t.http.on(POST, with or { json = { ok = true, channel = "D1", ts = "17.9" } })
      return adapter.send(item, ctx)
    end
    local function sent()
      local list = {}
      for _, c in ipairs(t.http.calls()) do
        if c.path == "/api/chat.postMessage" then list[#list + 1] = c.json end
      end
      return list[#list]
    end

    it("are posted, with Slack's signs escaped", function()
      assert.same({ sent = "17.9" }, sends())
      assert.same({ channel = "D1", text = "您好 &lt;b&gt; &amp; co", mrkdwn = false }, sent())
    end)

    it("go to the thread where it was said", function()
      event { text = "hi", thread_ts = "17.1" }
      sends()
      assert.equal("17.1", sent().thread_ts)
      event { text = "hi" }
      adapter.send(item, ctx)
      assert.is_nil(sent().thread_ts)
      item.to = "C1:17.4"
      adapter.send(item, ctx)
      assert.equal("C1", sent().channel)
      assert.equal("17.4", sent().thread_ts)
    end)

    it("as cards have buttons", function()
      item.kind, item.text = "card", nil
      item.card = { title = "满意吗？", buttons = { { label = "满意", value = "good" },
        { label = "更多", url = "https://x.example.com" } } }
      sends()
      local body = sent()
      assert.equal("满意吗？", body.text)
      assert.equal("满意吗？", body.blocks[1].text.text)
      assert.equal("good", body.blocks[2].elements[1].value)
      assert.equal("https://x.example.com", body.blocks[2].elements[2].url)
      item.card = { title = "订单", text = "已发货", url = "https://x.example.com/1" }
      adapter.send(item, ctx)
      assert.equal("订单\n已发货\nhttps://x.example.com/1", sent().text)
      assert.is_nil(sent().blocks)
    end)

    it("fail with a reason, or come again", function()
      local cases = {
        invalid_auth = "invalid_token", token_revoked = "invalid_token", channel_not_found = "no_recipient",
        is_archived = "no_recipient", missing_scope = "not_allowed", not_in_channel = "not_allowed",
        msg_too_long = "refused", ratelimited = 5, internal_error = 5,
      }
      for code, expected in pairs(cases) do
        local got = sends { json = { ok = false, error = code }, times = 1 }
        assert.equal(expected, got.failed or got.retry, code)
        assert.contains(code, got.why)
      end
      local slow = { ["retry-after"] = "30" }
      local busy = { ok = false, error = "ratelimited" }
      assert.equal(30, sends { status = 429, json = busy, headers = slow, times = 1 }.retry)
      assert.equal(30, sends { status = 429, body = "", headers = slow, times = 1 }.retry)
      assert.equal(5, sends { status = 503, body = "<html>", times = 1 }.retry)
      assert.equal(5, sends { fails = "timeout", times = 1 }.retry)
    end)

    it("are dead at once while there is no token, or of a kind nobody knows", function()
      item.kind = "sticker"
      assert.equal("unsupported", adapter.send(item, ctx).failed)
      item.kind, ctx.config.bot_token = "text", nil
      assert.equal("config", adapter.send(item, ctx).failed)
    end)
  end)

  it("says in words what its settings lack", function()
    local function says(answer)
      if answer then t.http.on("POST https://slack.com/api/auth.test", answer) end
      local ok, code, why = adapter.check(ctx.config, ctx)
      return ok == true and "ok" or code, why
    end
    local function with(scopes)
      return { json = { ok = true, team = "T" }, headers = { ["x-oauth-scopes"] = scopes }, times = 1 }
    end
    assert.equal("ok", (says(with "chat:write,im:history, users:read,app_mentions:read")))
    assert.contains("im:history", select(2, says(with "chat:write,users:read")))
    assert.equal("ok", (says { json = { ok = true }, times = 1 }))
    local code, why = says { json = { ok = false, error = "invalid_auth" }, times = 1 }
    assert.equal("invalid_token", code)
    assert.contains("Bot Token", why)
    assert.equal("unavailable", (says { fails = "unavailable", times = 1 }))
    ctx.config.bot_token = nil
    assert.equal("bot_token", (says()))
    ctx.config.signing_secret = nil
    assert.equal("signing_secret", (says()))
  end)
end)
