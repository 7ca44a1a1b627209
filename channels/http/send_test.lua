-- yuelai test channels/http
local t, kit = require "test", require "tests.desk"
local crypto, secret = require "crypto", require "secret"

local SDK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

describe("channel http, out", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    t.at "2025-01-01 00:00 UTC" -- 1735689600
    local desk = kit.of({ type = "http" }, { url = "https://shop.example.com/in", secret = secret.hide "s3cret" },
      { deliver = function(message)
        if message.from == "" then return nil, "bad_request", "deliver: `from` is missing" end
      end })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  local function push(body, headers, path, method)
    return adapter.receive({ method = method or "POST", path = path or "", query = {}, body = body, headers = headers }, ctx)
  end

  describe("messages out", function()
    local item = { id = "ob_1", to = "u1", kind = "text", text = "您好", attempt = 1 }
    local function answer(with)
      t.http.on("POST https://shop.example.com/in", with)
      return adapter.send(item, ctx)
    end

    it("are signed so that the other side can check them", function()
      ctx.config.secret = secret.hide(SDK)
      assert.same({ sent = "p1" }, answer { json = { id = "p1" } })
      local call = t.http.calls()[1]
      assert.equal("您好", call.json.data.text)
      assert.equal("message.created", call.json.type)
      assert.equal("ob_1", call.headers["webhook-id"])
      assert.equal("1735689600", call.headers["webhook-timestamp"])
      local key = crypto.base64_decode(SDK:sub(7))
      assert.equal("v1," .. crypto.hmac("sha256", key, "ob_1.1735689600." .. call.body, "base64"),
        call.headers["webhook-signature"])
      assert.equal("sha256=" .. crypto.hmac("sha256", SDK, call.body), call.headers["x-hub-signature-256"])
    end)

    it("are accepted by our own webhook", function()
      answer { status = 204 }
      local call = t.http.calls()[1]
      assert.equal(422, (push(call.body, call.headers))) -- well signed, but from nobody
    end)

    it("have our id when the other side gives none", function()
      assert.same({ sent = "ob_1" }, answer { status = 204 })
    end)

    it("come again when it is down, busy or redirects", function()
      assert.equal(5, answer { fails = "timeout", times = 1 }.retry)
      assert.equal(5, answer { status = 503, times = 1 }.retry)
      assert.equal(120, answer { status = 429, headers = { ["retry-after"] = "120" }, times = 1 }.retry)
      assert.equal(60, answer { status = 503, headers = { ["retry-after"] = "Wed, 01 Jan 2025 00:01:00 GMT" }, times = 1 }.retry)
      assert.equal(5, answer { status = 302, times = 1 }.retry)
    end)

    it("are dead when the other side has gone or refuses three times", function()
      assert.equal("gone", answer { status = 410, times = 1 }.failed)
      assert.equal(5, answer { status = 400, body = "no", times = 1 }.retry)
      item.attempt = 3
      assert.equal("refused", answer { status = 400, body = "no", times = 1 }.failed)
      item.attempt = 1
    end)

    it("are dead at once without an address", function()
      ctx.config.url = nil
      assert.equal("no_url", adapter.send(item, ctx).failed)
    end)
  end)

  it("says what its settings lack", function()
    assert.is_true(adapter.check(ctx.config, ctx))
    assert.equal("url", select(2, adapter.check({ secret = "s", url = "shop" }, ctx)))
    assert.equal("secret", select(2, adapter.check({ url = "https://shop.example.com" }, ctx)))
  end)
end)
