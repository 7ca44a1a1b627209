-- yuelai test channels/douyin
local t, kit = require "test", require "tests.desk"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"

local API = "https://open.douyin.com"
local REFRESH_URL = "POST " .. API .. "/oauth/refresh_token/"
local RENEW_URL = "POST " .. API .. "/oauth/renew_refresh_token/"

describe("channel douyin", { only = "none" }, function()
  local desk, adapter, ctx, delivered
  before_each(function()
    t.at "2025-01-01 11:00 +08:00"
    desk = kit.of({ type = "douyin", name = "shop" },
      { client_key = "awKEY", client_secret = secret.hide "test_client_secret", open_id = "B_OPENID",
      refresh_token = secret.hide "rft.1" })
    adapter, ctx, delivered = desk.adapter, desk.ctx, desk.delivered
  end)

  local function push(body, headers)
    headers = headers or {}
    headers["x-douyin-signature"] = headers["x-douyin-signature"] or crypto.sha1("test_client_secret" .. body)
    return adapter.receive({ method = "POST", path = "", query = {}, headers = headers, body = body }, ctx)
  end

  -- An event as Douyin sends it: the content is the text of an object.
  local function happens(event, content, more)
    local all = { conversation_short_id = "@CONV==", server_message_id = "@MSG==", conversation_type = 1,
      create_time = time.now(), scene_type = 100,
      user_infos = { { open_id = "C_OPENID", nick_name = "小王", avatar = "https://x" }, { open_id = "B_OPENID" } } }
    for name, value in pairs(content or {}) do all[name] = value end
    local e = { event = event, client_key = "awKEY", from_user_id = "C_OPENID", to_user_id = "B_OPENID",
      log_id = "2024", content = json.encode(all) }
    for name, value in pairs(more or {}) do e[name] = value end
    return push(json.encode(e), { ["msg-id"] = "M1" })
  end

  local function writes(text, id)
    return happens("im_receive_msg", { message_type = "text", text = text, server_message_id = id })
  end

  local function has_token(name, more)
    local data = { access_token = name or "act.1", expires_in = "1296000", error_code = 0, open_id = "B_OPENID",
      refresh_token = "rft.1", refresh_expires_in = 2592000 }
    for key, value in pairs(more or {}) do data[key] = value end
    t.http.on(REFRESH_URL, { json = { data = data, message = "success" }, times = 1 })
  end

  describe("vectors", function()
    it("S1, the verification, answered with the number it was asked with", function()
      local body = '{"event":"verify_webhook","client_key":"abc","content":{"challenge":12345}}'
      local status, answer = push(body, { ["x-douyin-signature"] = "ed6b1797456b888e29a8fcc49521ba7e1993f7bc" })
      assert.equal(200, status)
      assert.equal('{"challenge":12345}', answer)
      assert.equal(401, (push(body, { ["x-douyin-signature"] = "ed6b1797456b888e29a8fcc49521ba7e1993f7bd" })))
      assert.equal(401, (push(body, { ["x-douyin-signature"] = "" })))
    end)

    it("S2, with UTF-8 and nested JSON", function()
      ctx.config.client_key, ctx.config.open_id = "ck", nil
      local body = '{"event":"im_receive_msg","from_user_id":"u1","to_user_id":"b1","client_key":"ck",'
        .. [["content":"{\"message_type\":\"text\",\"text\":\"你好\"}"}]]
      assert.equal(142, #body)
      local q = { ["x-douyin-signature"] = "4963c83b3cc1bbee699c4e2fd51974713fe30822", ["msg-id"] = "M7" }
      assert.equal(200, (push(body, q)))
      assert.same({ { dedupe = "M7", from = "u1", kind = "text", text = "你好" } }, delivered)
    end)

    it("P1, a phone number, for whoever asks for one", function()
      local key = "0123456789abcdef0123456789abcdef"
      local sealed = crypto.base64_decode "tyUWQwYuUmVFJtElAL+D7Q=="
      assert.equal("12345678910", crypto.aes_cbc_decrypt(key, key:sub(1, 16), sealed))
    end)
  end)

  describe("the address", function()
    it("answers challenges of every type as they are", function()
      local _, answer = push '{"event":"verify_webhook","content":{"challenge":12345678901234567890}}'
      assert.equal('{"challenge":12345678901234567890}', answer)
      _, answer = push [[{"event":"verify_webhook","content":"{\"challenge\":77}"}]]
      assert.equal('{"challenge":77}', answer)
      _, answer = push '{"event":"verify_webhook","content":{"challenge":"abc"}}'
      assert.equal("abc", answer.challenge)
    end)

    it("takes what is signed with either secret, and nothing while there is none", function()
      ctx.config.webhook_secret = secret.hide "hook"
      assert.equal(200, (writes "一"))
      local body = '{"event":"verify_webhook","content":{"challenge":1}}'
      assert.equal(200, (push(body, { ["x-douyin-signature"] = crypto.sha1("hook" .. body) })))
      assert.equal(401, (push(body, { ["x-douyin-signature"] = crypto.sha1(body) })))
      ctx.config.webhook_secret, ctx.config.client_secret = nil, nil
      assert.equal(403, (push(body)))
    end)

    it("refuses what is no event, whole or cut", function()
      local body = '{"event":"im_receive_msg","client_key":"awKEY","from_user_id":"C"}'
      for size = 0, #body - 1 do assert.equal(400, (push(body:sub(1, size))), "of " .. size) end
      assert.equal(400, (push "[1"))
    end)
  end)

  describe("messages", function()
    it("come with the sender's name, known by an id that is signed", function()
      assert.equal(200, (writes("在吗", "@A==")))
      assert.same({ { dedupe = "@A==", from = "C_OPENID", name = "小王", kind = "text", text = "在吗" } }, delivered)
    end)

    it("of each type are something people can read", function()
      local function text_of(content, event)
        delivered = desk:anew()
        assert.equal(200, (happens(event or "im_receive_msg", content)))
        return delivered[1] and delivered[1].text
      end
      assert.equal("[图片]", text_of { message_type = "image" })
      assert.equal("[表情]", text_of { message_type = "emoji" })
      assert.equal("[视频]", text_of { message_type = "video" })
      assert.equal("[其他消息，请在抖音里查看]", text_of { message_type = "other" })
      assert.equal("[空消息]", text_of { message_type = "text", text = "" })
      assert.equal("旧事件", text_of({ message_type = "text", text = "旧事件" }, "receive_msg"))
      assert.equal("[留资卡片]\n姓名：王\n电话：138", text_of { message_type = "retain_consult_card",
        card_data = { { label = "姓名", value = "王" }, { label = "电话", value = "138" } } })
      local told
      ctx.recalled = function(what) told = told or what return true end
      assert.is_nil(text_of({}, "im_recall_msg"))
      assert.same({ from = "C_OPENID", dedupe = "@MSG==" }, told)
    end)

    it("of others are answered and not taken", function()
      happens("im_send_msg", { message_type = "text", text = "ours", source = "awKEY" })
      happens("im_receive_msg", { message_type = "text", text = "group", conversation_type = 2 })
      happens("im_group_receive_msg", { message_type = "text", text = "group" })
      happens("im_receive_msg", { message_type = "text", text = "x" }, { to_user_id = "B_OTHER" })
      happens("im_receive_msg", { message_type = "text", text = "x" }, { client_key = "other" })
      happens("im_enter_direct_msg")
      happens("im_authorize")
      happens("unauthorize", {}, { from_user_id = json.null })
      assert.same({}, delivered)
    end)

    it("with fields of any type are answered, never an error", function()
      for _, odd in ipairs { 1, true, {}, { a = 1 }, "x" } do
        local names = { "message_type", "text", "server_message_id", "user_infos", "create_time", "card_data" }
        for _, name in ipairs(names) do
          assert.equal(200, (happens("im_receive_msg", { message_type = "text", text = "Hi", [name] = odd })), name)
          assert.equal(200, (happens("im_receive_msg", { message_type = "retain_consult_card", [name] = odd })), name)
        end
        assert.equal(200, (happens("im_receive_msg", {}, { content = odd })))
        assert.equal(200, (happens("im_receive_msg", {}, { from_user_id = odd, event = odd })))
      end
    end)

    it("are pushed again when the house cannot take them, and else not", function()
      ctx.deliver = function() return nil, "unavailable", "full" end
      assert.equal(503, (writes "Hi"))
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (writes "Hi"))
    end)
  end)

  describe("the consent", function()
    local refresh_calls = kit.calls_of

    it("is renewed three days before its end, without anybody writing", function()
      has_token()
      assert.same({ again = 30 }, adapter.poll(ctx)) -- no file is late
      t.advance "13d"
      adapter.poll(ctx)
      assert.equal(1, #refresh_calls "/oauth/refresh_token/")
      t.advance "1d"
      has_token("act.2", { refresh_expires_in = 1382400 })
      adapter.poll(ctx)
      assert.equal(2, #refresh_calls "/oauth/refresh_token/")
      assert.same({}, refresh_calls "/oauth/renew")
      t.advance "13d"
      local renewed = { error_code = 0, refresh_token = "rft.2", expires_in = "2592000" }
      t.http.on(RENEW_URL, { json = { data = renewed }, times = 1 })
      adapter.poll(ctx)
      adapter.poll(ctx)
      assert.equal(1, #refresh_calls "/oauth/renew")
      assert.contains("refresh_token=rft.1", refresh_calls("/oauth/renew")[1].body)
      t.advance "1d"
      has_token("act.3", { refresh_token = "rft.2", refresh_expires_in = 2505600 })
      adapter.poll(ctx)
      assert.contains("refresh_token=rft.2", refresh_calls("/oauth/refresh_token/")[3].body)
    end)

    it("that cannot be renewed is tried every six hours", function()
      has_token("act.1", { refresh_expires_in = 86400 })
      t.http.on(RENEW_URL, { json = { data = { error_code = 10020 }, message = "error" } })
      adapter.poll(ctx)
      adapter.poll(ctx)
      assert.equal(1, #refresh_calls "/oauth/renew")
      t.advance "6h"
      adapter.poll(ctx)
      assert.equal(2, #refresh_calls "/oauth/renew")
    end)

    it("is renewed five times and no more", function()
      has_token("act.1", { refresh_expires_in = 86400 })
      t.http.on(RENEW_URL, { json = { data = { error_code = 0, refresh_token = "rft.n", expires_in = 86400 } } })
      for _ = 1, 7 do
        adapter.poll(ctx)
        t.advance "6h"
      end
      assert.equal(5, #refresh_calls "/oauth/renew")
    end)

    it("starts anew when another refresh token is written into the settings", function()
      has_token "act.1"
      adapter.poll(ctx)
      ctx.config.refresh_token = secret.hide "rft.9"
      has_token("act.9", { refresh_token = "rft.9" })
      adapter.poll(ctx)
      assert.contains("refresh_token=rft.9", refresh_calls("/oauth/refresh_token/")[2].body)
    end)
  end)

  describe("check", function()
    it("is content with good settings, and says in words what is wrong", function()
      has_token()
      assert.equal(true, (adapter.check(ctx.config, ctx)))
      t.http.on(REFRESH_URL, { json = { data = { error_code = 10003 } }, times = 1 })
      local _, code, why = adapter.check(ctx.config, ctx)
      assert.equal("refused", code)
      assert.contains("Client Key", why)
      t.http.on(REFRESH_URL, { fails = "unavailable" })
      _, code = adapter.check(ctx.config, ctx)
      assert.equal("unavailable", code)
      ctx.config.refresh_token = nil
      _, code = adapter.check(ctx.config, ctx)
      assert.equal("refresh_token", code)
      ctx.config.client_secret = nil
      _, code = adapter.check(ctx.config, ctx)
      assert.equal("client_secret", code)
    end)
  end)
end)
