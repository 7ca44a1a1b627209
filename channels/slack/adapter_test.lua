-- yuelai test channels/slack
local t, kit, slack = require "test", require "tests.desk", require "tests.slack"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"
local url = require "url"

local VECTOR = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
  .. "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
  .. "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
  .. "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
local FORM = "application/x-www-form-urlencoded"
local USER, SECRET, known = slack.USER, slack.SECRET, slack.known

describe("channel slack", { only = "none" }, function()
  local desk, ctx, delivered, call, push, event
  before_each(function()
    t.at "2018-07-12 18:37 UTC" -- 1531420620
    desk = kit.of({ type = "slack", name = "Slack" },
      { signing_secret = secret.hide(SECRET), bot_token = secret.hide "xoxb-1" })
    ctx, delivered = desk.ctx, desk.delivered
    local peer = slack.at(desk)
    call, push, event = peer.call, peer.push, peer.event
  end)

  local function press(fields)
    return push("payload=" .. url.encode(json.encode(fields)), FORM)
  end
  local function text_of(text, more)
    delivered = desk:anew()
    more = more or {}
    more.text = text
    assert.equal(200, (event(more)))
    return delivered[1] and delivered[1].text
  end

  describe("signatures", function()
    it("are good as in Slack's own example, for five minutes", function()
      local sum = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
      assert.equal(200, (call(VECTOR, "1531420618", sum, FORM)))
      assert.equal(401, (call(VECTOR .. "x", "1531420618", sum, FORM)))
      t.advance "299s"
      assert.equal(401, (call(VECTOR, "1531420618", sum, FORM)))
    end)

    it("are needed, fresh and over the very bytes", function()
      local body = '{"type":"x"}'
      local now = math.floor(time.now() / 1000)
      local function sum(stamp) return "v0=" .. crypto.hmac("sha256", SECRET, "v0:" .. stamp .. ":" .. body) end
      assert.equal(200, (call(body, tostring(now - 300), sum(now - 300))))
      assert.equal(200, (call(body, tostring(now + 300), sum(now + 300))))
      assert.equal(401, (call(body, tostring(now - 301), sum(now - 301))))
      assert.equal(401, (call(body, tostring(now + 301), sum(now + 301))))
      assert.equal(401, (call(body .. " ", tostring(now), sum(now))))
      assert.equal(401, (call(body, tostring(now), sum(now):sub(1, -2))))
      assert.equal(401, (call(body, tostring(now))))
      assert.equal(401, (call(body, nil, sum(now))))
      assert.equal(401, (call(body, "x" .. now, sum(now))))
      ctx.config.signing_secret = nil
      assert.equal(403, (call(body, tostring(now), sum(now))))
    end)

    it("let the address be verified", function()
      local status, body = push { type = "url_verification", challenge = "c", token = "t" }
      assert.equal(200, status)
      assert.equal("c", body)
    end)
  end)

  describe("messages in", function()
    it("of a direct chat come with name and mail, which are asked for once", function()
      known()
      assert.equal(200, (event { text = "hi" }))
      assert.same({ { dedupe = "1735700000.000100", from = "D1", kind = "text", text = "hi", name = "Li",
        profile = { email = "li@x.example.com" } } }, delivered)
      event({ text = "ho" }, "Ev2")
      assert.equal(1, #t.http.calls())
      assert.equal("Bearer xoxb-1", t.http.calls()[1].headers.authorization)
      assert.equal("user=U1", t.http.calls()[1].body)
    end)

    it("come without a name when Slack does not tell it", function()
      t.http.on(USER, { json = { ok = false, error = "missing_scope" } })
      event { text = "hi" }
      assert.is_nil(delivered[1].name)
      ctx.config.bot_token = nil
      event { text = "hi" }
      assert.equal(1, #t.http.calls())
    end)

    it("of a channel are mentions, and a thread is who writes", function()
      known()
      event { type = "app_mention", channel_type = "channel", channel = "C1", text = "<@UBOT> help", ts = "17.1" }
      event { type = "app_mention", channel = "C1", text = "<@UBOT> more", ts = "17.2", thread_ts = "17.1" }
      event { channel_type = "channel", channel = "C1", text = "no mention" }
      assert.equal(2, #delivered)
      assert.equal("C1:17.1", delivered[1].from)
      assert.equal("help", delivered[1].text)
      assert.equal("C1:17.1", delivered[2].from)
    end)

    it("are plain text", function()
      known()
      assert.equal("1 < 2 & 3 > 2", text_of "1 &lt; 2 &amp; 3 &gt; 2")
      assert.equal("&lt;", text_of "&amp;lt;")
      assert.equal("see https://x.example.com/a", text_of "see <https://x.example.com/a>")
      assert.equal("x.example.com", (text_of("<http://x.example.com|x.example.com>"):gsub("^http://", "")))
      assert.equal("here https://x.example.com", text_of "<https://x.example.com|here>")
      assert.equal("a@x.example.com", text_of "<mailto:a@x.example.com|a@x.example.com>")
      assert.equal("@Li in #general", text_of "<@U2|Li> in <#C1|general>")
      assert.equal("@U2", text_of "<@U2>")
    end)

    it("of bots, changes and others are left alone", function()
      event { text = "x", bot_id = "B1" }
      event { text = "x", subtype = "message_changed" }
      event { text = "x", subtype = "message_deleted" }
      event { text = "x", subtype = "bot_message" }
      event { type = "team_join" }
      event { text = "x", user = false }
      push { type = "app_rate_limited" }
      assert.same({}, delivered)
    end)

    it("are presses of our buttons, too", function()
      known()
      assert.equal(200, (press { type = "block_actions", user = { id = "U1" }, channel = { id = "D1" },
        message = { ts = "17.5" }, actions = { { type = "button", value = "good", action_ts = "17.6" } } }))
      assert.equal("good", delivered[1].text)
      assert.equal("D1", delivered[1].from)
      assert.equal("17.6 U1", delivered[1].dedupe)
      press { type = "block_actions", user = { id = "U1" }, channel = { id = "C1" },
        message = { ts = "17.5", thread_ts = "17.1" }, actions = { { value = "good", action_ts = "17.7" } } }
      assert.equal("C1:17.1", delivered[2].from)
      assert.equal(200, (push(VECTOR, FORM))) -- a command: not ours
      press { type = "view_submission" }
      assert.equal(2, #delivered)
    end)

    it("are asked for again when the house cannot take them, and else not", function()
      known()
      ctx.deliver = function() return nil, "unavailable", "full" end
      assert.equal(503, (event { text = "hi" }))
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (event { text = "hi" }))
    end)

    it("that make no sense break nothing", function()
      known()
      assert.equal(400, (push "no"))
      for _, value in ipairs { 1, true, "x", {}, { 1 }, { a = 1 }, json.null } do
        assert.equal(200, (push { type = "event_callback", event = value, authorizations = value }))
        assert.equal(200, (push { type = "url_verification", challenge = value }))
        for _, name in ipairs { "text", "files", "thread_ts", "channel", "user", "subtype", "ts", "bot_id" } do
          assert.equal(200, (event { text = "hi", [name] = value }))
        end
        assert.equal(200, (event { text = "hi", files = { value } }))
        for _, name in ipairs { "actions", "user", "channel", "message", "type" } do
          local fields = { type = "block_actions", user = { id = "U1" }, channel = { id = "C1" } }
          fields.actions = { { value = "v" } }
          fields[name] = value
          assert.equal(200, (press(fields)))
        end
      end
    end)
  end)
end)
