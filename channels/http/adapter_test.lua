-- yuelai test channels/http
local t, kit = require "test", require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

local SDK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
local SDK_BODY = '{"test": 2432232314}'
local SDK_SIGN = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
local B = '{"type":"message.created","timestamp":"2025-01-01T00:00:00Z","data":{"id":"m1"}}'
local B_SIGN = "v1,3Jke7wV8yN9YlViysnoGERNTG2Wy58Cv0NfNMF4FNX8="
local SEED = '{"type":"weapp","config":{"appid":"wx123"}}'

describe("channel http", { only = "none" }, function()
  local desk, adapter, ctx, delivered, receipts
  before_each(function()
    t.at "2025-01-01 00:00 UTC" -- 1735689600
    desk = kit.of({ type = "http" }, { url = "https://shop.example.com/in", secret = secret.hide "s3cret" }, {
      deliver = function(message)
        if message.from == "" then return nil, "bad_request", "deliver: `from` is missing" end
      end,
      receipt = function(receipt)
        if receipt.sent == "nobody" then return nil, "not_found", "no message was sent with this id" end
      end,
      file = function() return nil, "not_found", "the answer was 404" end, -- see media_test.lua
    })
    adapter, ctx, delivered, receipts = desk.adapter, desk.ctx, desk.delivered, desk.receipts
  end)

  local function push(body, headers, path, method)
    return adapter.receive({ method = method or "POST", path = path or "", query = {}, body = body, headers = headers }, ctx)
  end

  local function signed(event, path)
    local body = json.encode(event)
    return push(body, { ["x-signature"] = crypto.hmac("sha256", "s3cret", body) }, path)
  end

  -- A signature is good when the answer is anything but 401.
  local function takes(expected, key, body, headers)
    ctx.config.secret = secret.hide(key)
    local status = push(body, headers)
    assert.equal(expected, status ~= 401, headers["webhook-signature"] or headers["x-signature"])
  end

  local function standard(signature, stamp, id)
    return { ["webhook-id"] = id or "msg_p5jXN8AQM9LWM0D4loKWxJek",
      ["webhook-timestamp"] = stamp or "1614265330", ["webhook-signature"] = signature }
  end

  describe("signatures in", function()
    it("is RFC 4231's HMAC", function()
      assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        crypto.hmac("sha256", "Jefe", "what do ya want for nothing?"))
    end)

    it("takes GitHub's", function()
      local sum = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
      takes(true, "It's a Secret to Everybody", "Hello, World!", { ["x-hub-signature-256"] = "sha256=" .. sum })
      takes(false, "It's a Secret to Everybody", "Hello, World!\n", { ["x-hub-signature-256"] = "sha256=" .. sum })
    end)

    it("takes our GitHub-like one, bare and in capitals too", function()
      local sum = "7cabcbc247a08e4af6af63fd5a9844ef107428b83c476b99dbc66ca08fc87f45"
      takes(true, "test_secret", B, { ["x-hub-signature-256"] = "sha256=" .. sum })
      takes(true, "test_secret", B, { ["x-signature"] = sum })
      takes(true, "test_secret", B, { ["x-signature"] = sum:upper() })
      takes(false, "test_secret", B, { ["x-signature"] = sum:sub(1, 63) })
      takes(false, "test_secret", B .. "\n", { ["x-signature"] = sum })
    end)

    it("takes the one of the Standard Webhooks SDK", function()
      t.at "2021-02-25 15:02:10 UTC" -- 1614265330
      takes(true, SDK, SDK_BODY, standard(SDK_SIGN))
      takes(true, SDK:sub(7), SDK_BODY, standard(SDK_SIGN))
      takes(true, SDK, SDK_BODY, standard("v1,AAAA " .. SDK_SIGN))
      takes(true, SDK, SDK_BODY, standard("v9,AAAA " .. SDK_SIGN))
      takes(false, SDK, SDK_BODY, standard "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=")
      takes(false, SDK, SDK_BODY, standard((SDK_SIGN:gsub("v1", "v2"))))
      takes(false, SDK, SDK_BODY .. "\n", standard(SDK_SIGN))
      takes(false, SDK, SDK_BODY, standard(SDK_SIGN, "1614265331"))
      takes(false, SDK, SDK_BODY, standard(SDK_SIGN, nil, "msg_other"))
    end)

    it("takes ours", function()
      takes(true, SDK, B, standard(B_SIGN, "1735689600", "msg_0001"))
    end)

    it("refuses what is more than five minutes off, before and after", function()
      t.at "2025-01-01 00:05:00 UTC"
      takes(true, SDK, B, standard(B_SIGN, "1735689600", "msg_0001"))
      t.advance "1s"
      takes(false, SDK, B, standard(B_SIGN, "1735689600", "msg_0001"))
    end)

    it("refuses what comes from the future", function()
      t.at "2024-12-31 23:54:59 UTC"
      takes(false, SDK, B, standard(B_SIGN, "1735689600", "msg_0001"))
    end)

    it("takes a Stripe-like one", function()
      local sum = "bee05722ef173fe8cda130fc2c849a245516b0cad4e80415f26caa6b205c6390"
      takes(true, "whsec_test_secret", B, { ["x-signature"] = "t=1735689600,v1=" .. sum })
      takes(true, "whsec_test_secret", B, { ["x-signature"] = "t=1735689600,v1=00,v1=" .. sum .. ",v0=1" })
      takes(false, "whsec_test_secret", B, { ["x-signature"] = "v1=" .. sum })
      takes(false, "whsec_test_secret", B, { ["x-signature"] = "t=1735689600" })
    end)

    it("takes the one of Stripe's SDK", function()
      t.at "2021-02-25 15:02:10 UTC"
      takes(true, "whsec_test_secret", '{"id":"evt_test_webhook","object":"event"}',
        { ["x-signature"] = "t=1614265330,v1=3c5817089d739023dd6190f70a3757e04f7a2fd8b5dab12c2e000f51970dccff" })
    end)

    it("takes the seed's two", function()
      takes(true, "your_key", SEED, { ["x-signature"] = "d90d5deb2d7b86200f8f85a034903b4fe41a0575a271f02f707e27ba22a41038" })
      takes(true, "your_key", SEED,
        { ["x-signature"] = "t=1735689600,v1=dbf523a1ff8f1f32bbe3953ea09a1402dc4fe430e5f46ae874c73bd2cb4f4d53" })
    end)

    it("still takes the previous secret's", function()
      ctx.config.previous_secret = secret.hide "test_secret"
      takes(true, "new", B, { ["x-signature"] = "7cabcbc247a08e4af6af63fd5a9844ef107428b83c476b99dbc66ca08fc87f45" })
    end)

    it("takes nothing without a signature or without a secret", function()
      assert.equal(401, (push("{}", {})))
      ctx.config.secret = nil
      assert.equal(401, (push("{}", { ["x-signature"] = "" })))
      assert.same({}, delivered)
    end)
  end)

  describe("messages in", function()
    it("delivers a text, flat or as an event", function()
      local status, answer = signed { id = "m1", from = "u1", name = "Anna", text = "Hi" }
      assert.equal(200, status)
      assert.equal("m_1", answer.id)
      assert.equal(200, (signed { type = "message.created", data = { id = 2, from = 7, text = "Ho" } }))
      assert.same({ { dedupe = "m1", from = "u1", name = "Anna", kind = "text", text = "Hi" },
        { dedupe = "2", from = "7", kind = "text", text = "Ho" } }, delivered)
    end)

    it("delivers places and cards as they are", function()
      signed { id = "m1", from = "u1", kind = "location", lat = 31.2, lng = 121.5, label = "外滩" }
      signed { id = "m2", from = "u1", kind = "card", card = { title = "4711" } }
      assert.equal(31.2, delivered[1].lat)
      assert.equal("外滩", delivered[1].label)
      assert.same({ title = "4711" }, delivered[2].card)
    end)

    it("knows a repeated push by the header too", function()
      local body = '{"from":"u1","text":"Hi"}'
      push(body, { ["x-signature"] = crypto.hmac("sha256", "s3cret", body), ["webhook-id"] = "w1" })
      assert.equal("w1", delivered[1].dedupe)
    end)

    it("survives every body cut at every place, and fields of every type", function()
      local body = '{"type":"message.created","data":{"id":"m1","from":"u1","name":"Anna","kind":"location","lat":1,"lng":2,"label":"x"}}'
      local function raw(text) return (push(text, { ["x-signature"] = crypto.hmac("sha256", "s3cret", text) })) end
      for i = 0, #body - 1 do assert.equal(400, raw(body:sub(1, i)), "cut at " .. i) end
      assert.same({}, delivered)
      for _, name in ipairs { "id", "from", "name", "profile", "kind", "text", "lat", "card", "url", "from_name", "type", "data", "sent", "status" } do
        for _, value in ipairs { 1, true, {}, { 1 }, { a = 1 }, json.null, "", ("x"):rep(70000) } do
          local event = { id = "m1", from = "u1", text = "Hi", kind = "image", url = "https://x.example.com" }
          event[name] = value
          assert.is_true(raw(json.encode(event)) >= 200, name)
          assert.is_true(signed(event, "/receipts") >= 200, name)
        end
      end
    end)

    it("takes null for nothing", function()
      local body = '{"id":null,"from":null,"text":"Hi"}'
      assert.equal(422, (push(body, { ["x-signature"] = crypto.hmac("sha256", "s3cret", body) })))
      assert.is_nil(delivered[1].dedupe)
      assert.equal("", delivered[1].from)
    end)

    it("keeps ids that are long numbers whole", function()
      local body = '{"id":1234567890123457,"from":4503599627370495,"text":"Hi"}'
      push(body, { ["x-signature"] = crypto.hmac("sha256", "s3cret", body) })
      assert.equal("1234567890123457", delivered[1].dedupe)
      assert.equal("4503599627370495", delivered[1].from)
    end)

    it("says what is wrong", function()
      local status, answer = signed { id = "m1" }
      assert.equal(422, status)
      assert.contains("from", answer.error.message)
      assert.equal(400, (push("no", { ["x-signature"] = crypto.hmac("sha256", "s3cret", "no") })))
      assert.equal(404, (signed({}, "/else")))
      assert.equal(200, (signed { type = "order.paid", data = {} }))
    end)

    it("asks for another push when the house cannot take it", function()
      ctx.deliver = function() return nil, "unavailable", "the store is full" end
      assert.equal(503, (signed { id = "m1", from = "u1", text = "Hi" }))
    end)

    it("takes receipts below /receipts", function()
      assert.equal(200, (signed({ sent = "p1", status = "read" }, "/receipts")))
      assert.same({ { sent = "p1", status = "read" } }, receipts)
      assert.equal(404, (signed({ sent = "nobody", status = "read" }, "/receipts")))
    end)
  end)
end)
