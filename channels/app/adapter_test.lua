-- yuelai test channels/app
local t = require "test"
local crypto, secret = require "crypto", require "secret"

local URL = "https://shop.example.com/push"

describe("channel app", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    t.at "2025-01-01 00:00 UTC" -- 1735689600
    adapter = t.load "channels/app"
    ctx = {
      config = { push_url = URL, push_secret = secret.hide "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
      channel = { id = "ch_1", type = "app", name = "Shop" },
    }
  end)

  local function item(more)
    local it = { id = "ob_1", to = "u-1", contact = "ct_1", conversation = "cv_1", seq = 7, kind = "text", text = "您好",
      attempt = 1, count = 2, unread = 3, sender = { role = "agent", name = "小王" } }
    for name, value in pairs(more or {}) do it[name] = value end
    return it
  end

  -- What the app's server got.
  local function pushed(more)
    t.http.on("POST " .. URL, { json = { ok = true } })
    assert.same({ sent = "ob_1" }, adapter.push(item(more), ctx))
    local calls = t.http.calls()
    return calls[#calls].json.data, calls[#calls]
  end

  describe("a push", function()
    it("says for whom, from where, how many, and what it replaces", function()
      ctx.config.bundle_id = "com.example.shop"
      local data, call = pushed()
      assert.equal("push", call.json.type)
      assert.same({ id = "ob_1", collapse_key = "cv_1", user_id = "u-1", contact = "ct_1", conversation = "cv_1",
        channel = "ch_1", kind = "text", seq = 7, title = "小王", body = "您好", count = 2, badge = 3,
        bundle_id = "com.example.shop" }, data)
    end)

    it("is signed by every secret there is", function()
      ctx.config.previous_push_secret = secret.hide "old"
      local _, call = pushed()
      local key = crypto.base64_decode "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
      local mine = "v1," .. crypto.hmac("sha256", key, "ob_1.1735689600." .. call.body, "base64")
      assert.is_true(call.headers["webhook-signature"]:find(mine, 1, true) ~= nil)
      assert.is_true(call.headers["webhook-signature"]:find(" v1,", 1, true) ~= nil)
      assert.equal("ob_1", call.headers["webhook-id"])
    end)

    it("has no user id for a guest", function() assert.is_nil(pushed { to = "" }.user_id) end)

    it("is cut to what fits on a screen, by characters", function()
      local body = pushed { text = ("好"):rep(500) }.body
      assert.equal(("好"):rep(119) .. "…", body)
    end)

    it("names what is no text, in the language that is set", function()
      local photo = { kind = "image", file = { id = "fi_1", name = "box.jpg" } }
      assert.equal("[图片] box.jpg", pushed(photo).body)
      ctx.config.language = "en"
      assert.equal("[Image] box.jpg", pushed(photo).body)
      assert.equal("[Card] Summer sale", pushed { kind = "card", card = { title = "Summer sale" } }.body)
    end)

    it("keeps to itself what the shop wants kept", function()
      ctx.config.preview = "sender"
      local data = pushed()
      assert.same({ "小王", "您有新消息" }, { data.title, data.body })
      ctx.config.preview, ctx.config.language = "none", "en"
      data = pushed()
      assert.same({ "Shop", "You have a new message" }, { data.title, data.body })
    end)

    it("comes again when the server is away, and is dead when it says gone", function()
      local function answer(with)
        t.http.on("POST " .. URL, with)
        return adapter.push(item(), ctx)
      end
      assert.equal(5, answer { fails = "timeout", times = 1 }.retry)
      assert.equal(30, answer { status = 503, headers = { ["retry-after"] = "30" }, times = 1 }.retry)
      assert.equal("gone", answer { status = 410, times = 1 }.failed)
      assert.same({ sent = "apns-1" }, answer { json = { id = "apns-1" } })
    end)
  end)

  describe("check", function()
    local function wrong(config)
      local ok, code = adapter.check(config)
      return ok or code
    end
    it("says what is wrong", function()
      assert.equal("push_url", wrong { push_url = "shop.example.com" })
      assert.equal("push_secret", wrong { push_url = URL })
      assert.equal("identity_hours", wrong { identity_hours = 0 })
      assert.equal("push_after", wrong { push_after = 0 })
      assert.equal("push_quiet", wrong { push_quiet = 90000 })
    end)
    it("is content without pushes, and with good ones", function()
      assert.is_true(wrong {})
      assert.is_true(wrong(ctx.config))
    end)
  end)
end)
