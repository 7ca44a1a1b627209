-- yuelai test channels/feishu
local kit = require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

local HELLO = "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="

describe("channel feishu", { only = "none" }, function()
  local desk, adapter, ctx, delivered, receipts
  before_each(function()
    desk = kit.of({ type = "feishu", name = "bot" },
      { app_id = "cli_x", app_secret = secret.hide "app-secret", verification_token = secret.hide "v" })
    adapter, ctx, delivered, receipts = desk.adapter, desk.ctx, desk.delivered, desk.receipts
  end)

  local function post(body, headers)
    return adapter.receive({ method = "POST", path = "", query = {}, headers = headers or {}, body = body }, ctx)
  end

  local function seal(text, key)
    local iv = "0123456789abcdef"
    return crypto.base64_encode(iv .. crypto.aes_cbc_encrypt(crypto.sha256(key or "test key", "raw"), iv, text))
  end
  local function signed(body, key)
    return { ["x-lark-request-timestamp"] = "1735700000", ["x-lark-request-nonce"] = "nonce123",
      ["x-lark-signature"] = crypto.sha256("1735700000" .. "nonce123" .. (key or "test key") .. body) }
  end

  local function event_of(kind, content, more)
    local message = { message_id = "om_1", root_id = "", create_time = "1735700000000", chat_id = "oc_1",
      chat_type = "p2p", message_type = kind, content = json.encode(content) }
    for name, value in pairs(more or {}) do message[name] = value end
    local header = { event_id = "e1", event_type = "im.message.receive_v1", token = "v", app_id = "cli_x" }
    local sender = { sender_id = { open_id = "ou_1", union_id = "on_1" }, sender_type = "user" }
    return { schema = "2.0", header = header, event = { sender = sender, message = message } }
  end
  local function text_of(kind, content, more)
    delivered = desk:anew()
    assert.equal(200, (post(json.encode(event_of(kind, content, more)))))
    return delivered[1] and delivered[1].text
  end

  describe("vectors", function()
    it("AES: hello world", function()
      ctx.config.encrypt_key = secret.hide "test key"
      local status, why = post('{"encrypt":"' .. HELLO .. '"}') -- opened, but no event
      assert.equal(403, status)
      assert.contains("Encrypt Key", why)
      local bytes, key = crypto.base64_decode(HELLO), crypto.sha256("test key", "raw")
      assert.equal("hello world", crypto.aes_cbc_decrypt(key, bytes:sub(1, 16), bytes:sub(17)))
    end)

    it("signature", function()
      local body = '{"encrypt":"' .. HELLO .. '"}'
      assert.equal("57cece29254d7f2bfbba5bb4d2d7c75f08b9d519dea1dc7fc13f49a45f836a61",
        signed(body)["x-lark-signature"])
    end)

    it("group bot's signature, for whoever sends by one", function()
      local sign = crypto.hmac("sha256", "1735700000\ntest_secret", "", "base64")
      assert.equal("TVvg5arjRbBz7wJwS9vFq74ehaJacsu0HSxiBRLtNX8=", sign)
    end)
  end)

  describe("the address", function()
    it("is verified by the token", function()
      local status, answer = post '{"type":"url_verification","challenge":"c","token":"v"}'
      assert.equal(200, status)
      assert.same({ challenge = "c" }, answer)
      assert.equal(401, (post '{"type":"url_verification","challenge":"c","token":"w"}'))
      assert.equal(401, (post '{"type":"url_verification","challenge":"c"}'))
    end)

    it("is verified sealed, without a signature", function()
      ctx.config.encrypt_key = secret.hide "test key"
      local sealed = seal '{"type":"url_verification","challenge":"c","token":"v"}'
      local status, answer = post(json.encode { encrypt = sealed })
      assert.equal(200, status)
      assert.same({ challenge = "c" }, answer)
    end)

    it("takes nothing without a key and a token, nothing that is no POST", function()
      ctx.config.verification_token = nil
      assert.equal(403, (post(json.encode(event_of("text", { text = "Hi" })))))
      ctx.config.verification_token = secret.hide "v"
      assert.equal(405, (adapter.receive({ method = "GET", path = "", query = {}, headers = {}, body = "" }, ctx)))
    end)

    it("refuses what is cut, at each place", function()
      local body = json.encode(event_of("text", { text = "Hi" }))
      for size = 0, #body - 1 do assert.equal(400, (post(body:sub(1, size))), "of " .. size) end
      assert.same({}, delivered)
    end)
  end)

  describe("sealed events", function()
    local body
    before_each(function()
      ctx.config.encrypt_key = secret.hide "test key"
      body = json.encode { encrypt = seal(json.encode(event_of("text", { text = "在吗" }))) }
    end)

    it("are taken when they are signed", function()
      assert.equal(200, (post(body, signed(body))))
      assert.same({ { dedupe = "om_1", from = "ou_1", kind = "text", text = "在吗" } }, delivered)
    end)

    it("are refused unsigned, forged, plain, under another key, cut", function()
      assert.equal(401, (post(body)))
      assert.equal(401, (post(body, signed(body, "other"))))
      local headers = signed(body)
      headers["x-lark-request-nonce"] = "nonce124"
      assert.equal(401, (post(body, headers)))
      local plain = json.encode(event_of("text", { text = "forged" }))
      assert.equal(403, (post(plain, signed(plain))))
      local other = json.encode { encrypt = seal(json.encode(event_of("text", { text = "Hi" })), "other") }
      assert.equal(403, (post(other, signed(other))))
      for _, size in ipairs { 0, 1, 16, 32, 64 } do
        local cut = json.encode { encrypt = json.decode(body).encrypt:sub(1, size) }
        assert.equal(403, (post(cut, signed(cut))), "of " .. size)
      end
      ctx.config.encrypt_key = nil
      assert.equal(403, (post(body, signed(body))))
      assert.same({}, delivered)
    end)

    it("are for one app only", function()
      ctx.config.app_id = "cli_other"
      assert.equal(403, (post(body, signed(body))))
    end)
  end)

  describe("messages", function()
    it("of each type are something people can read", function()
      assert.equal("在吗", text_of("text", { text = "在吗" }))
      assert.equal("[表情]", text_of("sticker", { file_key = "f" }))
      assert.equal("[群名片]", text_of("share_chat", { chat_id = "oc_1" }))
      assert.equal("[卡片]", text_of("interactive", {}))
      assert.equal("[暂不支持的消息] hongbao", text_of("hongbao", { text = "x" }))
      assert.equal("[空消息]", text_of("text", { text = "" }))
    end)

    it("of rich text are its lines", function()
      local content = { title = "标题", content = {
        { { tag = "text", text = "看" }, { tag = "a", text = "这里", href = "https://x.cn" }, { tag = "img" } },
        { { tag = "at", user_name = "小王" }, { tag = "emotion", emoji_type = "SMILE" } } } }
      assert.equal("标题\n看这里 https://x.cn[图片]\n@小王[表情]", text_of("post", content))
      assert.equal("标题\n看这里 https://x.cn[图片]\n@小王[表情]", text_of("post", { zh_cn = content }))
      assert.equal("[空消息]", text_of("post", {}))
    end)

    it("are places where they are", function()
      text_of("location", { name = "外滩", longitude = "121.5", latitude = "31.2" })
      local place = { dedupe = "om_1", from = "ou_1", kind = "location", lat = 31.2, lng = 121.5, label = "外滩" }
      assert.same(place, delivered[1])
      assert.equal("[位置]", text_of("location", {}))
    end)

    it("in groups come without the bot's name and with the others'", function()
      local mentions = { { key = "@_user_1", name = "客服" }, { key = "@_user_2", name = "小李" } }
      local more = { chat_type = "group", mentions = mentions }
      assert.equal("问 @小李 的订单", text_of("text", { text = "@_user_1 问 @_user_2 的订单" }, more))
      assert.equal("ou_1@oc_1", delivered[1].from)
      assert.equal("@客服 你好", text_of("text", { text = "@_user_1 你好" }, { mentions = mentions }))
    end)

    it("of bots and other events are answered and not taken; read ones are told", function()
      local e = event_of("text", { text = "Hi" })
      e.event.sender.sender_type = "app"
      assert.equal(200, (post(json.encode(e))))
      e = event_of("text", { text = "Hi" })
      e.header.event_type = "im.message.reaction.created_v1"
      assert.equal(200, (post(json.encode(e))))
      e.header.event_type, e.event = "im.message.message_read_v1", { message_id_list = { "om_8", "om_9" } }
      assert.equal(200, (post(json.encode(e))))
      assert.same({}, delivered)
      assert.same({ { sent = "om_8", status = "read" }, { sent = "om_9", status = "read" } }, receipts)
    end)

    it("with fields of any type are answered, never an error", function()
      for _, odd in ipairs { 1, true, json.null, {}, { a = 1 }, "x" } do
        for _, name in ipairs { "message_id", "chat_id", "chat_type", "message_type", "content", "mentions" } do
          local e = event_of("text", { text = "@_user_1 Hi" }, { [name] = odd })
          assert.equal(200, (post(json.encode(e))), name)
        end
        for _, kind in ipairs { "post", "location", "file", "text" } do
          local content = { text = odd, title = odd, content = odd, name = odd, file_name = odd, latitude = odd }
          assert.equal(200, (post(json.encode(event_of(kind, content)))), kind)
        end
        local e = event_of("text", { text = "Hi" })
        e.event.sender = odd
        assert.equal(200, (post(json.encode(e))))
        e.event = odd
        assert.equal(200, (post(json.encode(e))))
      end
    end)

    it("are pushed again when the house cannot take them, and else not", function()
      local body = json.encode(event_of("text", { text = "Hi" }))
      ctx.deliver = function() return nil, "unavailable", "full" end
      assert.equal(503, (post(body)))
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (post(body)))
    end)
  end)
end)
