-- yuelai test channels/douyin
local t, kit = require "test", require "tests.desk"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"

local API = "https://open.douyin.com"
local SEND_URL, REFRESH_URL = "POST " .. API .. "/im/send/msg/*", "POST " .. API .. "/oauth/refresh_token/"
local GOOD = { msg_id = "@NEW==", data = { error_code = 0, description = "" },
  extra = { error_code = 0, sub_error_code = 0, logid = "1", now = 1735700001 } }

describe("channel douyin, out", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    t.at "2025-01-01 11:00 +08:00"
    local desk = kit.of({ type = "douyin", name = "shop" },
      { client_key = "awKEY", client_secret = secret.hide "test_client_secret", open_id = "B_OPENID",
      refresh_token = secret.hide "rft.1" })
    adapter, ctx = desk.adapter, desk.ctx
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

  local function sent(i)
    local list = {}
    for _, c in ipairs(t.http.calls()) do
      if c.path:find "im/send" then list[#list + 1] = c end
    end
    return i and list[i] or list
  end
  local function has_token(name, more)
    local data = { access_token = name or "act.1", expires_in = "1296000", error_code = 0, open_id = "B_OPENID",
      refresh_token = "rft.1", refresh_expires_in = 2592000 }
    for key, value in pairs(more or {}) do data[key] = value end
    t.http.on(REFRESH_URL, { json = { data = data, message = "success" }, times = 1 })
  end
  local function sends(answer, text)
    t.http.on(SEND_URL, { json = answer or GOOD, times = 1 })
    return adapter.send({ id = "ob_1", to = "C_OPENID", kind = "text", text = text or "您好", attempt = 1 }, ctx)
  end

  describe("answers", function()
    it("belong to the customer's last message", function()
      has_token()
      writes("一", "@A==")
      t.advance "1m"
      writes("二", "@B==")
      assert.same({ sent = "@NEW==" }, sends())
      assert.same({ msg_id = "@B==", conversation_id = "@CONV==", to_user_id = "C_OPENID",
        content = { msg_type = 1, text = { text = "您好" } } }, sent(1).json)
      assert.equal("act.1", sent(1).headers["access-token"])
      assert.equal("B_OPENID", sent(1).query.open_id)
      local ask = t.http.calls()[1]
      assert.contains("refresh_token=rft.1", ask.body)
      assert.contains("grant_type=refresh_token", ask.body)
      assert.contains("client_key=awKEY", ask.body)
      assert.same({ sent = "@NEW==" }, sends())
      assert.equal(3, #t.http.calls()) -- one token for both
    end)

    it("are not sent after 24 hours, nor to who never wrote", function()
      assert.equal("window_closed", adapter.send({ id = "1", to = "C2", kind = "text", text = "Hi" }, ctx).failed)
      writes "一"
      t.advance "24h"
      assert.equal("window_closed", adapter.send({ id = "1", to = "C_OPENID", kind = "text", text = "Hi" }, ctx).failed)
      assert.same({}, t.http.calls())
    end)

    it("to who only came in are possible for 30 seconds, in a scene of their own", function()
      has_token()
      writes("一", "@A==")
      t.advance "1h"
      happens("im_enter_direct_msg", { server_message_id = "@ENTER==" })
      sends()
      assert.equal("im_enter_direct_msg", sent(1).json.scene)
      assert.equal("@ENTER==", sent(1).json.msg_id)
      t.advance "30s"
      sends()
      assert.is_nil(sent(2).json.scene)
      assert.equal("@A==", sent(2).json.msg_id)
      happens("im_enter_direct_msg", { server_message_id = "@ENTER2==" })
      t.advance "1s"
      writes("二", "@B==")
      sends()
      assert.equal("@B==", sent(3).json.msg_id)
    end)

    it("welcome who comes in, once, even through repeated pushes", function()
      has_token()
      ctx.config.welcome = "欢迎"
      t.http.on(SEND_URL, { json = GOOD })
      happens("im_enter_direct_msg", { server_message_id = "@ENTER==" })
      happens("enter_im", { server_message_id = "@ENTER==" })
      assert.equal(1, #sent())
      assert.equal("欢迎", sent(1).json.content.text.text)
    end)

    it("fetch a new token once when theirs is stale", function()
      has_token "act.1"
      has_token "act.2"
      writes "一"
      t.http.on(SEND_URL, { json = { data = { error_code = 2190008 } }, times = 1 })
      assert.same({ sent = "@NEW==" }, sends())
      assert.equal("act.2", sent(2).headers["access-token"])
      has_token "act.3"
      t.http.on(SEND_URL, { json = { err_no = 28001003, err_msg = "x" }, times = 1 })
      assert.equal(60, sends({ err_no = 28001008, err_msg = "x" }).retry)
      assert.equal(4, #sent())
    end)

    it("fail with a reason, or come again, by error code, in both shells", function()
      has_token()
      writes "一"
      local cases = {
        [28003080] = "window_closed", [28003081] = "window_closed", [28003082] = "no_recipient",
        [28003101] = "no_recipient", [28001038] = "content_refused", [28029004] = "not_allowed",
        [2190004] = "not_allowed", [28001018] = "not_allowed", [28001016] = "not_allowed", [2190015] = "config",
        [28001015] = "config", [2190003] = "config", [28001012] = "config",
        [2100005] = "refused", [28001007] = "refused", [28001056] = "refused",
        [2100004] = 5, [28001005] = 5, [28001006] = 5, [28003018] = 60, [28003070] = 600, [2190001] = 3600,
      }
      for code, expected in pairs(cases) do
        local got = sends { data = { error_code = 0 }, extra = { error_code = 1, sub_error_code = code } }
        assert.equal(expected, got.failed or got.retry, "code " .. code)
        got = sends { err_no = code, err_msg = "their words" }
        assert.equal(expected, got.failed or got.retry, "code " .. code)
        assert.contains(tostring(code), got.why)
        assert.contains("their words", got.why)
        assert.equal(code == 28003070 or nil, got.until_heard)
      end
    end)

    it("come again when Douyin is down", function()
      has_token()
      writes "一"
      t.http.on(SEND_URL, { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send({ id = "1", to = "C_OPENID", kind = "text", text = "Hi" }, ctx).retry)
      t.http.on(SEND_URL, { status = 502, body = "<html>", times = 1 })
      assert.equal(5, adapter.send({ id = "1", to = "C_OPENID", kind = "text", text = "Hi" }, ctx).retry)
    end)

    it("longer than the limit go in pieces of characters", function()
      has_token()
      writes "一"
      ctx.config.text_limit = 3
      t.http.on(SEND_URL, { json = GOOD })
      local item = { id = "ob_2", to = "C_OPENID", kind = "text", text = "退款已到账" }
      assert.same({ sent = "@NEW==" }, adapter.send(item, ctx))
      assert.equal("退款已", sent(1).json.content.text.text)
      assert.equal("到账", sent(2).json.content.text.text)
      ctx.config.text_limit = nil
    end)

    it("without a consent nothing goes", function()
      ctx.config.refresh_token = nil
      assert.equal("config", adapter.send({ id = "1", to = "C", kind = "text", text = "Hi" }, ctx).failed)
    end)

    it("are taken back in their conversation, in all their pieces, with a token that is good", function()
      has_token()
      local function back(id) return adapter.recall({ id = "ob_2", to = "C_OPENID", sent = id, attempt = 1 }, ctx) end
      assert.equal("unsupported", back("@NEW==").failed) -- which conversation?
      writes "一"
      for i = 1, 2 do
        t.http.on(SEND_URL, { json = { msg_id = "@P" .. i .. "==", data = GOOD.data, extra = GOOD.extra }, times = 1 })
      end
      local last = adapter.send({ id = "ob_1", to = "C_OPENID", kind = "text", text = ("长"):rep(1500), attempt = 1 }, ctx).sent
      local RECALL_URL = "POST " .. API .. "/im/recall/msg/*"
      t.http.on(RECALL_URL, { json = { data = { error_code = 2190008 } }, times = 1 })
      has_token "act.2"
      t.http.on(RECALL_URL, { json = GOOD })
      assert.same({ recalled = true }, back(last))
      local calls = {}
      for _, c in ipairs(t.http.calls()) do
        if c.path:find "im/recall" then calls[#calls + 1] = c end
      end
      assert.equal(3, #calls)
      assert.equal("act.2", calls[3].headers["access-token"])
      assert.equal("B_OPENID", calls[3].query.open_id)
      for i, n in ipairs { 1, 1, 2 } do
        assert.same({ msg_id = "@P" .. n .. "==", conversation_id = "@CONV==", conversation_type = 1 }, calls[i].json)
      end
      ctx.config.refresh_token = nil
      assert.equal("config", back(last).failed)
    end)

    it("say that the consent is over", function()
      writes "一"
      t.http.on(REFRESH_URL, { json = { data = { error_code = 10010, description = "expired" }, message = "error" } })
      local got = adapter.send({ id = "1", to = "C_OPENID", kind = "text", text = "Hi" }, ctx)
      assert.equal("config", got.failed)
      assert.contains("重新授权", got.why)
    end)
  end)
end)
